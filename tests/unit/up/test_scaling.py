"""How many inference processes there should be: a rule with the clock of the test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.up.scaling import DOWN_AFTER_S, TARGET, UP_AFTER_S, Scaler
from mlwright.stages.serving.readings import Load, ProcessLoad


def load(*busy: float, cpu: float = 0.0, rows: int = 0, last: float | None = None) -> Load:
    """What so many processes measured."""
    return Load(
        processes=tuple(
            ProcessLoad(
                pid=at,
                busy=each,
                cpu=cpu,
                concurrency=each,
                requests_s=100.0,
                in_flight_rows=rows,
                waiting_rows=0,
                last_request=last,
            )
            for at, each in enumerate(busy)
        )
    )


def test_more_only_when_it_lasts() -> None:
    scaler = Scaler(1, 4)
    assert scaler.wanted(load(0.9), 100.0, 1, 0.0) == 1  # it may be a moment
    assert scaler.wanted(load(0.9), 100.0 + UP_AFTER_S - 0.1, 1, 0.0) == 1
    assert scaler.wanted(load(0.9), 100.0 + UP_AFTER_S, 1, 0.0) == 2
    assert scaler.wanted(load(0.9, 0.9), 101.1, 2, 101.0) == 2  # the wait begins again
    assert scaler.wanted(load(0.9, 0.9), 101.1 + UP_AFTER_S, 2, 101.0) == 3


def test_a_pause_begins_the_wait_again() -> None:
    scaler = Scaler(1, 4)
    assert scaler.wanted(load(0.9), 100.0, 1, 0.0) == 1
    assert scaler.wanted(load(0.1), 100.5, 1, 0.0) == 1
    assert scaler.wanted(load(0.9), 101.0, 1, 0.0) == 1
    assert scaler.wanted(load(0.9), 101.5, 1, 0.0) == 1
    assert scaler.wanted(load(0.9), 102.0, 1, 0.0) == 2


def test_a_jump_is_followed_at_once_and_the_bound_is_kept() -> None:
    scaler = Scaler(1, 4)
    scaler.wanted(load(2.0), 10.0, 1, 0.0)  # two endpoints in threads: busier than one second a second
    assert scaler.wanted(load(2.0), 11.0, 1, 0.0) == 4
    scaler = Scaler(1, 3)
    scaler.wanted(load(2.0), 10.0, 1, 0.0)
    assert scaler.wanted(load(2.0), 11.0, 1, 0.0) == 3


def test_processor_time_counts_where_it_is_more_than_scoring() -> None:
    scaler = Scaler(1, 4)
    scaler.wanted(load(0.1, cpu=0.95), 10.0, 1, 0.0)  # parsing and writing are no scoring
    assert scaler.wanted(load(0.1, cpu=0.95), 11.0, 1, 0.0) == 2


def test_fewer_one_by_one_and_slowly() -> None:
    scaler = Scaler(1, 4)
    assert scaler.wanted(load(0.1, 0.1, 0.1), 50.0, 3, 0.0) == 3
    assert scaler.wanted(load(0.1, 0.1, 0.1), 49.9 + DOWN_AFTER_S, 3, 0.0) == 3
    assert scaler.wanted(load(0.1, 0.1, 0.1), 50.0 + DOWN_AFTER_S, 3, 0.0) == 2
    assert scaler.wanted(load(0.1, 0.1), 51.0 + DOWN_AFTER_S, 2, 0.0) == 2
    assert scaler.wanted(load(0.1, 0.1), 51.0 + 2 * DOWN_AFTER_S, 2, 0.0) == 1
    assert scaler.wanted(load(0.0), 1e6, 1, 0.0) == 1  # never below the least


def test_what_is_just_enough_is_enough() -> None:
    scaler = Scaler(1, 4)
    scaler.wanted(load(TARGET, TARGET), 10.0, 2, 0.0)
    assert scaler.wanted(load(TARGET, TARGET), 11.0, 2, 0.0) == 2


def test_to_none_when_nothing_was_asked_for_so_long() -> None:
    scaler = Scaler(1, 2, idle_s=60.0)
    quiet = load(0.0, last=100.0)
    assert scaler.wanted(quiet, 159.9, 1, 0.0) == 1
    assert scaler.wanted(load(0.0, last=100.0, rows=1), 160.0, 1, 0.0) == 1  # somebody waits for an answer
    assert scaler.wanted(quiet, 160.0, 1, 0.0) == 0


def test_idleness_counts_from_the_start_where_nothing_was_asked() -> None:
    scaler = Scaler(1, 2, idle_s=60.0)
    assert scaler.wanted(load(0.0), 1000.0, 1, 950.0) == 1
    assert scaler.wanted(load(0.0, last=100.0), 1000.0, 1, 950.0) == 1  # it came back a moment ago
    assert scaler.wanted(load(0.0), 1010.0, 1, 950.0) == 0


def test_none_stay_none() -> None:
    assert Scaler(1, 2, idle_s=60.0).wanted(load(), 10.0, 0, 0.0) == 0


def test_without_idle_they_stay() -> None:
    scaler = Scaler(2, 2)
    assert scaler.wanted(load(0.0, 0.0), 1e6, 2, 0.0) == 2


@given(
    looks=st.lists(st.lists(st.floats(0, 4), min_size=1, max_size=6), min_size=1, max_size=30),
    least=st.integers(1, 3),
    more=st.integers(0, 4),
    step=st.floats(0.1, 40.0),
)
def test_always_within_the_bounds(looks, least, more, step) -> None:
    scaler, present, now = Scaler(least, least + more), least, 1.0
    for busy in looks:
        now += step
        present = scaler.wanted(load(*busy), now, present, 0.0)
        assert least <= present <= least + more


@pytest.mark.parametrize("concurrency", [0.5, 1.3, 2.2])
def test_a_steady_load_ends_at_littles_law(concurrency) -> None:
    scaler, present, now = Scaler(1, 8), 1, 0.0
    for _ in range(100):
        now += 0.5
        present = scaler.wanted(load(*[concurrency / present] * present), now, present, 0.0)
    assert present - 1 < concurrency / TARGET <= present
