"""Drawings over one time axis, sums of money, and plain words: what is where, at the edges of what can be."""

import math
import re
import runpy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.web.charts import Event
from mlwright.doors.web.label_plots import arrival_plot, calibration_plot
from mlwright.doors.web.plain_words import decision_words, quality_words, reason_words, trend_words
from mlwright.doors.web.timeline import Cell, HeatPanel, Line, LinePanel, Shade, timeline
from mlwright.doors.web.words import metric_name
from mlwright.doors.web.worth_facts import money_chart, money_of
from mlwright.model.ledger import Decision
from mlwright.model.monitoring import Calibration, CalibrationBin, Estimate
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.model.watch_settings import MonitorSettings

SVG = "{http://www.w3.org/2000/svg}"
WATCHING = runpy.run_path(str(Path(__file__).with_name("seeded_watching.py")))
DAYS = list(WATCHING["enriched"]())[:40]
NUMBERS = st.one_of(st.none(), st.floats(-1e9, 1e9), st.just(math.nan), st.just(math.inf))


def draw(*panels, days: int = 10, events=()) -> ElementTree.Element:
    svg = timeline(panels, name="t", label="<label>", days=days, ticks=[(0.0, "<tick>")], events=events)
    return ElementTree.fromstring(svg)


def pen(svg: ElementTree.Element) -> list[tuple[str, float, float]]:
    paths = [each.get("d") for each in svg.iter(f"{SVG}path") if each.get("stroke") == "#123456"]
    return [
        (m, float(x), float(y)) for d in paths for m, x, y in re.findall(r"([ML])(-?[\d.]+) (-?[\d.]+)", d)
    ]


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.sampled_from(["line", "bold", "dashed", "dotted"]))
def test_every_finite_value_is_drawn_inside_its_panel(values, style) -> None:
    bands = [(each - 1, each + 1) if each is not None else None for each in values]
    line = Line(name="a", at=range(len(values)), values=values, colour="#123456", style=style, bands=bands)
    svg = draw(LinePanel(title="t", lines=[line], limit=[(0, 5, 3.0)]), days=30)
    width, height = map(float, svg.get("viewBox").split()[2:])
    found = pen(svg)
    assert len(found) == sum(each is not None and math.isfinite(each) for each in values)
    assert all(0 <= x <= width and 0 <= y <= height for _, x, y in found)
    assert [m for m, _, _ in found][:1] in ([], ["M"])


def test_lines_are_broken_where_nothing_was_measured_and_a_lone_day_is_a_dot() -> None:
    line = Line(
        name="a", at=[0.5, 1.5, 4.5, 6.5], values=[1.0, 2.0, 3.0, 4.0], colour="#123456", bands=[(0, 5)] * 4
    )
    svg = draw(LinePanel(title="t", lines=[line]))
    assert [m for m, _, _ in pen(svg)] == ["M", "L", "M", "M"]
    assert len(list(svg.iter(f"{SVG}circle"))) == 2
    assert len(list(svg.iter(f"{SVG}polygon"))) == 1


def test_panels_share_their_axis_and_events_cross_them_all() -> None:
    line = Line(name="a", at=[5.0], values=[1.0], colour="#123456")
    cells = [
        Cell(start=5, end=6, value=1.0, moved=True, hint="<hint>"),
        Cell(start=6, end=7, value=None, moved=False, hint="no"),
    ]
    shade = Shade(start=5, end=10, label="young")
    events = [Event(at=5, label="<b>e</b>", mark=mark, colour="#000") for mark in "abcd"]
    svg = draw(
        LinePanel(title="t", lines=[line], shades=[shade]),
        HeatPanel(title="h", rows=[("<row>", cells)], full=1.0, unit="PSI"),
        events=events,
    )
    (_, x, _) = pen(svg)[0]
    cell = next(each for each in svg.iter(f"{SVG}rect") if each.get("fill-opacity") == "1.00")
    assert float(cell.get("x")) - 0.5 == pytest.approx(x, abs=0.1)
    hatch = next(each for each in svg.iter(f"{SVG}rect") if each.get("fill") == "url(#t-hatch)")
    assert float(hatch.get("x")) == pytest.approx(x, abs=0.1)
    lines = [each for each in svg.iter(f"{SVG}line") if each.get("class") == "ev"]
    assert {each.get("x1") for each in lines} == {f"{x:.1f}"}
    assert all(float(each.get("y2")) > float(cell.get("y")) for each in lines)
    heights = [each.get("y1") for each in lines]
    assert len(set(heights)) == 3  # the fourth shares the last row
    assert len([each for each in svg.iter(f"{SVG}circle") if each.get("class") == "moved"]) == 1


