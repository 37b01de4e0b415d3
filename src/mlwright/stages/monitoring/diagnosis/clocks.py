"""Instants, hours, weekdays and months that are in another time zone, or are counted from another start."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, as_type
from mlwright.stages.monitoring.encoding import Kind

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_FEWEST: Final = 200
_SEASON: Final = 4.0
"""Steps by which people's habits move as well: without the loss to confirm it no fault."""
_SUMMER: Final = 1.0
"""Hours that summer time moves a clock by: neither is that."""
_FOLLOWS: Final = 0.6
"""Share of rows at one distance from the event time from which a column is taken for made of it."""
_LEAST: Final = 0.12
_GAP: Final = 10.0
"""Chi-squared by which every other turn has to be worse: likelihoods of 150 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Whole numbers that come round: ``period`` of them, from ``first`` on; ``unit`` is what one step is called."""

    period: int
    first: int
    unit: str


def zone(
    column: Column, at_before: NDArray[np.int64] | None = None, at_now: NDArray[np.int64] | None = None
) -> Fault | None:
    """The shift that brings the clock back, where one does.

    Instants that keep close to the event time (half of them within an hour of each other) are compared with it, to
    the half hour; so are hours, weekdays and months that follow it row by row. Else the histogram of hours or of
    weekdays is turned round, never that of months, which move with the season. A turn has to leave next to nothing of
    the difference, and every other turn much more. One hour is summer time as well, and habits move with the season by
    some: what is no more than that the loss has to confirm.

    Args:
        column: instants, or whole numbers that :func:`cycle` takes for a part of a date.
        at_before, at_now: event times of the rows, microseconds.
    """
    if column.kind is Kind.INSTANT:
        if column.old.dtype == pl.Date:
            return None
        if at_before is not None and at_now is not None:
            found = _beside(column.before - at_before, column.now - at_now)
            if found is not None:
                return _fault(column, found, column.now - found * _HOUR, _SUMMER)
        turned = rotation(column.before / _HOUR % 24, column.now / _HOUR % 24)
        return None if turned is None else _fault(column, turned, column.now - turned * _HOUR, _SEASON)
    round_ = cycle(column)
    if round_ is None:
        return None
    period, first = round_.period, round_.first
    steps: int | None = None
    usual = _SUMMER
    if at_before is not None and at_now is not None:
        steps = _following(column, at_before, at_now, round_)
    if steps is None and round_.unit != "month":
        steps, usual = rotation(column.before - first, column.now - first, period), _SEASON
    if not steps:
        return None
    return _fault(column, steps, (column.now - first - steps) % period + first, usual, round_)


def cycle(column: Column) -> Cycle | None:
    """Which part of a date a column of numbers is: an hour by its name or all 24 values, others by their names."""
    if column.kind is not Kind.NUMBER:
        return None
    old, new = column.sampled()
    if min(len(old), len(new)) < _FEWEST:
        return None
    low, high = min(old[0], new[0]), max(old[-1], new[-1])
    if low < 0 or high > 23:
        return None
    values = np.unique(old)
    if (values != np.round(values)).any():
        return None
    name = column.name.lower()
    called_hour = "hour" in name or name.endswith(("_hr", "hod")) or name == "hr"
    if len(values) == 24 or (len(values) >= 12 and called_hour):
        return Cycle(period=24, first=0, unit="h")
    return _date(name, int(low), int(high), len(values))


def _date(name: str, low: int, high: int, values: int) -> Cycle | None:
    """A weekday, all seven of which occur, or a month, by the name."""
    week = any(part in name for part in ("weekday", "dow", "day_of_week", "dayofweek", "wday"))
    if week and values == 7 and high - low == 6:
        return Cycle(period=7, first=low, unit="day")
    if "month" in name and low in (0, 1) and high - low == 11:
        return Cycle(period=12, first=low, unit="month")
    return None


