"""Values that are not there: nulls, values that stand for nothing, a constant, values from nowhere."""

from math import sqrt
from typing import Final

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Rows
from mlwright.stages.monitoring.encoding import Kind, texts_of

SENTINELS: Final = (0.0, -1.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, -99.0, -999.0, -9999.0, -99999.0)
WORDS: Final = frozenset(
    {"", "unknown", "unk", "n/a", "na", "nan", "null", "none", "nil", "-", "--", "?", "missing", "undefined"}
)
_INSTANTS: Final = (0.0, -2_208_988_800e6, -62_135_596_800e6, 253_402_214_400e6, 946_684_800e6)
"""1970-01-01, 1900-01-01, 0001-01-01, 9999-12-31, 2000-01-01."""
_DAY: Final = 86_400e6


def jumped(p0: float, m: int, p1: float, n: int, *, least: float = 0.02, odds: float = 3.0) -> bool:
    """Whether a share rose for sure (five standard errors) and by enough (in points and in odds)."""
    if m == 0 or n == 0 or p1 - p0 < least:
        return False
    pooled = (p0 * m + p1 * n) / (m + n)
    error = sqrt(max(pooled * (1.0 - pooled), 1e-12) * (1.0 / m + 1.0 / n))
    a, b = (p0 * m + 0.5) / (m + 1.0), (p1 * n + 0.5) / (n + 1.0)
    return (p1 - p0) > 5.0 * error and b * (1.0 - a) >= odds * a * (1.0 - b)


def nulls(column: Column) -> Fault | None:
    """More nulls than there were. Numbers count NaN and ±∞ as null, on both sides."""
    if column.kind is Kind.LEVELS:
        was, now = column.old.is_null().to_numpy(), column.new.is_null().to_numpy()
    else:
        was, now = np.isnan(column.before), np.isnan(column.now)
    p0, p1 = float(was.mean()), float(now.mean())
    # a column that often is empty by nature is emptier in some seasons
    if not jumped(p0, len(was), p1, len(now), odds=3.0 if p0 < 0.05 else 6.0):
        return None
    return Fault(
        column=column.name,
        mechanism="missing",
        text=f"missing in {p1:.1%} of rows, was {p0:.1%}",
        touched=now,
        lost=True,
    )


def constant(column: Column) -> Fault | None:
    """One value in all rows where the reference had several, none of them in nine rows of ten."""
    old, new = column.sampled()
    if column.kind is Kind.LEVELS:
        ours = column.new.drop_nulls()
        if len(ours) < 50 or ours.n_unique() != 1:
            return None
        common = column.old.drop_nulls().value_counts(sort=True)
        top = common["count"][0] / max(column.old.len() - column.old.null_count(), 1) if len(common) else 1.0
        value = str(ours[0])
    else:
        if len(new) < 50 or len(old) < 50 or new[0] != new[-1]:
            return None
        ours_all = column.now[np.isfinite(column.now)]
        if (ours_all != new[0]).any():
            return None
        top = float(np.unique(old, return_counts=True)[1].max()) / len(old)
        value = _shown(column, float(new[0]))
    if top >= 0.9:
        return None
    touched = column.new.is_not_null().to_numpy() if column.kind is Kind.LEVELS else np.isfinite(column.now)
    return Fault(
        column=column.name,
        mechanism="constant",
        text=f"{value} in every row, was in at most {top:.1%} of rows",
        touched=touched,
        lost=True,
    )