@pytest.mark.parametrize("bins", [1, 2, 10])
def test_calibration_and_arrival_are_drawn_to_scale(bins) -> None:
    found = Calibration(
        bins=tuple(CalibrationBin(rows=9, score=at / bins, label=at / bins) for at in range(bins)), error=0.0
    )
    svg = ElementTree.fromstring(calibration_plot(found, yes=True))
    for each in svg.iter(f"{SVG}circle"):
        x, y = float(each.get("cx")) - 52, float(each.get("cy")) - 18
        assert x + y == pytest.approx(354, abs=0.2)  # on the diagonal
    ElementTree.fromstring(calibration_plot(found, yes=False))
    curve = WATCHING["curve"]()
    assert "97% of answers" in arrival_plot(curve, timedelta(hours=12))
    assert arrival_plot(replace(curve, delays=(), shares=(), errors=(), means=()), timedelta(hours=1)) is None


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e5)), min_size=1, max_size=30))
def test_money_of_days_adds_up_and_its_interval_as_that_of_independent_days(days) -> None:
    made = [
        replace(
            DAYS[at],
            worth=replace(
                DAYS[at].worth, total=Estimate(value=value, lower=value - half, upper=value + 2 * half)
            ),
        )
        for at, (value, half) in enumerate(days)
    ]
    money = money_of([replace(DAYS[39], worth=None), *made])
    total = sum(value for value, _ in days)
    spread = math.sqrt(sum(half**2 for _, half in days))
    assert money.total.value == pytest.approx(total, abs=1e-6)
    assert money.total.lower == pytest.approx(total - spread, abs=1e-5)
    assert money.total.upper == pytest.approx(total + 2 * spread, abs=1e-5)
    assert (len(money.running), money.running[-1]) == (len(days), money.total)
    assert money.a_day.value * len(days) == pytest.approx(total, abs=1e-6)
    assert sum(each.count for each in money.outcomes) == 820 * len(days)


def test_money_in_another_currency_is_not_added() -> None:
    dollars = [replace(each, worth=replace(each.worth, currency="USD")) for each in DAYS[:3]]
    assert len(money_of([*dollars, *DAYS[3:]]).days) == 37
    assert money_of([]) is None
    unknown = Estimate(value=5.0, lower=-math.inf, upper=math.inf)
    money = money_of([replace(DAYS[0], worth=replace(DAYS[0].worth, total=unknown))])
    assert (money.total.lower, money.total.upper) == (5.0, 5.0)
    assert money_chart(money, [], "m") is None


def settings(task: str) -> EndpointSettings:
    label = LabelSettings(column="late", horizon=timedelta(hours=12))
    return EndpointSettings(name="e", model="m", label=label, monitor=MonitorSettings(task=task))


def close_to(value: float) -> Estimate:
    return Estimate(value=value, lower=value - 0.02, upper=value + 0.02)


def test_quality_is_told_without_the_names_of_metrics() -> None:
    def told(task: str, **metrics: Estimate) -> str:
        each = replace(DAYS[0], task=task, metrics=metrics, mean_score=None)
        return " ".join(quality_words(settings(task), each))

    assert told("binary", recall=close_to(0.63)) == (
        "Of 100 cases that were “late” in truth, 63 (61 to 65) were announced."
    )
    assert told("classes", accuracy=close_to(0.99)) == "Of 100 answers 99 (97 to 100) were right."
    assert "off by 3.200 on average (3.180 to 3.220)" in told(
        "regression", mae=close_to(3.2), bias=close_to(0.0)
    )
    assert "as often too high as too low" in told("regression", bias=close_to(0.01))
    assert "too low by 1.000" in told("regression", bias=close_to(-1.0))
    ranked = replace(DAYS[0], task="ranking", metrics={"hit@10": close_to(0.4), "ndcg@10": close_to(0.3)})
    assert quality_words(settings("ranking"), ranked) == (
        "Of 100 lists 40 (38 to 42) had something right on them.",
    )
    assert told("binary") == ""


def test_trends_claim_only_what_intervals_allow() -> None:
    low, high = (replace(DAYS[0], metrics={"m": close_to(value)}) for value in (0.6, 0.7))
    near = replace(DAYS[0], metrics={"m": close_to(0.61)})
    assert trend_words(high, low, "m", up=True).startswith("Clearly better")
    assert trend_words(high, low, "m", up=False).startswith("Clearly worse")
    assert trend_words(low, high, "m", up=False).startswith("Clearly better")
    assert trend_words(near, low, "m", up=True).startswith("No clear difference")
    assert trend_words(low, None, "m", up=True) == ""


@pytest.mark.parametrize(
    ("kind", "outcome", "said"),
    [
        ("retrain", "roll out m/7 (all)", "A new model 7 was trained and is tried out on part of the cases."),
        ("retrain", "failed: keep the champion", "Training a new model failed. The present one stays."),
        ("retrain", "wait for approval", "A new model waits for somebody's approval."),
        ("rollout", "rolled_back: m/6 against m/5", "Model 6 was withdrawn from its trial: it did worse."),
        ("rollout", "promoted: m/6 against m/5", "Model 6 passed its trial and took over."),
        ("other", "something_new", "other: something new"),
    ],
)
def test_decisions_are_sentences(kind, outcome, said) -> None:
    made = Decision(
        id="d",
        at=WATCHING["START"],
        kind=kind,
        subject="e",
        outcome=outcome,
        reasons=("the monthly schedule",),
    )
    assert decision_words(made) == said
    assert reason_words(made) == ("On schedule." if kind == "retrain" else "")


def test_metrics_have_names_for_people() -> None:
    assert [metric_name(each) for each in ("auc", "log_loss", "ndcg@10", "macro_f1")] == [
        "AUC",
        "log loss",
        "NDCG@10",
        "macro F1",
    ]
