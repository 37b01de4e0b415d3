"""Logged models, artifacts by path, traces."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PATH = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    _models()
    _model_details()
    _artifacts()
    _traces()
    _spans()


def _models() -> None:
    op.create_table(
        "tracking_model_inputs",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "model"),
    )
    op.create_table(
        "tracking_outputs",
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.PrimaryKeyConstraint("run", "model", "step"),
    )
    op.create_table(
        "tracking_logged_models",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment", _NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("artifact_root", sa.Text(), nullable=False),
        sa.Column("source_run", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("model_type", sa.String(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_tracking_logged_models_experiment", "tracking_logged_models", ["experiment", "created_ms"]
    )


def _model_details() -> None:
    op.create_table(
        "tracking_logged_model_metrics",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_digest", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["model"], ["tracking_logged_models.id"]),
        sa.PrimaryKeyConstraint("model", "run", "key", "dataset", "dataset_digest"),
    )
    op.create_table(
        "tracking_logged_model_params",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["tracking_logged_models.id"]),
        sa.PrimaryKeyConstraint("model", "key"),
    )
    op.create_table(
        "tracking_logged_model_tags",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["tracking_logged_models.id"]),
        sa.PrimaryKeyConstraint("model", "key"),
    )


def _artifacts() -> None:
    op.create_table(
        "tracking_artifacts",
        sa.Column("path", _PATH, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tracking_artifacts_digest", "tracking_artifacts", ["digest"])
    op.create_table(
        "tracking_uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("path", _PATH, nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tracking_upload_parts",
        sa.Column("upload", sa.String(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["upload"], ["tracking_uploads.id"]),
        sa.PrimaryKeyConstraint("upload", "part"),
    )


def _traces() -> None:
    op.create_table(
        "tracking_traces",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment", _NUMBER, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("client_request", sa.String(), nullable=True),
        sa.Column("request_preview", sa.Text(), nullable=True),
        sa.Column("response_preview", sa.Text(), nullable=True),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["experiment"], ["tracking_experiments.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(
        "ix_tracking_traces_experiment", "tracking_traces", ["experiment", "started_ms", "number"]
    )
    op.create_table(
        "tracking_assessments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("trace", _NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("figure", sa.Double(), nullable=True),
        sa.Column("serialized", sa.Boolean(), nullable=False),
        sa.Column("source_type", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("span", sa.String(), nullable=True),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("overrides", sa.String(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tracking_assessments_trace", "tracking_assessments", ["trace", "created_ms"])
    op.create_table(
        "tracking_spans",
        sa.Column("trace", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("trace", "id"),
    )


def _spans() -> None:
    op.create_table(
        "tracking_trace_metadata",
        sa.Column("trace", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("trace", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_trace_prompts",
        sa.Column("trace", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("trace", "name", "version"),
    )
    op.create_index("ix_tracking_trace_prompts_name", "tracking_trace_prompts", ["name", "version"])
    op.create_table(
        "tracking_trace_runs",
        sa.Column("trace", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("run", _NUMBER, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["tracking_runs.number"]),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("trace", "run"),
    )
    op.create_index("ix_tracking_trace_runs_run", "tracking_trace_runs", ["run", "trace"])
    op.create_table(
        "tracking_trace_tags",
        sa.Column("trace", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["tracking_traces.number"]),
        sa.PrimaryKeyConstraint("trace", "key"),
        sqlite_with_rowid=False,
    )
