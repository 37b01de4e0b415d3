"""Tables of experiments, runs, metrics and logged models.

Runs have a short number beside their public id: the rows of params, tags and metrics, of which there are most, refer to
it, and lie in the order of their run. The latest value of each metric has a row of its own with a summary, so that a
search never reads a history; histories lie in blocks of packed points (see ``history.py``).
"""

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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
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

# SQLite numbers rows by itself only where the type is INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")

# An index entry may hold 2,700 bytes in PostgreSQL, and a param may be longer: the index knows its beginning.
INDEXED_TEXT = 200

experiments = Table(
    "tracking_experiments",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("name", String, nullable=False, unique=True),
    Column("artifact_root", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    # Clients keep the id: the one of a collected experiment is not given again.
    sqlite_autoincrement=True,
)

experiment_tags = Table(
    "tracking_experiment_tags",
    metadata,
    Column("experiment", Number, ForeignKey("tracking_experiments.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "tracking_runs",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("experiment", Number, ForeignKey("tracking_experiments.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    # As the client said them, in milliseconds; see model/tracking.py.
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("actor", String, nullable=False),
    Column("artifact_root", Text, nullable=False),
    Column("error", Text),
    # The process that does the work, where it is one of ours; runs of other clients have none.
    Column("pid", BigInteger),
    Column("host", String),
    Column("deleted_at", BigInteger),
    Index("ix_tracking_runs_experiment", "experiment", "started_ms"),
    Index("ix_tracking_runs_status", "status"),
)

latest_metrics = Table(
    "tracking_latest_metrics",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("value", Measured),
    # Of all points so far; lowest and highest of the finite ones.
    Column("points", BigInteger, nullable=False),
    Column("lowest", Measured),
    Column("highest", Measured),
    Index("ix_tracking_latest_metrics_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

history = Table(
    "tracking_history",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("run", Number, ForeignKey("tracking_runs.number"), nullable=False),
    Column("key", String, nullable=False),
    Column("points", Integer, nullable=False),
    # 24 bytes a point, little-endian: all steps (int64), then all instants (int64), then all values (float64).
    Column("data", LargeBinary, nullable=False),
    Index("ix_tracking_history_run", "run", "key", "number"),
)

params = Table(
    "tracking_params",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_tracking_params_value", params.c.key, func.substr(params.c.value, 1, INDEXED_TEXT), params.c.run)

tags = Table(
    "tracking_tags",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_tracking_tags_value", tags.c.key, func.substr(tags.c.value, 1, INDEXED_TEXT), tags.c.run)

datasets = Table(
    "tracking_datasets",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("experiment", Number, ForeignKey("tracking_experiments.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("source_type", String, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    UniqueConstraint("experiment", "name", "digest", name="uq_tracking_datasets_digest"),
)

inputs = Table(
    "tracking_inputs",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("dataset", Number, ForeignKey("tracking_datasets.number"), primary_key=True, autoincrement=False),
    Column("tags", JSON, nullable=False),
    Index("ix_tracking_inputs_dataset", "dataset", "run"),
)

model_inputs = Table(
    "tracking_model_inputs",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("model", String, primary_key=True),
)

outputs = Table(
    "tracking_outputs",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("model", String, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
)

environments = Table(
    "tracking_environments",
    metadata,
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Column("environment", JSON, nullable=False),
)
