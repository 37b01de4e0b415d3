"""Levels: other spelling, levels never seen, codes that mean something else now."""

from collections.abc import Mapping
from math import sqrt
from typing import Final

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.missing import WORDS
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Rows, as_type
from mlwright.stages.monitoring.encoding import Kind, by_count, numbers, texts_of

_MOST: Final = 40
_FEWEST: Final = 30
_CODES: Final = 20


def respelled(column: Column) -> Fault | None:
    """Levels that the reference has in another case, with other white space, or, whole numbers, without decimals."""
    if column.kind is not Kind.LEVELS:
        return None
    known = _counts(column.old)
    plain: dict[str, str] = {}
    for level in known:
        plain.setdefault(_plain(level), level)
    back = {
        level: plain[_plain(level)]
        for level in _counts(column.new)
        if level not in known and _plain(level) in plain
    }
    if not back:
        return None
    fault = _mapped(column, back, "recoded", "levels are spelt otherwise, such as")
    return fault if fault.rows >= 0.005 and fault.touched.sum() >= 10 else None


def _plain(level: str) -> str:
    """A level without what spelling can add: a whole number that went through a column with gaps has ``.0``."""
    found = level.strip().casefold()
    whole, mark, rest = found.partition(".")
    return whole if mark and rest.strip("0") == "" and whole.lstrip("+-").isdigit() else found


def unseen(column: Column) -> Fault | None:
    """Levels that the reference never had, in more rows than rare levels explain (Good and Turing's estimate)."""
    if column.kind is not Kind.LEVELS:
        return None
    known = _counts(column.old)
    rows = sum(known.values())
    if rows < 200 or len(known) > rows / 5:
        return None
    expected = sum(1 for count in known.values() if count == 1) / rows
    levels = texts_of(column.new)
    strange = levels.is_not_null() & ~levels.is_in(list(known))
    strange = strange & ~levels.str.strip_chars().str.to_lowercase().is_in(list(WORDS))
    touched = strange.fill_null(value=False).to_numpy()
    share = float(touched.mean())
    if touched.sum() < 10 or share < 0.01 + 5.0 * expected:
        return None
    common = by_count(levels.filter(pl.Series(touched)))["value"].head(3)
    named = ", ".join(repr(level) for level in common)
    return Fault(
        column=column.name,
        mechanism="new levels",
        text=f"levels that were never seen in {share:.1%} of rows: {named}",
        touched=touched,
        lost=True,
    )


def coded(column: Column) -> bool:
    """Whether the column has few enough values to be codes: levels, flags, small whole numbers."""
    if column.kind is Kind.LEVELS:
        return True
    if column.kind is not Kind.NUMBER:
        return False
    old, new = column.sampled()
    values = np.unique(old)
    whole = bool(np.all(values == np.round(values)))
    return (
        2 <= len(values) <= _CODES and whole and len(new) > 0 and bool(np.isin(np.unique(new), values).all())
    )


