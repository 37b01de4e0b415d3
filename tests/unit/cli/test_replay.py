"""The demo's replay, cut into hours."""

from datetime import UTC, datetime, timedelta

import polars as pl

from mlwright.doors.cli.demo.replay import ReplayPlan, days_between, hours

FIRST = datetime(2013, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN = ReplayPlan(
    endpoint="delay", entity="id", timestamp="at", inputs={"x": "double"}, label="late", observed="seen"
)
ROWS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "before"],
        "at": [FIRST + HOUR, FIRST + 3 * HOUR, FIRST + 9 * HOUR, FIRST - HOUR],
        "x": [0.0, 1.0, 2.0, 3.0],
        "late": [True, None, False, True],
        "seen": [FIRST + 6 * HOUR, None, FIRST + 12 * HOUR, FIRST + 2 * HOUR],
    }
)


def told(start: datetime) -> list[tuple[int, list[str], list[str]]]:
    """For each hour: its number, who was asked about, and whose label arrived."""
    return [
        (
            int((hour.start - FIRST) / HOUR),
            hour.asked["id"].to_list() if hour.asked is not None else [],
            hour.arrived["id"].to_list() if hour.arrived is not None else [],
        )
        for hour in hours(ROWS, PLAN, start, FIRST + timedelta(days=1), first=FIRST)
    ]


def test_requests_and_labels_come_in_order_and_nothing_from_before_the_replay() -> None:
    assert told(FIRST) == [(1, ["a"], []), (3, ["b"], []), (6, [], ["a"]), (9, ["c"], []), (12, [], ["c"])]


def test_a_resumed_replay_brings_the_labels_of_what_was_asked_before() -> None:
    assert told(FIRST + 5 * HOUR) == [(6, [], ["a"]), (9, ["c"], []), (12, [], ["c"])]


def test_days_are_rounded_up() -> None:
    assert days_between(FIRST, FIRST + timedelta(days=1, hours=1)) == 2
