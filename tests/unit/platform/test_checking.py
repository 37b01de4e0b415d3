"""Served data are looked at once a day, before any label comes."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mlwright.model.monitoring import AlertLevel, AlertState
from mlwright.model.windows import Window

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rules(project) -> list[tuple[str, str, str]]:
    return [(each.rule, each.level, each.state) for each in project.platform.alerting.alerts()]


def test_a_day_is_looked_at_once_and_kept(released) -> None:
    released.serve(OPEN, 10)
    released.wind(OPEN + 10 * DAY + timedelta(hours=1))
    checking = released.platform.checking
    assert checking.latest("delay") is None
    assert checking.look("delay") == ()
    kept = checking.latest("delay")
    assert kept is not None
    assert (kept.rows, kept.flagged, kept.window.start) == (150, 0.0, OPEN + 9 * DAY)
    assert kept.volume is not None
    assert (kept.volume.usual, kept.volume.unusual) == (150, "")
    assert set(kept.missing) == {"x", "wind"}
    released.serve(OPEN + 9 * DAY, 1)  # what comes later does not open the day again
    checking.look("delay")
    assert checking.latest("delay") == kept


def test_silence_and_a_broken_contract_are_told_and_told_to_be_over(released) -> None:
    released.serve(OPEN, 10)
    released.wind(OPEN + 11 * DAY + timedelta(hours=1))
    (silent,) = released.platform.checking.look("delay")
    assert (silent.rule, silent.level, silent.state) == ("volume", AlertLevel.TICKET, AlertState.FIRING)
    released.serve(OPEN + 11 * DAY, 1)
    broken = replace(
        released.block,
        logged_at=released.block.logged_at + 1,  # of one prediction the last row counts
        flags=["x[0]: -1 is below 0"] * len(released.block.prediction_ids),
    )
    released.log(broken)
    released.wind(OPEN + 12 * DAY + timedelta(hours=1))
    changed = {each.rule: each for each in released.platform.checking.look("delay")}
    assert changed["volume"].state is AlertState.RESOLVED
    assert (changed["contract"].level, changed["contract"].state) == (AlertLevel.PAGE, AlertState.FIRING)
    assert "x below 0 (100.0%)" in changed["contract"].summary
    assert changed["contract"].next_command == "mlwright check"


def test_served_features_that_offline_data_contradict_are_a_ticket(released) -> None:
    """The log of this project has no airport, so the block says it as a feature that was sent along."""
    released.serve(OPEN, 1)
    origins = dict(released.flown(OPEN, 1).select("flight_id", "origin").iter_rows())
    sent = {"origin": [origins[key] for key in released.block.entity_keys]}
    served = [value * 100 for value in released.block.features["wind"]]
    released.log(
        replace(
            released.block,
            prediction_ids=[f"{each}-b" for each in released.block.prediction_ids],
            features={**released.block.features, **sent, "wind": served},
        )
    )
    released.wind(OPEN + DAY + timedelta(hours=1))
    found = released.platform.checking.measure("delay", Window(start=OPEN, end=OPEN + DAY))
    assert found.skew is not None
    (wind,) = found.skew.columns
    assert (wind.column, wind.rows, wind.factor) == ("wind", 150, pytest.approx(100))
    (alert,) = [each for each in released.platform.checking.look("delay") if each.rule == "skew"]
    assert (alert.level, alert.next_command) == (AlertLevel.TICKET, "mlwright diagnose delay")
    assert rules(released) == [("skew", AlertLevel.TICKET, AlertState.FIRING)]