def recoded(column: Column, before: Floats, now: Floats) -> Fault | None:
    """A permutation or renaming of levels that fits where the levels as they are named do not.

    Levels are assigned to each other by how often they occur and what the other features are in them (Kuhn 1955). What
    they do to the label is left out on purpose: a real change of it must not pass for a new code.

    Args:
        column: levels or codes.
        before, now: the other features in the sampled rows, standardised and centred on each side, shapes (m, f) and
            (n, f); f may be 0.
    """
    old, new = texts_of(column.old[column.old_rows]), texts_of(column.new[column.new_rows])
    was, now_levels = _large(old), _large(new)
    if not 2 <= len(was) <= _MOST or not 2 <= len(now_levels) <= len(was):
        return None
    f_cost, x_cost = _costs(_profile(old, was, before), _profile(new, now_levels, now))
    place = {level: i for i, level in enumerate(was)}
    rows, chosen = scipy.optimize.linear_sum_assignment(f_cost + x_cost)
    same = [place.get(level, -1) for level in now_levels]
    moved = [(i, j) for i, j in zip(rows, chosen, strict=True) if same[i] != j]
    if not moved:
        return None
    named = [i for i, _ in moved if same[i] >= 0]
    before_f, before_x = (sum(float(cost[i, same[i]]) for i in named) for cost in (f_cost, x_cost))
    after_f, after_x = (sum(float(cost[i, j]) for i, j in moved) for cost in (f_cost, x_cost))
    renamed_only = not named
    # where nothing differs a squared error is about 1 or less; six standard errors of their sum are free
    tests = before.shape[1] * len(moved)
    free = tests + 6.0 * sqrt(2.0 * tests)
    fits = after_x <= 2.0 * free and after_f <= 6.0 * len(moved)
    by_features = before_x >= 40.0 + free + 4.0 * max(after_x - tests, 0.0) and fits and not renamed_only
    by_count = after_f <= 2.0 * len(moved) and before_f >= 30.0 * len(moved) and after_x <= before_x + 10.0
    if not (by_features or (by_count and not renamed_only) or (renamed_only and fits and len(moved) > 1)):
        return None
    back = {now_levels[i]: was[j] for i, j in moved}
    return _mapped(
        column, back, "recoded", "levels swapped meaning, or were re-defined:", weak=not by_features
    )


def _mapped(
    column: Column, back: Mapping[str, str], mechanism: str, text: str, *, weak: bool = False
) -> Fault:
    levels = texts_of(column.new)
    touched: Rows = levels.is_in(list(back)).fill_null(value=False).to_numpy()
    undone = levels.replace(dict(back))
    if column.kind is Kind.NUMBER:
        undone = as_type(numbers(undone), column.old)
    else:
        undone = undone.cast(column.old.dtype, strict=False)
    shown = ", ".join(f"{level!r} was {back[level]!r}" for level in sorted(back)[:4])
    more = f" and {len(back) - 4} more" if len(back) > 4 else ""
    return Fault(
        column=column.name,
        mechanism=mechanism,
        text=f"{text} {shown}{more}",
        touched=touched,
        undone=undone.alias(column.name),
        weak=weak,
    )


def _counts(series: pl.Series) -> dict[str, int]:
    counted = texts_of(series).alias("level").drop_nulls().value_counts().sort("level")
    return dict(zip(counted["level"].to_list(), counted["count"].to_list(), strict=True))


def _large(series: pl.Series) -> list[str]:
    return [level for level, count in _counts(series).items() if count >= _FEWEST]


def _profile(series: pl.Series, levels: list[str], features: Floats) -> tuple[Floats, Floats]:
    """How often each level occurs, and the mean of the features in it."""
    places = pl.Series(range(len(levels)), dtype=pl.Int64)
    place = series.replace_strict(pl.Series(levels), places, default=None)
    known = place.is_not_null().to_numpy()
    at: NDArray[np.int64] = place.drop_nulls().to_numpy()
    counts = np.bincount(at, minlength=len(levels)).astype(np.float64)
    sums = [np.bincount(at, feature[known], len(levels)) for feature in features.T]
    means = np.column_stack(sums) / counts[:, None] if sums else np.empty((len(levels), 0))
    return counts, means


def _costs(old: tuple[Floats, Floats], new: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """How badly each level now (rows) fits each level before (columns), by count and by features, in squared errors.

    Some drift is free: 10 % in how often a level occurs, a twentieth of a standard deviation in a mean.
    """
    (n0, x0), (n1, x1) = old, new
    noise = 1.0 / n1[:, None] + 1.0 / n0[None, :]
    ratio = np.log(n1 / n1.sum())[:, None] - np.log(n0 / n0.sum())[None, :]
    by_count = np.square(ratio) / (noise + 0.1**2)
    apart = np.square(x1[:, None, :] - x0[None, :, :])
    by_features = (apart / (noise[:, :, None] + 0.05**2)).sum(axis=2)
    return np.minimum(by_count, 1e6), np.minimum(by_features, 1e6)