def rotation(before: Floats, now: Floats, period: int = 24) -> int | None:
    """How many steps, −period/2 to period/2, the values are ahead of what they were; None where no turn explains it.

    Args:
        before: numbers of the reference from 0 on, shape (m,).
        now: current ones.
        period: how many there are before they come round.
    """
    old, new = before[np.isfinite(before)], now[np.isfinite(now)]
    if len(old) < _FEWEST or len(new) < _FEWEST:
        return None
    counts = np.bincount(old.astype(np.int64) % period, minlength=period).astype(np.float64)
    is_now = np.bincount(new.astype(np.int64) % period, minlength=period) / len(new)
    was = counts / len(old)
    # the total variation of two samples of one distribution, about
    noise = 0.4 * float(np.sqrt(was * (1.0 / len(old) + 1.0 / len(new))).sum())
    turned = np.stack([np.roll(is_now, -turn) for turn in range(period)])
    apart = 0.5 * np.abs(turned - was).sum(axis=1)
    chi = _chi(turned, was, len(old), len(new))
    best = int(np.argmin(chi))
    if best == 0 or apart[0] < _LEAST + noise or apart[best] > max(0.12 * apart[0], 1.5 * noise):
        return None
    # the turns beside it must be worse for sure, or a smooth drift could pass for one
    if np.delete(chi, best).min() < 1.2 * chi[best] + _GAP:
        return None
    return best if best <= period // 2 else best - period


def _chi(turned: Floats, was: Floats, m: int, n: int) -> Floats:
    """The chi-squared of two samples for each turn, shape (turns,)."""
    both = (turned * n + was * m) / (m + n)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(both > 0, np.square(turned - was) / both, 0.0)
    found: Floats = parts.sum(axis=1) * m * n / (m + n)
    return found


def _following(
    column: Column, at_before: NDArray[np.int64], at_now: NDArray[np.int64], round_: Cycle
) -> int | None:
    """Steps by which the distance from the event time changed, 0 for none; None where the column does not follow it."""
    modes = []
    for values, at in ((column.before, at_before), (column.now, at_now)):
        known = np.isfinite(values)
        if known.sum() < _FEWEST:
            return None
        of_event = _part(at[known], round_)
        away = (values[known] - of_event).astype(np.int64) % round_.period
        counts = np.bincount(away, minlength=round_.period)
        # a clock with another zone is off by a part of an hour as well
        if counts.max() < _FOLLOWS * known.sum():
            return None
        modes.append(int(counts.argmax()))
    steps = (modes[1] - modes[0]) % round_.period
    return steps if steps <= round_.period // 2 else steps - round_.period


def _part(at: NDArray[np.int64], round_: Cycle) -> Floats:
    """The part of the event times that a cycle counts, in UTC."""
    if round_.period == 24:
        return np.asarray(at % _DAY // _HOUR, dtype=np.float64)
    if round_.period == 7:
        return np.asarray((at // _DAY + 3) % 7, dtype=np.float64)
    return np.asarray(
        at.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12, dtype=np.float64
    )


def _beside(before: Floats, now: Floats) -> float | None:
    """The shift against the event time, in hours."""
    old, new = before[np.isfinite(before)], now[np.isfinite(now)]
    if len(old) < _FEWEST or len(new) < _FEWEST:
        return None
    spread = float(np.subtract(*np.quantile(old, [0.75, 0.25])))
    wider = float(np.subtract(*np.quantile(new, [0.75, 0.25])))
    if spread > _HOUR or wider > 2 * spread + _HOUR / 60:
        return None
    shift = float(np.median(new) - np.median(old)) / _HOUR
    steps = round(2 * shift)
    exact = abs(shift - steps / 2) <= max(0.02, 0.1 * spread / _HOUR)
    return steps / 2 if steps and abs(steps) <= 28 and exact else None


def _fault(column: Column, turned: float, undone: Floats, usual: float, round_: Cycle | None = None) -> Fault:
    way = "ahead of" if turned > 0 else "behind"
    unit = "h" if round_ is None or round_.unit == "h" else round_.unit + ("s" if abs(turned) != 1 else "")
    what = "the clock" if unit == "h" else "the date"
    return Fault(
        column=column.name,
        mechanism="time zone",
        text=f"{what} is {abs(turned):g} {unit} {way} what it was",
        touched=np.isfinite(column.now),
        factor=float(turned),
        undone=as_type(undone, column.old),
        weak=abs(turned) <= usual,
    )
