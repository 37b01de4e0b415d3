"""Tables of models, versions, aliases, tags, and of the webhooks that are told about them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

models = Table(
    "registry_models",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # The highest number ever given; this row is also what two writers of one model queue at.
    Column("latest", Integer, nullable=False),
    Column("description", Text),
    # NULL: nothing changed since it was made.
    Column("updated_at", BigInteger),
)

model_tags = Table(
    "registry_model_tags",
    metadata,
    Column("model", String, ForeignKey("registry_models.name"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

versions = Table(
    "registry_versions",
    metadata,
    Column("model", String, ForeignKey("registry_models.name"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    # NULL: no folder is stored (and proved) for it: it lies elsewhere, or is a prompt. Then it cannot be loaded here.
    Column("digest", String),
    Column("run", String),
    Column("created_at", BigInteger, nullable=False),
    Column("signature", JSON(none_as_null=True)),
    Column("flavor", String),
    Column("trained_from_at", BigInteger),
    Column("trained_to_at", BigInteger),
    Column("evaluation", JSON(none_as_null=True)),
    # Where a client said it lies, and the same where its model id is resolved (NULL: as the source).
    Column("source", Text),
    Column("location", Text),
    Column("status", String, nullable=False, server_default="READY"),
    Column("status_message", Text),
    Column("description", Text),
    Column("stage", String, nullable=False, server_default="None"),
    Column("actor", String),
    Column("updated_at", BigInteger),
    Column("run_link", Text),
    Column("logged_model", String),
    Index("ix_registry_versions_digest", "model", "digest"),
    Index("ix_registry_versions_run", "run"),
    Index("ix_registry_versions_logged_model", "logged_model"),
)

aliases = Table(
    "registry_aliases",
    metadata,
    Column("model", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(
        ["model", "version"],
        ["registry_versions.model", "registry_versions.version"],
        name="fk_registry_aliases_version",
    ),
)

version_tags = Table(
    "registry_version_tags",
    metadata,
    Column("model", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    ForeignKeyConstraint(
        ["model", "version"],
        ["registry_versions.model", "registry_versions.version"],
        name="fk_registry_version_tags_version",
    ),
)

webhooks = Table(
    "registry_webhooks",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("description", Text),
    Column("url", Text, nullable=False),
    # ["registered_model.created", …]
    Column("events", JSON, nullable=False),
    Column("status", String, nullable=False),
    # env:NAME or file:PATH; never the secret itself.
    Column("secret", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# The outbox: a row is written by the transaction that makes the change, and worked off by the dispatcher.
deliveries = Table(
    "registry_deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("webhook", String, ForeignKey("registry_webhooks.id"), nullable=False),
    Column("event", String, nullable=False),
    # The JSON text of ``data``, as it is sent.
    Column("payload", Text, nullable=False),
    # waiting, delivered or failed.
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("error", Text),
    Index("ix_registry_deliveries_due", "state", "due_at"),
    Index("ix_registry_deliveries_webhook", "webhook", "created_at"),
)
