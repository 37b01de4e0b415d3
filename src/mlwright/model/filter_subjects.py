"""What can be asked when searching each kind of thing: attributes, their other names, comparators, orders.

The tables are those of MLflow 3.17 (``mlflow/utils/search_utils.py`` and its SQL stores), a little wider where it is
only narrow by accident: any listed spelling of an entity goes everywhere.
"""

from collections.abc import Mapping
from typing import Final

from mlwright.model.filters import Attribute, Kind, Measure, Subject

_NUMBERS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_TEXTS: Final = frozenset({"=", "!=", "LIKE", "ILIKE"})
_NULLS: Final = frozenset({"IS NULL", "IS NOT NULL"})
_LISTED: Final = _TEXTS | {"IN", "NOT IN"}
_TRACED: Final = _TEXTS | {"RLIKE"}

_METRICS: Final = dict.fromkeys(("metrics", "metric"), Kind.METRIC)
_PARAMS: Final = dict.fromkeys(("params", "param", "parameters", "parameter"), Kind.PARAM)
_TAGS: Final = dict.fromkeys(("tags", "tag"), Kind.TAG)
_ATTRIBUTES: Final = dict.fromkeys(("attributes", "attribute", "attr"), Kind.ATTRIBUTE)
_DATASETS: Final = dict.fromkeys(("datasets", "dataset"), Kind.DATASET)


def _text(name: str, comparators: frozenset[str] = _TEXTS, kind: Kind = Kind.ATTRIBUTE) -> Attribute:
    return Attribute(name=name, comparators=comparators, kind=kind)


def _number(name: str, measure: Measure = Measure.NUMBER) -> Attribute:
    return Attribute(name=name, comparators=_NUMBERS, measure=measure)


def _orders(names: Mapping[str, str]) -> dict[str, tuple[Kind, str]]:
    return {alias: (Kind.ATTRIBUTE, name) for alias, name in names.items()}


_RUN_TEXTS: Final = ("artifact_uri", "run_name", "status", "user_id")

RUNS: Final = Subject(
    name="runs",
    entities=_METRICS | _PARAMS | _TAGS | _ATTRIBUTES | _DATASETS | {"run": Kind.ATTRIBUTE},
    attributes={each: _text(each) for each in _RUN_TEXTS}
    | dict.fromkeys(("run name", "Run name", "Run Name"), _text("run_name"))
    | {"run_id": _text("run_id", _LISTED), "end_time": _number("end_time")}
    | dict.fromkeys(("start_time", "created", "Created"), _number("start_time")),
    comparators={Kind.METRIC: _NUMBERS, Kind.PARAM: _TEXTS | _NULLS, Kind.TAG: _TEXTS | _NULLS},
    keys={Kind.DATASET: dict.fromkeys(("name", "digest", "context"), _LISTED)},
    orders=_orders(
        {each: each for each in (*_RUN_TEXTS, "run_id", "start_time", "end_time", "duration")}
        | dict.fromkeys(("created", "Created"), "start_time")
    ),
    ordered=frozenset({Kind.METRIC, Kind.PARAM, Kind.TAG}),
)
"""Values of ``dataset.context`` are those of the tag ``mlflow.data.context``. MLflow cannot order by duration."""

_EXPERIMENT_TIMES: Final = ("creation_time", "last_update_time")

EXPERIMENTS: Final = Subject(
    name="experiments",
    entities=_TAGS | _ATTRIBUTES,
    attributes={
        "name": _text("name"),
        "experiment_id": _text("experiment_id", frozenset({"=", "!=", "IN", "NOT IN"})),
    }
    | {each: _number(each, Measure.WHOLE) for each in _EXPERIMENT_TIMES},
    comparators={Kind.TAG: _TEXTS | _NULLS},
    orders=_orders({each: each for each in ("name", "experiment_id", *_EXPERIMENT_TIMES)}),
)

_MODEL_TIMES: Final = {
    **dict.fromkeys(("creation_time", "creation_timestamp", "creation_timestamp_ms"), "creation_timestamp"),
    **dict.fromkeys(
        ("last_updated_time", "last_updated_timestamp", "last_updated_timestamp_ms"), "last_updated_timestamp"
    ),
}
_MODEL_TEXTS: Final = (
    "name",
    "model_id",
    "model_type",
    "status",
    "status_message",
    "source_run_id",
    "experiment_id",
    "artifact_location",
)

