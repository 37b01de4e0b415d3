"""Two copies of one column, row by row: where they differ, and in which way."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.comparison import rankdata
from mlwright.stages.monitoring.diagnosis.case import Floats
from mlwright.stages.monitoring.diagnosis.missing import SENTINELS, WORDS
from mlwright.stages.monitoring.diagnosis.repairs import Rows
from mlwright.stages.monitoring.diagnosis.standing import distance
from mlwright.stages.monitoring.diagnosis.typed import ROUNDING, grid, steps
from mlwright.stages.monitoring.diagnosis.units import changes
from mlwright.stages.monitoring.encoding import Kind, by_count, kind_of, numbers, texts_of

_RELATIVE: Final = 1e-5
"""A hundred times the rounding of float32: sums in another order are no mismatch."""
_HOUR: Final = 3.6e9
_LAGS: Final = 24
_MOST: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """How two copies differ; the mechanisms are those of ``Suspect``."""

    mechanism: str
    text: str
    factor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One feature of earlier rows, with their instants (µs) and entities, each of shape (m,)."""

    values: pl.Series
    at: NDArray[np.int64]
    cluster: NDArray[np.int64]


def differing(served: pl.Series, offline: pl.Series) -> Rows:
    """Rows whose two values are not the same, shape (n,).

    Numbers are the same within a relative 1e-5 or 1e-7 of their standard deviation; null, NaN and ±∞ are the same as
    each other.
    """
    if _numeric(served, offline):
        s, r = numbers(served), numbers(offline)
        known = r[np.isfinite(r)]
        slack = 1e-7 * float(known.std()) if len(known) else 0.0
        both = np.isfinite(s) & np.isfinite(r)
        with np.errstate(invalid="ignore"):
            apart = np.abs(s - r) > _RELATIVE * np.maximum(np.abs(s), np.abs(r)) + slack
        if kind_of(offline.dtype) is Kind.INSTANT:
            with np.errstate(invalid="ignore"):
                apart = np.abs(s - r) > 1000.0  # a millisecond: instants have no relative precision
        return np.asarray(np.where(both, apart, np.isfinite(s) != np.isfinite(r)), dtype=np.bool_)
    return np.asarray(texts_of(served).ne_missing(texts_of(offline)).to_numpy(), dtype=np.bool_)


def hint(
    served: pl.Series,
    offline: pl.Series,
    apart: Rows,
    *,
    at: NDArray[np.int64] | None = None,
    cluster: NDArray[np.int64] | None = None,
    past: Past | None = None,
) -> Hint:
    """Name the way in which the rows ``apart`` differ; ``differs`` where there is no pattern.

    Args:
        served, offline: the two copies.
        apart: rows that differ, at least one.
        at: event times, for lags.
        cluster: entities, for lags; None takes all rows for one series.
        past: earlier rows of the entities, where a lag may reach further back than these rows.
    """
    empty = served.is_null().to_numpy() if not _numeric(served, offline) else np.isnan(numbers(served))
    if empty[apart].mean() >= 0.9:
        return Hint(mechanism="missing", text="served as null")
    if kind_of(served.dtype) is not kind_of(offline.dtype):
        return Hint(mechanism="type", text=f"served as {served.dtype}, computed as {offline.dtype}")
    found = _default(served, offline, apart)
    if found is None and _numeric(served, offline):
        instant = kind_of(offline.dtype) is Kind.INSTANT
        found = _arithmetic(numbers(served), numbers(offline), apart, instant=instant)
    if found is None:
        found = _level(served, offline, apart)
    if found is None:
        found = _earlier(served, offline, apart, at, cluster)
    if found is None and at is not None and cluster is not None:
        found = _of_before(served, offline, apart, (at, cluster), past)
    if found is None and _numeric(served, offline):
        found = _rounded(numbers(served), numbers(offline), apart)
    if found is None:
        found = _other_rows(served, offline, apart)
    return found or Hint(mechanism="differs", text="no pattern in how it differs")


def _numeric(served: pl.Series, offline: pl.Series) -> bool:
    return Kind.LEVELS not in (kind_of(served.dtype), kind_of(offline.dtype))


