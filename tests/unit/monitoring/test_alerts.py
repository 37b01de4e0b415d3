"""The rules that fire, resolve or leave things as they are."""

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.errors import UsageError
from mlwright.model.monitoring import AlertLevel, AlertState, DriftReport, Estimate, FeatureDrift, Performance
from mlwright.model.watch_settings import MonitorSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring import alerts
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
        metrics={"auc": estimate, "brier": estimate},
        versions=("flight-delay/1",),
    )
    return replace(base, **changes)


def decide(performance, reference=0.713, metric="auc", **more):
    settings = MonitorSettings(metric=metric, **{"tolerance": 0.02, **more})
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
    assert decide(measured(metrics={})).action is AlertAction.STAY
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


def of_numbers(**metrics):
    """A window of a regression; each metric by its value and half the width of its interval."""
    made = {
        name: Estimate(value=value, lower=value - half, upper=value + half, level=0.9)
        for name, (value, half) in metrics.items()
    }
    return measured(task="regression", positive_rate=None, metrics=made)


def test_any_metric_of_a_task_is_judged_in_its_own_unit():
    hours = {"task": "regression", "tolerance": 5.0}
    assert decide(of_numbers(mae=(130.0, 4.0)), 120.0, "mae", **hours).action is AlertAction.FIRE
    assert decide(of_numbers(mae=(126.0, 4.0)), 120.0, "mae", **hours).action is AlertAction.STAY
    decision = decide(of_numbers(mae=(124.0, 4.0)), 120.0, "mae", **hours)
    assert decision.action is AlertAction.RESOLVE
    assert "mae of delay" in decision.summary
    assert "Limit 125 = 120 (flight-delay/1 at its release) + 5 tolerance" in decision.summary
    assert decide(of_numbers(r2=(0.5, 0.01)), 0.6, "r2", task="regression").action is AlertAction.FIRE
    few = decide(replace(of_numbers(mae=(130.0, 4.0)), labelled=40), 120.0, "mae", **hours)
    assert (few.action, "50 are needed" in few.summary) == (AlertAction.STAY, True)


def test_a_bias_is_judged_by_its_distance_from_none():
    bias = {"task": "regression", "tolerance": 1.0}
    for sign in (1, -1):
        assert decide(of_numbers(bias=(sign * 3.0, 1.0)), 0.5, "bias", **bias).action is AlertAction.FIRE
        assert decide(of_numbers(bias=(sign * 1.8, 2.0)), -0.5, "bias", **bias).action is AlertAction.STAY
    assert decide(of_numbers(bias=(0.0, 2.0)), -0.5, "bias", **bias).action is AlertAction.RESOLVE


def test_without_a_reference_the_rule_says_that_it_does_not_know():
    decision = decide_alert(
        measured(value=0.1),
        reference=None,
        reference_of="delay/1 was released without auc and without held-out rows",
        settings=MonitorSettings(),
    )
    assert decision.action is AlertAction.UNKNOWN
    assert "UNKNOWN whether that is a decay: delay/1 was released without auc" in decision.summary
    with pytest.raises(ValueError, match="makes no alert"):
        alert_of(decision, at=WINDOW.end)


@given(st.floats(0, 1), st.floats(0, 0.5), st.booleans())
def test_nothing_is_decided_by_what_was_expected_before_labels(value, half, ripe):
    guess = {"auc": Estimate(value=value, lower=value - half, upper=value + half)}
    for real in (0.60, 0.69, 0.72):
        plain, beside = measured(real, matured=ripe), measured(real, matured=ripe, expected=guess)
        assert decide(plain) == decide(beside)
    alone = decide(measured(metrics={}, expected=guess, matured=ripe))
    assert alone.action is AlertAction.STAY
    assert "expected" not in alone.evidence


def test_no_rule_and_no_gate_reads_what_was_expected():
    """Estimates hold while P(y|x) does, which is what a rule has to find out."""
    root = Path(alerts.__file__).parents[2]
    deciding = ("alerts", "comparison", "no_worse", "triggers", "burn", "slos")
    files = [root / "stages/monitoring" / f"{name}.py" for name in deciding]
    files += [
        root / "platform" / f"{name}.py"
        for name in ("retraining", "gates", "verdicts", "rolling", "promoting")
    ]
    read = [path for path in files if path.exists()]
    assert len(read) >= 6
    for path in read:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        taken = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert "expected" not in used, path.name
        assert not any(each and each.endswith((".expected", ".foreseeing")) for each in taken), path.name


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
