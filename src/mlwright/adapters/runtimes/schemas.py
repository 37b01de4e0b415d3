"""MLflow's signature schemas, which are JSON lists inside YAML strings, as fields, and back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mlwright.model.batches import DTYPES, Array
from mlwright.model.registry import Field

COLUMNS: Final = frozenset({"boolean", "integer", "long", "float", "double", "string", "binary", "datetime"})
"""The types of MLflow's column schema; the others are those of tensors alone."""
_NUMPY: Final[Mapping[str, str]] = {
    **{dtype: name for name, dtype in DTYPES.items() if dtype not in ("object", "datetime64[us]")},
    "object": "string",
    "str": "string",
    "bytes": "binary",
}


def fields_of(schema: object, *, alone: str) -> tuple[Field, ...]:
    """The fields of a schema; none where there is none.

    Args:
        schema: the JSON text, or the list that it holds.
        alone: the name of the one field of a schema without names. Several without names are
            ``{alone}_0``, ``{alone}_1`` …

    Raises:
        ValueError: a type has no array form (``object``, ``map``, ``any``).
    """
    if isinstance(schema, str):
        schema = json.loads(schema)
    if not schema:
        return ()
    if not isinstance(schema, list):
        raise TypeError("a schema is a list of columns or tensors")
    fallback = [alone] if len(schema) == 1 else [f"{alone}_{at}" for at in range(len(schema))]
    return tuple(_field(each, name) for each, name in zip(schema, fallback, strict=True))


def schema_of(fields: Sequence[Field]) -> str:
    """The schema of fields: of tensors where one has a shape or a type that columns have not."""
    if any(each.shape or each.type not in COLUMNS for each in fields):
        return json.dumps([_tensor(each) for each in fields])
    return json.dumps([{"type": each.type, "name": each.name, "required": each.required} for each in fields])


def tensor_schema(type: str, *shape: int) -> str:
    """The schema of one tensor without a name, rows first."""
    return json.dumps([_tensor(Field(name="", type=type, shape=shape))])


def type_of(dtype: np.dtype[Any]) -> str:
    """The type of a field with values of this dtype.

    Raises:
        ValueError: there is none (complex numbers, records).
    """
    if dtype.kind in "UTO":
        return "string"
    if dtype.kind == "S":
        return "binary"
    if dtype.kind == "M":
        return "datetime"
    if dtype.name not in _NUMPY:
        raise ValueError(f"there is no type for values of {dtype.name}")
    return _NUMPY[dtype.name]


def field_like(name: str, array: Array) -> Field:
    """The field of an output that looks like this array, the rows being its first axis.

    Raises:
        ValueError: its dtype has no type.
    """
    return Field(name=name, type=type_of(array.dtype), shape=tuple(array.shape[1:]))


def _field(described: Mapping[str, Any], fallback: str) -> Field:
    name = str(described["name"]) if described.get("name") is not None else fallback
    required = bool(described.get("required", True))
    kind = described["type"]
    if kind == "tensor":
        spec = described["tensor-spec"]
        shape = tuple(int(size) for size in spec["shape"][1:])
        return Field(name=name, type=type_of(np.dtype(spec["dtype"])), required=required, shape=shape)
    if kind == "array":
        inner = _field({**described["items"], "name": name}, name)
        return Field(name=name, type=inner.type, required=required, shape=(-1, *inner.shape))
    if kind not in COLUMNS:
        raise ValueError(f"column {name!r} is of type {kind!r}, which has no array form")
    return Field(name=name, type=kind, required=required)


def _tensor(each: Field) -> dict[str, object]:
    dtype = {"string": "str", "binary": "bytes", "datetime": "datetime64[ns]"}.get(
        each.type, DTYPES[each.type]
    )
    described: dict[str, object] = {
        "type": "tensor",
        "tensor-spec": {"dtype": dtype, "shape": [-1, *each.shape]},
    }
    return {**described, "name": each.name} if each.name else described
