"""When the loss of prediction records becomes an alert, and when it closes."""

from datetime import UTC, datetime, timedelta

import pytest

from mlwright.model.ids import EndpointName
from mlwright.stages.monitoring.alerts import AlertAction, alert_of, decide_lost_records

NOW = datetime(2013, 4, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lost", "before", "quiet", "action"),
    [
        (5, 0, timedelta(0), AlertAction.FIRE),
        (5, 4, timedelta(days=9), AlertAction.FIRE),
        (5, 5, timedelta(hours=23), AlertAction.STAY),
        (5, 5, timedelta(hours=24), AlertAction.RESOLVE),
    ],
)
def test_it_fires_on_each_rise_and_closes_after_a_quiet_day(lost, before, quiet, action) -> None:
    decision = decide_lost_records(
        EndpointName("delay"), lost=lost, before=before, since=NOW - quiet, now=NOW, why="no space"
    )
    assert decision.action is action
    assert "5 ever" in decision.summary
    assert "no space" in decision.summary
    if action is AlertAction.FIRE:
        assert f"{lost - before} since" in alert_of(decision, at=NOW).summary
