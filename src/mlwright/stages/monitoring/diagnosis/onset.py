"""When did the loss change, and how: at once, little by little, or again and again."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import LossPoint, Onset
from mlwright.model.instants import from_micros

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000
_WIDTHS: Final = (
    _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 60 * _MINUTE, 360 * _MINUTE, _DAY, 7 * _DAY, 28 * _DAY
)  # fmt: skip
_MOST_INTERVALS: Final = 200
_ROWS_AN_INTERVAL: Final = 20
_DAILY_FROM: Final = 14 * _DAY
"""From two weeks on a day is the finest interval: within one, hours differ for reasons of their own."""
_LEAST: Final = 3
_DRAWS: Final = 199
_LEVEL: Final = 0.01
_TRIMMED: Final = 0.4377
"""Mean square of a standard normal without its largest fifth: 1 − 2qφ(q)/0.8 with q its 90 % point."""
_HANSEN: Final = 7.35
"""95 % point of the likelihood ratio of a change point (Hansen 2000, table 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSeries:
    """Mean losses of intervals of time in order, no empty ones; ``start`` and ``width`` in microseconds."""

    start: Times
    mean: Floats
    rows: Floats
    width: int

    def points(self) -> tuple[LossPoint, ...]:
        """As values for a plot."""
        return tuple(
            LossPoint(at=from_micros(int(each)), loss=float(loss), rows=int(rows))
            for each, loss, rows in zip(self.start, self.mean, self.rows, strict=True)
        )


def series_of(at: Times, loss: Floats) -> LossSeries:
    """Mean loss by interval; the width is the finest of minutes to months that leaves enough rows in each.

    Args:
        at: microseconds, shape (n,), any order.
        loss: shape (n,); NaN is left out.
    """
    known = np.isfinite(loss)
    at, loss = at[known], loss[known]
    if len(at) == 0:
        return LossSeries(start=at, mean=loss, rows=loss, width=_DAY)
    span = int(at.max() - at.min())
    widths = [
        width
        for width in _WIDTHS
        if span / width <= _MOST_INTERVALS
        and (span < _DAILY_FROM or width >= _DAY)
        and len(at) / max(len(np.unique(at // width)), 1) >= _ROWS_AN_INTERVAL
    ]
    width = widths[0] if widths else max(_DAY, 2 ** ceil(log(max(span, 1) / _MOST_INTERVALS + 1, 2)))
    starts, groups = np.unique(at // width, return_inverse=True)
    rows = np.bincount(groups).astype(np.float64)
    return LossSeries(start=starts * width, mean=np.bincount(groups, loss) / rows, rows=rows, width=width)


def change_points(
    values: Floats,
    weights: Floats | None = None,
    *,
    least: int = _LEAST,
    level: float = _LEVEL,
    most: int = 20,
    seed: int = 0,
) -> tuple[int, ...]:
    """The indices at which the mean of a series changes, in order; an index is the first of the new level.

    Binary segmentation over seeded intervals (Kovács, Bühlmann, Li and Munk 2023), so that an up and a down do not
    hide each other. A change stands if its CUSUM is larger than all but ``level`` of those of simulated series of the
    same length and weights: first-order autoregressive, with the scale and the autocorrelation that differences of
    first and second order show, which changes of level hardly touch. Single spikes are cut to their neighbourhood.

    Args:
        values: shape (n,) or (n, k); columns count alike, each in units of its noise.
        weights: rows behind each value, shape (n,); the variance of a value is taken to be inverse to it.
        least: shortest stretch between changes.
        level: significance of each change.
        most: stop after so many.
        seed: of the simulation.
    """
    if len(values) < 2 * least:
        return ()
    weight = np.ones(len(values)) if weights is None else weights / weights.mean()
    plain = values.reshape(len(values), -1)
    table, rho = _scaled(plain, weight, None)
    if rho.any():
        # many steps look like wandering to differences, and wandering like many steps to a segmentation: the less holds
        table, _ = _scaled(plain, weight, np.zeros(len(rho)))
        calm = _segmented(table, weight, np.zeros(len(rho)), least, level, most, seed)
        rho = np.minimum(rho, _left_over(table, calm))
        table, _ = _scaled(plain, weight, rho)
    return _segmented(table, weight, rho, least, level, most, seed)


def _segmented(
    table: Floats, weight: Floats, rho: Floats, least: int, level: float, most: int, seed: int
) -> tuple[int, ...]:
    random = np.random.default_rng(seed)
    found: list[int] = []
    waiting = [(0, len(table))]
    while waiting and len(found) < most:
        first, end = waiting.pop(0)
        at, high = _best(table[first:end], weight[first:end], least)
        if at is None:
            continue
        if _simulated_share(table.shape[1], weight[first:end], rho, high, least, random) > level:
            continue
        found.append(first + at)
        waiting += [(first, first + at), (first + at, end)]
    return tuple(sorted(found))


def _left_over(table: Floats, changes: tuple[int, ...]) -> Floats:
    """Autocorrelation of each column about the means between changes, made up for what these means take of it."""
    rest = table.copy()
    for first, end in pairwise((0, *changes, len(table))):
        rest[first:end] -= rest[first:end].mean(axis=0)
    power = (rest**2).sum(axis=0)
    rho = (rest[1:] * rest[:-1]).sum(axis=0) / np.where(power > 0, power, 1.0)
    filled: Floats = np.clip(rho + 2.0 * (len(changes) + 1) / len(table), 0.0, 0.95)
    return filled


def onset_of(
    before: tuple[Times, Floats] | None,
    now: tuple[Times, Floats],
    *,
    base: float,
    effect: float = 1.0,
    seed: int = 0,
) -> tuple[Onset | None, LossSeries]:
    """Find when the loss rose.

    Args:
        before: times and losses of the reference, where they are all earlier than the current rows.
        now: those of the current rows.
        base: mean loss of the reference.
        effect: how many rows count as one, because those of one day depend on each other.
        seed: of the shuffles.

    Returns:
        No onset where the rows have no rise in them: the loss then rose before the first of them, or never.
    """
    at, loss = now
    if before is not None and len(before[0]):
        at, loss = np.concatenate([before[0], at]), np.concatenate([before[1], loss])
    series = series_of(at, loss)
    if len(series.mean) < 2 * _LEAST:
        return None, series
    changes = change_points(series.mean, series.rows, seed=seed)
    if not changes:
        return None, series
    levels = _levels(series, changes)
    high = _high(levels, base)
    rises = [change for place, change in enumerate(changes) if high[place + 1] and not high[place]]
    if not rises:
        return None, series
    if len(rises) > 1 or (not high[-1] and not high[0]):
        return _span(series, rises[0], rises[0], rises[0], "recurring"), series
    ramp = _ramp(series)
    if ramp is not None:
        begin, end = ramp
        return _span(
            series, begin, max(begin - (end - begin) // 4 - 1, 0), (begin + end) // 2, "gradual"
        ), series
    return _abrupt(series, rises[0], at, loss, effect), series


def _scaled(table: Floats, weight: Floats, given: Floats | None) -> tuple[Floats, Floats]:
    """Columns in units of their noise, and the autocorrelation of each column's noise, estimated where not given."""
    made, rhos = np.zeros_like(table), np.zeros(table.shape[1])
    for place, column in enumerate(table.T):
        one, two = (_spread(column[lag:] - column[:-lag], weight[lag:], weight[:-lag]) for lag in (1, 2))
        if one <= 0:
            one = two = max(float(np.std(np.diff(column))), 1e-12 * float(np.abs(column).max()), 1e-300)
        # of an autoregressive series the second differences have 1 + rho times the variance of the first
        rho = min(max((two / one) ** 2 - 1.0, 0.0), 0.95) if given is None else float(given[place])
        noise = one / np.sqrt(2.0 * (1.0 - rho))
        middle = _running_median(column)
        cut = 5.0 * noise / np.sqrt(weight)
        made[:, place] = (np.clip(column, middle - cut, middle + cut) - float(np.median(column))) / noise
        rhos[place] = rho
    return made, rhos


def _spread(gaps: Floats, some: Floats, others: Floats) -> float:
    """Standard deviation that a difference would have between values of weight 1, without the largest fifth."""
    if len(gaps) == 0:
        return 0.0
    squares = np.sort(gaps**2 * 2.0 / (1.0 / some + 1.0 / others))
    kept = squares[: max(len(squares) - len(squares) // 5, 1)]
    return float(np.sqrt(kept.mean() / _TRIMMED))


def _running_median(column: Floats) -> Floats:
    reach = 2
    padded = (
        np.pad(column, reach, mode="reflect") if len(column) > reach else np.pad(column, reach, mode="edge")
    )
    middles: Floats = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    return middles


def _cusum(table: Floats, weight: Floats) -> Floats:
    """CUSUM of every split of a stretch; ``table`` (…, n, k), ``weight`` (…, n) → (…, n − 1)."""
    sums = np.cumsum(table * weight[..., None], axis=-2)
    mass = np.cumsum(weight, axis=-1)
    left, total = mass[..., :-1], mass[..., -1:]
    gaps = sums[..., :-1, :] - sums[..., -1:, :] * (left / total)[..., None]
    squared: Floats = (gaps**2).sum(axis=-1) * total / (left * (total - left))
    return squared


def _intervals(length: int, least: int) -> Iterator[tuple[int, int]]:
    size = float(length)
    while size >= 2 * least:
        whole = round(size)
        steps = max(2 * ceil(length / size) - 1, 1)
        for step in range(steps):
            first = round(step * (length - whole) / max(steps - 1, 1))
            yield first, first + whole
        size /= 2**0.5


def _best(table: Floats, weight: Floats, least: int) -> tuple[int | None, float]:
    best, place = 0.0, None
    for first, end in _intervals(len(table), least):
        squared = _cusum(table[first:end], weight[first:end])[least - 1 : end - first - least]
        at = int(np.argmax(squared))
        if squared[at] > best * (1 + 1e-12):
            best, place = float(squared[at]), first + least + at
    return place, best


def _simulated_share(
    columns: int, weight: Floats, rho: Floats, high: float, least: int, random: np.random.Generator
) -> float:
    noise = random.standard_normal((_DRAWS, len(weight), columns))
    if rho.any():
        for place in range(1, len(weight)):
            noise[:, place] = rho * noise[:, place - 1] + np.sqrt(1 - rho**2) * noise[:, place]
    noise /= np.sqrt(weight)[:, None]
    weights = np.broadcast_to(weight, (_DRAWS, len(weight)))
    highest = np.zeros(_DRAWS)
    for first, end in _intervals(len(weight), least):
        squared = _cusum(noise[:, first:end], weights[:, first:end])[:, least - 1 : end - first - least]
        highest = np.maximum(highest, squared.max(axis=1))
    return float(1 + (highest >= high).sum()) / (_DRAWS + 1)


def _levels(series: LossSeries, changes: tuple[int, ...]) -> Floats:
    edges = (0, *changes, len(series.mean))
    return np.array(
        [np.average(series.mean[first:end], weights=series.rows[first:end]) for first, end in pairwise(edges)]
    )


def _high(levels: Floats, base: float) -> list[bool]:
    """Which levels are high: one becomes so half-way to the worst, and low again only near to what is usual."""
    usual = max(min(base, float(levels.max())), float(levels.min()))
    span = float(levels.max()) - usual
    made: list[bool] = []
    for level in levels:
        limit = 0.25 if made and made[-1] else 0.5
        made.append(bool(level > usual + limit * span))
    return made


def _ramp(series: LossSeries) -> tuple[int, int] | None:
    """Begin and end of a slow rise, if that describes the series clearly better than a step does."""
    count = len(series.mean)
    place = np.arange(count, dtype=np.float64)
    weight = series.rows / series.rows.sum()
    centred = series.mean - float(weight @ series.mean)
    total = float(weight @ centred**2)
    ends = np.arange(1, count, dtype=np.float64)
    best, where, steps = np.inf, (0, 1), np.inf
    for begin in range(count - 1):
        later = ends[ends > begin]
        ramp = np.clip((place[None, :] - begin) / (later - begin)[:, None], 0.0, 1.0)
        ramp -= (ramp @ weight)[:, None]
        power = (ramp**2) @ weight
        rest = total - ((ramp * weight) @ centred) ** 2 / np.where(power > 0, power, np.inf)
        steps = min(steps, float(rest[0]))
        at = int(np.argmin(rest))
        if rest[at] < best:
            best, where = float(rest[at]), (begin, int(later[at]))
    clearly = count * log(max(steps, 1e-300) / max(best, 1e-300)) > 2 * log(count)
    return where if clearly and where[1] - where[0] >= max(4, count // 10) else None


def _span(series: LossSeries, at: int, earliest: int, latest: int, shape: str) -> Onset:
    first = int(series.start[max(earliest - 1, 0)]) + (series.width if earliest else 0)
    return Onset(
        at=from_micros(int(series.start[at])),
        shape=shape,
        earliest=from_micros(min(first, int(series.start[at]))),
        latest=from_micros(int(series.start[latest]) + series.width),
    )


def _abrupt(series: LossSeries, change: int, at: Times, loss: Floats, effect: float) -> Onset:
    """Locate a step among the rows: every instant whose likelihood is not clearly below the best one's."""
    order = np.argsort(at, kind="stable")
    known = order[np.isfinite(loss[order])]
    times, values = at[known], loss[known]
    edge = int(series.start[change])
    wide = 3 * series.width
    before = values[times < edge]
    after = values[times >= edge]
    low, high = float(before.mean()), float(after.mean())
    # the gain of taking a row for the new level and not for the old
    gain = np.concatenate([[0.0], np.cumsum((values - low) ** 2 - (values - high) ** 2)])
    fit = gain[-1] - gain  # of a change before row i
    start = np.concatenate([times, [times[-1] + 1]])
    near = (start >= int(series.start[max(change - 1, 0)]) - wide) & (start <= edge + wide)
    fit = np.where(near, fit, -np.inf)
    variance = (float(((before - low) ** 2).sum()) + float(((after - high) ** 2).sum())) / max(
        len(values) - 2, 1
    )
    best = int(np.argmax(fit))
    likely = np.flatnonzero(fit >= fit[best] - _HANSEN * variance * effect)
    first, last = int(likely[0]), int(likely[-1])
    return Onset(
        at=from_micros(int(start[best])),
        shape="abrupt",
        earliest=from_micros(int(times[max(first - 1, 0)])),
        latest=from_micros(int(start[last])),
    )
