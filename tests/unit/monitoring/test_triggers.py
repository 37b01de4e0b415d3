"""When a retraining is due and what holds it up, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert, AlertLevel, AlertState, DriftReport
from mlwright.model.watch_settings import RetrainSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring.triggers import (
    Spent,
    TriggerFacts,
    TriggerKind,
    due_trigger,
    held,
    needs_approval,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = RetrainSettings(
    pipeline="p", on=("performance", "drift", "data", "schedule:weekly"), new_rows=1000, drift_days=3
)
ALERT = Alert(
    id=AlertId("e-auc-2026-02-27"),
    rule="auc",
    endpoint=EndpointName("e"),
    level=AlertLevel.PAGE,
    state=AlertState.FIRING,
    fired=NOW - DAY,
    summary="AUC fell",
)


def drifted(*shares: float, weighted: float | None = None) -> tuple[DriftReport, ...]:
    first = NOW - len(shares) * DAY
    return tuple(
        DriftReport(
            endpoint=EndpointName("e"),
            window=Window(start=first + at * DAY, end=first + (at + 1) * DAY),
            reference=Window(start=NOW - 90 * DAY, end=NOW - 60 * DAY),
            features=(),
            share_moved=share,
            weighted=share if weighted is None else weighted,
        )
        for at, share in enumerate(shares)
    )


EVERYTHING = TriggerFacts(
    decayed=ALERT, drift=drifted(0.6, 0.7, 0.8), labelled=2000, schedule="weekly schedule"
)


@pytest.mark.parametrize(
    ("on", "kind"),
    [
        (ALL.on, TriggerKind.PERFORMANCE),
        (("drift", "data", "schedule:weekly"), TriggerKind.DATA),
        (("drift", "schedule:weekly"), TriggerKind.DRIFT),
        (("schedule:weekly",), TriggerKind.SCHEDULE),
    ],
)
def test_consequence_asks_louder_than_context(on: tuple[str, ...], kind: TriggerKind) -> None:
    found = due_trigger(replace(ALL, on=on), EVERYTHING)
    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (TriggerFacts(), None),
        (TriggerFacts(labelled=999), None),
        (
            TriggerFacts(labelled=1000, since=NOW - DAY),
            "1,000 labelled predictions since 2026-02-28 00:00 UTC",
        ),
        (TriggerFacts(drift=drifted(0.9, 0.9)), None),
        (TriggerFacts(drift=drifted(0.9, 0.4, 0.9, 0.9)), None),
        (
            TriggerFacts(drift=drifted(0.1, 0.5, 0.6, 0.7, 0.8)),
            "80% of the features have moved since 2026-02-25",
        ),
        (TriggerFacts(drift=drifted(0.9, 0.9, 0.9, weighted=0.1)), None),
        (TriggerFacts(drift=drifted(0.1, 0.1, 0.1, weighted=0.9)), "90% of the features"),
    ],
)
def test_each_trigger_has_its_limit_and_says_its_numbers(facts: TriggerFacts, why: str | None) -> None:
    found = due_trigger(ALL, facts)
    assert (found is None) == (why is None)
    if found is not None and why is not None:
        assert why in found.reason


def test_a_drift_that_lasts_keeps_its_key_and_a_new_one_has_another() -> None:
    keys = [
        due_trigger(ALL, TriggerFacts(drift=reports)).key  # type: ignore[union-attr]
        for reports in (drifted(0.9, 0.9, 0.9), drifted(0.9, 0.9, 0.9)[:3])
    ]
    longer = due_trigger(ALL, TriggerFacts(drift=drifted(0.1, 0.9, 0.9, 0.9)))
    assert keys[0] == keys[1] == longer.key  # type: ignore[union-attr]
    assert due_trigger(ALL, TriggerFacts(drift=drifted(0.9, 0.1, 0.9, 0.9, 0.9, 0.9))).key != keys[0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "spent", "busy", "answered", "why"),
    [
        ({}, Spent(), False, True, None),
        ({}, Spent(), True, True, "a rollout is under way"),
        ({}, Spent(last=NOW - 13 * DAY), False, True, "lasts until 2026-03-02 00:00 UTC"),
        ({}, Spent(last=NOW - 14 * DAY), False, True, None),
        ({"budget_runs": 2}, Spent(runs=2), False, True, "2 of 2 retrainings in 30d"),
        ({"budget_runs": 2}, Spent(runs=1), False, True, None),
        (
            {"budget_time": timedelta(hours=1)},
            Spent(time=timedelta(hours=1)),
            False,
            True,
            "1h of 1h of training",
        ),
        ({"budget_time": timedelta(hours=1)}, Spent(time=timedelta(minutes=59)), False, True, None),
        ({}, Spent(), False, False, "nothing was answered lately"),
    ],
)
def test_what_holds_a_retraining_up(
    change: dict[str, object], spent: Spent, busy: bool, answered: bool, why: str | None
) -> None:
    hold = held(replace(ALL, **change), spent, NOW, busy=busy, answered=lambda: answered)  # type: ignore[arg-type]
    assert (hold is None) == (why is None)
    if hold is not None and why is not None:
        assert why in hold.why


@pytest.mark.parametrize(
    ("approval", "asked"),
    [
        ("auto", set()),
        ("manual", {"performance", "data", "drift", "schedule", "manual"}),
        ("manual:drift,data", {"drift", "data"}),
    ],
)
def test_who_has_to_say_yes(approval: str, asked: set[str]) -> None:
    settings = replace(ALL, approval=approval)
    assert {each.value for each in TriggerKind if needs_approval(settings, each)} == asked
