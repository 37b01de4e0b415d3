"""Tables of logged models: what a run logs before anybody registers it."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from mlwright.stages.tracking.tables import Measured, Number, metadata

logged_models = Table(
    "tracking_logged_models",
    metadata,
    Column("id", String, primary_key=True),
    Column("experiment", Number, ForeignKey("tracking_experiments.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("artifact_root", Text, nullable=False),
    Column("source_run", String),
    Column("status", String, nullable=False),
    Column("status_message", Text),
    Column("model_type", String),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Index("ix_tracking_logged_models_experiment", "experiment", "created_ms"),
)

logged_model_params = Table(
    "tracking_logged_model_params",
    metadata,
    Column("model", String, ForeignKey("tracking_logged_models.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_tags = Table(
    "tracking_logged_model_tags",
    metadata,
    Column("model", String, ForeignKey("tracking_logged_models.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_metrics = Table(
    "tracking_logged_model_metrics",
    metadata,
    # The latest value of each metric that a run measured of the model, on a dataset or on none ("").
    Column("model", String, ForeignKey("tracking_logged_models.id"), primary_key=True),
    Column("run", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("dataset", String, primary_key=True),
    Column("dataset_digest", String, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("value", Measured),
)
