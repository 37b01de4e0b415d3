"""Is a column the reference's in another unit? All rows, or some of them.

If a share π of the rows is multiplied by a and has b added, the distribution now is
``F(x) = (1 − π) G(x) + π G((x − b) / a)`` with the reference's G. Each (a, b) of a table is tried; π has a closed form
by least squares. A claim asks that the difference of F and G all but disappears, not only that it gets smaller: drift
does not land on a known factor with the shape kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Final

import numpy as np

from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Rows, as_type

FACTORS: Final[dict[float, str]] = {
    **{10.0**k: f"×{10**k:,}" for k in (1, 2, 3, 4, 5, 6, 9)},
    60.0: "60: seconds and minutes, or minutes and hours",
    3600.0: "3,600: seconds and hours",
    24.0: "24: hours and days",
    86400.0: "86,400: seconds and days",
    7.0: "7: days and weeks",
    12.0: "12: months and years, or a dozen",
    2.54: "2.54: centimetres and inches",
    1.609344: "1.609: kilometres and miles",
    1 / 0.45359237: "0.4536: kilograms and pounds",
    3.280839895: "3.281: feet and metres",
    3.6: "3.6: km/h and m/s",
    28.349523: "28.35: grams and ounces",
    30.0: "30: days and months",
}
_AFFINE: Final[dict[tuple[float, float], str]] = {
    (1.8, 32.0): "°C turned into °F",
    (1 / 1.8, -32.0 / 1.8): "°F turned into °C",
    (1.0, 273.15): "°C turned into kelvin",
    (1.0, -273.15): "kelvin turned into °C",
    (-1.0, 0.0): "the sign is flipped",
    (-1.0, 1.0): "1 − x in place of x",
}
_LARGE: Final = log(5.0)
_APART: Final = log(20.0)
"""Factor from which a part of the rows of both signs stands out by its size."""
_NARROW: Final = 0.7
_GRID: Final = 201
_QUANTILES: Final = np.linspace(0.0, 1.0, _GRID)
_ALL: Final = 0.98
_MOST: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``now = a · before + b`` in a share of the rows."""

    a: float
    b: float
    name: str
    share: float
    gap: float
    """The largest difference of the distribution functions that is left."""
    gap_before: float
    separation: float
    """Of the changed from the unchanged distribution: the largest difference of the two."""
    folded: bool = False
    """Seen in the sizes without their signs."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both samples, sorted, and the quantiles at which every change is tried."""

    before: Floats
    now: Floats
    old: Floats
    new: Floats


def _pair(before: Floats, now: Floats) -> _Pair:
    return _Pair(before, now, np.quantile(before, _QUANTILES), np.quantile(now, _QUANTILES))


def changes() -> Iterable[tuple[float, float, str]]:
    """The table: every factor and its inverse, and the affine ones."""
    for factor, name in FACTORS.items():
        yield factor, 0.0, name
        yield 1.0 / factor, 0.0, name
    for (a, b), name in _AFFINE.items():
        yield a, b, name


def unit(before: Floats, now: Floats) -> Change | None:
    """The change of unit that explains how the distribution moved.

    Args:
        before: known values of the reference, sorted, shape (m,); below 50 nothing is claimed.
        now: known values of the current rows, sorted, shape (n,).
    """
    m, n = len(before), len(now)
    if m < 50 or n < 50 or before[0] == before[-1]:
        return None
    noise = sqrt(1.0 / m + 1.0 / n)
    pair = _pair(before, now)
    fixed = np.concatenate([pair.new, pair.old])
    moved = float(np.max(np.abs(_below(now, fixed) - _below(before, fixed))))
    if moved < max(0.012, 2.6 * noise):
        return None
    best: Change | None = None
    for a, b, name in changes():
        found = _fit(pair, a, b, name)
        if not _claimed(found, noise) and found.share >= _MOST:
            # a population that moved as well can make the share look a little less than all
            found = _fit(pair, a, b, name, whole=True)
        if _claimed(found, noise) and (best is None or found.gap < best.gap):
            best = found if _alike(pair, found) else best
    return best if best is not None else _folded(before, now, noise)