def spikes(column: Column) -> Fault | None:
    """One value that suddenly fills many rows: a known stand-in for nothing, or a default.

    The value must stand alone: where those beside it rose too, the distribution moved.
    """
    if column.kind is Kind.LEVELS:
        return _word(column)
    old, new = column.sampled()
    if len(old) < 50 or len(new) < 50 or new[0] == new[-1]:
        return None
    values, counts = np.unique(new, return_counts=True)
    shares = counts / len(new)
    for at in np.argsort(-counts, kind="stable")[:5]:
        value, p1 = float(values[at]), float(shares[at])
        if p1 < 0.02:
            break
        p0 = (np.searchsorted(old, value, "right") - np.searchsorted(old, value, "left")) / len(old)
        known = _stands_for_nothing(column.kind, value)
        if not jumped(p0, len(old), p1, len(new), odds=10.0) or p0 > 0.1:
            continue
        beside = np.r_[shares[max(at - 3, 0) : at], shares[at + 1 : at + 4]]
        alone = p1 >= (5.0 if known else 20.0) * float(beside.max(initial=0.0))
        # few distinct values: a level that became common is drift, unless it is a stand-in from outside
        few = len(np.unique(old)) < 20
        outside = value < old[0] or value > old[-1]
        if not alone and not (known and outside and few):
            continue
        if few and not (known and outside):
            continue
        touched = column.now == value
        return Fault(
            column=column.name,
            mechanism="sentinel" if known else "default",
            text=f"{_shown(column, value)} in {float(touched.mean()):.1%} of rows, was in {p0:.2%}",
            touched=touched,
            factor=value if column.kind is Kind.NUMBER else None,
            lost=True,
        )
    return None


def out_of_range(column: Column) -> Fault | None:
    """Values that cannot be: far beyond everything in the reference, or negative where nothing ever was.

    Far is more than the whole width of the reference beyond its end, in at least ten rows and 0.5 % of them, with
    hardly any between: a season fills what is between too, and of heavy tails less than a row in a thousand is far.
    """
    if column.kind is not Kind.NUMBER or column.old.dtype == pl.Boolean:
        return None
    old, new = column.sampled()
    if len(old) < 500 or len(new) < 100 or old[0] == old[-1]:
        return None
    low, high = float(old[0]), float(old[-1])
    width = high - low
    far: Rows = (column.now > high + width) | (column.now < low - width)
    near = ((column.now > high) | (column.now < low)) & ~far
    if near.sum() > 0.2 * far.sum():
        far = np.zeros(len(far), dtype=np.bool_)
    text = f"beyond {low - width:.4g} … {high + width:.4g}, the reference's range three times"
    if low == 0.0 and (column.now < 0).sum() > far.sum():
        far, text = far | (column.now < 0), "negative, which never was"
    share = float(far.mean())
    if far.sum() < 10 or share < 0.005 or share > 0.9:
        return None
    return Fault(
        column=column.name,
        mechanism="range",
        text=f"{share:.1%} of rows are {text}",
        touched=far,
        lost=True,
    )


def _stands_for_nothing(kind: Kind, value: float) -> bool:
    if kind is Kind.INSTANT:
        return any(abs(value - each) < _DAY for each in _INSTANTS)
    return value in SENTINELS


def _shown(column: Column, value: float) -> str:
    if column.kind is Kind.INSTANT:
        return str(np.datetime64(int(value), "us").astype("datetime64[s]"))
    return f"{value:g}"


def _word(column: Column) -> Fault | None:
    """A word for nothing among the levels."""
    plain_old = texts_of(column.old).str.strip_chars().str.to_lowercase()
    plain_new = texts_of(column.new).str.strip_chars().str.to_lowercase()
    touched = plain_new.is_in(list(WORDS)).fill_null(value=False).to_numpy()
    p0 = (
        float(plain_old.is_in(list(WORDS)).fill_null(value=False).to_numpy().mean())
        if len(plain_old)
        else 0.0
    )
    p1 = float(touched.mean()) if len(touched) else 0.0
    if p0 > 0.1 or not jumped(p0, len(plain_old), p1, len(touched), odds=10.0):
        return None
    word = column.new.filter(pl.Series(touched)).mode().sort()[0]
    return Fault(
        column=column.name,
        mechanism="sentinel",
        text=f"{word!r} and the like in {p1:.1%} of rows, was in {p0:.2%}",
        touched=touched,
        lost=True,
    )
