"""The tables of all stages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _ledger()
    _monitoring_alerts()
    _monitoring_measures()
    _pipelines()
    _registry()
    _rollouts()
    _serving()
    _tracking_runs()
    _tracking_details()


def _ledger() -> None:
    op.create_table(
        "ledger_audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "ledger_audit_head",
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
    )
    op.create_table(
        "ledger_decisions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ledger_decisions_at", "ledger_decisions", ["at"])
    op.create_index("ix_ledger_decisions_subject", "ledger_decisions", ["subject", "at"])
    op.create_table(
        "ledger_edges",
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("effect", "relation", "cause"),
    )
    op.create_index("ix_ledger_edges_cause", "ledger_edges", ["cause"])
    op.create_table(
        "ledger_marks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _monitoring_alerts() -> None:
    op.create_table(
        "monitoring_alerts",
        sa.Column("id", sa.String(length=600), nullable=False),
        sa.Column("rule", sa.String(length=255), nullable=False),
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fired_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=255), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("next_command", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "monitoring_alerts_open",
        "monitoring_alerts",
        ["endpoint", "rule"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "monitoring_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.String(length=600), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("enqueued_at", sa.BigInteger(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["monitoring_alerts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("monitoring_deliveries_pending", "monitoring_deliveries", ["sent_at", "retry_at"])


def _monitoring_measures() -> None:
    op.create_table(
        "monitoring_drift",
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference_start_at", sa.BigInteger(), nullable=False),
        sa.Column("reference_end_at", sa.BigInteger(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "start_at", "end_at"),
    )
    op.create_table(
        "monitoring_performance",
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("granularity", sa.String(length=16), nullable=False),
        sa.Column("start_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("matured", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "granularity", "start_at"),
    )
    op.create_table(
        "monitoring_references",
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("model_version", sa.String(length=255), nullable=False),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("sketches", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "model_version"),
    )


def _pipelines() -> None:
    op.create_table(
        "pipelines_checkpoints",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _registry() -> None:
    op.create_table(
        "registry_models",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "registry_versions",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.JSON(), nullable=False),
        sa.Column("flavor", sa.String(), nullable=False),
        sa.Column("trained_from_at", sa.BigInteger(), nullable=True),
        sa.Column("trained_to_at", sa.BigInteger(), nullable=True),
        sa.Column("evaluation", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["model"], ["registry_models.name"]),
        sa.PrimaryKeyConstraint("model", "version"),
        sa.UniqueConstraint("model", "digest", name="uq_registry_versions_digest"),
    )
    op.create_table(
        "registry_aliases",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["registry_versions.model", "registry_versions.version"],
            name="fk_registry_aliases_version",
        ),
        sa.PrimaryKeyConstraint("model", "alias"),
    )
    op.create_table(
        "registry_version_tags",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["registry_versions.model", "registry_versions.version"],
            name="fk_registry_version_tags_version",
        ),
        sa.PrimaryKeyConstraint("model", "version", "key"),
    )


def _rollouts() -> None:
    op.create_table(
        "rollouts_rollouts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("champion", sa.Integer(), nullable=False),
        sa.Column("challenger", sa.Integer(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("step_started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rollouts_rollouts_endpoint", "rollouts_rollouts", ["endpoint", "started_at"])
    op.create_index(
        "uq_rollouts_rollouts_running",
        "rollouts_rollouts",
        ["endpoint"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "rollouts_verdicts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("rollout", sa.String(), nullable=False),
        sa.Column("verdict_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("guardrails", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["rollout"], ["rollouts_rollouts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_rollouts_verdicts_rollout", "rollouts_verdicts", ["rollout", "verdict_at"])


def _serving() -> None:
    op.create_table(
        "serving_routes",
        sa.Column("endpoint", sa.String(length=200), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("variants", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "generation"),
    )


def _tracking_runs() -> None:
    op.create_table(
        "tracking_experiments",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tracking_runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.name"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tracking_runs_experiment", "tracking_runs", ["experiment", "started_at"])
    op.create_index("ix_tracking_runs_status", "tracking_runs", ["status"])


def _tracking_details() -> None:
    op.create_table(
        "tracking_datasets",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("run", "name", "digest"),
    )
    op.create_table(
        "tracking_environments",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_table(
        "tracking_latest_metrics",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("run", "key"),
    )
    op.create_table(
        "tracking_metrics",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_tracking_metrics_run", "tracking_metrics", ["run", "key", "step"])
    op.create_table(
        "tracking_params",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("run", "key"),
    )
    op.create_table(
        "tracking_tags",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.id"]),
        sa.PrimaryKeyConstraint("run", "key"),
    )
