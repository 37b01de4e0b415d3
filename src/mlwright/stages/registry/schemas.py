"""Whether an input example keeps to MLflow's schema: names, types, what is required, shapes of tensors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_SHOWN: Final = 20
_ROWS: Final = 1_000
_INTEGERS: Final = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_PYTHON: Final[Mapping[str, type | tuple[type, ...]]] = {
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "string": str,
    "binary": str,
    "datetime": (str, int),
    "array": list,
    "object": Mapping,
    "map": Mapping,
}
_KINDS: Final = {"float": float, "int": int, "uint": int, "bool": bool, "str": str}

Column = Mapping[str, object]


def example_faults(inputs: Sequence[Column], example: object) -> list[str]:
    """What of an example is not as the schema says, one sentence each; at most 20.

    Args:
        inputs: the schema's columns, as in ``MLmodel``.
        example: the JSON of the example: a table (``columns``, ``data``), records, a mapping, or arrays.
    """
    faults = []
    for fault in _faults(inputs, example):
        faults.append(fault)
        if len(faults) >= _SHOWN:
            break
    return faults


def _faults(inputs: Sequence[Column], example: object) -> Iterator[str]:
    if isinstance(example, Mapping) and len(example) == 1:
        inner = next(
            (example[key] for key in ("dataframe_split", "inputs", "dataframe_records") if key in example),
            None,
        )
        example = inner if inner is not None else example
    if any(each.get("type") == "tensor" for each in inputs):
        yield from _tensors(inputs, example)
        return
    names = [each.get("name") for each in inputs]
    if len(inputs) == 1 and not names[0]:
        values = example if isinstance(example, list) else [example]
        for row, value in enumerate(values[:_ROWS]):
            yield from _value(inputs[0], value, f"row {row}")
        return
    if not all(names):
        width = _width(example)
        if width is not None and width != len(inputs):
            yield f"the example has {width} columns, the signature {len(inputs)}"
        return
    columns, length = _columns(example)
    for each in inputs:
        name = str(each["name"])
        if name not in columns:
            if _required(each):
                near = ", ".join(sorted(columns)[:5])
                yield f"the column {name!r} is missing; the example has {near or 'none'}"
            continue
        for row in range(min(length, _ROWS)):
            yield from _value(each, columns[name][row], f"row {row} of {name!r}")


def _columns(example: object) -> tuple[dict[str, list[object]], int]:
    """Columns by name and the number of rows."""
    if isinstance(example, Mapping) and isinstance(example.get("columns"), list) and "data" in example:
        rows = example["data"] if isinstance(example["data"], list) else []
        names = [str(each) for each in example["columns"]]
        whole = [row for row in rows if isinstance(row, list) and len(row) == len(names)]
        return {name: [row[n] for row in whole] for n, name in enumerate(names)}, len(whole)
    if isinstance(example, list) and example and all(isinstance(each, Mapping) for each in example):
        found = {str(name) for each in example for name in each}
        return {name: [each.get(name) for each in example] for name in found}, len(example)
    if isinstance(example, Mapping):
        return {str(name): [value] for name, value in example.items()}, 1
    return {}, 0


def _width(example: object) -> int | None:
    if isinstance(example, Mapping) and isinstance(example.get("columns"), list):
        return len(example["columns"])
    if isinstance(example, Mapping) and isinstance(example.get("data"), list):
        example = example["data"]
    if isinstance(example, list) and example and isinstance(example[0], list):
        return len(example[0])
    return None


def _required(column: Column) -> bool:
    return bool(column.get("required", not column.get("optional", False)))


def _value(column: Column, value: object, where: str) -> Iterator[str]:
    kind = str(column.get("type"))
    if value is None:
        if _required(column) and kind in ("integer", "long", "boolean"):
            yield f"{where} is missing, and {kind} has no missing value"
        return
    if kind == "array" and isinstance(value, list):
        items = column.get("items")
        for number, each in enumerate(value[:_ROWS]):
            yield from _value(
                items if isinstance(items, Mapping) else {"type": "any"}, each, f"{where}[{number}]"
            )
    elif kind == "object" and isinstance(value, Mapping):
        properties = column.get("properties")
        for name, inner in properties.items() if isinstance(properties, Mapping) else ():
            if name in value:
                yield from _value(inner, value[name], f"{where}.{name}")
            elif _required(inner):
                yield f"{where} has no {name!r}"
    elif not _fits(kind, value):
        yield f"{where} is {_shown(value)}, not {kind}"


def _fits(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind not in _PYTHON or kind == "boolean"
    if isinstance(value, int) and kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        return low <= value <= high
    return isinstance(value, _PYTHON.get(kind, object))


def _tensors(inputs: Sequence[Column], example: object) -> Iterator[str]:
    if isinstance(example, Mapping) and "data" in example:
        example = example["data"]
    for each in inputs:
        name, spec = each.get("name"), each.get("tensor-spec")
        if not isinstance(spec, Mapping):
            continue
        where = f"the tensor {name!r}" if name else "the example"
        value = example.get(name) if isinstance(example, Mapping) and name else example
        if value is None:
            yield f"{where} is missing"
            continue
        wanted = [int(n) for n in spec.get("shape") or ()] if isinstance(spec.get("shape"), list) else []
        found = _shape(value)
        if len(found) != len(wanted) or any(
            want not in (-1, have) for want, have in zip(wanted, found, strict=False)
        ):
            yield f"{where} has the shape {found}, the signature says {wanted}"
        kind = _KINDS.get(str(spec.get("dtype")).rstrip("0123456789"))
        leaf = _leaf(value)
        if kind is float:
            right = isinstance(leaf, int | float) and not isinstance(leaf, bool)
        else:
            right = kind is None or (isinstance(leaf, kind) and not (kind is int and isinstance(leaf, bool)))
        if leaf is not None and not right:
            yield f"{where} holds {_shown(leaf)}, the signature says {spec.get('dtype')}"


def _shape(value: object) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _leaf(value: object) -> object:
    while isinstance(value, list):
        if not value:
            return None
        value = value[0]
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
