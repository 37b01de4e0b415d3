"""Rows of a file as asks of an endpoint, and its answers as rows again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from mlwright.errors import (
    BadRequest,
    DataError,
    Fault,
    MlwrightError,
    ModelError,
    ModelLoadFailed,
    SignatureMismatch,
    near_match,
)
from mlwright.model.batches import DTYPES, REAL, WHOLE, Array, batch_of
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Answer, Ask, Column, Outcome
from mlwright.stages.serving.batch.reading import (
    Rows,
    Values,
    instants,
    plain_texts,
    typed,
)
from mlwright.stages.serving.cells import cell_or_text, guessed
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.form import Form

_SPLIT: Final = 64
_SOUND, _MISSING, _OTHER, _OUTSIDE = range(4)
_MOST_FAILURES: Final = 1000
"""Rows of one chunk that a model may fail on; after that it is the model that is broken, not the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One row that got no answer: its place among the rows that were scored, and why."""

    at: int
    code: str
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Answers:
    """What became of rows: answers to those of ``at`` (in their order), and the others."""

    at: Array
    outputs: dict[str, Array] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    flags: list[str | None] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class RowScorer:
    """Scores rows of any number through one :class:`EndpointCore`, with what its form asks for.

    Rows go through the core as one ask, so that each is checked, completed, scored and flagged as online. Where an
    ask is refused it is asked again in smaller ones, down to single rows, until every row that can be answered is.
    Whole numbers and booleans change their type with one that is missing, or becomes it, in their company. So rows are
    asked together with those of their kind: a row's answer does not depend on the rows around it.
    """

    def __init__(self, core: EndpointCore, takes: Sequence[Field] = (), *, ids: bool = True) -> None:
        """
        Args:
            core: with a route in force.
            takes: what the models take, features among it; those may be sent too.
            ids: whether prediction ids are wanted.
        """
        self.core = core
        self.form: Form = core.form
        self._fields = {each.name: each for each in (*takes, *self.form.inputs)}
        plain = {each.type for each in self.form.inputs}
        self._matrix = self.form.matrix and len(plain) == 1 and plain <= REAL
        self._imputed = {
            name: core.checks.bound((each,))
            for name, each in self._fields.items()
            if core.checks.edge.invalid == "impute" and name in core.checks.rules
        }
        self._ids = ids
        self._failed = 0

    @property
    def fields(self) -> Mapping[str, Field]:
        """What the models take and what is asked for, by name."""
        return self._fields

    def wanted(self, columns: Sequence[str]) -> list[str]:
        """Those of a file's columns that are sent: inputs, features, entity and timestamp."""
        sent = {*self._fields, self.form.entity, self.form.timestamp}
        return [name for name in columns if name in sent or not self._fields]

    def require(self, columns: Sequence[str], where: str) -> None:
        """Refuse a file that lacks what every row needs.

        Raises:
            DataError: it does; the faults name the columns.
        """
        given = set(columns)
        filled = set(self.core.checks.edge.impute) if self.core.checks.edge.invalid == "impute" else set()
        needed = [each.name for each in self.form.inputs if each.required and each.name not in filled]
        if self.form.keyed:
            needed.insert(0, self.form.entity)
        others = sorted(given - {*needed})
        faults = [
            Fault(where=name, what="there is no such column", near=near_match(name, others))
            for name in needed
            if name not in given
        ]
        if faults:
            raise DataError("the rows lack what the model needs", where=where, faults=faults[:20])

    def score(self, rows: Rows, id: str, as_of: int) -> Answers:
        """Answer rows.

        Args:
            rows: with any of the columns of :meth:`wanted`.
            id: the beginning of their prediction ids.
            as_of: the time of rows without one where the endpoint needs it, microseconds since 1970 UTC.

        Raises:
            MlwrightError: not a row's but everybody's trouble: the model is gone, the log cannot be written.
        """
        self._failed = 0
        columns = self._columns(rows)
        keys, times = self._keys(rows, as_of)
        answered: list[tuple[Array, Answer]] = []
        rejected: list[Rejected] = []
        waiting = self._together(columns, len(rows))
        level = 0
        while waiting:
            asks = [
                self._ask(
                    f"{id}-{level}-{number}" if level or len(waiting) > 1 else id, at, columns, keys, times
                )
                for number, at in enumerate(waiting)
            ]
            smaller: list[Array] = []
            for at, outcome in zip(waiting, self.core.answer(asks), strict=True):
                if isinstance(outcome, Answer):
                    answered.append((at, outcome))
                elif len(at) == 1:
                    rejected.append(self._rejected(int(at[0]), outcome))
                elif not is_theirs(outcome):
                    raise outcome
                else:
                    smaller += np.array_split(at, min(_SPLIT, len(at)))
            waiting, level = smaller, level + 1
        return _joined(answered, rejected, ids=self._ids)

    def score_each(
        self,
        rows: Sequence[Mapping[str, Any]],
        texts: Sequence[bool],
        ids: Sequence[str],
        as_of: Sequence[int],
    ) -> list[Outcome]:
        """Answer rows that came each on its own, as as many asks; an outcome each, in their order.

        Args:
            rows: values by name; a name that is not there was not sent.
            texts: whether the values of a row are texts, as the cells of a CSV are.
            ids: the beginning of the prediction id of each.
            as_of: the time of each where it has none and the endpoint needs one, microseconds since 1970 UTC.
        """
        entity, timestamp = self.form.entity, self.form.timestamp
        times = instants([row.get(timestamp) for row in rows])
        asks = []
        for row, of_texts, id, time, since in zip(rows, texts, ids, times, as_of, strict=True):
            columns: dict[str, Column] = {}
            for name, value in row.items():
                if name in self._fields or (not self._fields and name not in (entity, timestamp)):
                    columns[name] = [self._value(name, value) if of_texts else value]
            keys = plain_texts([row[entity]]) if entity in row else None
            when = [time] if row.get(timestamp) is not None else [since] if self.form.keyed else None
            asks.append(Ask(id=id, rows=1, columns=columns, keys=keys, times=when))
        return self.core.answer(asks)

    def _value(self, name: str, text: str) -> object:
        each = self._fields.get(name)
        return guessed(text) if each is None else cell_or_text(each.type, text)

    def _columns(self, rows: Rows) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for name, values in rows.columns.items():
            if name in (self.form.entity, self.form.timestamp) and name not in self._fields:
                continue
            each = self._fields.get(name)
            if each is not None:
                columns[name] = typed(each, values)  # type: ignore[assignment]
            else:
                columns[name] = _untyped(values)
        return columns

    def _keys(self, rows: Rows, as_of: int) -> tuple[list[Any] | None, list[Any] | None]:
        keys, times = rows.columns.get(self.form.entity), rows.columns.get(self.form.timestamp)
        found = None if times is None else instants(times)
        if found is None and self.form.keyed:
            found = [as_of] * len(rows)
        return None if keys is None else plain_texts(keys), found

    def _together(self, columns: Mapping[str, Column], rows: int) -> list[Array]:
        """The rows in groups of which each may be one ask."""
        if not rows:
            return []
        everybody = np.arange(rows)
        kinds = []
        for name, column in columns.items():
            each = self._fields.get(name)
            if each is not None and not each.shape and (each.type in WHOLE or each.type == "boolean"):
                kinds.append(self._kinds(each, column, rows))
        kinds = [each for each in kinds if (each != each[0]).any()]
        if not kinds:
            return [everybody]
        _, pattern = np.unique(np.stack(kinds), axis=1, return_inverse=True)
        order = np.argsort(pattern.ravel(), kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(pattern.ravel()[order])) + 1)
        return [everybody[group] for group in groups]

    def _kinds(self, each: Field, column: Column, rows: int) -> Array:
        """What each value is: sound, missing, of another type, or to be imputed."""
        kinds = np.full(rows, _SOUND)
        if not isinstance(column, np.ndarray):
            sound = bool if each.type == "boolean" else int
            kinds[:] = [
                _SOUND if type(value) is sound else _MISSING if value is None or value != value else _OTHER
                for value in column
            ]
        elif column.dtype.kind == "f":
            kinds[np.isnan(column)] = _MISSING
        if each.name in self._imputed:
            at = np.flatnonzero(kinds == _SOUND)
            with suppress(SignatureMismatch):  # a number that is too large: that is found when it is asked
                batch = batch_of([each], {each.name: _picked(column, at)})
                kinds[at[[breach.row for breach in self._imputed[each.name].breaches(batch)]]] = _OUTSIDE
        return kinds

    def _ask(
        self,
        id: str,
        at: Array,
        columns: Mapping[str, Column],
        keys: list[Any] | None,
        times: list[Any] | None,
    ) -> Ask:
        all_of_it = len(at) == len(next(iter(columns.values()), at))
        given = (
            dict(columns) if all_of_it else {name: _picked(column, at) for name, column in columns.items()}
        )
        mine = None if keys is None else keys if all_of_it else [keys[row] for row in at]
        when = None if times is None else times if all_of_it else [times[row] for row in at]
        if self._matrix and tuple(given) != () and set(given) == set(self.form.names):
            arrays = [given[name] for name in self.form.names]
            if all(isinstance(each, np.ndarray) and each.dtype.kind in "fiu" for each in arrays):
                return Ask(id=id, rows=len(at), matrix=_stacked(arrays), keys=mine, times=when)
        return Ask(id=id, rows=len(at), columns=given, keys=mine, times=when)

    def _rejected(self, at: int, error: MlwrightError) -> Rejected:
        if not is_theirs(error):
            raise error
        if error.code not in ("SignatureMismatch", "BadRequest"):
            self._failed += 1
            if self._failed > _MOST_FAILURES:
                raise error
        return Rejected(at=at, code=error.code, faults=faults_of(error))


