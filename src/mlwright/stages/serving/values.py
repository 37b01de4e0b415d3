"""The contract at the edge: values that may not be, and what is done about them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from mlwright.errors import Fault, SignatureMismatch
from mlwright.model.batches import NUMBERS, Array, Batch, array_of
from mlwright.model.registry import Field
from mlwright.model.settings import EdgeSettings
from mlwright.model.value_rules import ValueRule
from mlwright.stages.serving.asks import Ask, Column

_MOST_FAULTS: Final = 20
_LARGEST: Final = 40
_MOST_LISTED: Final = 8


@dataclass(frozen=True, slots=True)
class Breach:
    """One value outside the contract."""

    field: str
    row: int
    got: str
    outside: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field}[{self.row}]: {self.got} is {self.outside}"


class ValueChecks:
    """What an endpoint checks of the values that come in, and its policy."""

    def __init__(self, rules: Sequence[ValueRule] = (), edge: EdgeSettings | None = None) -> None:
        self.edge: Final = edge or EdgeSettings()
        self._rules = {rule.field: rule for rule in rules}

    @property
    def rules(self) -> Mapping[str, ValueRule]:
        """What the values of each input may be, by its name; inputs without a rule are absent."""
        return self._rules

    def bound(self, fields: Sequence[Field]) -> "BoundChecks":
        """The checks for models that take these inputs."""
        return BoundChecks(
            self.edge, fields, [self._rules[each.name] for each in fields if each.name in self._rules]
        )


class BoundChecks:
    """Checks compiled for the inputs of one generation."""

    def __init__(self, edge: EdgeSettings, fields: Sequence[Field], rules: Sequence[ValueRule]) -> None:
        self.edge: Final = edge
        self._fields = {each.name: each for each in fields}
        self._rules = tuple(rules)
        self._patterns = {rule.field: re.compile(rule.pattern) for rule in rules if rule.pattern is not None}
        self._ranges: dict[tuple[str, ...], tuple[Array, Array] | None] = {}

    def clean(self, batch: Batch) -> bool:
        """Whether no value is outside. It is asked of every batch: without a rule it costs nothing."""
        if not self._rules:
            return True
        if batch.matrix is not None:
            if batch.names not in self._ranges:
                self._ranges[batch.names] = self._compiled(batch.names)
            ranges = self._ranges[batch.names]
            if ranges is not None:
                low, high = ranges
                return not bool(((batch.matrix < low) | (batch.matrix > high)).any())
        return not any(
            self._outside(rule, batch.column(rule.field)) for rule in self._rules if batch.has(rule.field)
        )

    def breaches(self, batch: Batch) -> list[Breach]:
        """All values outside, field by field."""
        return [
            breach
            for rule in self._rules
            if batch.has(rule.field)
            for breach in self._of(rule, batch.column(rule.field))
        ]

    def admitted(self, batch: Batch) -> tuple[Batch, list[str]]:
        """The batch with what the policy makes of the values outside, and a flag for each.

        Raises:
            SignatureMismatch: the policy is to reject; a fault for each value, up to twenty.
        """
        breaches = self.breaches(batch)
        if not breaches:
            return batch, []
        if self.edge.invalid == "reject":
            raise rejected(breaches)
        flags = [str(breach) for breach in breaches]
        if self.edge.invalid != "impute":
            return batch, flags
        return self._imputed(batch, breaches), flags

    def repaired(self, ask: Ask, columns: dict[str, Column]) -> tuple[Ask, list[str]]:
        """The ask with values of the wrong type imputed, and a flag for each.

        Args:
            ask: one that was refused for its values.
            columns: its columns by name.
        """
        flags: list[str] = []
        better: dict[str, Column] = {}
        for name, column in columns.items():
            each = self._fields.get(name)
            better[name] = column
            if each is not None and not each.shape and len(column) == ask.rows:
                better[name], said = self._retyped(each, column)
                flags += said
        for name, value in self.edge.impute.items():
            if name in self._fields and name not in better:
                better[name] = [value] * ask.rows
                flags += [f"{name}[{row}]: it was not sent" for row in range(ask.rows)]
        values: dict[str, Any] = {name: getattr(ask, name) for name in ask.__struct_fields__}
        return Ask(**{**values, "columns": better, "matrix": None}), flags

    def _retyped(self, each: Field, column: Column) -> tuple[Column, list[str]]:
        try:
            array_of(each, column)
        except SignatureMismatch:
            pass
        else:
            return column, []
        values = list(column)
        flags = []
        for row, value in enumerate(values):
            try:
                array_of(each, [value])
            except SignatureMismatch:
                values[row] = self.edge.impute.get(each.name)
                flags.append(f"{each.name}[{row}]: {_shown(value)} is no {each.type}")
        return values, flags

    def _imputed(self, batch: Batch, breaches: Sequence[Breach]) -> Batch:
        by_field: dict[str, list[int]] = {}
        for breach in breaches:
            by_field.setdefault(breach.field, []).append(breach.row)
        if batch.matrix is not None:
            matrix = batch.matrix.copy()
            for name, rows in by_field.items():
                value = self.edge.impute.get(name)
                matrix[rows, batch.names.index(name)] = np.nan if value is None else value
            return replace(batch, matrix=matrix)
        columns = dict(batch.columns)
        for name, rows in by_field.items():
            values: list[Any] = columns[name].tolist()
            for row in rows:
                values[row] = self.edge.impute.get(name)
            columns[name] = array_of(
                self._fields[name], [None if value != value else value for value in values]
            )
        return replace(batch, columns=columns)

    def _compiled(self, names: tuple[str, ...]) -> tuple[Array, Array] | None:
        """The ends of the ranges, a number an input, where ranges are all there is to check."""
        rules = {rule.field: rule for rule in self._rules if rule.field in names}
        if any(
            rule.allowed or rule.pattern or rule.max_length is not None or not rule.nullable
            for rule in rules.values()
        ):
            return None
        low, high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
        for at, name in enumerate(names):
            rule = rules.get(name)
            if rule is not None:
                low[at] = -np.inf if rule.minimum is None else rule.minimum
                high[at] = np.inf if rule.maximum is None else rule.maximum
        return low, high

    def _outside(self, rule: ValueRule, column: Array) -> bool:
        return next(self._of(rule, column), None) is not None

    def _of(self, rule: ValueRule, column: Array) -> Iterator[Breach]:
        if column.ndim != 1:
            return
        each = self._fields[rule.field]
        missing = _missing(column)
        if not rule.nullable and missing.any():
            for row in np.flatnonzero(missing):
                yield Breach(rule.field, int(row), "a missing value", "not allowed", "a value")
        if each.type == "datetime":
            column = column.astype("datetime64[us]").astype(np.int64)
        elif each.type not in NUMBERS:
            yield from self._texts(rule, column)
            return
        yield from _numbers(rule, column, missing)

    def _texts(self, rule: ValueRule, column: Array) -> Iterator[Breach]:
        wrong = {value: said for value in set(column.tolist()) - {None} if (said := self._text(rule, value))}
        if wrong:
            for row, value in enumerate(column.tolist()):
                if value in wrong:
                    yield Breach(rule.field, row, _shown(value), *wrong[value])

    def _text(self, rule: ValueRule, value: Any) -> tuple[str, str] | None:
        if rule.allowed and value not in rule.allowed:
            return f"none of {_listed(rule.allowed)}", f"one of {_listed(rule.allowed)}"
        if rule.max_length is not None and len(value) > rule.max_length:
            return f"longer than {rule.max_length}", f"at most {rule.max_length} characters"
        pattern = self._patterns.get(rule.field)
        if pattern is not None and isinstance(value, str) and not pattern.fullmatch(value):
            return f"not of the form {pattern.pattern}", f"the form {pattern.pattern}"
        return None


def rejected(breaches: Sequence[Breach]) -> SignatureMismatch:
    """The refusal of rows for their values; rows are those of the breaches."""
    faults = [
        Fault(where=f"{each.field}[{each.row}]", what=f"expected {each.expected}, got {each.got}")
        for each in breaches[:_MOST_FAULTS]
    ]
    more = len(breaches) - len(faults)
    return SignatureMismatch(
        "values are outside the contract of this endpoint",
        why=f"{more} more are not listed" if more else None,
        faults=faults,
    )


def _numbers(rule: ValueRule, column: Array, missing: Array) -> Iterator[Breach]:
    checks: list[tuple[Array, str, str]] = []
    if rule.minimum is not None:
        checks.append((column < rule.minimum, f"below {rule.minimum:g}", f"at least {rule.minimum:g}"))
    if rule.maximum is not None:
        checks.append((column > rule.maximum, f"above {rule.maximum:g}", f"at most {rule.maximum:g}"))
    if rule.allowed:
        listed = _listed(rule.allowed)
        checks.append((~np.isin(column, np.array(rule.allowed)), f"none of {listed}", f"one of {listed}"))
    for wrong, outside, expected in checks:
        for row in np.flatnonzero(wrong & ~missing):
            yield Breach(rule.field, int(row), _shown(column[row].item()), outside, expected)


def _missing(column: Array) -> Array:
    if column.dtype.kind in "fmM":
        return np.isnan(column) if column.dtype.kind == "f" else np.isnat(column)
    if column.dtype.kind == "O":
        return np.array([value is None for value in column.tolist()], dtype=bool)
    return np.zeros(len(column), dtype=bool)


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(map(str, values[:_MOST_LISTED]))
    return shown if len(values) <= _MOST_LISTED else f"{shown}, …"


def _shown(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _LARGEST else text[: _LARGEST - 1] + "…"
