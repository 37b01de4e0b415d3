"""Where an axis is written, and what: numbers, powers of ten, instants, durations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from mlwright.doors.web.sizes import lasted, measured

_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_SPANS: Final = (
    *(each * _SECOND for each in (1, 2, 5, 10, 15, 30)),
    *(each * _MINUTE for each in (1, 2, 5, 10, 15, 30)),
    *(each * _HOUR for each in (1, 2, 3, 6, 12)),
    *(each * _DAY for each in (1, 2, 5, 10, 30, 90, 365, 3650)),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """An axis from ``low`` to ``high``, which differ, and what is written along it."""

    low: float
    high: float
    marks: tuple[tuple[float, str], ...]
    kind: str = "number"


def number_ticks(low: float, high: float, most: int, *, widen: bool = False) -> Ticks:
    """Round numbers; with ``widen`` the axis ends at marks."""
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    step = nice_step((high - low) / most)
    if not step > 0:
        # The numbers are so near each other that nothing lies between them.
        return Ticks(low=low, high=max(high, math.nextafter(low, math.inf)), marks=((low, measured(low)),))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if widen:
        low, high = first * step, last * step
    values = [step * at for at in range(first, last + 1)]
    marks = tuple((each, _text(each, step)) for each in values if low <= each <= high)
    return Ticks(low=low, high=high, marks=marks)


def log_ticks(low: float, high: float) -> Ticks:
    """Powers of ten between two logarithms; within one or two of them also 2 and 5 times."""
    first, last = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    last = max(last, first + 1)
    every = max(1, -(-(last - first) // 8))
    marks = [
        (float(at), f"1e{at}" if abs(at) > 4 else f"{10.0**at:g}") for at in range(first, last + 1, every)
    ]
    if last - first <= 2:
        for at in range(first, last):
            marks += [(at + math.log10(part), f"{part * 10.0**at:g}") for part in (2, 5)]
    return Ticks(low=float(first), high=float(last), marks=tuple(sorted(marks)))


def time_ticks(low: float, high: float, most: int) -> Ticks:
    """Instants in milliseconds since 1970, at round times of the day in UTC."""
    step = _span((high - low) / most)
    values = _multiples(low, high, step)
    try:
        marks = tuple((each, _instant(each, step)) for each in values)
    except OverflowError:
        marks = ()
    return Ticks(low=low, high=high, marks=marks, kind="time")


def span_ticks(low: float, high: float, most: int) -> Ticks:
    """Durations in milliseconds."""
    rough = (high - low) / most
    step = nice_step(rough) if rough < _SECOND else _span(rough)
    marks = tuple((each, lasted(each) if each else "0") for each in _multiples(low, high, step))
    return Ticks(low=low, high=high, marks=marks, kind="relative")


def nice_step(rough: float) -> float:
    """The next number of the form 1, 2, 2.5 or 5 times a power of ten."""
    if not rough > 0 or not math.isfinite(rough):
        return 0.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next((each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * (1 - 1e-9)), 0.0)


def _span(rough: float) -> float:
    return float(next((each for each in _SPANS if each >= rough), nice_step(rough)))


def _multiples(low: float, high: float, step: float) -> Sequence[float]:
    if not step > 0:
        return []
    return [step * at for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _text(value: float, step: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or step < 1e-4:
        return f"{value:.4g}"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step * 10**digits, 6) % 1:
        digits += 1
    return f"{value:,.{digits}f}"


def _instant(value: float, step: float) -> str:
    at = _EPOCH + timedelta(milliseconds=value)
    if step >= _DAY:
        return f"{at:%-d %b %Y}" if step >= 30 * _DAY else f"{at:%-d %b}"
    if at.hour == at.minute == at.second == 0:
        return f"{at:%-d %b}"
    return f"{at:%H:%M:%S}" if step < _MINUTE else f"{at:%H:%M}"
