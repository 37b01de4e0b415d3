"""Runs with everything that a client of the MLflow protocol asks about them, many at a time.

A page of a search holds up to some thousand runs with dozens of rows each, and ``runs/get`` is asked before almost
everything else. So there is one query a table, with its text written out (building one costs more than running it),
the numbers of the runs are one parameter, the database gathers params and tags by run, and rows come from the driver as
plain tuples.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from mlwright.model.ids import RunId
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    Lifecycle,
    Metric,
    ModelOutput,
    RunRecord,
    RunStatus,
)


@dataclass(frozen=True, slots=True)
class _Texts:
    """The fixed statements of one database."""

    runs: str
    params: str
    tags: str
    metrics: str
    inputs: str
    models: str
    outputs: str


def _texts(asked: str, gathered: str) -> _Texts:
    """Write the statements.

    Args:
        asked: the condition that a row is of one of the runs.
        gathered: all keys and all values of a run, each as one JSON text, in one order.
    """
    return _Texts(
        runs="SELECT number, id, experiment, name, status, started_ms, ended_ms, actor, artifact_root, deleted_at"
        f" FROM tracking_runs WHERE number {asked}",
        params=f"SELECT run, {gathered} FROM tracking_params WHERE run {asked} GROUP BY run",
        tags=f"SELECT run, {gathered} FROM tracking_tags WHERE run {asked} GROUP BY run",
        metrics="SELECT run, key, value, step, at_ms FROM tracking_latest_metrics"
        f" WHERE run {asked} ORDER BY run, key",
        inputs="SELECT i.run, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, i.tags"
        " FROM tracking_inputs i JOIN tracking_datasets d ON d.number = i.dataset"
        f" WHERE i.run {asked} ORDER BY i.run, i.dataset",
        models=f"SELECT run, model FROM tracking_model_inputs WHERE run {asked} ORDER BY run, model",
        outputs=f"SELECT run, model, step FROM tracking_outputs WHERE run {asked} ORDER BY run, step, model",
    )


_SQL: Final = {
    # The rows of a run are visited in the order of the table's key, which begins with run and key.
    "sqlite": _texts("IN (SELECT value FROM json_each(?))", "json_group_array(key), json_group_array(value)"),
    "postgresql": _texts("= ANY(%s)", "json_agg(key ORDER BY key)::text, json_agg(value ORDER BY key)::text"),
}

_LIST: Final = msgspec.json.Decoder(list[str]).decode
_STATUS: Final = {each.value: each for each in RunStatus}
_NAN: Final = math.nan


def read_records(tx: Connection, numbers: Sequence[int]) -> list[RunRecord]:
    """The runs of these numbers in the order given; numbers of none are passed over."""
    if not numbers:
        return []
    sql = _SQL[tx.dialect.name]
    asked = json.dumps(list(numbers)) if tx.dialect.name == "sqlite" else list(numbers)
    params = {
        row[0]: dict(zip(_LIST(row[1]), _LIST(row[2]), strict=True)) for row in _rows(tx, sql.params, asked)
    }
    tags = {
        row[0]: dict(zip(_LIST(row[1]), _LIST(row[2]), strict=True)) for row in _rows(tx, sql.tags, asked)
    }
    metrics: dict[int, list[Metric]] = {}
    for run, key, value, step, at_ms in _rows(tx, sql.metrics, asked):
        # NaN is NULL in the table.
        metric = Metric(key=key, value=_NAN if value is None else value, step=step, at_ms=at_ms)
        if run in metrics:
            metrics[run].append(metric)
        else:
            metrics[run] = [metric]
    inputs: dict[int, list[DatasetInput]] = {}
    for run, name, digest, source_type, source, schema, profile, said in _rows(tx, sql.inputs, asked):
        dataset = Dataset(
            name=name, digest=digest, source_type=source_type, source=source, schema=schema, profile=profile
        )
        told = json.loads(said) if isinstance(said, str) else said
        inputs.setdefault(run, []).append(DatasetInput(dataset=dataset, tags=told))
    models: dict[int, list[str]] = {}
    for run, model in _rows(tx, sql.models, asked):
        models.setdefault(run, []).append(model)
    outputs: dict[int, list[ModelOutput]] = {}
    for run, model, step in _rows(tx, sql.outputs, asked):
        outputs.setdefault(run, []).append(ModelOutput(model=model, step=step))
    found = {
        number: RunRecord(
            id=RunId(id),
            experiment_id=str(experiment),
            name=name,
            status=_STATUS[status],
            started_ms=started,
            ended_ms=ended,
            actor=actor,
            artifact_root=root,
            lifecycle=Lifecycle.ACTIVE if deleted is None else Lifecycle.DELETED,
            params=params.get(number) or {},
            tags=tags.get(number) or {},
            metrics=tuple(metrics.get(number, ())),
            inputs=tuple(inputs.get(number, ())),
            model_inputs=tuple(models.get(number, ())),
            outputs=tuple(outputs.get(number, ())),
        )
        for number, id, experiment, name, status, started, ended, actor, root, deleted in _rows(
            tx, sql.runs, asked
        )
    }
    return [found[each] for each in numbers if each in found]


def _rows(tx: Connection, text: str, asked: str | list[int]) -> Sequence[Sequence[Any]]:
    """All rows as the driver returns them: SQLAlchemy's own rows would cost as much again."""
    result = tx.exec_driver_sql(text, (asked,))
    rows = result.cursor.fetchall()
    result.close()
    return rows
