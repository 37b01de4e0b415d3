"""The rules that fire, resolve or leave things as they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import UsageError
from mlwright.model.monitoring import AlertLevel, AlertState, DriftReport, Estimate, FeatureDrift, Performance
from mlwright.model.watch_settings import MonitorSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring.alerts import (
    AlertAction,
    alert_id,
    alert_of,
    context_of,
    decide_alert,
    decide_missing_features,
    decide_missing_labels,
)

WINDOW = Window(start=datetime(2013, 4, 18, tzinfo=UTC), end=datetime(2013, 5, 2, tzinfo=UTC))


def measured(value=0.645, half=0.015, **changes):
    estimate = Estimate(value=value, lower=value - half, upper=value + half, level=0.9)
    base = Performance(
        endpoint="delay",
        window=WINDOW,
        predictions=13_000,
        labelled=12_804,
        matured=True,
        positive_rate=0.25,
        mean_score=0.2,
        auc=estimate,
        brier=estimate,
        calibration_error=0.05,
        versions=("flight-delay/1",),
    )
    return replace(base, **changes)


def decide(performance, reference=0.713, metric="auc"):
    settings = MonitorSettings(metric=metric, tolerance=0.02)
    return decide_alert(
        performance, reference=reference, reference_of="flight-delay/1 at its release", settings=settings
    )


def test_a_decay_beyond_doubt_fires_and_says_why():
    decision = decide(measured())
    assert decision.action is AlertAction.FIRE
    assert decision.level is AlertLevel.PAGE
    assert decision.summary == (
        "AUC of delay in 2013-04-18 00:00 to 2013-05-02 00:00 UTC: 0.645 (90% interval 0.630 to 0.660, 12,804"
        " labelled of 13,000 predictions); the whole interval is worse than the limit."
        " Limit 0.693 = 0.713 (flight-delay/1 at its release) - 0.020 tolerance."
    )
    assert decision.evidence["limit"] == pytest.approx(0.693)
    assert decision.next_command == "mlwright retrain delay"


def test_an_interval_that_reaches_the_limit_stays():
    assert decide(measured(value=0.68, half=0.02)).action is AlertAction.STAY


def test_an_estimate_within_the_tolerance_resolves():
    assert decide(measured(value=0.70)).action is AlertAction.RESOLVE


def test_immature_windows_never_decide():
    for value in (0.1, 0.5, 0.9):
        decision = decide(measured(value=value, matured=False))
        assert decision.action is AlertAction.STAY
        assert "not matured" in decision.summary


def test_too_little_to_judge_stays():
    assert decide(measured(auc=None)).action is AlertAction.STAY
    few = decide(measured(labelled=40, positive_rate=0.1))
    assert few.action is AlertAction.STAY
    assert "only 4 labels of one class" in few.summary


def test_brier_is_worse_when_it_is_higher():
    assert decide(measured(value=0.20), reference=0.15, metric="brier").action is AlertAction.FIRE
    assert decide(measured(value=0.18), reference=0.15, metric="brier").action is AlertAction.STAY
    assert decide(measured(value=0.12), reference=0.15, metric="brier").action is AlertAction.RESOLVE


def test_an_unknown_metric_names_the_known_ones():
    with pytest.raises(UsageError, match="did you mean 'brier'"):
        decide(measured(), metric="breir")


unit = st.floats(0, 1)


@given(unit, st.floats(0, 0.5), unit, unit, st.sampled_from(["auc", "brier"]), st.booleans())
def test_a_worse_window_never_asks_for_less(value, half, worse_by, reference, metric, ripe):
    order = [AlertAction.RESOLVE, AlertAction.STAY, AlertAction.FIRE]
    worse = value - worse_by if metric == "auc" else value + worse_by
    one = decide(measured(value, half, matured=ripe), reference, metric).action
    other = decide(measured(worse, half, matured=ripe), reference, metric).action
    assert order.index(other) >= order.index(one)
    assert ripe or one is AlertAction.STAY


def test_labels_that_stop_arriving_open_a_ticket():
    silent = decide_missing_labels(measured(predictions=900, labelled=600), usual=0.03)
    assert (silent.action, silent.level, silent.rule) == (AlertAction.FIRE, AlertLevel.TICKET, "labels")
    assert silent.summary.startswith("33.3% of delay's predictions in 2013-04-18")
    assert "(300 of 900); more than the limit. Limit 23.0% = 3.0% usual + 20.0%." in silent.summary
    assert decide_missing_labels(measured(predictions=900, labelled=870)).action is AlertAction.RESOLVE
    assert (
        decide_missing_labels(measured(predictions=900, labelled=0, matured=False)).action is AlertAction.STAY
    )
    assert decide_missing_labels(measured(predictions=10, labelled=0)).action is AlertAction.STAY


def missing_view(frame, **more):
    return decide_missing_features(
        frame, endpoint="delay", view="weather_at_origin", columns=["temp", "sky"], window=WINDOW, **more
    )


def test_a_view_that_gives_nothing_opens_a_ticket():
    nothing, nan = [None] * 40, [float("nan")] * 40
    frame = pl.DataFrame({"temp": nan + [1.0] * 60, "sky": [*nothing, *["blue"] * 60]})
    broken = missing_view(frame)
    assert (broken.action, broken.rule) == (AlertAction.FIRE, "features.weather_at_origin")
    assert broken.evidence["share"] == 0.4
    assert missing_view(frame, usual=0.3).action is AlertAction.RESOLVE
    assert missing_view(frame.head(49)).action is AlertAction.STAY
    assert missing_view(pl.DataFrame({"x": [1] * 100})).action is AlertAction.FIRE


def test_one_column_of_a_view_that_is_there_is_enough():
    assert missing_view(pl.DataFrame({"temp": [None] * 100, "sky": ["blue"] * 100})).evidence["share"] == 0.0


def report(**psis):
    rest = {"n": 900, "js": 0.1, "null_rate": 0.0, "reference_null_rate": 0.0, "unseen_rate": 0.0}
    features = tuple(FeatureDrift(column=name, psi=psi, **rest) for name, psi in psis.items())
    return DriftReport(endpoint="delay", window=WINDOW, reference=WINDOW, features=features)


def test_drift_is_context_of_the_three_that_moved_most():
    context = context_of(report(carrier=0.01, temp=3.1, dewp=0.9, wind=0.4))
    assert [feature["column"] for feature in context["drift"]] == ["temp", "dewp", "wind"]


def test_the_alert_of_a_decision():
    at = WINDOW.end + timedelta(hours=12)
    alert = alert_of(decide(measured()), at=at, context=context_of(report(temp=3.1)))
    assert alert.id == "delay-auc-2013-05-02"
    assert (alert.state, alert.fired) == (AlertState.FIRING, at)
    assert alert.evidence["context"]["drift"][0]["column"] == "temp"
    with pytest.raises(ValueError, match="resolve makes no alert"):
        alert_of(decide(measured(value=0.75)), at=at)


def test_ids_are_of_the_utc_day():
    new_york = datetime.fromisoformat("2013-05-01T21:30:00-04:00")
    assert alert_id("delay", "labels", new_york) == "delay-labels-2013-05-02"
