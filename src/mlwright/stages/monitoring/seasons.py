"""Which earlier windows belong to the same season, so that nights, Sundays and winters are no news.

Short seasons (hour of day, day of week) are looked up in the reference itself: last week is no reference, because
whatever changes slowly has always been there last week. The season of the year needs rows of a year before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from mlwright.model.windows import Window
from mlwright.stages.monitoring.sketches import Sketch, merge_all

ENOUGH = 500
"""Rows of a season below which it says nothing."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_YEAR = timedelta(days=364)
"""Fifty-two weeks: the same season of the year, and the same day of the week."""
_AROUND = timedelta(days=7)


class Season(StrEnum):
    """What repeats."""

    HOUR = "hour of day"
    WEEKDAY = "day of week"
    YEAR = "time of year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The counts of all columns in one hour or day."""

    window: Window
    sketches: Mapping[str, Sketch]

    @property
    def rows(self) -> int:
        """Rows of the column that has most."""
        return max((each.rows for each in self.sketches.values()), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seasonal:
    """What the same season looked like before."""

    season: Season
    sketches: dict[str, Sketch]
    windows: int


def same_season(
    window: Window,
    reference: Mapping[str, Sketch],
    *,
    within: Sequence[Part] = (),
    history: Sequence[Part] = (),
    least: int = ENOUGH,
) -> Seasonal | None:
    """The sum of the parts of the window's season, of the longest period that has enough rows.

    Args:
        window: what is judged.
        reference: the columns and their bins.
        within: hours or days of the reference, for the seasons of day and week. Times are UTC.
        history: what was served earlier, for the season of the year.
        least: rows that a season has to have.

    Returns:
        None where no season has enough rows before the window.
    """
    for season, parts in (
        (Season.YEAR, year_before(window, history)),
        (Season.WEEKDAY, same_weekday(window, within)),
        (Season.HOUR, same_hour(window, within)),
    ):
        if sum(each.rows for each in parts) >= least:
            summed = merge_all(reference, (each.sketches for each in parts))
            return Seasonal(season=season, sketches=summed, windows=len(parts))
    return None


def year_before(window: Window, history: Sequence[Part]) -> list[Part]:
    """The parts of 52 weeks before, a week more on either side."""
    start, end = window.start - _YEAR - _AROUND, window.end - _YEAR + _AROUND
    return [
        each for each in history if start <= each.window.start and each.window.end <= min(end, window.start)
    ]


def same_weekday(window: Window, within: Sequence[Part]) -> list[Part]:
    """The parts that lie on the weekdays of a window of a day or less."""
    if window.end - window.start > _DAY:
        return []
    days = {at.weekday() for at in _steps(window, _HOUR)}
    return [
        each
        for each in within
        if each.window.end - each.window.start <= _DAY
        and _utc(each.window.start).weekday() in days
        and _apart(each.window, window)
        and (window.end - window.start >= _DAY or _hours(each.window) <= _hours(window))
    ]


def same_hour(window: Window, within: Sequence[Part]) -> list[Part]:
    """The hours of other days that a window shorter than a day covers."""
    if window.end - window.start >= _DAY:
        return []
    hours = _hours(window)
    return [
        each
        for each in within
        if each.window.end - each.window.start <= _HOUR
        and _hours(each.window) <= hours
        and _apart(each.window, window)
    ]


def tiled(parts: Sequence[Part], span: timedelta, reference: Mapping[str, Sketch]) -> list[Part]:
    """Sum parts into windows of one length, from the first one on; what is left over at the end is dropped.

    So a reference that was counted by the hour gives windows as long as any that is judged.
    """
    ordered = sorted(parts, key=lambda part: part.window.start)
    if not ordered:
        return []
    first = ordered[0].window.start
    last = max(part.window.end for part in ordered)
    groups: dict[int, list[Part]] = {}
    for part in ordered:
        at = (part.window.start - first) // span
        if part.window.end <= first + (at + 1) * span <= last:
            groups.setdefault(at, []).append(part)
    return [
        Part(
            window=Window(start=first + at * span, end=first + (at + 1) * span),
            sketches=merge_all(reference, (part.sketches for part in held)),
        )
        for at, held in groups.items()
    ]


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _apart(one: Window, other: Window) -> bool:
    return one.end <= other.start or other.end <= one.start


def _steps(window: Window, step: timedelta) -> list[datetime]:
    count = max(1, -((window.start - window.end) // step))
    return [_utc(window.start + step * at) for at in range(min(count, 24 * 8))]


def _hours(window: Window) -> set[int]:
    return {at.hour for at in _steps(window, _HOUR)}
