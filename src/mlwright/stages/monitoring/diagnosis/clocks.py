"""Instants and hours of the day that are in another time zone."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, as_type
from mlwright.stages.monitoring.encoding import Kind

_HOUR: Final = 3_600_000_000
_FEWEST: Final = 200


def zone(
    column: Column, at_before: NDArray[np.int64] | None = None, at_now: NDArray[np.int64] | None = None
) -> Fault | None:
    """The shift in whole hours that brings the hours of the day back, where one does.

    Instants that keep close to the event time (half of them within an hour of each other) are compared with it, to
    the half hour; else the histogram of hours is turned round. Both ask that what remains is a fraction of what was.

    Args:
        column: instants, or whole numbers 0 to 23 that are called an hour or take all 24 values.
        at_before, at_now: event times of the rows, microseconds.
    """
    if column.kind is Kind.INSTANT:
        if column.old.dtype == pl.Date:
            return None
        if at_before is not None and at_now is not None:
            found = _beside(column.before - at_before, column.now - at_now)
            if found is not None:
                return _fault(column, found, column.now - found * _HOUR)
        turned = rotation(column.before / _HOUR % 24, column.now / _HOUR % 24)
        return None if turned is None else _fault(column, turned, column.now - turned * _HOUR)
    if not hours(column):
        return None
    turned = rotation(column.before, column.now)
    return None if turned is None else _fault(column, turned, (column.now - turned) % 24)


def hours(column: Column) -> bool:
    """Whether a column of numbers is an hour of the day."""
    if column.kind is not Kind.NUMBER:
        return False
    old, new = column.sampled()
    if len(old) < _FEWEST or len(new) < _FEWEST or old[0] < 0 or old[-1] > 23 or new[0] < 0 or new[-1] > 23:
        return False
    values = np.unique(old)
    if len(values) < 12 or (values != np.round(values)).any():
        return False
    name = column.name.lower()
    return "hour" in name or name.endswith(("_hr", "hod")) or name == "hr" or len(values) == 24


def rotation(before: Floats, now: Floats) -> int | None:
    """How many hours, −11 to 12, the hours of the day are ahead of what they were; None where no turn explains it."""
    old, new = before[np.isfinite(before)], now[np.isfinite(now)]
    if len(old) < _FEWEST or len(new) < _FEWEST:
        return None
    was = np.bincount(old.astype(np.int64) % 24, minlength=24) / len(old)
    is_now = np.bincount(new.astype(np.int64) % 24, minlength=24) / len(new)
    # the total variation of two samples of one distribution, about
    noise = 0.4 * float(np.sqrt(was * (1.0 / len(old) + 1.0 / len(new))).sum())
    apart = np.array([0.5 * np.abs(np.roll(is_now, -turn) - was).sum() for turn in range(24)])
    best = int(np.argmin(apart))
    if best == 0 or apart[0] < 0.12 + noise or apart[best] > max(0.15 * apart[0], 1.6 * noise):
        return None
    # the turns beside it must be worse for sure, or a smooth drift could pass for one
    if min(apart[best - 1], apart[(best + 1) % 24]) < 2.0 * apart[best]:
        return None
    return best if best <= 12 else best - 24


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


def _fault(column: Column, turned: float, undone: Floats) -> Fault:
    way = "ahead of" if turned > 0 else "behind"
    return Fault(
        column=column.name,
        mechanism="time zone",
        text=f"the clock is {abs(turned):g} h {way} what it was",
        touched=np.isfinite(column.now),
        factor=float(turned),
        undone=as_type(undone, column.old),
    )
