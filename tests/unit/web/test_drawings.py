"""Charts and heat maps: what is where, at the edges of what can be drawn."""

import math
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.web.charts import Event, Series, line_chart
from mlwright.doors.web.facts import gather
from mlwright.doors.web.heatmap import heat_map
from mlwright.doors.web.lineage import branches
from mlwright.doors.web.views import Axis, drift_map, graphs, steps, told
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Edge, Node, Trace
from mlwright.model.monitoring import DriftReport, FeatureDrift
from mlwright.model.windows import Window

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf))


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def points(svg: str) -> list[tuple[float, float]]:
    found = [
        (float(x), float(y))
        for each in drawn(svg).iter(f"{SVG}path")
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", each.get("d", ""))
    ]
    return found + [
        (float(each.get("cx")), float(each.get("cy"))) for each in drawn(svg).iter(f"{SVG}circle")
    ]


@given(st.lists(NUMBERS, min_size=1, max_size=40), st.booleans())
def test_every_finite_value_is_drawn_inside_the_frame(values, markers) -> None:
    series = [Series(name="a", values=values, colour="#123456")]
    svg = line_chart(title="t", places=[str(at) for at in range(len(values))], series=series, markers=markers)
    finite = [value for value in values if value is not None and math.isfinite(value)]
    assert len(points(svg)) == len(finite) * (2 if markers else 1)
    assert all(0 <= x <= 860 and 0 <= y <= 300 for x, y in points(svg))


def test_a_larger_value_is_drawn_higher_and_to_scale() -> None:
    svg = line_chart(
        title="t",
        places=["a", "b", "c"],
        series=[Series(name="s", values=[0.0, 0.5, 1.0], colour="#000")],
        markers=False,
    )
    (_, low), (_, middle), (_, high) = points(svg)
    assert low - middle == pytest.approx(middle - high)
    assert high < low


def test_a_gap_is_not_joined_nor_shaded() -> None:
    bands = [(0.0, 1.0), (0.0, 1.0), None, (0.0, 1.0)]
    svg = line_chart(
        title="t",
        places=list("abcd"),
        series=[Series(name="s", values=[0.1, 0.2, None, 0.4], colour="#000", bands=bands)],
    )
    path = next(drawn(svg).iter(f"{SVG}path")).get("d")
    assert path.count("M") == 2
    assert len(list(drawn(svg).iter(f"{SVG}polygon"))) == 2


def test_bounds_cut_off_what_lies_outside() -> None:
    series = [
        Series(name="s", values=[0.5, 9.0, 0.6], colour="#000", bands=[(0.4, 0.6), (-8.0, 10.0), (0.5, 0.7)])
    ]
    svg = line_chart(title="t", places=list("abc"), series=series, bounds=(0.4, 0.8), markers=False)
    labels = [each.text for each in drawn(svg).iter(f"{SVG}text") if re.fullmatch(r"[\d.]+", each.text or "")]
    assert max(map(float, labels)) == pytest.approx(0.8)
    assert points(svg)[1][1] == pytest.approx(40)  # at the upper edge


def test_names_are_escaped_and_marks_keep_their_label_for_the_hand() -> None:
    event = Event(at=1, label="<b>promoted</b>", mark="v2")
    svg = line_chart(
        title="<t>",
        places=["<p>", "q"],
        series=[Series(name="<s>", values=[1, 2], colour="#000")],
        events=[event],
    )
    assert "<b>" not in svg
    assert "<s>" not in svg
    titles = [each.text for each in drawn(svg).iter(f"{SVG}title")]
    assert "<b>promoted</b>" in titles
    assert "v2" in [each.text for each in drawn(svg).iter(f"{SVG}text")]


def test_a_heat_map_is_darker_where_the_value_is_larger() -> None:
    svg = heat_map(
        title="t",
        rows=["<r>"],
        columns=["a", "b", "c", "d"],
        values=[[0.0, 0.25, 9.0, None]],
        ticks=[(0, "a")],
        full=0.5,
        unit="PSI",
    )
    cells = [each for each in drawn(svg).iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    shades = [float(each.get("fill-opacity")) for each in cells[:3]]
    assert shades == sorted(shades)
    assert shades[2] == 1.0
    assert cells[3].get("class") == "none"
    assert "<r>" not in svg.replace("&lt;r&gt;", "")


@pytest.mark.parametrize("days", [1, 2, 40, 62, 63, 275, 400, 1200])
def test_an_axis_never_writes_more_than_it_can_show(days) -> None:
    axis = Axis(start=START, days=days)
    assert len(axis.names) == days
    assert 1 <= len(axis.ticks) <= 16
    assert all(0 <= at < days for at, _ in axis.ticks)
    assert axis.at(START + 3 * DAY) == 3.0


def test_drift_is_grouped_by_week_with_what_moved_most_on_top() -> None:
    def report(number: int) -> DriftReport:
        kinds = (("calm", 0.01), ("moved", 3.0), ("odd", math.nan))
        moved = tuple(
            FeatureDrift(column=name, n=9, psi=psi, js=0.1, null_rate=0, reference_null_rate=0, unseen_rate=0)
            for name, psi in kinds
        )
        window = Window(start=START + number * DAY, end=START + (number + 1) * DAY)
        return DriftReport(endpoint=EndpointName("e"), window=window, reference=window, features=moved)

    svg = drift_map([report(number) for number in (*range(20), *range(30, 70))])
    names = [each.text for each in drawn(svg).iter(f"{SVG}text") if each.find(f"{SVG}title") is not None]
    assert names == ["moved", "calm"]
    cells = [each for each in drawn(svg).iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    assert len(cells) == 2 * 10
    assert sum(each.get("class") == "none" for each in cells) == 2 * 1  # one whole week was silent
    assert drift_map([]) is None


def test_the_whole_year_is_drawn(client) -> None:
    facts = gather(client.control)
    found = graphs(facts.endpoints[0], facts.decisions, facts.alerts)
    for svg in (found.quality, found.calibration, found.drift):
        assert drawn(svg).get("viewBox").startswith("0 0 1180")
    marks = [each.text for each in drawn(found.quality).iter(f"{SVG}text")]
    assert [marks.count(mark) for mark in ("▲", "◆", "×", "v2", "v4", "v5")] == [5, 6, 1, 1, 1, 1]
    assert [each.when for each in steps(facts.endpoints[0].status.rollout)] == ["done", "now", "ahead"]


def test_a_lineage_with_a_ring_ends() -> None:
    a, b, c = (Node(kind="run", id=name) for name in "abc")
    ring = (
        Edge(effect=a, relation="read", cause=b),
        Edge(effect=b, relation="read", cause=c),
        Edge(effect=c, relation="read", cause=a),
    )
    causes, effects = branches(Trace(node=a, causes=ring, effects=()))
    assert [(each.depth, each.node.id, each.href) for each in causes] == [
        (0, "b", "/runs/b"),
        (1, "c", "/runs/c"),
        (2, "a", "/runs/a"),
    ]
    assert effects == ()


def test_what_was_decided_is_told_without_its_reasons() -> None:
    alert = "27 Apr alert: AUC of delay in 2013-04-24 00:00 to 2013-05-08 00:00 UTC: 0.612 (90% interval"
    did = ["27 Apr retrain: keep the champion — because", "x" * 100, alert]
    heads = (
        "27 Apr retrain: keep the champion",
        "x" * 79 + "…",
        "27 Apr alert: AUC of delay: 0.612 (90% interval",
    )
    assert told(did) == heads
