"""One value, one JSON, at every door."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.wire import error_to_plain, to_json, to_plain
from mlwright.errors import NotFound
from mlwright.model.contracts import Severity
from mlwright.model.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    at: datetime
    span: timedelta
    where: Path
    severity: Severity
    share: np.float64
    counts: np.ndarray
    names: tuple[str, ...]
    known: frozenset[str]


def test_every_kind_of_value_has_one_form() -> None:
    value = Everything(
        at=datetime(2013, 4, 1, 6, 30, tzinfo=UTC),
        span=timedelta(days=14),
        where=Path("a") / "b",
        severity=Severity.WARNING,
        share=np.float64(0.25),
        counts=np.array([1, 2]),
        names=("x",),
        known=frozenset({"y"}),
    )
    assert to_plain(value) == {
        "at": "2013-04-01T06:30:00Z",
        "span": "P14D",
        "where": "a/b",
        "severity": "warning",
        "share": 0.25,
        "counts": [1, 2],
        "names": ["x"],
        "known": ["y"],
    }


def test_a_subclass_of_text_is_text() -> None:
    class Quoted(str):
        def __str__(self) -> str:
            return "not this"

    assert to_json([Quoted("x")]) == b'["x"]'


def test_there_is_no_nan_in_json() -> None:
    assert json.loads(to_json([math.nan, math.inf, np.float64("nan"), 1.5])) == [None, None, None, 1.5]


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no form"):
        to_json([object()])


def test_an_error_keeps_its_near_miss() -> None:
    error = error_to_plain(NotFound.named("run", "a1", ["a12"], "mlwright runs"))["error"]
    assert error == {
        "code": "NotFound",
        "what": "no run is named 'a1'; did you mean 'a12'?",
        "where": None,
        "why": None,
        "faults": [],
        "next": "mlwright runs",
        "exit_code": 3,
    }


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1000)),
)
def test_instants_come_back_exactly(start, span) -> None:
    end = min(start, datetime.max.replace(tzinfo=UTC) - span) + span
    plain = to_plain(Window(start=min(start, end), end=end))
    assert datetime.fromisoformat(plain["end"]) == end
