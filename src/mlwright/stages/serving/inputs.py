"""From asks to the rows a model takes: checks, one batch for all of them, and the look-up of feature views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any, Final

import numpy as np

from mlwright.errors import BadRequest, Fault, SignatureMismatch, near_match
from mlwright.model.batches import Array, Batch, array_of, batch_of
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Ask, Column
from mlwright.stages.serving.lookups import Views
from mlwright.stages.serving.rows import PLAIN, MixedKinds, Rows, packed

EARLIEST: Final = -2_208_988_800_000_000  # 1900-01-01
LATEST: Final = 253_402_300_799_999_999  # 9999-12-31
_MOST_FAULTS: Final = 20
_LARGEST: Final = 40
_LOOKED_AT: Final = 256
_NONE: Final = type(None)
_CHARS: Final[Mapping[str | None, str]] = {"float64": "d", "float32": "f"}
_TEXT: Final = frozenset({str})


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How asks become rows, as long as one generation is in force."""

    fields: tuple[Field, ...]
    """What the models take: the champion's inputs first."""
    sent: tuple[str, ...]
    """The names of the inputs that clients send, in the order of a matrix."""
    champion: int
    """How many of ``fields`` the champion takes."""
    entity: str
    timestamp: str
    keyed: bool
    views: Views
    reject_extra: bool
    whole: tuple[str, ...]
    """Those of ``fields`` that are whole numbers or booleans, whose type changes when one is missing."""
    plain: str | None
    """The type of a matrix that models can be given as it is; None where they need typed columns."""
    looked: tuple[str, ...] = ()
    """Keys of feature views that are no inputs: they are logged, so that what was looked up can be computed again."""

    def rows(self, asks: Sequence[Ask], now: int) -> Rows:
        """All rows of the asks as one batch.

        Args:
            asks: at least one.
            now: microseconds since 1970 UTC, for rows without a time.

        Raises:
            BadRequest: of one ask: with a fault for each column or row, up to twenty. Of several: somebody's rows are
                wrong, and what it says is of no use.
            SignatureMismatch: a value has not the declared type; of several asks the row is not theirs.
            MixedKinds: several asks must not be scored in one batch.
        """
        sizes = [ask.rows for ask in asks]
        if min(sizes) < 1:
            raise self._refusal(asks)
        total = sum(sizes)
        if total == len(sizes):
            starts: Sequence[int] = range(total)
            ids = [ask.id + ".0" for ask in asks]
        else:
            starts = [0, *accumulate(sizes[:-1])]
            ids = [f"{ask.id}.{row}" for ask in asks for row in range(ask.rows)]
        keys = self._keys(asks, sizes, ids)
        times = self._times(asks, sizes, now)
        kinds = {type(ask.matrix) for ask in asks}
        if _NONE not in kinds and (self.plain or not self.fields):
            batch = self._matrix(asks, kinds, sizes, total)
        else:
            batch = self._typed(asks, sizes, total, keys or ids, times or [now] * total)
        return Rows(asks, starts, ids, keys, times, batch)

    def faults(self, ask: Ask) -> list[Fault]:
        """What is wrong with the rows, keys, times and lengths of an ask, whatever its values are."""
        rows = ask.rows
        if rows < 1:
            return [Fault(where="rows", what="no rows were sent")]
        faults = []
        columns: dict[str, Sequence[Any] | Array | None] = {self.entity: ask.keys, self.timestamp: ask.times}
        for name, column in columns.items():
            if column is None and self.keyed:
                faults.append(Fault(where=name, what="it was not sent, and each row needs it"))
        columns.update(ask.columns)
        columns["matrix"] = ask.matrix
        for name, column in columns.items():
            if column is not None and len(column) != rows:
                faults.append(
                    Fault(where=name, what=f"{len(column)} values for {rows} row{'s' if rows > 1 else ''}")
                )
        faults += islice(
            (
                Fault(
                    where=f"{self.entity}[{row}]", what=f"must be a text that is not empty, not {key!r:.40}"
                )
                for row, key in enumerate(ask.keys or ())
                if type(key) is not str or not key
            ),
            _MOST_FAULTS,
        )
        return [*faults, *time_faults(ask.times or (), self.timestamp)]

    def _refusal(self, asks: Sequence[Ask]) -> BadRequest:
        ask = asks[0]
        faults = self.faults(ask)[:_MOST_FAULTS] if len(asks) == 1 else ()
        return BadRequest("the request cannot be served as it is", where=f"request {ask.id}", faults=faults)

    def _keys(self, asks: Sequence[Ask], sizes: list[int], ids: list[str]) -> list[str] | None:
        given = [ask.keys for ask in asks]
        if None in given:
            if self.keyed:
                raise self._refusal(asks)
            if given.count(None) == len(given):
                return None
            at = [0, *accumulate(sizes)]
            given = [ids[at[i] : at[i + 1]] if each is None else each for i, each in enumerate(given)]
        keys: list[str] = list(chain.from_iterable(given))  # type: ignore[arg-type]
        if list(map(len, given)) != sizes or set(map(type, keys)) != _TEXT or "" in keys:  # type: ignore[arg-type]
            raise self._refusal(asks)
        return keys

    def _times(self, asks: Sequence[Ask], sizes: list[int], now: int) -> list[int] | None:
        given = [ask.times for ask in asks]
        if None in given:
            if self.keyed:
                raise self._refusal(asks)
            if given.count(None) == len(given):
                return None
            given = [[now] * size if each is None else each for each, size in zip(given, sizes, strict=True)]
        times: list[int] = list(chain.from_iterable(given))  # type: ignore[arg-type]
        if list(map(len, given)) != sizes or time_faults(times, self.timestamp):  # type: ignore[arg-type]
            raise self._refusal(asks)
        return times

    def _matrix(self, asks: Sequence[Ask], kinds: set[type], sizes: list[int], total: int) -> Batch:
        parts: list[Any] = [ask.matrix for ask in asks]
        if list(map(len, parts)) != sizes:
            raise self._refusal(asks)
        if np.ndarray not in kinds:
            matrix = packed(list(chain.from_iterable(parts)))
        else:
            if len(kinds) > 1:
                parts = [part if isinstance(part, np.ndarray) else packed(list(part)) for part in parts]
            dtypes = {(part.dtype, part.shape[1:]) for part in parts}
            if len(dtypes) > 1:
                raise MixedKinds
            matrix = parts[0] if len(parts) == 1 else np.concatenate(parts)
            if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
                raise SignatureMismatch(
                    f"the tensor has shape {list(matrix.shape)} and type {matrix.dtype}, "
                    f"but the model takes numbers of shape [-1, {len(self.sent)}]"
                )
        if not self.fields:
            return Batch(total, matrix=matrix)
        width = matrix.shape[1]
        if width != len(self.sent) and width != self.champion:
            raise self._width({width}, asks[0])
        names = self.sent if width == len(self.sent) else self.sent[:width]
        return Batch(total, matrix=self._cast(matrix), names=names)

    def _cast(self, matrix: Array) -> Array:
        if matrix.dtype.char == _CHARS.get(self.plain):
            return matrix
        with np.errstate(over="ignore"):  # what is too large for a float32 is infinite there
            return matrix.astype(self.plain)

    def _flat(self, given: Sequence[Mapping[str, Column]]) -> Array | None:
        """The matrix of asks of one row each that all sent the same columns of plain numbers; else None.

        Half the work of joining column by column: 20 columns of 64 asks are 1280 lists of one value.
        """
        names = tuple(given[0])
        if names != self.sent and (self.reject_extra or not set(names).issuperset(self.sent)):
            return None
        try:
            # taking (value,) apart is the check that there is one
            flat = [value for each in given if tuple(each) == names for (value,) in each.values()]
            matrix = packed([flat])
        except (ValueError, TypeError, SignatureMismatch):
            return None
        if matrix.size != len(given) * len(names):
            return None
        matrix = matrix.reshape(len(given), len(names))
        if names == self.sent:
            return matrix
        at = {name: index for index, name in enumerate(names)}
        return np.ascontiguousarray(matrix[:, [at[name] for name in self.sent]])

    def _width(self, widths: set[int], ask: Ask) -> SignatureMismatch:
        got = " and ".join(map(str, sorted(widths)))
        return SignatureMismatch(
            f"rows have {got} values, but the model takes {len(self.sent)}: {', '.join(self.sent[:20])}",
            where=f"request {ask.id}",
        )

    def _typed(
        self, asks: Sequence[Ask], sizes: list[int], total: int, keys: list[str], times: list[int]
    ) -> Batch:
        given = [self.columns(ask) for ask in asks]
        if self.plain and total == len(asks):
            matrix = self._flat(given)
            if matrix is not None:
                return Batch(total, matrix=self._cast(matrix), names=self.sent)
        names = given[0].keys()
        for each in given:
            if each.keys() != names:
                raise MixedKinds
        if self.reject_extra and self.fields:
            self._refuse_extra(asks[0], names)
        columns: dict[str, Column] = {}
        for name in names:
            parts = [each[name] for each in given]
            if list(map(len, parts)) != sizes:
                raise self._refusal(asks)
            columns[name] = parts[0] if len(parts) == 1 else _appended(parts)
        columns.setdefault(self.entity, keys)
        columns.setdefault(self.timestamp, times)
        if not self.fields:
            return Batch(total, {name: as_sent(columns[name]) for name in names})
        complete = self.views.complete(self.fields, columns, total, times, asks[0])
        if self.plain and len(complete) == len(self.fields):
            stacked = _stacked([complete[name] for name in self.sent])
            if stacked is not None:
                return Batch(total, matrix=self._cast(stacked), names=self.sent)
        batch = batch_of(self.fields, complete)
        if len(asks) > 1 and any(
            batch.columns[name].dtype.kind == "f" for name in self.whole if batch.has(name)
        ):
            raise MixedKinds
        if self.plain and len(batch.columns) == len(self.fields):
            return Batch(total, matrix=batch.stacked(self.sent, self.plain), names=self.sent)
        return batch

    def columns(self, ask: Ask) -> Mapping[str, Column]:
        """What an ask sent, by name.

        Raises:
            BadRequest: it has another number of rows.
            SignatureMismatch: its rows have not as many values as the model takes.
        """
        matrix: Any = ask.matrix
        if matrix is None:
            return ask.columns
        names = self.sent
        if len(matrix) != ask.rows:
            raise self._refusal([ask])
        if isinstance(matrix, np.ndarray):
            if matrix.ndim != 2 or matrix.shape[1] not in (len(names), self.champion):
                raise self._width({0 if matrix.ndim < 2 else matrix.shape[1]}, ask)
            return {name: matrix[:, at] for at, name in enumerate(names[: matrix.shape[1]])}
        widths = set(map(len, matrix))
        if len(widths) > 1 or not widths <= {len(names), self.champion}:
            raise self._width(widths, ask)
        return {name: list(column) for name, column in zip(names, zip(*matrix, strict=True), strict=False)}

    def mismatch(self, ask: Ask, error: SignatureMismatch) -> SignatureMismatch:
        """The error of an ask that was refused for its values, with a fault for each of them, up to twenty."""
        columns = self.columns(ask)
        faults: list[Fault] = []
        for each in self.fields:
            column = columns.get(each.name)
            if column is not None and not each.shape and len(faults) < _MOST_FAULTS:
                faults += wrong_values(each, column)
        if not faults:
            return error
        return SignatureMismatch(
            "values have not the types that the model takes",
            where=f"request {ask.id}",
            faults=faults[:_MOST_FAULTS],
        )

    def _refuse_extra(self, ask: Ask, names: Sequence[str] | Any) -> None:
        known = {*self.sent, *(each.name for each in self.fields), self.entity, self.timestamp}
        absent = sorted(known - set(names))
        extra = (name for name in names if name not in known)
        faults = [
            Fault(
                where=name[:_LARGEST],
                what="nobody asked for this field",
                near=near_match(name, absent),
            )
            for name in islice(extra, _MOST_FAULTS)
        ]
        if faults:
            raise BadRequest(
                "fields were sent that nobody asked for",
                where=f"request {ask.id}",
                faults=faults[:_MOST_FAULTS],
            )