LOGGED_MODELS: Final = Subject(
    name="logged models",
    entities=_METRICS | _PARAMS | _TAGS | _ATTRIBUTES,
    attributes={each: _text(each, _LISTED) for each in _MODEL_TEXTS}
    | {alias: _number(name) for alias, name in _MODEL_TIMES.items()},
    comparators={Kind.METRIC: _NUMBERS, Kind.PARAM: _LISTED, Kind.TAG: _LISTED},
    orders=_orders({each: each for each in _MODEL_TEXTS} | _MODEL_TIMES),
    ordered=frozenset({Kind.METRIC}),
)

REGISTERED_MODELS: Final = Subject(
    name="registered models",
    entities=_TAGS | _ATTRIBUTES,
    attributes={"name": _text("name", _LISTED)},
    comparators={Kind.TAG: _TEXTS},
    orders=_orders(
        {"name": "name", "creation_timestamp": "creation_timestamp"}
        | dict.fromkeys(("timestamp", "last_updated_timestamp"), "last_updated_timestamp")
    ),
)

MODEL_VERSIONS: Final = Subject(
    name="model versions",
    entities=_TAGS | _ATTRIBUTES,
    attributes={
        "name": _text("name", _LISTED),
        "run_id": _text("run_id", _LISTED),
        "source_path": _text("source_path"),
        "version_number": _number("version_number", Measure.WHOLE),
    },
    comparators={Kind.TAG: _TEXTS},
    orders=_orders(
        {each: each for each in ("name", "version_number", "creation_timestamp", "last_updated_timestamp")}
    ),
)

_TRACE_TIMES: Final = {
    **dict.fromkeys(("timestamp", "timestamp_ms"), "timestamp_ms"),
    **dict.fromkeys(("execution_time", "execution_time_ms"), "execution_time_ms"),
    **dict.fromkeys(("end_time", "end_time_ms"), "end_time_ms"),
}
_TRACE_NAME: Final = "mlflow.traceName"
_TRACE_RUN: Final = "mlflow.sourceRun"

_TRACE_ATTRIBUTES: Final = {
    each: _text(each, _TRACED | {"IN", "NOT IN"}) for each in ("request_id", "status", "client_request_id")
} | {
    # These are kept elsewhere than in the trace itself.
    "name": _text(_TRACE_NAME, _TRACED | _NULLS | {"IN", "NOT IN"}, Kind.TAG),
    "run_id": _text(_TRACE_RUN, _TRACED | _NULLS | {"IN", "NOT IN"}, Kind.METADATA),
    "prompt": _text("mlflow.linkedPrompts", frozenset({"="}), Kind.TAG),
    "text": _text("content", frozenset({"LIKE", "ILIKE"}), Kind.SPAN),
}

TRACES: Final = Subject(
    name="traces",
    entities=_TAGS
    | _ATTRIBUTES
    | {"trace": Kind.ATTRIBUTE}
    | dict.fromkeys(("metadata", "request_metadata"), Kind.METADATA)
    | {each.value: each for each in (Kind.SPAN, Kind.FEEDBACK, Kind.EXPECTATION, Kind.ISSUE)},
    attributes=_TRACE_ATTRIBUTES | {alias: _number(name) for alias, name in _TRACE_TIMES.items()},
    comparators={
        Kind.TAG: _TRACED | _NULLS,
        Kind.METADATA: _TRACED | _NULLS,
        Kind.FEEDBACK: _TRACED | _NULLS | _NUMBERS,
        Kind.EXPECTATION: _TRACED | _NULLS | _NUMBERS,
    },
    keys={
        Kind.SPAN: {
            **dict.fromkeys(("name", "type", "status", "attributes."), _TRACED | {"IN", "NOT IN"}),
            "content": frozenset({"LIKE", "ILIKE"}),
        },
        Kind.ISSUE: {"id": frozenset({"="})},
    },
    orders=_orders({each: each for each in ("experiment_id", "status", "request_id")} | _TRACE_TIMES)
    | {"name": (Kind.TAG, _TRACE_NAME), "run_id": (Kind.METADATA, _TRACE_RUN)},
    ordered=frozenset({Kind.TAG, Kind.METADATA}),
)
"""``name``, ``run_id`` and ``text`` come out as the tag, the metadata and the content of spans that they stand for."""
