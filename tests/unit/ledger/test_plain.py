"""What stages measure becomes plain JSON, without losing what it said."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.model.plain import plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    at: datetime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), "NaN"),
        (-np.inf, "-Infinity"),
        (np.float32(0.5), 0.5),
        (np.int64(2**62), 2**62),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Colour.RED, "red"),
        ({Colour.RED: (1, None)}, {"red": [1, None]}),
        ({2, 1}, [1, 2]),
        (date(2013, 4, 1), "2013-04-01"),
        (timedelta(hours=2), 7200.0),
        (PurePosixPath("a/b"), "a/b"),
        (
            Point(np.inf, datetime(2013, 4, 1, tzinfo=UTC)),
            {"x": "Infinity", "at": "2013-04-01T00:00:00+00:00"},
        ),
        (True, True),
    ],
)
def test_values_have_a_plain_form(value, expected):
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)


@given(st.floats())
def test_every_float_is_read_back_by_float(value):
    back = float(json.loads(json.dumps(plain(value), allow_nan=False)))
    assert back == value or (np.isnan(back) and np.isnan(value))


def test_what_has_no_plain_form_is_named():
    with pytest.raises(TypeError, match="object has no plain form"):
        plain({"a": [object()]})
