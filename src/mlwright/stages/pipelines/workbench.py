"""The verbs that a pipeline may use while it runs: data in, measurements and models out.

The platform puts an implementation in place for the time of a run; steps that use none of these verbs need no
platform at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl

from mlwright.errors import DataError, UsageError, near_match
from mlwright.model.durations import parse_duration
from mlwright.model.fitted import Fitted, Release
from mlwright.model.registry import Field

if TYPE_CHECKING:
    from mlwright.stages.pipelines.define import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How a model did on rows that it had not seen."""

    metrics: Mapping[str, float]
    """All metrics of the endpoint's task (``monitor.task``) that are defined on these rows."""
    rows: int
    holdout: pl.DataFrame
    """The rows themselves with a column ``score``: others can be judged on the very same rows."""

    @property
    def auc(self) -> float:
        """The area under the ROC curve, of yes-or-no labels."""
        return self["auc"]

    @property
    def brier(self) -> float:
        """The Brier score, of probabilities."""
        return self["brier"]

    def __getitem__(self, metric: str) -> float:
        """One metric by its name: ``scores["mae"]``.

        Raises:
            DataError: it was not measured; the error names those that were.
        """
        if metric not in self.metrics:
            near = near_match(metric, self.metrics)
            hint = f"; did you mean {near!r}?" if near else ""
            raise DataError(
                f"{metric!r} was not measured on the held-out rows{hint}",
                why=f"measured were {', '.join(self.metrics)}: the task of the endpoint decides",
                next_command='say monitor = { task = "regression", metric = "mae" } of the endpoint in mlwright.toml',
            )
        return self.metrics[metric]


