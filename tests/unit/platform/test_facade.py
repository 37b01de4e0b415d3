"""One turn of the loop: safe to repeat, and one endpoint's trouble is not another's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import inspect, select, table, text

from mlwright.errors import DataError

OPEN, TURN = datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def state(project) -> dict[str, object]:
    """Everything that is kept: all rows of all tables, all predictions and labels, all messages."""
    with project.platform.parts.read() as tx:
        names = inspect(tx).get_table_names()
        kept = {name: tx.execute(select(text("*")).select_from(table(name))).all() for name in names}
    log = project.platform.parts.log
    return {
        **kept,
        "predictions": log.predictions(None).to_dict(as_series=False),
        "labels": log.labels(None).to_dict(as_series=False),
        "sent": list(project.notifier.sent),
    }


def decaying(project) -> None:
    """The turn of the world lies twelve days back: this tick alarms, retrains and begins a rollout."""
    project.serve(TURN, 12)
    project.wind(TURN + 12 * DAY + 13 * HOUR)


def canary(project) -> None:
    """A rollout whose step is over: this tick moves it on."""
    project.platform.rollouts.start("delay", "delay/2")
    project.serve(OPEN, 2)
    project.wind(OPEN + 2 * DAY + 13 * HOUR)


@pytest.mark.parametrize(
    ("seed", "prepare"), [("released", decaying), ("timid", canary)], ids=["alert", "rollout"]
)
def test_a_second_turn_at_the_same_instant_changes_nothing(plant, seed, prepare) -> None:
    project = plant(seed)
    if seed == "timid":
        project.change(retrain=None)
    prepare(project)
    before = state(project)
    project.platform.tick()
    once = state(project)
    assert once != before
    project.platform.tick()
    assert state(project) == once
    project.open()
    project.platform.tick()
    assert state(project) == once


def test_a_turn_before_anything_is_trained_does_nothing(project) -> None:
    before = state(project)
    (turn,) = project.platform.tick()
    assert (turn.rollout, turn.decision, turn.watched.days) == (None, None, ())
    assert {name for name, rows in state(project).items() if rows != before[name]} <= {
        "ledger_marks",
        "monitoring_slo_counters",
    }


def test_the_trouble_of_one_endpoint_does_not_stop_the_others(released) -> None:
    released.change(retrain=None)
    first = released.settings.endpoints[0]
    sick = replace(first, name="a sick one")
    released.settings = replace(released.settings, endpoints=(sick, first))
    released.open()
    released.notifier.broken = True
    released.serve(OPEN, 8, distort=lambda _, scores: 1 - scores)
    # The other endpoint was sent a label that is neither yes nor no.
    released.log(msgspec.structs.replace(released.block, endpoint="a sick one"))
    released.label(released.flown(OPEN), endpoint="a sick one", labels=[7.0] * 150)
    released.wind(OPEN + 8 * DAY + 13 * HOUR)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        released.platform.tick()
    assert len(released.platform.watch.performance("delay")) == 8
    assert [each.rule for each in released.platform.alerting.alerts("delay")] == ["auc"]
    released.notifier.broken = False
    released.clock.advance(HOUR)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        released.platform.tick()
    assert [each.rule for each in released.notifier.sent] == ["auc"]
