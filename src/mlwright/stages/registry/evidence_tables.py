"""Tables of what was found out about model versions, and of the proofs that wait or run."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from mlwright.stages.registry.tables import metadata

# SQLite numbers rows by itself only where the type is INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

evidence = Table(
    "registry_evidence",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("actor", String, nullable=False),
    Column("found_at", BigInteger, nullable=False),
    Index("ix_registry_evidence_version", "model", "version", "number"),
)

proofs = Table(
    "registry_proofs",
    metadata,
    # One row a version: asking again puts it back into the queue.
    Column("model", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    # The process that proves it: one that is gone will not end it.
    Column("pid", BigInteger),
    Column("host", String),
    Index("ix_registry_proofs_state", "state", "asked_at"),
)
