"""Tables of experiments and runs."""

import math

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class Measured(TypeDecorator[float]):
    """A double that may be NaN. SQLite has none (it binds one as NULL), so NULL is NaN in both databases."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Write NaN as NULL."""
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        """Read NULL as NaN."""
        return math.nan if value is None else float(value)


metadata = MetaData()

experiments = Table(
    "tracking_experiments",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

runs = Table(
    "tracking_runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("experiment", String, ForeignKey("tracking_experiments.name"), nullable=False),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("actor", String, nullable=False),
    Column("error", Text),
    Column("pid", BigInteger, nullable=False),
    Column("host", String, nullable=False),
    Index("ix_tracking_runs_experiment", "experiment", "started_at"),
    Index("ix_tracking_runs_status", "status"),
)

metrics = Table(
    "tracking_metrics",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run", String, ForeignKey("tracking_runs.id"), nullable=False),
    Column("key", String, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("value", Measured),
    Index("ix_tracking_metrics_run", "run", "key", "step"),
)

latest_metrics = Table(
    "tracking_latest_metrics",
    metadata,
    Column("run", String, ForeignKey("tracking_runs.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("value", Measured),
)

params = Table(
    "tracking_params",
    metadata,
    Column("run", String, ForeignKey("tracking_runs.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

tags = Table(
    "tracking_tags",
    metadata,
    Column("run", String, ForeignKey("tracking_runs.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

datasets = Table(
    "tracking_datasets",
    metadata,
    Column("run", String, ForeignKey("tracking_runs.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("contract", String, nullable=False),
)

environments = Table(
    "tracking_environments",
    metadata,
    Column("run", String, ForeignKey("tracking_runs.id"), primary_key=True),
    Column("environment", JSON, nullable=False),
)
