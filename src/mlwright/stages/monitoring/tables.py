"""The tables of monitoring. Instants are microseconds since 1970 in UTC."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
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

performance_parts = Table(
    "monitoring_performance_parts",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("granularity", String(16), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("part", String(600), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("matured", Boolean, nullable=False),
    Column("numbers", JSON, nullable=False),
)
"""``part`` is ``column=value`` or ``variant=name``, ``place`` its order within the window."""

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

joint_drift = Table(
    "monitoring_joint_drift",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("end_at", BigInteger, primary_key=True, autoincrement=False),
    Column("measured_at", BigInteger, nullable=False),
    Column("model_version", String(255), nullable=False),
    Column("reference_start_at", BigInteger, nullable=False),
    Column("reference_end_at", BigInteger, nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("features", JSON, nullable=False),
)
"""All columns together, by a classifier of served and held-out rows."""

part_drift = Table(
    "monitoring_part_drift",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("end_at", BigInteger, primary_key=True, autoincrement=False),
    Column("part", String(600), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("model_version", String(255), nullable=False),
    Column("reference_start_at", BigInteger, nullable=False),
    Column("reference_end_at", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("reference_rows", BigInteger, nullable=False),
    Column("columns_judged", Integer, nullable=False),
    Column("columns_moved", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("assumption", Text, nullable=False),
    Column("features", JSON, nullable=False),
)
"""Drift of slices and variants; ``features`` are those that moved most in any of them."""

references = Table(
    "monitoring_references",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("model_version", String(255), primary_key=True),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("sketches", JSON, nullable=False),
)

sketches = Table(
    "monitoring_sketches",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("model_version", String(255), primary_key=True),
    Column("part", String(255), primary_key=True),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("end_at", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", BigInteger, nullable=False),
    Column("counts", LargeBinary, nullable=False),
)
"""Counts into a reference's bins. ``part`` is ``served``, ``reference`` or a slice or variant of the served rows."""

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
    Column("owner", Text),
    Column("runbook", Text),
    Column("suspected", JSON(none_as_null=True)),
    Column("group_id", String(600)),
    Column("silenced_by", String(64)),
    Column("flaps", Integer, nullable=False, server_default="0"),
    # Where its escalation stands: since when it runs, the last step that was told, to whom and when.
    Column("since_at", BigInteger),
    Column("step", Integer, nullable=False, server_default="-1"),
    Column("told_at", BigInteger),
    Column("escalated_to", JSON(none_as_null=True)),
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
    Column("kind", String(16), nullable=False, server_default="change"),
    Column("refused", Boolean, nullable=False, server_default=false()),
    Column("cancelled_at", BigInteger),
    # When the receiver has to hear again of what is still open.
    Column("refresh_at", BigInteger),
    # Which process sends it now, and until when that counts: a process that dies leaves it to others.
    Column("claimed_by", String(64)),
    Column("claimed_until", BigInteger),
    Index("monitoring_deliveries_pending", "sent_at", "retry_at"),
    Index("monitoring_deliveries_alert", "alert_id", "channel"),
)

silences = Table(
    "monitoring_silences",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("endpoint", String(255), nullable=False),
    Column("rule", String(255)),
    Column("by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("start_at", BigInteger, nullable=False),
    Column("end_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Index("monitoring_silences_end", "end_at"),
)

slo_windows = Table(
    "monitoring_slo_windows",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("objective", String(16), primary_key=True),
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("start_at", BigInteger, primary_key=True, autoincrement=False),
    Column("good", Double, nullable=False),
    Column("total", Double, nullable=False),
)

slo_counters = Table(
    "monitoring_slo_counters",
    metadata,
    Column("endpoint", String(255), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("value", Double, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""What each endpoint's processes had counted at the last look."""
