"""Tables of the audit chain, decisions, lineage and marks."""

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData, String, Table, Text

metadata = MetaData()

audit = Table(
    "ledger_audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)

# One row: the end of the audit chain. Writers queue at it, and a chain that lost its end disagrees with it.
audit_head = Table(
    "ledger_audit_head",
    metadata,
    Column("chain", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)

decisions = Table(
    "ledger_decisions",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Index("ix_ledger_decisions_at", "at"),
    Index("ix_ledger_decisions_subject", "subject", "at"),
)

# Nodes are kept as their text, ``kind:id``.
edges = Table(
    "ledger_edges",
    metadata,
    Column("effect", String, primary_key=True),
    Column("relation", String, primary_key=True),
    Column("cause", String, primary_key=True),
    Index("ix_ledger_edges_cause", "cause"),
)

marks = Table(
    "ledger_marks",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)
