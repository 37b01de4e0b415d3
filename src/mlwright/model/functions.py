"""What a plain Python function takes and gives, read from its annotations.

A function is called once a row where its parameters are single values, ``predict(age: float, city: str) -> float``,
and once a batch where they are columns, ``predict(age: NDArray[np.float64]) -> NDArray[np.float64]``. A class with
``__init__(self, folder: Path)`` and such a method ``predict`` stands for a function that has to be prepared.
"""

import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np

from mlwright.errors import Fault, UsageError
from mlwright.model.registry import Field, Signature

OUTPUT: Final = "output"
"""The name of the one output of a function that does not name it."""

_ONE: Final[Mapping[object, str]] = {
    float: "double",
    int: "long",
    str: "string",
    bool: "boolean",
    bytes: "binary",
    datetime: "datetime",
}
_ARRAYS: Final[Mapping[object, str]] = {
    np.float64: "double",
    np.float32: "float",
    np.int64: "long",
    np.int32: "integer",
    np.bool_: "boolean",
    np.str_: "string",
    np.object_: "string",
    np.datetime64: "datetime",
    **{
        getattr(np, name): name
        for name in ("float16", "int8", "int16", "uint8", "uint16", "uint32", "uint64")
    },
}
_SEQUENCES: Final = (list, Sequence)
_NONE: Final = type(None)
_WORDS: Final = "float, int, str, bool, bytes, datetime, one of them or None"
_COLUMNS: Final = "list[float] or NDArray[np.float64], with any of the types"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function: the input that fills it, and in which form."""

    field: Field
    holds: Literal["one", "list", "array"]
    nullable: bool
    """Whether a missing value is handed on as None; else it is the default, and refused where there is none."""
    default: object = MISSING
    by_name: bool = False
    """Whether it can only be given by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a function takes and gives."""

    parameters: tuple[Parameter, ...]
    outputs: tuple[Field, ...]
    columnwise: bool
    """Whether it is called once a batch, with columns, and not once a row."""
    named: bool
    """Whether it returns its outputs by name: a dataclass, a named tuple or a typed dictionary."""

    @property
    def signature(self) -> Signature:
        """Inputs and outputs."""
        return Signature(inputs=tuple(each.field for each in self.parameters), outputs=self.outputs)


def is_function(model: object) -> bool:
    """Whether this is a function written in Python, or a class with a method ``predict`` of its own."""
    if inspect.isclass(model):
        return inspect.isfunction(getattr(model, "predict", None))
    return inspect.isfunction(model)


def shape_of(model: object) -> Shape:
    """Read the annotations of a function, or of the method ``predict`` of a class.

    Raises:
        UsageError: something cannot be told from them; ``faults`` names every parameter.
    """
    if not is_function(model):
        raise UsageError(f"{model!r} is neither a function nor a class with a method predict")
    function: Any = getattr(model, "predict", model) if inspect.isclass(model) else model
    where = f"{Path(function.__code__.co_filename).name}:{function.__qualname__}"
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError) as error:
        raise UsageError("its annotations cannot be read", where=where, why=str(error)) from error
    faults: list[Fault] = []
    given = list(inspect.signature(function).parameters.values())
    if inspect.isclass(model):
        given = given[1:]
        _check_init(model, faults)
    found = [_parameter(each, hints.get(each.name), faults) for each in given]
    parameters = tuple(each for each in found if each is not None)
    columns = [each.field.name for each in parameters if each.holds != "one"]
    if columns and len(columns) < len(parameters):
        single = next(each.field.name for each in parameters if each.holds == "one")
        what = f"is one value, but {columns[0]!r} is a column: all are one or the other"
        faults.append(Fault(where=single, what=what))
    if not given:
        faults.append(Fault(where="parameters", what="there are none; a model takes at least one"))
    outputs, named = _outputs(hints.get("return"), columnwise=bool(columns), faults=faults)
    if faults:
        raise UsageError(
            "what it takes and gives cannot be told from its annotations", where=where, faults=faults
        )
    return Shape(parameters=parameters, outputs=outputs, columnwise=bool(columns), named=named)


def _check_init(model: type, faults: list[Fault]) -> None:
    needed = [
        each
        for each in list(inspect.signature(model.__init__).parameters.values())[1:]  # type: ignore[misc]
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if len(needed) > 1 or (needed and needed[0].kind is inspect.Parameter.KEYWORD_ONLY):
        faults.append(
            Fault(where="__init__", what="is called with one argument: the folder of the model's files")
        )


def _parameter(each: inspect.Parameter, hint: object, faults: list[Fault]) -> Parameter | None:
    if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
        faults.append(Fault(where=str(each), what="has no fixed name; name every input"))
        return None
    if hint is None:
        faults.append(Fault(where=each.name, what=f"has no annotation; write {_WORDS}"))
        return None
    holds, kind, nullable = _held(hint)
    if kind is None:
        what = f"is {_spelled(hint)}; a model takes {_WORDS}, or columns: {_COLUMNS}"
        faults.append(Fault(where=each.name, what=what))
        return None
    default = MISSING if each.default is each.empty else each.default
    required = default is MISSING and not nullable
    return Parameter(
        field=Field(name=each.name, type=kind, required=required),
        holds=holds,
        nullable=nullable,
        default=default,
        by_name=each.kind is each.KEYWORD_ONLY,
    )


def _outputs(hint: object, *, columnwise: bool, faults: list[Fault]) -> tuple[tuple[Field, ...], bool]:
    if hint is None or hint is _NONE:
        faults.append(
            Fault(where="return", what=f"has no annotation; write {_COLUMNS if columnwise else _WORDS}")
        )
        return (), False
    names = _named_outputs(hint)
    found = []
    for name, inner in (names or {OUTPUT: hint}).items():
        holds, kind, nullable = _held(inner)
        where = f"return: {name}" if names else "return"
        if kind is None:
            what = f"is {_spelled(inner)}; a model gives {_COLUMNS if columnwise else _WORDS}"
            faults.append(Fault(where=where, what=what))
        elif columnwise and holds == "one":
            faults.append(
                Fault(where=where, what=f"is one value, but the parameters are columns: {_COLUMNS}")
            )
        elif nullable and kind not in ("double", "string"):
            faults.append(
                Fault(where=where, what=f"{_spelled(inner)} may be None, which only float and str may")
            )
        else:
            found.append(Field(name=name, type=kind, shape=() if columnwise or holds == "one" else (-1,)))
    return tuple(found), bool(names)


def _named_outputs(hint: object) -> dict[str, object]:
    if not inspect.isclass(hint) or not (
        is_typeddict(hint) or is_dataclass(hint) or hasattr(hint, "_fields")
    ):
        return {}
    hints = get_type_hints(hint)
    listed = [each.name for each in fields(hint)] if is_dataclass(hint) else list(hints)
    return {name: hints[name] for name in listed}


def _held(hint: object) -> tuple[Literal["one", "list", "array"], str | None, bool]:
    """How an annotation holds values, MLflow's word for their type (None: not known), and whether None is one."""
    inner, nullable = _without_none(hint)
    if get_origin(inner) in _SEQUENCES and len(get_args(inner)) == 1:
        one, inside = _without_none(get_args(inner)[0])
        return "list", _kind(one), nullable or inside
    if get_origin(inner) is np.ndarray and len(get_args(inner)) == 2:
        scalars = get_args(get_args(inner)[1])
        return "array", _ARRAYS.get(scalars[0]) if scalars else None, nullable
    return "one", _kind(inner), nullable


def _without_none(hint: object) -> tuple[object, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    others = [each for each in get_args(hint) if each is not _NONE]
    return (others[0] if len(others) == 1 else hint), len(others) < len(get_args(hint))


def _kind(hint: object) -> str | None:
    if get_origin(hint) is Literal and all(isinstance(each, str) for each in get_args(hint)):
        return "string"
    try:
        return _ONE.get(hint) or _ARRAYS.get(hint)
    except TypeError:  # it cannot be hashed, so it is none of ours
        return None


def _spelled(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not get_args(hint) else str(hint).replace("typing.", "")
