from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlwright.adapters.clock.replay import ReplayClock
from mlwright.adapters.clock.system import SystemClock
from mlwright.testing.conformance.clocks import ClockConformance
from mlwright.testing.fakes.clock import ManualClock

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class TestSystemClock(ClockConformance):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    def test_it_goes(self, clock: SystemClock) -> None:
        first = clock.now()
        while clock.now() == first:
            pass
        assert abs(clock.now().timestamp() - datetime.now(UTC).timestamp()) < 5  # noqa: TID251 - the real time

    def test_stands_still_while_the_machine_is_set_back(self) -> None:
        readings: Iterator[datetime] = iter(
            [NOON, NOON - HOUR, NOON - timedelta(microseconds=1), NOON + HOUR]
        )
        clock = SystemClock(lambda: next(readings))
        assert [clock.now() for _ in range(4)] == [NOON, NOON, NOON, NOON + HOUR]


class TestReplayClock(ClockConformance):
    @pytest.fixture
    def clock(self) -> ReplayClock:
        return ReplayClock(NOON)

    def test_moves_forwards_only(self, clock: ReplayClock) -> None:
        assert clock.advance_to(NOON + HOUR) == NOON + HOUR
        assert clock.advance_to(NOON) == NOON + HOUR
        assert clock.now() == NOON + HOUR

    def test_other_zones_become_utc(self, clock: ReplayClock) -> None:
        east = timezone(timedelta(hours=2))
        clock.advance_to((NOON + HOUR).astimezone(east))
        assert clock.now().isoformat() == "2013-04-01T13:00:00+00:00"

    def test_naive_instants_are_refused(self, clock: ReplayClock) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            clock.advance_to(NOON.replace(tzinfo=None) + HOUR)
        assert clock.now() == NOON


class TestManualClock(ClockConformance):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(NOON)

    def test_winding(self, clock: ManualClock) -> None:
        assert clock.advance(HOUR) == clock.now() == NOON + HOUR
        with pytest.raises(ValueError, match="backwards"):
            clock.advance(-HOUR)