def _folded(before: Floats, now: Floats, noise: float) -> Change | None:
    """A large factor in a part of the rows of a column with both signs: it moves values out to both sides, so that
    only their sizes show two groups."""
    negative = [float(np.mean(side < 0)) for side in (before, now)]
    if not 0.05 < negative[0] < 0.95 or abs(negative[1] - negative[0]) > 0.05 + 2.6 * noise:
        return None
    pair = _pair(np.sort(np.abs(before)), np.sort(np.abs(now)))
    best: Change | None = None
    for a, b, name in changes():
        if b or abs(log(abs(a))) < _APART:
            continue
        found = replace(_fit(pair, a, b, name), folded=True)
        if found.share >= _ALL or (best is not None and found.gap >= best.gap):
            continue
        if _claimed(found, noise) and _alike(pair, found):
            best = found
    return best


def _alike(pair: _Pair, found: Change) -> bool:
    """Whether a part of the rows, with the change undone, is like the reference; another source may differ a little."""
    if found.share >= _ALL:
        return True
    touched = np.sort(pair.now[_likely(pair.before, pair.now, found)])
    if len(touched) < 10:
        return False
    undone = np.sort((touched - found.b) / found.a)
    points = np.concatenate([undone, pair.old])
    apart = float(np.max(np.abs(_below(undone, points) - _below(pair.before, points))))
    return apart <= 0.2 + 1.5 * sqrt(1.0 / len(touched) + 1.0 / len(pair.before))


def shape_kept(before: Floats, now: Floats) -> Change | None:
    """An offset or a factor outside the table with the shape exactly kept: for a repair to confirm."""
    m, n = len(before), len(now)
    if m < 200 or n < 200:
        return None
    noise = sqrt(1.0 / m + 1.0 / n)
    old, new = (np.quantile(each, [0.1, 0.25, 0.5, 0.75, 0.9]) for each in (before, now))
    candidates = [(1.0, float(new[2] - old[2]), "offset")]
    if old[3] > old[1] and (before[0] >= 0) == (now[0] >= 0):
        # a column that never is negative is scaled about 0, the median the steadiest
        a = float(new[2] / old[2]) if old[2] > 0 and new[2] > 0 else 0.0
        if a > 0 and before[0] >= 0:
            candidates.append((a, 0.0, "scale"))
    pair = _pair(before, now)
    best: Change | None = None
    for a, b, name in candidates:
        found = _fit(pair, a, b, name)
        if found.gap_before < max(0.15, 5 * noise) or found.share < 0.97:
            continue
        if found.gap <= max(1.4 * noise + 0.005, 0.1 * found.gap_before) and (
            best is None or found.gap < best.gap
        ):
            best = found
    return best


def unit_fault(column: Column, change: Change, *, weak: bool) -> Fault:
    """The fault with the rows it is in and the column with it undone.

    A flipped sign, a small factor in a part of the rows, and a small factor in a column that is wider than it (a
    lognormal one drifts onto 2.54 as well as onto anything) are for the loss to confirm.
    """
    small = abs(log(abs(change.a))) < _LARGE
    weak = weak or change.a < 0 or (small and (change.share < _ALL or change.separation < _NARROW))
    touched = _rows(column, change)
    back = np.where(touched, (column.now - change.b) / change.a, column.now)
    share = float(touched.mean())
    where = "all rows" if share >= _ALL * float(np.isfinite(column.now).mean()) else f"{share:.1%} of rows"
    if change.a == 1.0 and change.b:
        mechanism = "unit" if change.name != "offset" else "offset"
        text = f"{change.b:+.6g} in {where}"
    elif change.a < 0:
        mechanism, text = "scale", f"{change.name} in {where}"
    elif change.b:
        mechanism, text = "unit", f"{change.name} in {where}"
    else:
        mechanism = "unit" if change.name != "scale" else "scale"
        text = f"×{change.a:.6g} in {where}"
    if change.name not in text and change.name not in ("offset", "scale") and not change.name.startswith("×"):
        text += f" ({change.name})"
    return Fault(
        column=column.name,
        mechanism=mechanism,
        text=f"{text}; undone, the distribution differs by {change.gap:.3f} and not by {change.gap_before:.3f}",
        touched=touched,
        factor=change.b if mechanism == "offset" else change.a,
        undone=as_type(back, column.old),
        weak=weak,
    )