def _default(served: pl.Series, offline: pl.Series, apart: Rows) -> Hint | None:
    """One value served in nearly all rows that differ, where several were computed."""
    ours = texts_of(served.filter(pl.Series(apart))).drop_nulls()
    if len(ours) < 0.8 * apart.sum():
        return None
    if texts_of(served).drop_nulls().n_unique() == 1 and texts_of(offline).drop_nulls().n_unique() > 1:
        told = float(numbers(ours[:1])[0])
        return Hint(
            mechanism="constant",
            text=f"{ours[0]} served in every row",
            factor=told if np.isfinite(told) else None,
        )
    top = by_count(ours)
    value, count = str(top["value"][0]), int(top["count"][0])
    theirs = texts_of(offline.filter(pl.Series(apart)))
    if count < 0.8 * apart.sum() or theirs.n_unique() < (2 if theirs.null_count() else 3):
        return None
    number = float(numbers(pl.Series([value]))[0])
    empty = number in SENTINELS if np.isfinite(number) else value.strip().lower() in WORDS
    return Hint(
        mechanism="sentinel" if empty and number != 0.0 else "default",
        text=f"{value} served in {count / apart.sum():.0%} of the rows that differ",
        factor=number if np.isfinite(number) else None,
    )


def _arithmetic(s: Floats, r: Floats, apart: Rows, *, instant: bool) -> Hint | None:
    """Served is computed times something, plus something."""
    both = apart & np.isfinite(s) & np.isfinite(r)
    if both.sum() < max(5, 0.9 * apart.sum()):
        return None
    x, y = r[both], s[both]
    turned = _turned(x, y, instant=instant, clock=_clock(r) and _clock(s))
    return turned or _times(x, y) or (_plus(x, y) if len(np.unique(x)) > 2 else None)


def _turned(x: Floats, y: Floats, *, instant: bool, clock: bool) -> Hint | None:
    """Another time zone: quarters of an hour apart, or hours of the day turned round."""
    if instant:
        steps = round(float(np.median(y - x)) / (_HOUR / 4))
        exact = bool(np.mean(np.abs(y - x - steps * _HOUR / 4) <= 1e6) >= _MOST)
        if steps and exact and abs(steps) <= 56:
            return Hint(mechanism="time zone", text=f"{steps / 4:+g} h", factor=steps / 4)
    elif clock:
        ahead = (y - x) % 24
        hours = float(np.median(ahead))
        if np.mean(ahead == hours) >= _MOST and len(np.unique(y - x)) > 1:
            hours = hours if hours <= 12 else hours - 24
            return Hint(mechanism="time zone", text=f"{hours:+g} h", factor=hours)
    return None


def _times(x: Floats, y: Floats) -> Hint | None:
    nonzero = (np.abs(x) > 1e-12) & (np.abs(y) > 1e-300)
    if nonzero.sum() < max(5, 0.9 * len(x)) or len(np.unique(x)) < 3:
        return None
    ratio = float(np.median(y[nonzero] / x[nonzero]))
    if not _close(y, ratio * x):
        return None
    known = ratio > 0 and any(b == 0 and abs(ratio / a - 1) < 1e-3 for a, b, _ in changes())
    return Hint(mechanism="unit" if known else "scale", text=f"×{ratio:.6g}", factor=ratio)


def _plus(x: Floats, y: Floats) -> Hint | None:
    shift = float(np.median(y - x))
    if _close(y, x + shift):
        return Hint(mechanism="offset", text=f"{shift:+.6g}", factor=shift)
    for a, b, name in changes():
        if b and _close(y, a * x + b):
            return Hint(mechanism="unit", text=name, factor=a)
    slope, level = (float(each) for each in np.polyfit(x, y, 1))
    if abs(slope) > 1e-9 and _close(y, slope * x + level):
        return Hint(mechanism="scale", text=f"{slope:.6g} · x {level:+.6g}", factor=slope)
    return None


def _close(y: Floats, expected: Floats) -> bool:
    """Whether nearly all values agree, to float32."""
    scale = np.maximum(np.abs(y), np.abs(expected)) + 1e-3 * float(np.median(np.abs(expected)))
    return bool(np.mean(np.abs(y - expected) <= 1e-4 * scale) >= _MOST)


