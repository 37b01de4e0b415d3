"""Values as plain JSON: what may be stored in a JSON column, hashed, or sent over a wire."""

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np


def plain(value: object) -> object:
    """Convert to dicts with text keys, lists, text, whole numbers, finite floats, booleans and None.

    JSON (RFC 8259) has no NaN and PostgreSQL refuses one, so numbers that are not finite become the texts
    ``NaN``, ``Infinity`` and ``-Infinity``, as in the JSON mapping of protocol buffers; ``float()`` reads
    them back. Datetimes become ISO 8601, timedeltas seconds, sets sorted lists, dataclasses dicts.

    Raises:
        TypeError: a value has no plain form.

    >>> plain({1: (float("nan"), np.float32(0.5)), "b": {2, 1}})
    {'1': ['NaN', 0.5], 'b': [1, 2]}
    """
    usual = _USUAL.get(type(value))
    if usual is not None:
        return usual(value)
    for kind, convert in _FORMS:
        if isinstance(value, kind):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    raise TypeError(f"{type(value).__name__} has no plain form: {value!r}")


def _number(value: float) -> object:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


# The first that fits counts: numpy's float64 is a float too, a StrEnum member a str, True an int.
_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...] = (
    (np.generic, lambda value: plain(value.item())),
    (np.ndarray, lambda value: plain(value.tolist())),
    (Enum, lambda value: plain(value.value)),
    (str, str),
    ((bool, type(None)), lambda value: value),
    (int, int),
    (float, _number),
    (Mapping, lambda value: {str(plain(key)): plain(item) for key, item in value.items()}),
    ((list, tuple), lambda value: [plain(item) for item in value]),
    (Set, lambda value: [plain(item) for item in sorted(value)]),
    (date, lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (PurePath, lambda value: value.as_posix()),
)

# Of a report with hundreds of numbers nearly all are of these: found by one look instead of six.
_USUAL: dict[type, Callable[[Any], object]] = {
    each: next(convert for kind, convert in _FORMS if issubclass(each, kind))
    for each in (str, bool, type(None), int, float, dict, list, tuple)
}