def is_theirs(error: MlwrightError) -> bool:
    """Whether an error may be that of the rows that were asked, and not everybody's."""
    return isinstance(error, BadRequest | ModelError) and not isinstance(error, ModelLoadFailed)


def faults_of(error: MlwrightError) -> tuple[Fault, ...]:
    """What is wrong with one row, field by field."""
    faults = tuple(Fault(where=_field(each.where), what=each.what, near=each.near) for each in error.faults)
    if faults:
        return faults
    where = error.where if error.code == "SignatureMismatch" and error.where else "row"
    what = f"{error.what} ({error.why})" if error.why else error.what
    return (Fault(where=where, what=what.replace("row 0 of ", "")),)


def counted(rejected: Sequence[Rejected]) -> dict[str, int]:
    """How many rows are rejected for each field."""
    return dict(Counter(name for each in rejected for name in {fault.where for fault in each.faults}))


def series_of(name: str, output: Array, fields: Mapping[str, Field]) -> pl.Series:
    """An output as a column, in the type that the model declares."""
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.dtype.kind in "OUS":
        plain = output.tolist()
        if all(isinstance(each, str | None) for each in plain):
            return pl.Series(name, plain, dtype=pl.String)
        return pl.Series(name, plain, strict=False)
    each = fields.get(name)
    declared = DTYPES.get(each.type) if each is not None else None
    if declared and output.dtype.kind in "fiub" and np.dtype(declared).kind in "fiub":
        fits = np.can_cast(output.dtype, declared, casting="same_kind")
        output = output.astype(declared) if fits else output
    return pl.Series(name, np.ascontiguousarray(output))


