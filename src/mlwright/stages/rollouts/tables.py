"""The tables of rollouts and of every verdict that was given about them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

rollouts = Table(
    "rollouts_rollouts",
    metadata,
    Column("id", String, primary_key=True),
    Column("endpoint", String, nullable=False),
    Column("model", String, nullable=False),
    Column("champion", Integer, nullable=False),
    Column("challenger", Integer, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("step", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("step_started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("last", JSON(none_as_null=True)),
    Index("ix_rollouts_rollouts_endpoint", "endpoint", "started_at"),
    # The database itself refuses a second running rollout, so two processes cannot both start one.
    Index(
        "uq_rollouts_rollouts_running",
        "endpoint",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)

verdicts = Table(
    "rollouts_verdicts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String, ForeignKey("rollouts_rollouts.id"), nullable=False),
    Column("verdict_at", BigInteger, nullable=False),
    Column("verdict", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("guardrails", JSON, nullable=False),
    Index("ix_rollouts_verdicts_rollout", "rollout", "verdict_at"),
)
