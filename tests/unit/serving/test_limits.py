"""How often one client may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.model.settings import LimitSettings
from mlwright.stages.serving.limits import ClientLimits, closing, queue_full, too_late, too_often


def test_a_burst_then_the_rate() -> None:
    limits = ClientLimits(2.0, 3)
    assert [limits.wait("a", 10.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.5)]
    assert limits.wait("b", 10.0) == 0.0, "clients do not share"
    assert limits.wait("a", 10.4) == pytest.approx(0.1)
    assert limits.wait("a", 10.5) == 0.0
    assert limits.wait("a", 10.5) == pytest.approx(0.5)


def test_no_rate_is_no_limit() -> None:
    limits = ClientLimits(0.0)
    assert not any(limits.wait("a", 1.0) for _ in range(100))
    assert len(limits) == 0


@pytest.mark.parametrize(("rate", "burst"), [(0.1, 1), (1.0, 1), (2.5, 3)])
def test_without_a_burst_one_second_of_the_rate(rate: float, burst: int) -> None:
    limits = ClientLimits(rate)
    assert sum(limits.wait("a", 5.0) == 0.0 for _ in range(10)) == burst


def test_memory_is_bounded_and_who_asked_last_is_remembered() -> None:
    limits = ClientLimits(1.0, 1, most=100)
    for number in range(1000):
        limits.wait(f"client {number}", 1.0)
        limits.wait("busy", 1.0)
    assert len(limits) <= 101
    assert limits.wait("busy", 1.0) > 0


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=80),
)
def test_never_more_than_burst_and_rate(rate: float, burst: int, gaps: list[float]) -> None:
    limits = ClientLimits(rate, burst)
    now, taken = 50.0, []
    for gap in gaps:
        now += gap
        wait_s = limits.wait("a", now)
        assert 0 <= wait_s <= 1 / rate + 1e-6
        if not wait_s:
            taken.append(now)
    for at, first in enumerate(taken):
        for more, last in enumerate(taken[at:], 1):
            assert more <= burst + rate * (last - first) + 1e-3


def test_what_is_said() -> None:
    limits = LimitSettings(queue_rows=10, client_rate=2.5)
    assert "2.5 requests a second" in str(too_often("e", limits, 0.2))
    assert too_often("e", limits, 1.2).retry_after_s == 2
    full = queue_full("e", limits, 9, 3.4)
    assert full.retry_after_s == 4
    assert "9 rows are here and 10 may be" in str(full)
    assert too_late("e", 0, 0.0).retry_after_s == 1
    assert "5 rows wait" in str(too_late("e", 5, 2.0))
    for error in (full, too_late("e", 1, 1.0), too_often("e", limits, 1.0), closing("e")):
        assert error.next_command