def _clock(values: Floats) -> bool:
    known = values[np.isfinite(values)]
    if len(known) == 0 or known.min() < 0 or known.max() > 23 or (known != np.round(known)).any():
        return False
    return len(np.unique(known)) >= 12


def _level(served: pl.Series, offline: pl.Series, apart: Rows) -> Hint | None:
    """Every computed level has one served one: other spelling, or another code."""
    mask = pl.Series(apart)
    pair = pl.DataFrame(
        {"s": texts_of(served.filter(mask)), "r": texts_of(offline.filter(mask))}
    ).drop_nulls()
    if pair.height < 0.9 * apart.sum() or pair.height < 5:
        return None
    plain = [pair[side].str.strip_chars().str.to_lowercase() for side in ("s", "r")]
    if kind_of(offline.dtype) is Kind.LEVELS and (plain[0] == plain[1]).mean() == 1.0:
        return Hint(mechanism="recoded", text="case or white space of levels changed")
    levels = pair["r"].n_unique()
    if levels > 254 or levels * 5 > pair.height or (levels < 2 and kind_of(offline.dtype) is not Kind.LEVELS):
        return None
    counted = pair.group_by("r", "s").len("n").sort("n", "r", "s", descending=[True, False, False])
    best = counted.unique("r", keep="first", maintain_order=True)
    # a code is one to one; that a flag is the other one in half of the rows is no code
    everywhere = pl.DataFrame({"s": texts_of(served), "r": texts_of(offline)}).drop_nulls()
    kept = everywhere.filter(pl.col("r").is_in(best["r"].to_list()))
    moved = pair.height / max(kept.height, 1)
    if best["n"].sum() < _MOST * pair.height or best["s"].n_unique() < best.height or moved < _MOST:
        return None
    shown = ", ".join(f"{r!r} as {s!r}" for r, s in best.sort("r").select("r", "s").head(4).iter_rows())
    return Hint(mechanism="recoded", text=f"levels are served as others: {shown}")


def _earlier(
    served: pl.Series,
    offline: pl.Series,
    apart: Rows,
    at: NDArray[np.int64] | None,
    cluster: NDArray[np.int64] | None,
) -> Hint | None:
    """Served is what was computed for an earlier row of the entity."""
    if at is None:
        return None
    entity = np.zeros(len(at), dtype=np.int64) if cluster is None else cluster
    order = np.lexsort((at, entity))
    who, when, wrong = entity[order], at[order], apart[order]
    codes = _coded(served, offline)
    s, r = codes[0][order], codes[1][order]
    frozen = _frozen(s, r, who, wrong) if cluster is not None else None
    if frozen is not None:
        return frozen
    chance = float(np.mean(s[wrong] == np.random.default_rng(0).permutation(r)[wrong]))
    best, share, usable = 0, 0.0, 0
    for lag in range(1, min(_LAGS, len(s) - 1) + 1):
        same = who[lag:] == who[:-lag]
        rows = same & wrong[lag:]
        if rows.sum() < max(20, 0.2 * wrong.sum()):
            break
        match = float(np.mean(s[lag:][rows] == r[:-lag][rows]))
        if match > share + 0.02:
            best, share, usable = lag, match, int(rows.sum())
    if best == 0 or share < max(0.7, chance + 0.3) or usable < 20:
        return None
    same = who[best:] == who[:-best]
    age = float(np.median((when[best:] - when[:-best])[same])) / _HOUR
    return Hint(
        mechanism="lag",
        text=f"the value of {best} {'row' if best == 1 else 'rows'} earlier, {age:.3g} h at the median, in {share:.0%}",
        factor=float(best),
    )


