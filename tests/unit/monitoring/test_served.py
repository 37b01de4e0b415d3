"""Served data without labels: skew by key, contract, volume, and what each rule says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.model.checking import Age, DataQuality, SkewReport, Violation
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import AlertLevel
from mlwright.model.windows import Window
from mlwright.stages.monitoring.alerts import AlertAction
from mlwright.stages.monitoring.served import (
    decide_contract,
    decide_freshness,
    decide_skew,
    decide_volume,
    skew_of,
    violations_of,
    volume_of,
)

DAY = Window(start=datetime(2026, 3, 2, tzinfo=UTC), end=datetime(2026, 3, 3, tzinfo=UTC))
RANDOM = np.random.default_rng(5)
OFFLINE = pl.DataFrame(
    {
        "same": RANDOM.normal(size=400),
        "offset": RANDOM.normal(20, 5, 400),
        "scale": RANDOM.lognormal(3, 1, 400),
        "default": RANDOM.normal(7, 1, 400),
        "gone": RANDOM.normal(size=400),
        "kind": RANDOM.choice(["a", "b", "c"], 400),
    }
)
SERVED = OFFLINE.with_columns(
    pl.col("same").cast(pl.Float32),
    pl.col("offset") + 3,
    pl.col("scale") * 1000,
    pl.when(pl.int_range(pl.len()) < 100).then(-1.0).otherwise("default").alias("default"),
    pl.when(pl.int_range(pl.len()) < 20).then(None).otherwise("gone").alias("gone"),
)
ALL = np.ones(400, dtype=np.bool_)


def report(*, rows: np.ndarray = ALL) -> SkewReport:
    return SkewReport(
        endpoint=EndpointName("e"),
        window=DAY,
        rows=400,
        columns=skew_of(SERVED, OFFLINE, rows),
        not_done=("x",),
    )


def test_each_feature_has_its_share_and_its_mechanism() -> None:
    found = {each.column: each for each in report().columns}
    assert {name: each.differs for name, each in found.items()} == {
        "same": 0,
        "kind": 0,
        "offset": 400,
        "scale": 400,
        "default": 100,
        "gone": 20,
    }
    said = {name: (each.mechanism, each.factor) for name, each in found.items() if each.differs}
    assert said["offset"] == ("offset", pytest.approx(3))
    assert said["scale"][0] in ("scale", "unit")
    assert said["scale"][1] == pytest.approx(1000)
    assert said["default"][0] in ("default", "sentinel")
    assert said["gone"][0] == "missing"
    assert [each.share for each in report().columns] == sorted(
        (each.share for each in found.values()), reverse=True
    )


def test_rows_that_were_not_computed_again_are_no_evidence() -> None:
    none = report(rows=np.zeros(400, dtype=np.bool_))
    assert none.columns == ()
    assert decide_skew(none, limit=0.01).action is AlertAction.STAY
    some = {each.column: each for each in report(rows=np.arange(400) >= 100).columns}
    assert (some["default"].differs, some["default"].rows) == (0, 300)


def test_skew_opens_a_ticket_with_what_differs_and_how() -> None:
    decision = decide_skew(report(), limit=0.01)
    assert (decision.action, decision.level, decision.rule) == (AlertAction.FIRE, AlertLevel.TICKET, "skew")
    assert "100.0% of the rows" in decision.summary
    assert decision.evidence["not_done"] == ["x"]
    fine = SkewReport(
        endpoint=EndpointName("e"),
        window=DAY,
        rows=400,
        columns=skew_of(SERVED[["same", "kind"]], OFFLINE, ALL),
    )
    assert decide_skew(fine, limit=0.01).action is AlertAction.RESOLVE


def test_what_the_edge_noted_is_counted_by_field_and_fault() -> None:
    flags = pl.Series(
        [
            "age[0]: -5 is below 0; age[0]: -5 is below 0; kind[0]: 'z' is none of a, b",
            None,
            "age[2]: 200 is above 120",
            "age[3]: -1 is below 0",
        ]
    )
    assert [(each.column, each.what, each.rows, each.share) for each in violations_of(flags)] == [
        ("age", "below 0", 2, 0.5),
        ("age", "above 120", 1, 0.25),
        ("kind", "none of a, b", 1, 0.25),
    ]


OLD = Violation(column="age", what="below 0", rows=1, share=0.1)


def quality(**changes: object) -> DataQuality:
    about: dict[str, object] = {"endpoint": EndpointName("e"), "at": DAY.end, "window": DAY, "rows": 1000}
    return DataQuality(**{**about, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "flagged", "action"),
    [
        (1000, 0.0, AlertAction.RESOLVE),
        (1000, 0.05, AlertAction.RESOLVE),
        (1000, 0.06, AlertAction.STAY),  # the interval reaches the limit
        (1000, 0.08, AlertAction.FIRE),
        (49, 1.0, AlertAction.STAY),
    ],
)
def test_a_broken_contract_pages(rows: int, flagged: float, action: AlertAction) -> None:
    found = quality(
        rows=rows, flagged=flagged, violations=(Violation(column="age", what="below 0", rows=1, share=0.1),)
    )
    decision = decide_contract(found)
    assert (decision.action, decision.level) == (action, AlertLevel.PAGE)


def test_a_view_older_than_its_ttl_is_a_ticket_of_its_own() -> None:
    hour = timedelta(hours=1)
    found = decide_freshness(
        quality(ages=(Age(view="a", age=2 * hour, limit=hour), Age(view="b", age=hour, limit=hour)))
    )
    assert [(each.rule, each.action) for each in found] == [
        ("freshness.a", AlertAction.FIRE),
        ("freshness.b", AlertAction.RESOLVE),
    ]


@pytest.mark.parametrize(
    ("rows", "before", "unusual"),
    [
        (100, [100] * 6, ""),  # six days say nothing yet
        (100, [100] * 14, ""),
        (60, [100] * 14, ""),
        (40, [100] * 14, "fewer"),
        (0, [100] * 14, "fewer"),
        (200, [100] * 14, "more"),
        (3, [2, 0, 4, 1, 3, 2, 0, 5, 2, 3, 1, 2, 4, 3], ""),
        (20, [100, 100, 100, 100, 100, 20, 20] * 5, ""),  # a weekend among weekends
    ],
)
def test_volume_is_compared_with_days_like_it(rows: int, before: list[int], unusual: str) -> None:
    weekdays = [at % 7 for at in range(len(before))]
    weekday = 6 if before[-1] == 20 else len(before) % 7
    volume = volume_of(rows, before, weekdays, weekday)
    assert volume.unusual == unusual
    decision = decide_volume(quality(volume=volume))
    assert decision is not None
    assert decision.action is (AlertAction.FIRE if unusual else AlertAction.RESOLVE)
    assert decide_volume(quality()) is None


@given(mean=st.integers(1, 2000), seed=st.integers(0, 2**16))
def test_counts_by_chance_are_not_unusual(mean: int, seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(mean, 29).tolist()
    *before, last = counts
    assert volume_of(last, before, [at % 7 for at in range(28)], 0).unusual == ""