def _claimed(found: Change, noise: float) -> bool:
    large = abs(log(abs(found.a))) >= _LARGE
    if found.share >= _ALL:
        if large:
            # far away: the population may have moved as well, but not by much beside the factor
            near = 0.35 if abs(log(abs(found.a))) >= 4.0 else 0.2
            return found.gap <= near * found.gap_before + 1.2 * noise
        strict = max(1.2 * noise + 0.003, 0.05 * found.gap_before)
        return found.gap_before >= 0.12 and found.gap <= strict
    apart = 0.78 if found.folded else 0.85 if large else 0.95
    if found.separation < apart or found.share <= 0.005:
        return False
    # two groups that hardly overlap: a mixture cannot pass for a smooth drift
    near = 0.1 if found.folded else 0.15 if large else 0.08
    if found.folded and (found.gap > noise or found.gap_before < 3.0 * found.gap):
        return False
    return found.gap <= max(near * found.gap_before, 1.2 * noise) and found.gap_before >= 2.0 * found.gap


def _fit(pair: _Pair, a: float, b: float, name: str, *, whole: bool = False) -> Change:
    """The best share for one change, or all of the rows, and what is left."""
    points = np.concatenate([pair.new, a * pair.old + b, pair.old])
    is_now, was = _below(pair.now, points), _below(pair.before, points)
    back = (points - b) / a
    would = _below(pair.before, back) if a > 0 else 1.0 - _below(pair.before, back, strictly=True)
    toward, moved = would - was, is_now - was
    power = float(toward @ toward)
    share = min(max(float(moved @ toward) / power, 0.0), 1.0) if power > 0 else 0.0
    if whole or share >= _ALL:
        share = 1.0
    return Change(
        a=a,
        b=b,
        name=name,
        share=share,
        gap=float(np.max(np.abs(moved - share * toward))),
        gap_before=float(np.max(np.abs(moved))),
        separation=float(np.max(np.abs(toward))),
    )


def _below(ordered: Floats, points: Floats, *, strictly: bool = False) -> Floats:
    """The distribution function; values within a relative 1e-9 are one, so that a product does not miss its source."""
    slack = 1e-9 * np.abs(points)
    at = points - slack if strictly else points + slack
    return np.searchsorted(ordered, at, side="left" if strictly else "right") / len(ordered)


def _rows(column: Column, change: Change) -> Rows:
    """Which rows are changed: all, or by the likelihood ratio of the two distributions."""
    known = np.isfinite(column.now)
    if change.share >= _ALL:
        return known
    old, _ = column.sampled()
    return known & _likely(old, column.now, change)


def _likely(old: Floats, values: Floats, change: Change) -> Rows:
    """Values that are likelier changed than not."""
    if change.folded:
        old, values = np.sort(np.abs(old)), np.abs(values)
    changed = _density(old, (values - change.b) / change.a) - log(abs(change.a)) + log(change.share)
    as_before = _density(old, values) + log(1.0 - change.share)
    return np.asarray(changed > as_before, dtype=np.bool_)


def _density(old: Floats, values: Floats) -> Floats:
    """Log density by bins of equal mass; outside of them it falls with the distance in units of the whole range."""
    edges = np.unique(np.quantile(old, np.linspace(0.0, 1.0, 65)))
    span = float(edges[-1] - edges[0])
    width = np.diff(edges)
    mass = np.histogram(old, edges)[0] / len(old) + 1e-6
    # an atom makes a bin of no width that matters; a floor keeps its density finite
    logs = np.log(mass / np.maximum(width, 1e-6 * span))
    inside = np.clip(values, edges[0], edges[-1])
    place = np.clip(np.searchsorted(edges, np.nan_to_num(inside), side="right") - 1, 0, len(logs) - 1)
    beyond = np.abs(values - inside) / span
    return np.asarray(logs[place] - 20.0 * beyond, dtype=np.float64)
