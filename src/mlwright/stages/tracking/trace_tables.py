"""Tables of traces: what a call of a program did, step by step, and what was judged of it.

A trace has one row, and each of its spans has one: spans arrive singly while the trace is still going on, a search asks
for their names and types, and all of a trace come back by one query in the order of their beginning. The content of a
span is text, because a search may ask what stands in it; PostgreSQL compresses a long one by itself.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Index, String, Table, Text

from mlwright.stages.tracking.tables import Number, metadata

traces = Table(
    "tracking_traces",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("experiment", Number, ForeignKey("tracking_experiments.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("duration_ms", BigInteger),
    Column("name", Text),
    Column("client_request", String),
    Column("request_preview", Text),
    Column("response_preview", Text),
    # Whether its client has said how it ended; before that, state, times and previews are gathered from its spans.
    Column("reported", Boolean, nullable=False),
    Index("ix_tracking_traces_experiment", "experiment", "started_ms", "number"),
)

trace_tags = Table(
    "tracking_trace_tags",
    metadata,
    Column("trace", Number, ForeignKey("tracking_traces.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

trace_metadata = Table(
    "tracking_trace_metadata",
    metadata,
    Column("trace", Number, ForeignKey("tracking_traces.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

spans = Table(
    "tracking_spans",
    metadata,
    Column("trace", Number, ForeignKey("tracking_traces.number"), primary_key=True, autoincrement=False),
    Column("id", String, primary_key=True),
    Column("parent", String),
    Column("name", Text, nullable=False),
    Column("kind", String),
    Column("status", String, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    # JSON: the span as the MLflow protocol returns it, attributes and all.
    Column("content", Text, nullable=False),
)

assessments = Table(
    "tracking_assessments",
    metadata,
    Column("id", String, primary_key=True),
    Column("trace", Number, ForeignKey("tracking_traces.number"), nullable=False),
    Column("name", String, nullable=False),
    # feedback, expectation or issue.
    Column("kind", String, nullable=False),
    # JSON, as text to search in; the figure beside it is there where the value is a finite number.
    Column("value", Text, nullable=False),
    Column("figure", Double),
    Column("serialized", Boolean, nullable=False),
    Column("source_type", String, nullable=False),
    Column("source_id", String, nullable=False),
    Column("span", String),
    Column("rationale", Text),
    Column("error", JSON(none_as_null=True)),
    Column("details", JSON, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("overrides", String),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("ix_tracking_assessments_trace", "trace", "created_ms"),
)

trace_runs = Table(
    "tracking_trace_runs",
    metadata,
    Column("trace", Number, ForeignKey("tracking_traces.number"), primary_key=True, autoincrement=False),
    Column("run", Number, ForeignKey("tracking_runs.number"), primary_key=True, autoincrement=False),
    Index("ix_tracking_trace_runs_run", "run", "trace"),
)

trace_prompts = Table(
    "tracking_trace_prompts",
    metadata,
    Column("trace", Number, ForeignKey("tracking_traces.number"), primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("version", String, primary_key=True),
    Index("ix_tracking_trace_prompts_name", "name", "version"),
)