def time_faults(times: Sequence[int], name: str) -> list[Fault]:
    """A fault for each instant that is not a whole number of microseconds between the years 1900 and 9999, up to 20."""
    if not times or (set(map(type, times)) == {int} and min(times) >= EARLIEST and max(times) <= LATEST):
        return []
    wrong = (
        Fault(where=f"{name}[{row}]", what=f"must be microseconds since 1970-01-01 UTC, not {time!r:.40}")
        for row, time in enumerate(times)
        if type(time) is not int or not EARLIEST <= time <= LATEST
    )
    return list(islice(wrong, _MOST_FAULTS))


def wrong_values(each: Field, column: Column) -> list[Fault]:
    """A fault for each value that has not the field's type."""
    try:
        array_of(each, column)
    except SignatureMismatch:
        pass
    else:
        return []
    faults: list[Fault] = []
    for start in range(0, len(column), _LOOKED_AT):
        part = column[start : start + _LOOKED_AT]
        try:
            array_of(each, part)
        except SignatureMismatch:
            faults += [
                Fault(where=f"{each.name}[{start + row}]", what=_unlike(each, value))
                for row, value in enumerate(part)
                if _is_wrong(each, value)
            ]
        if len(faults) >= _MOST_FAULTS:
            break
    return faults


def _is_wrong(each: Field, value: object) -> bool:
    try:
        array_of(each, [value])
    except SignatureMismatch:
        return True
    return False


