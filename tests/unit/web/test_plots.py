"""Plots of metrics: whatever was logged is drawn inside the frame, and what is written along it is right."""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.web.address import Query
from mlwright.doors.web.plots import Curve, plot, spark
from mlwright.doors.web.scatter import Dot, scatter
from mlwright.doors.web.sizes import bytes_of, cut, is_cut, lasted, measured, since
from mlwright.doors.web.ticks import log_ticks, number_ticks, span_ticks, time_ticks

ANY = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
WHOLE = st.integers(-(2**63), 2**63 - 1)
AXES = st.sampled_from(["step", "time", "relative"])


def curve(values, **named) -> Curve:
    given = {"id": "r", "name": "run", "number": 0, "x": np.arange(len(values), dtype=float)} | named
    return Curve(y=np.array(values, dtype=float), **given)


def places(svg: str) -> list[tuple[float, float]]:
    root = ET.fromstring(svg)
    found = [each.get("d") or "" for each in root.iter("{http://www.w3.org/2000/svg}path")]
    return [(float(x), float(y)) for d in found for x, y in re.findall(r"[ML]?([-\d.e+]+) ([-\d.e+]+)", d)]


@given(
    st.lists(st.lists(ANY, min_size=1, max_size=30), min_size=1, max_size=15),
    st.booleans(),
    AXES,
)
def test_every_finite_value_lies_in_the_frame(lines, log, axis) -> None:
    svg = plot([curve(each, number=at) for at, each in enumerate(lines)], title="<t>", axis=axis, log=log)
    for x, y in places(svg):
        assert 62 <= x <= 860
        assert 35.9 <= y <= 266.1


@given(
    st.lists(WHOLE, min_size=1, max_size=6),
    AXES,
)
def test_any_step_or_instant_can_stand_on_the_axis(steps, axis) -> None:
    x = np.sort(np.array(steps, dtype=np.float64))
    svg = plot([curve([1.0] * len(x), x=x)], title="t", axis=axis)
    assert all(math.isfinite(a) and math.isfinite(b) for a, b in places(svg))


def test_a_gap_is_not_bridged() -> None:
    svg = plot([curve([1, 2, math.nan, 3, 4])], title="t")
    path = re.search(r'class="k0 d0" d="([^"]+)"', svg)[1]
    assert path.count("M") == 2
    assert "run: NaN at step 2" in svg


def test_a_logarithmic_axis_leaves_out_what_is_not_above_0() -> None:
    svg = plot([curve([-1, 0, 0.01, 100])], title="t", log=True)
    assert len(set(places(svg))) == 2
    assert ">0.01<" in svg
    assert ">100<" in svg
    assert "no value above 0" in plot([curve([-1, 0])], title="t", log=True)


def test_many_lines_have_no_names_at_their_ends() -> None:
    few = plot([curve([1, 2], name=f"n{at}", number=at) for at in range(12)], title="t")
    many = plot([curve([1, 2], name=f"n{at}", number=at) for at in range(13)], title="t")
    assert few.count('class="name"') == 12
    assert many.count('class="name"') == 0
    assert 'class="k0 d2"' in many


def test_names_do_not_overlap() -> None:
    svg = plot([curve([1, 2], name=f"n{at}", number=at) for at in range(12)], title="t")
    levels = sorted(float(y) for y in re.findall(r'class="name" x="[\d.]+" y="([\d.]+)"', svg))
    assert min(b - a for a, b in pairwise(levels)) > 13.9


@given(FINITE, FINITE, st.integers(3, 12))
def test_ticks_lie_on_their_axis(a, b, most) -> None:
    low, high = min(a, b), max(a, b)
    for widen in (False, True):
        found = number_ticks(low, high, most, widen=widen)
        assert found.low < found.high
        assert all(found.low <= value <= found.high for value, _ in found.marks)
        if widen:
            assert found.low <= low + (high - low) * 1e-6
            assert found.high >= high - (high - low) * 1e-6


def test_axes_are_written_in_their_units() -> None:
    assert [text for _, text in number_ticks(0, 1, 4).marks] == ["0", "0.25", "0.50", "0.75", "1.00"]
    assert [text for _, text in log_ticks(-5, 1).marks] == [
        "1e-5",
        "0.0001",
        "0.001",
        "0.01",
        "0.1",
        "1",
        "10",
    ]
    assert [text for _, text in log_ticks(0, 1).marks] == ["1", "2", "5", "10"]
    assert [text for _, text in span_ticks(0, 7_200_000, 4).marks] == [
        "0",
        "30 min",
        "1 h",
        "1 h 30 min",
        "2 h",
    ]
    at = 1_767_225_600_000  # 1 January 2026
    assert [text for _, text in time_ticks(at, at + 6 * 3_600_000, 3).marks] == [
        "1 Jan",
        "02:00",
        "04:00",
        "06:00",
    ]
    assert time_ticks(-1e18, 1e18, 4).marks == ()


def test_a_spark_needs_two_points() -> None:
    assert spark(np.array([1.0, math.nan]), title="t") == ""
    assert spark(np.array([1.0, 2.0]), title='"<').count("L") == 1


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), ANY, st.text(max_size=8)), st.one_of(st.none(), ANY)),
        min_size=1,
        max_size=12,
    )
)
def test_a_scatter_takes_numbers_and_texts(values) -> None:
    legal = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
    dots = [
        Dot(id=str(at), name="n", number=at, x=legal.sub("", x) if isinstance(x, str) else x, y=y)
        for at, (x, y) in enumerate(values)
    ]
    root = ET.fromstring(scatter(dots, across="<x>", upward="y"))
    for each in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 110 <= float(each.get("cx")) <= 836
        assert 35.9 <= float(each.get("cy")) <= 276.1


def test_params_that_are_numbers_are_spaced_like_numbers() -> None:
    dots = [
        Dot(id=str(at), name="n", number=0, x=x, y=1.0 * at) for at, x in enumerate(["0.1", "0.2", "1e0"])
    ]
    svg = scatter(dots, across="lr", upward="loss")
    a, b, c = (float(each) for each in re.findall(r'cx="([\d.]+)"', svg))
    assert (c - b) / (b - a) == pytest.approx(8, rel=0.02)


def test_values_are_written_with_units() -> None:
    assert [measured(each) for each in (0.1234567, 1e-9, math.nan, -math.inf, None)] == [
        "0.123457",
        "1e-09",
        "NaN",
        "−∞",
        "–",
    ]
    assert [lasted(each) for each in (0, 999, 59_949, 59_950, 3_600_000, 86_400_000, -5_000, None)] == [
        "0 ms",
        "999 ms",
        "59.9 s",
        "1 min",
        "1 h",
        "1 d",
        "−5.0 s",
        "–",
    ]
    assert [bytes_of(each) for each in (0, 999, 1000, 99_600, 10**9, None)] == [
        "0 B",
        "999 B",
        "1 kB",
        "100 kB",
        "1 GB",
        "–",
    ]
    assert since(0) == "1 Jan 1970 00:00:00"
    assert since(2**62) == f"{2**62:,}"
    assert cut("a\nb" + "c" * 100, 10) == "a bcccccc…"
    assert not is_cut("short")


def test_an_address_is_written_again() -> None:
    query = Query("/x", [("a", "1"), ("b", ""), ("a", "ä&"), ("runs", "1,2"), ("runs", "2, 3")])
    assert query.one("a") == "ä&"
    assert query.listed("runs") == ["1", "2", "3"]
    assert query.but(runs=None, c="=") == "/x?a=1&a=%C3%A4%26&c=%3D"
    assert query.whole("a", 7, 1, 9) == 7