class Workbench(Protocol):
    """What a run offers to the code of its pipeline."""

    def run_step(self, step: "Step[..., object]", arguments: Mapping[str, object]) -> object:
        """Run one call of a step: from its checkpoint, or by its function with retries."""
        ...

    def record_gate(self, what: str, *, passed: bool) -> None:
        """Record that a gate was asked."""
        ...

    def examples(
        self, endpoint: str, dataset: str, inputs: Sequence[str], start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Rows to learn from; see :func:`examples`."""
        ...

    def evaluate(self, fitted: Fitted, holdout: pl.DataFrame) -> Scores:
        """Measure a model; see :func:`evaluate`."""
        ...

    def log(self, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        """Record params and metrics of the run."""
        ...

    def register(self, fitted: Fitted, model: str, evidence: Scores, trained_on: pl.DataFrame) -> Release:
        """Store a model as a new version; see :func:`register`."""
        ...


_current: ContextVar[Workbench | None] = ContextVar("mlwright_workbench", default=None)


def current_workbench() -> Workbench | None:
    """The workbench of the run that this code is part of, or None."""
    return _current.get()


@contextmanager
def at_workbench(workbench: Workbench) -> Iterator[None]:
    """Put a workbench in place for the time of a run."""
    token = _current.set(workbench)
    try:
        yield
    finally:
        _current.reset(token)


def _workbench(verb: str) -> Workbench:
    workbench = _current.get()
    if workbench is None:
        raise UsageError(
            f"{verb}() works only inside a run of a pipeline",
            next_command="mlwright run PIPELINE",
        )
    return workbench


def _instant(at: date | datetime) -> datetime:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise UsageError(f"{at} has no time zone")
        return at
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def examples(
    *, endpoint: str, dataset: str, inputs: Sequence[str], start: date | datetime, end: date | datetime
) -> pl.DataFrame:
    """Rows to learn from, as the endpoint would have seen them.

    Each row has the endpoint's entity and timestamp, the ``inputs``, the features of the endpoint's feature views as of
    the row's own timestamp (never from the future), and the label. Rows younger at ``end`` than the label's horizon and
    rows whose label was not known at ``end`` are left out: nobody could have trained on them then.

    Args:
        endpoint: the endpoint whose entity, timestamp, label and feature views are meant.
        dataset: the data set that holds the inputs and the label.
        inputs: columns of the data set that the caller of the endpoint will send.
        start: first instant, or first day (UTC).
        end: the instant after the last, or the day after the last.

    Raises:
        NotAvailableAtPrediction: the contract says that an input is known only after the prediction.
        ContractBroken: the data set breaks its contract.
    """
    return _workbench("examples").examples(endpoint, dataset, inputs, _instant(start), _instant(end))


def split(rows: pl.DataFrame, *, last: str, by: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split by time: everything before the last stretch, and the last stretch.

    Args:
        rows: a frame with an aware datetime column.
        last: how long the last stretch is, such as ``"14d"``; it ends with the latest row.
        by: the name of the datetime column.

    Raises:
        DataError: one of the two parts would be empty.
    """
    span: timedelta = parse_duration(last)
    newest = rows[by].max()
    if newest is None:
        raise DataError("there are no rows to split")
    cut = newest - span  # type: ignore[operator]  # polars types max() as any Python value
    before, after = rows.filter(pl.col(by) < cut), rows.filter(pl.col(by) >= cut)
    if before.is_empty() or after.is_empty():
        raise DataError(f"a split of {rows.height} rows at {cut} leaves one part empty", where=f"column {by}")
    return before, after


def evaluate(fitted: Fitted, holdout: pl.DataFrame) -> Scores:
    """Measure a model on rows that it has not seen, through the same save, load and predict that serve it."""
    return _workbench("evaluate").evaluate(fitted, holdout)


def log(*, params: Mapping[str, object] | None = None, metrics: Mapping[str, float] | None = None) -> None:
    """Record params and metrics of this run. Outside a run nothing happens."""
    workbench = _current.get()
    if workbench is not None:
        workbench.log(params or {}, metrics or {})


def register(fitted: Fitted, model: str, *, evidence: Scores, trained_on: pl.DataFrame) -> Release:
    """Store a model as the next version of ``model``, with the evidence for it.

    Args:
        fitted: the model to store.
        model: the registered model's name.
        evidence: how this recipe did on rows that it had not seen.
        trained_on: the rows that this model has seen; their span is recorded.
    """
    return _workbench("register").register(fitted, model, evidence, trained_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Named columns as the matrix that tree models take.

    ``matrix`` is float64 of shape (rows, inputs); ``categorical`` are the positions of the text inputs.
    """

    matrix: np.ndarray
    fields: tuple[Field, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def categorical(self) -> list[int]:
        """The positions of the inputs that were text."""
        return [at for at, each in enumerate(self.fields) if each.type == "string"]

    def fitted(self, model: object) -> Fitted:
        """A model that was fitted on this matrix, together with what it takes."""
        return Fitted(model=model, inputs=self.fields, categories=self.levels)


def encode(rows: pl.DataFrame, inputs: Sequence[str]) -> Encoded:
    """Turn named columns into a matrix: a text becomes the position of its level in sorted order, a null NaN.

    Raises:
        DataError: a column is neither number, boolean nor text.
    """
    fields = tuple(
        Field(name=name, type=_field_type(name, rows.schema[name]), required=False) for name in inputs
    )
    levels: dict[str, tuple[str, ...]] = {
        each.name: tuple(sorted(rows[each.name].drop_nulls().unique()))
        for each in fields
        if each.type == "string"
    }
    columns = [
        pl.col(each.name).replace_strict(
            list(levels[each.name]), list(range(len(levels[each.name]))), default=None
        )
        if each.name in levels
        else pl.col(each.name)
        for each in fields
    ]
    exact = rows.select(column.cast(pl.Float64).alias(str(at)) for at, column in enumerate(columns))
    return Encoded(matrix=exact.fill_null(float("nan")).to_numpy(), fields=fields, levels=levels)


def _field_type(name: str, dtype: pl.DataType) -> str:
    if dtype == pl.String:
        return "string"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_integer():
        return "long"
    if dtype.is_float():
        return "double"
    raise DataError(
        f"a model cannot take {dtype}", where=f"column {name}", why="inputs are numbers, booleans or text"
    )