def _unlike(each: Field, value: object) -> str:
    shown = repr(value[:_LARGEST]) if isinstance(value, str | bytes) else repr(value)
    if len(shown) > _LARGEST:
        shown = shown[: _LARGEST - 1] + "…"
    return f"expected {each.type}, got {shown} ({type(value).__name__})"


def _appended(parts: Sequence[Column]) -> Column:
    if all(isinstance(part, np.ndarray) for part in parts):
        first: Any = parts[0]
        if any(part.dtype != first.dtype or part.shape[1:] != first.shape[1:] for part in parts):  # type: ignore[union-attr]
            raise MixedKinds
        return np.concatenate(parts)
    if any(isinstance(part, np.ndarray) for part in parts):
        raise MixedKinds
    return list(chain.from_iterable(parts))


def as_sent(column: Column) -> Array:
    """A column of a model without a signature: numbers where all values are, else objects."""
    if isinstance(column, np.ndarray):
        return column
    types = set(map(type, column))
    if types <= PLAIN or types == {bool}:
        return np.array(column)
    if types <= {*PLAIN, type(None)}:
        return np.array(column, dtype=np.float64)
    array = np.empty(len(column), dtype=object)
    array[:] = column
    return array


def _stacked(columns: list[Column]) -> Array | None:
    """Columns of plain numbers as the columns of a matrix of float64; None where something is no plain number."""
    if any(isinstance(column, np.ndarray) for column in columns):
        return None
    flat = list(chain.from_iterable(columns))
    if not PLAIN.issuperset(map(type, flat)):
        return None
    try:
        matrix = np.array(flat, dtype=np.float64).reshape(len(columns), -1)
    except OverflowError:
        return None
    return np.ascontiguousarray(matrix.T)
