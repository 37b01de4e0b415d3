"""Models that are described and tagged, versions that lie elsewhere, webhooks, evidence about versions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _models()
    _versions()
    _webhooks()
    _evidence()


def _models() -> None:
    op.add_column("registry_models", sa.Column("description", sa.Text(), nullable=True))
    op.add_column("registry_models", sa.Column("updated_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "registry_model_tags",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["registry_models.name"]),
        sa.PrimaryKeyConstraint("model", "key"),
    )


def _versions() -> None:
    with op.batch_alter_table("registry_versions") as table:
        # Two versions may have the same content, and one that lies elsewhere has none here.
        table.drop_constraint("uq_registry_versions_digest", type_="unique")
        table.alter_column("digest", existing_type=sa.String(), nullable=True)
        table.alter_column("signature", existing_type=sa.JSON(), nullable=True)
        table.alter_column("flavor", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("source", sa.Text(), nullable=True))
        table.add_column(sa.Column("location", sa.Text(), nullable=True))
        table.add_column(sa.Column("status", sa.String(), server_default="READY", nullable=False))
        table.add_column(sa.Column("status_message", sa.Text(), nullable=True))
        table.add_column(sa.Column("description", sa.Text(), nullable=True))
        table.add_column(sa.Column("stage", sa.String(), server_default="None", nullable=False))
        table.add_column(sa.Column("actor", sa.String(), nullable=True))
        table.add_column(sa.Column("updated_at", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("run_link", sa.Text(), nullable=True))
        table.add_column(sa.Column("logged_model", sa.String(), nullable=True))
    op.create_index("ix_registry_versions_digest", "registry_versions", ["model", "digest"])
    op.create_index("ix_registry_versions_run", "registry_versions", ["run"])
    op.create_index("ix_registry_versions_logged_model", "registry_versions", ["logged_model"])


def _webhooks() -> None:
    op.create_table(
        "registry_webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "registry_deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["webhook"], ["registry_webhooks.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_registry_deliveries_due", "registry_deliveries", ["state", "due_at"])
    op.create_index("ix_registry_deliveries_webhook", "registry_deliveries", ["webhook", "created_at"])


def _evidence() -> None:
    op.create_table(
        "registry_evidence",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_registry_evidence_version", "registry_evidence", ["model", "version", "number"])
    op.create_table(
        "registry_proofs",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("pid", sa.BigInteger(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("model", "version"),
    )
    op.create_index("ix_registry_proofs_state", "registry_proofs", ["state", "asked_at"])
