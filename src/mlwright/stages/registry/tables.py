"""Tables of models, versions and aliases."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

models = Table(
    "registry_models",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # The highest number ever given; this row is also what two writers of one model queue at.
    Column("latest", Integer, nullable=False),
)

versions = Table(
    "registry_versions",
    metadata,
    Column("model", String, ForeignKey("registry_models.name"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("run", String),
    Column("created_at", BigInteger, nullable=False),
    Column("signature", JSON, nullable=False),
    Column("flavor", String, nullable=False),
    Column("trained_from_at", BigInteger),
    Column("trained_to_at", BigInteger),
    Column("evaluation", JSON(none_as_null=True)),
    UniqueConstraint("model", "digest", name="uq_registry_versions_digest"),
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