def nothing(each: Field) -> Array:
    """The output of no rows."""
    shape = (0, *(max(size, 0) for size in each.shape))
    return np.empty(shape, dtype=DTYPES.get(each.type, "float64"))


def _joined(answered: Sequence[tuple[Array, Answer]], rejected: list[Rejected], *, ids: bool) -> Answers:
    rejected.sort(key=lambda each: each.at)
    if not answered:
        return Answers(np.array([], dtype=np.int64), rejected=rejected)
    at = np.concatenate([rows for rows, _ in answered])
    order = np.argsort(at, kind="stable")
    sorted_already = bool((order == np.arange(len(order))).all())
    outputs = {
        name: _concatenated([answer.outputs[name] for _, answer in answered])
        for name in answered[0][1].outputs
    }
    versions = [each for _, answer in answered for each in answer.versions]
    named = [each for _, answer in answered for each in answer.prediction_ids] if ids else []
    flags = [each for _, answer in answered for each in flags_of(answer)]
    if sorted_already:
        return Answers(at, outputs, versions, named, flags, rejected)
    return Answers(
        at[order],
        {name: output[order] for name, output in outputs.items()},
        [versions[row] for row in order],
        [named[row] for row in order] if ids else [],
        [flags[row] for row in order],
        rejected,
    )


def _concatenated(parts: Sequence[Array]) -> Array:
    arrays = [np.asarray(part) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def flags_of(answer: Answer) -> list[str | None]:
    """What was accepted or imputed of each row, as one text; None: nothing."""
    flags: list[str | None] = [None] * answer.rows
    for flag in answer.flags:
        name, _, rest = flag.partition("[")
        row, _, what = rest.partition("]")
        said, before = f"{name}{what}", flags[int(row)]
        flags[int(row)] = said if before is None else f"{before}; {said}"
    if answer.degraded:
        return [f"degraded: {answer.degraded}" if each is None else each for each in flags]
    return flags


def _field(where: str) -> str:
    """``months[0]`` is a field of one row."""
    return where.partition("[")[0]


def _untyped(values: Values) -> Column:
    if isinstance(values, list):
        return values
    if values.dtype == pl.String:
        return [None if text is None else guessed(text) for text in values.to_list()]
    return _numbers_or_list(values)


def _numbers_or_list(values: pl.Series) -> Column:
    if values.dtype.is_numeric() and not values.null_count():
        return values.to_numpy()
    return values.to_list()


def _picked(column: Column, at: Array) -> Column:
    return column[at] if isinstance(column, np.ndarray) else [column[row] for row in at]


def _stacked(arrays: Sequence[Any]) -> Array:
    matrix = np.empty((len(arrays[0]), len(arrays)))
    for at, each in enumerate(arrays):
        matrix[:, at] = each
    return matrix