def _of_before(
    served: pl.Series,
    offline: pl.Series,
    apart: Rows,
    when: tuple[NDArray[np.int64], NDArray[np.int64]],
    past: Past | None,
) -> Hint | None:
    """Served is what the entity had at an earlier instant, however many of its rows lie between.

    Rows at hand are a sample: the instant is found for a part of them. As many values are looked for among later
    instants, where only chance can have put them.
    """
    at, cluster = when
    told = pl.DataFrame({"who": cluster, "at": at, "value": _key(offline)})
    if past is not None:
        told = pl.concat(
            [told, pl.DataFrame({"who": past.cluster, "at": past.at, "value": _key(past.values)})]
        )
    wrong = pl.DataFrame({"row": np.arange(len(at)), "who": cluster, "now": at, "value": _key(served)})
    found = wrong.filter(pl.Series(apart)).drop_nulls().join(told.drop_nulls(), on=["who", "value"])
    found = found.with_columns(age=pl.col("now") - pl.col("at")).filter(pl.col("age") != 0)
    before = found.filter(pl.col("age") > 0).group_by("row").agg(pl.col("age").min())
    after = found.filter(pl.col("age") < 0)["row"].n_unique()
    share = before.height / max(int(apart.sum()), 1)
    if before.height < 20 or share < 0.1 or before.height < 5 * after:
        return None
    ages = before["age"].to_numpy() / _HOUR
    middle, spread = float(np.median(ages)), float(np.subtract(*np.quantile(ages, [0.75, 0.25])))
    steady = spread <= 0.25 * middle + 24
    return Hint(
        mechanism="lag" if steady else "stale",
        text=f"the value of the same entity {middle:.3g} h earlier at the median, found for {share:.0%} of the rows",
    )


def _key(values: pl.Series) -> pl.Series:
    """Values that can be joined exactly, as text; numbers to seven digits."""
    if kind_of(values.dtype) is Kind.NUMBER:
        return pl.Series(numbers(values).astype(np.float32)).fill_nan(None).cast(pl.String)
    return texts_of(values)


def _frozen(s: Floats, r: Floats, who: NDArray[np.int64], wrong: Rows) -> Hint | None:
    """One value for each entity where the computed one moves."""
    same = who[1:] == who[:-1]
    rows = same & wrong[1:]
    if rows.sum() < 20:
        return None
    moves, moved = float(np.mean(s[1:][rows] != s[:-1][rows])), float(np.mean(r[1:][rows] != r[:-1][rows]))
    if moved < 0.2 or moves > 0.1 * moved:
        return None
    return Hint(mechanism="stale", text=f"moves in {moves:.0%} of an entity's steps, computed in {moved:.0%}")


def _coded(served: pl.Series, offline: pl.Series) -> tuple[Floats, Floats]:
    """Values that can be compared exactly: numbers rounded to seven digits, levels as codes."""
    if _numeric(served, offline):
        pair = [numbers(each).astype(np.float32).astype(np.float64) for each in (served, offline)]
        if kind_of(offline.dtype) is Kind.INSTANT:
            pair = [numbers(each) for each in (served, offline)]
    else:
        text = pl.concat([texts_of(served), texts_of(offline).alias(served.name)])
        codes = text.rank("dense").cast(pl.Float64).to_numpy()
        pair = [codes[: len(served)], codes[len(served) :]]
    return pair[0], pair[1]


def _rounded(s: Floats, r: Floats, apart: Rows) -> Hint | None:
    both = apart & np.isfinite(s) & np.isfinite(r)
    if both.sum() < max(5, 0.9 * apart.sum()):
        return None
    x, y = r[both], s[both]
    for step in steps(y):
        for name, how in ROUNDING:
            if np.mean(np.abs(y - how(x / step) * step) <= 1e-6 * np.maximum(1, np.abs(y))) >= _MOST:
                return Hint(mechanism="type", text=f"{name} to {grid(step)}", factor=step)
    return None


def _other_rows(served: pl.Series, offline: pl.Series, apart: Rows) -> Hint | None:
    """The right values in the wrong rows: one distribution, no dependence."""
    if apart.sum() < 50:
        return None
    s, r = (each[apart] for each in _coded(served, offline))
    known = np.isfinite(s) & np.isfinite(r)
    s, r = s[known], r[known]
    if len(s) < 50 or len(np.unique(r)) < 2 or len(np.unique(s)) < 2:
        return None
    gap = distance(np.sort(s), r)
    # rows that differ are drawn from pairs that are not equal: with few levels that alone makes them depend
    few = len(np.union1d(s, r)) < 10
    with_each_other = abs(float(np.corrcoef(rankdata(s), rankdata(r))[0, 1]))
    if gap <= 1.7 * np.sqrt(2.0 / len(s)) + 0.02 and (
        few or with_each_other < max(0.15, 4.0 / np.sqrt(len(s)))
    ):
        return Hint(mechanism="join", text="the values of other rows: one distribution, no dependence")
    return None
