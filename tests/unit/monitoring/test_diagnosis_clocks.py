"""Clocks: rotations of hours, weekdays and months, and nothing in what only moves with the season."""

import numpy as np
import polars as pl
import pytest

from mlwright.stages.monitoring.diagnosis.clocks import cycle, rotation, zone
from mlwright.stages.monitoring.diagnosis.columns import column

_DAY = 86_400_000_000
_HOUR = _DAY // 24


def _hours(n, peak, width, r):
    away = np.minimum((np.arange(24) - peak) % 24, (peak - np.arange(24)) % 24)
    chance = np.exp(-0.5 * (away / width) ** 2) + 0.02
    return r.choice(24, n, p=chance / chance.sum()).astype(float)


def _column(name, before, now):
    return column(
        pl.Series(name, before),
        pl.Series(name, now),
        old_rows=np.arange(len(before)),
        new_rows=np.arange(len(now)),
    )


@pytest.mark.parametrize("width", [2, 3.5, 5])
def test_a_rotation_of_one_peak_is_found_with_its_offset(width) -> None:
    r = np.random.default_rng(0)
    found = []
    for turn in range(2, 22):
        before, now = _hours(4000, 15, width, r), (_hours(4000, 15, width, r) + turn) % 24
        found.append((turn, rotation(before, now)))
    right = [turn for turn, steps in found if steps is not None and steps % 24 == turn]
    assert len(right) >= 17
    assert all(steps is None or steps % 24 == turn for turn, steps in found)


def test_samples_of_one_day_and_other_shapes_are_no_rotation() -> None:
    r = np.random.default_rng(1)
    for _ in range(100):
        width = r.uniform(2, 6)
        assert rotation(_hours(1000, 15, width, r), _hours(1500, 15, width, r)) is None
        assert rotation(_hours(3000, 15, 3, r), _hours(3000, 8, r.uniform(4.5, 8), r)) is None


def test_small_turns_are_habits_until_the_loss_says_otherwise() -> None:
    r = np.random.default_rng(2)
    for turn, weak in ((3, True), (9, False)):
        fault = zone(_column("hour", _hours(4000, 14, 3, r), (_hours(4000, 14, 3, r) + turn) % 24))
        assert fault is not None
        assert (fault.factor, fault.weak) == (turn, weak)
        assert f"{turn} h ahead" in fault.text


def test_parts_of_the_event_time_are_held_against_it() -> None:
    r = np.random.default_rng(3)
    start = 19_358 * _DAY  # 2023-01-01
    old, new = start + r.integers(0, 59 * _DAY, 3000), start + 90 * _DAY + r.integers(0, 59 * _DAY, 3000)

    def months(at):
        return at.astype("datetime64[us]").astype("datetime64[M]").astype(int) % 12 + 1.0

    # another season has other months, and is no fault
    year = np.tile(np.arange(1.0, 13.0), 20)
    before, now = np.r_[months(old), year], np.r_[months(new), year]
    olds, news = np.r_[old, np.full(240, old[0])], np.r_[new, np.full(240, new[0])]
    same = _column("month", before, now)
    assert cycle(same) is not None
    assert zone(same, olds, news) is None
    turned = zone(_column("month", before, (now - 1 + 1) % 12 + 1), olds, news)
    assert turned is None or turned.weak
    late = zone(_column("month", before, (now - 1 + 5) % 12 + 1), olds, news)
    assert late is not None
    assert (late.factor, late.weak) == (5.0, False)
    # weekdays counted from Sunday where they were counted from Monday
    week = _column("weekday", (old // _DAY + 3) % 7 + 0.0, ((new // _DAY + 3) % 7 + 3) % 7 + 0.0)
    fault = zone(week, old, new)
    assert fault is not None
    assert fault.factor == 3.0
    assert fault.undone is not None
    assert (fault.undone.to_numpy() == (new // _DAY + 3) % 7).all()
    # the hour of the event in another zone, whatever its histogram
    hour = _column("hour", old % _DAY // _HOUR + 0.0, (new % _DAY // _HOUR + 8) % 24 + 0.0)
    fault = zone(hour, old, new)
    assert fault is not None
    assert fault.factor == 8.0


def test_counts_are_no_clock() -> None:
    r = np.random.default_rng(4)
    assert cycle(_column("calls", r.poisson(3, 900) + 0.0, r.poisson(3, 900) + 0.0)) is None
    assert cycle(_column("hour", r.random(900) * 24, r.random(900) * 24)) is None
    assert cycle(_column("hour", np.arange(100) % 24 + 0.0, np.arange(900) % 24 + 0.0)) is None
