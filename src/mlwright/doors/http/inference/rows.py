"""Rows and columns of JSON bodies as MLflow, TensorFlow Serving and KServe v1 send them.

:class:`Table` reads a value three ways (records, rows, columns), each twice: in one pass into the types of the form
where everything is as it should be, and carefully where it is not, so that every fault is named with field and row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

import msgspec

from mlwright.doors.http.inference.cells import MOST_FAULTS, first, from_base64, settled, shown, tensor
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.parsing import EXACT, Plan, ask_of, refused, settle
from mlwright.errors import Fault
from mlwright.model.batches import REAL, WHOLE
from mlwright.model.registry import Field
from mlwright.stages.serving.asks import Ask, Column
from mlwright.stages.serving.form import Form

_UNSET: Final = msgspec.UNSET
_NESTED: Final = frozenset({list, dict})
_CELLS: Final = 1_000_000
_HOLES: Final = 4
_PLAIN: Final = frozenset({int, float, bool, str, type(None)})
_LARGEST: Final = 2**63
_NUMERIC: Final = frozenset({int, float, bool})


@dataclass(frozen=True, slots=True)
class Table:
    """A compiled form."""

    plan: Plan
    record: type
    """A struct of one row by name. For a form of numbers it holds numbers only, in the order of the signature."""
    strict: bool
    """Whether records hold numbers only: then they are rows of a matrix as they are."""
    plain: frozenset[str]
    """All names, where each takes values as they are in JSON; else none."""

    @classmethod
    def of(cls, form: Form) -> "Table":
        """Compile it."""
        plan = Plan.of(form)
        strict = bool(plan.width) and not form.keyed and all(each.required for each in form.inputs)
        read = any(each.shape or each.type in ("binary", "datetime") for each in form.inputs)
        return cls(plan, _record(form, strict), strict, frozenset() if read else frozenset(plan.fields))

    def fast(self, request: Request, records: Sequence[Any]) -> Ask | None:
        """The ask of typed rows: records, or lists of numbers; None where it takes care."""
        plan = self.plan
        rows: list[Any] = list(records)
        for at, row in enumerate(rows):
            if type(row) is not list:
                rows[at] = msgspec.structs.astuple(row)
            if len(rows[at]) != plan.width:
                return None
        if not rows or (plan.exact and max(max(map(abs, row)) for row in rows) >= EXACT):
            return None
        return ask_of(request, plan.form, len(rows), None, rows)

    def typed(self, request: Request, records: Sequence[Any]) -> Ask | None:
        """The ask of records that hold more than numbers; None where it takes care."""
        plan = self.plan
        tuples = list(map(msgspec.structs.astuple, records))
        if not tuples:
            return None
        keys, times = [row[-2] for row in tuples], [row[-1] for row in tuples]
        said: list[Any] = [keys, times]
        if _UNSET in keys or _UNSET in times:
            if {*keys, *times} != {_UNSET}:
                return None
            said = [None, None]
        rows = [row[:-2] for row in tuples]
        if plan.width and _NUMERIC.issuperset(map(type, chain.from_iterable(rows))):
            if max(max(map(abs, row)) for row in rows) >= _LARGEST:
                return None
            return ask_of(request, plan.form, len(rows), None, rows, *said)
        columns: dict[str, Column] = {}
        for name, values in zip(plan.names, zip(*rows, strict=True), strict=True):
            if _UNSET in values:
                if any(value is not _UNSET for value in values):
                    return None
                continue
            columns[name] = list(values)
        return ask_of(request, plan.form, len(rows), columns, None, *said)

    def split(self, request: Request, names: Sequence[str], data: Sequence[Sequence[Any]]) -> Ask | None:
        """The ask of rows of plain values under their names; None where it takes care."""
        form = self.plan.form
        known = self.plain
        if not data or not known.issuperset(names) or {*names, form.entity, form.timestamp} != known:
            return None
        if set(map(len, data)) != {len(names)} or len(set(names)) != len(names):
            return None
        if not _PLAIN.issuperset(map(type, chain.from_iterable(data))):
            return None
        columns: dict[str, Column] = {
            name: list(column) for name, column in zip(names, zip(*data, strict=True), strict=True)
        }
        keys, times = columns.pop(form.entity, None), columns.pop(form.timestamp, None)
        return ask_of(request, form, len(data), columns, None, keys, times)


def _record(form: Form, strict: bool) -> type:
    """The struct of one row. Names are those of the form; attributes have none of their own meaning."""
    fields: list[tuple[str, Any, Any]] = []
    renamed: dict[str, str] = {}
    entries = list(Plan.of(form).fields.values())
    for at, each in enumerate(entries[: len(form.inputs)] if strict else entries):
        renamed[f"f{at}"] = each.name
        kind: Any = float if strict else _kind(each)
        if strict or (each.required and at < len(form.inputs)):
            fields.append((f"f{at}", kind, msgspec.NODEFAULT))
        else:
            fields.append((f"f{at}", kind | msgspec.UnsetType, _UNSET))
    return msgspec.defstruct(
        "Record",
        fields,
        rename=renamed,
        kw_only=True,
        gc=False,
        forbid_unknown_fields=True,  # a feature that a view provides may be sent in its place: that is read with care
    )


def _kind(each: Field) -> Any:
    """The JSON types that are read without care."""
    if each.shape or each.type in ("binary", "datetime"):
        return dict[str, None]  # nobody sends this: such fields are always read with care
    if each.type in REAL or each.type == "float16":
        return float | None
    if each.type in WHOLE:
        return int | float | None
    return {"boolean": bool | None}.get(each.type, str | None)


def carefully(request: Request, table: Table, columns: Mapping[str, object], faults: list[Fault]) -> Ask:
    """The ask of columns by name, as they came.

    Raises:
        BadRequest: with every fault, the caller's included.
    """
    plan = table.plan
    ready: dict[str, Column | None] = {}
    for name, column in columns.items():
        each = plan.fields.get(name)
        if each is None:
            values = column if isinstance(column, list) else [column]
            if not plan.form.inputs or not {list, dict} & set(map(type, values)):
                ready[name] = values
            continue
        values = column if isinstance(column, list) else [column]
        if each.shape:
            ready[name] = tensor(each, values, faults)
        else:
            if list in set(map(type, values)) and all(
                type(value) is not list or len(value) == 1 for value in values
            ):
                values = [value[0] if type(value) is list else value for value in values]
            ready[name] = settled(each, values, faults)
    return settle(request, plan, ready, faults)


def by_records(plan: Plan, records: Sequence[object], where: str, faults: list[Fault]) -> dict[str, object]:
    """Columns out of one object a row."""
    names: dict[str, None] = {}
    sent = 0
    for at, record in enumerate(records):
        if isinstance(record, dict):
            sent += len(record)
            names.update(dict.fromkeys(record))
        elif len(faults) < MOST_FAULTS:
            faults.append(Fault(where=f"{where}[{at}]", what=f"must be an object, not {shown(record)}"))
    if faults:
        raise refused(faults)
    bounded(len(names), len(records), sent, where)
    columns: dict[str, object] = {}
    for name in names:
        column = [record.get(name, _UNSET) for record in records if isinstance(record, dict)]
        if _UNSET in column:
            each = plan.fields.get(name)
            if each is not None and each.required:
                faults += first(
                    Fault(where=f"{name}[{row}]", what="is missing in this row")
                    for row, value in enumerate(column)
                    if value is _UNSET
                )
            column = [None if value is _UNSET else value for value in column]
        columns[name] = column
    return columns


def bounded(names: int, rows: int, sent: int, where: str) -> None:
    """Refuse a table that is mostly holes: filled, it would be many times what was sent.

    Raises:
        BadRequest: so it is.
    """
    if names * rows > max(_CELLS, _HOLES * sent):
        what = f"{rows} rows name {names} columns in all, but have {sent} values: send those that belong together"
        raise refused([Fault(where=where, what=what)])


def by_rows(
    plan: Plan, names: Sequence[str], rows: Sequence[object], where: str, faults: list[Fault]
) -> dict[str, object]:
    """Columns out of one list a row, in the order of ``names``."""
    if len(set(names)) != len(names):
        twice = (name for name, times in Counter(names).items() if times > 1)
        faults += [Fault(where=name, what="the column is named twice") for name in islice(twice, MOST_FAULTS)]
    for at, row in enumerate(rows):
        if len(faults) >= MOST_FAULTS:
            break
        if not isinstance(row, list):
            faults.append(Fault(where=f"{where}[{at}]", what=f"must be a list of values, not {shown(row)}"))
        elif len(row) != len(names):
            faults.append(
                Fault(where=f"{where}[{at}]", what=f"has {len(row)} values for {len(names)} columns")
            )
    if faults:
        raise refused(faults)
    return {name: [row[at] for row in rows if isinstance(row, list)] for at, name in enumerate(names)}


def by_instances(plan: Plan, instances: object, where: str, faults: list[Fault]) -> dict[str, object]:
    """Columns out of what stands under ``instances``: objects, rows of values, or values of the only input."""
    if not isinstance(instances, list):
        faults.append(Fault(where=where, what=f"must be a list, not {shown(instances)}"))
        raise refused(faults)
    instances = [
        unwrapped(each, faults, f"{where}[{at}]") if type(each) in _NESTED else each
        for at, each in enumerate(instances)
    ]
    if instances and isinstance(instances[0], dict):
        return by_records(plan, instances, where, faults)
    required = [each for each in plan.form.inputs if each.required] or list(plan.form.inputs)
    if len(required) == 1 and (plan.form.tensor or len(plan.form.inputs) == 1):
        return {required[0].name: instances}
    if not plan.form.inputs:
        width = len(instances[0]) if instances and isinstance(instances[0], list) else 0
        if not width:
            return {"input": instances}
        return by_rows(plan, [str(at) for at in range(width)], instances, where, faults)
    return by_rows(plan, plan.names, instances, where, faults)


def unwrapped(value: object, faults: list[Fault], where: str) -> Any:
    """The value with ``{"b64": …}`` read as bytes, at any depth that a row has."""
    if isinstance(value, dict):
        if value.keys() == {"b64"}:
            return from_base64(where, value["b64"], faults)
        return {name: unwrapped(each, faults, f"{where}.{name}"[:80]) for name, each in value.items()}
    if isinstance(value, list) and value and type(value[0]) in (list, dict):
        return [unwrapped(each, faults, where) for each in value]
    return value


def matrix_of(request: Request, table: Table, rows: Sequence[object]) -> Ask | None:
    """Rows of numbers that no signature names, handed on as they are; None where they are none."""
    if table.plan.form.inputs or not rows:
        return None
    numbers: list[list[float]] = []
    width = len(rows[0]) if isinstance(rows[0], list) else 0
    for row in rows:
        if not isinstance(row, list) or not {int, float}.issuperset(map(type, row)) or len(row) != width:
            return None
        try:
            numbers.append(list(map(float, row)))
        except OverflowError:
            return None
    return ask_of(request, table.plan.form, len(numbers), None, numbers) if numbers[0] else None
