"""The tables of monitoring. Instants are microseconds since 1970 in UTC."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

performance = Table(
    "monitoring_performance",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("granularity", String(16), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("end_at", BigInteger, nullable=False),
    Column("matured", Boolean, nullable=False),
    Column("numbers", JSON, nullable=False),
)

drift = Table(
    "monitoring_drift",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("end_at", BigInteger, primary_key=True, autoincrement=False),
    Column("reference_start_at", BigInteger, nullable=False),
    Column("reference_end_at", BigInteger, nullable=False),
    Column("features", JSON, nullable=False),
)

references = Table(
    "monitoring_references",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("model_version", String(255), primary_key=True),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("sketches", JSON, nullable=False),
)

alerts = Table(
    "monitoring_alerts",
    metadata,
    Column("id", String(600), primary_key=True),
    Column("rule", String(255), nullable=False),
    Column("endpoint", String(255), nullable=False),
    Column("level", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fired_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", String(255)),
    Column("summary", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("next_command", Text, nullable=False),
    # At most one open alert per endpoint and rule, also when two processes decide at the same time.
    Index(
        "monitoring_alerts_open",
        "endpoint",
        "rule",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

deliveries = Table(
    "monitoring_deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", String(600), ForeignKey("monitoring_alerts.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("channel", String(255), nullable=False),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Index("monitoring_deliveries_pending", "sent_at", "retry_at"),
)
