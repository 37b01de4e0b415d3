"""S8: where is the drop? The parts of the population, of one or two conditions, that got worse than the rest."""

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, SliceLoss, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.crossfit import sampled
from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.diagnosis.labelled import NO_DROP, proven, untested
from mlwright.stages.monitoring.encoding import Kind, by_count, kind_of, numbers, texts_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS: Final = 6
LEVELS: Final = 12
ENOUGH: Final = 0.8
RATE: Final = 0.05
_LEAST: Final = 0.05
"""Share of the drop below which a slice is not worth a line."""
_EFFECT: Final = 0.1
_SIMPLER: Final = 0.9
"""Two conditions have to find this much more than one of them."""
_SHOWN: Final = 8
_KEPT: Final = 200
_ROWS: Final = 100_000
_TITLE: Final = "Where is the drop?"
_ASSUMPTION: Final = "rows of different clusters are independent; one design effect holds for all slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """The parts of the population that carry the drop, largest first."""

    test: Test
    slices: tuple[SliceLoss, ...] = ()
    explained: float = 0.0
    """Share of the drop that lies in them together, rows in several counted once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Codes of the literals, shape (n, features), −1 where a row is in none; the loss; the variance's inflation."""

    codes: NDArray[np.int16]
    loss: Floats
    inflation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Sums of both sides over slices, shape (s,) each, and which literals they are."""

    first: Integers
    """Feature and code of the first condition as one number, and of the second, or −1."""
    second: Integers
    sums: Floats
    """Shape (s, 6): rows, loss and squared loss of the reference, then of the current rows."""


def slices(case: Case, drop: Estimate) -> Slices:
    """Search all slices of one and two conditions over quantile bins, levels and missing values.

    The score of a slice is what it carries of the drop, n_s/n (ℓ^Q_s − ℓ^P_s), beyond what its share of the rows
    would (Chung and others 2019; sums by pairs of codes and pruning by support and by an upper bound as in SliceLine,
    Sagadeeva and Boehm 2021): that is largest for the slice itself, and less for those around and inside it. Kept are
    slices whose loss rose more than elsewhere (Benjamini and Hochberg 1995 over all that were tested, false discovery
    rate 5 %) and by a tenth of a standard deviation or more.
    """
    if not proven(drop):
        return Slices(test=untested("S8", _TITLE, "The drop is not proven, so it is nowhere.", NO_DROP))
    names, before, now = _sides(case)
    support = max(50, len(now.loss) // 100)
    if min(len(before.loss), len(now.loss)) < 2 * support or not names:
        return Slices(
            test=untested("S8", _TITLE, "Too few labelled rows.", "At least 100 labelled rows of each side")
        )
    delta = float(now.loss.mean() - before.loss.mean())
    ones = _ones(before, now, support, delta * _LEAST)
    table, tested = _pairs(ones, before, now, support, delta * _LEAST)
    found = _scored(table, before, now)
    adjusted = _adjusted(found["p"], tested)
    wanted = (
        (adjusted <= RATE)
        & (found["effect"] >= _EFFECT)
        & (found["excess"] > 0)
        & (found["carried"] >= _LEAST * delta)
    )
    chosen, explained = _chosen(table, found, wanted, now, before, delta)
    shown = tuple(
        SliceLoss(
            where=" and ".join(
                names[key] for key in (int(table.first[at]), int(table.second[at])) if key >= 0
            ),
            rows=int(table.sums[at, 3]),
            share_of_rows=float(table.sums[at, 3] / len(now.loss)),
            loss_before=float(found["before"][at]),
            loss_now=float(found["now"][at]),
            contribution=float(found["carried"][at] / delta),
            effect=float(found["effect"][at]),
            p_adjusted=float(adjusted[at]),
        )
        for at in chosen
    )
    return Slices(test=_said(shown, explained, tested), slices=shown, explained=explained)


def _sides(case: Case) -> tuple[dict[int, str], _Side, _Side]:
    """Name of each literal, by feature × 64 + code, and both sides coded."""
    rows = []
    for sample in (case.reference, case.current):
        loss = case.loss(sample.label, sample.score)
        known = np.flatnonzero(np.isfinite(loss))
        known = known[sampled(len(known), _ROWS, case.seed)]
        rows.append((known, loss[known]))
    names: dict[int, str] = {}
    coded: tuple[list[Integers], list[Integers]] = ([], [])
    for name in case.reference.features.columns:
        if name in case.keep_texts or name not in case.current.features.columns:
            continue
        if kind_of(case.reference.features[name].dtype) is Kind.OTHER:
            continue
        pair = [sample.features[name][known] for sample, (known, _) in zip(_samples(case), rows, strict=True)]
        said, codes = _levels(name, pair) if kind_of(pair[0].dtype) is Kind.LEVELS else _bins(name, pair)
        at = len(coded[0])
        names |= {at * 64 + code: text for code, text in enumerate(said)}
        for into, each in zip(coded, codes, strict=True):
            into.append(each)
    made = [
        _Side(
            codes=np.column_stack(codes).astype(np.int16) if codes else np.empty((len(loss), 0), np.int16),
            loss=loss,
            inflation=_inflation(loss, sample.cluster, known),
        )
        for codes, (known, loss), sample in zip(coded, rows, _samples(case), strict=True)
    ]
    return names, made[0], made[1]


def _samples(case: Case) -> tuple[Sample, Sample]:
    return case.reference, case.current


def _bins(name: str, pair: list[pl.Series]) -> tuple[list[str], list[Integers]]:
    values = [numbers(each) for each in pair]
    both = np.concatenate([each[np.isfinite(each)] for each in values])
    few = np.unique(both) if len(both) < 2_000 or len(np.unique(both[:2_000])) <= BINS else None
    if few is not None and len(few) <= BINS:
        said = [f"{name} = {value:g}" for value in few]
        codes = [np.where(np.isnan(each), len(few), np.searchsorted(few, each)) for each in values]
    else:
        edges = np.unique(np.quantile(both, np.arange(1, BINS) / BINS)) if len(both) else both
        words = [f"{edge:.4g}" for edge in edges]
        said = [f"{name} ≤ {words[0]}"] if words else [f"{name} known"]
        said += [f"{low} < {name} ≤ {high}" for low, high in pairwise(words)]
        said += [f"{name} > {words[-1]}"] if words else []
        codes = [np.where(np.isnan(each), len(said), np.searchsorted(edges, each, "left")) for each in values]
    return [*said, f"{name} missing"], [each.astype(np.int64) for each in codes]


def _levels(name: str, pair: list[pl.Series]) -> tuple[list[str], list[Integers]]:
    texts = [texts_of(each).rename("level") for each in pair]
    known = by_count(pl.concat(texts))["value"].head(LEVELS).to_list()
    place = pl.Series(range(len(known)), dtype=pl.Int64)
    codes = []
    for each in texts:
        code = each.replace_strict(pl.Series(known, dtype=pl.String), place, default=len(known))
        codes.append(np.where(each.is_null().to_numpy(), len(known) + 1, code.to_numpy()).astype(np.int64))
    return [*(f"{name} = {level}" for level in known), f"{name} another level", f"{name} missing"], codes


def _inflation(loss: Floats, cluster: NDArray[np.int64] | None, known: Integers) -> float:
    """By how much clusters make the variance of a mean larger than independent rows would (Kish's design effect)."""
    if cluster is None or len(loss) < 2 or loss.var() == 0:
        return 1.0
    place = np.unique(cluster[known], return_inverse=True)[1]
    sums = np.bincount(place, loss - loss.mean())
    return max(1.0, float(np.square(sums).sum() / (len(loss) * loss.var())))


def _sums(keys: NDArray[np.integer[Any]], side: _Side, cells: int) -> list[Floats]:
    return [
        np.bincount(keys, weights, cells).astype(np.float64)
        for weights in (np.ones(len(keys)), side.loss, np.square(side.loss))
    ]


def _ones(before: _Side, now: _Side, support: int, least: float) -> _Table:
    """Slices of one condition that have the support and could carry enough."""
    keys, sums = [], []
    for at in range(before.codes.shape[1]):
        cells = int(max(before.codes[:, at].max(), now.codes[:, at].max())) + 1
        sums.append(
            np.column_stack(
                [*_sums(before.codes[:, at], before, cells), *_sums(now.codes[:, at], now, cells)]
            )
        )
        keys.append(at * 64 + np.arange(cells))
    table, key = np.concatenate(sums), np.concatenate(keys)
    kept = _possible(table, len(now.loss), support, least)
    return _Table(first=key[kept], second=np.full(kept.sum(), -1), sums=table[kept])


def _possible(sums: Floats, rows: int, support: int, least: float) -> NDArray[np.bool_]:
    """Losses are at least 0, so that a slice carries at most its own current loss, and a part of it no more."""
    kept: NDArray[np.bool_] = (sums[:, 3] >= support) & (sums[:, 4] / rows >= least) & (sums[:, 0] >= 20)
    return kept


def _pairs(ones: _Table, before: _Side, now: _Side, support: int, least: float) -> tuple[_Table, int]:
    """The slices of one condition and those of two, and how many were tested."""
    features = np.unique(ones.first // 64)
    own = {int(f): ones.first[ones.first // 64 == f] % 64 for f in features}
    coded = {f: [_renumbered(side.codes[:, f], own[f]) for side in (before, now)] for f in own}
    tables, tested = [ones], len(ones.first)
    for f, g in combinations(own, 2):
        wide = len(own[g]) + 1
        cells = (len(own[f]) + 1) * wide
        parts: list[Floats] = []
        for side, a, b in zip((before, now), coded[f], coded[g], strict=True):
            parts += _sums(a * wide + b, side, cells)
        sums = np.column_stack(parts).reshape(-1, wide, 6)[:-1, :-1].reshape(-1, 6)
        kept = np.flatnonzero(_possible(sums, len(now.loss), support, least))
        tested += len(kept)
        one, two = np.divmod(kept, len(own[g]))
        tables.append(_Table(first=f * 64 + own[f][one], second=g * 64 + own[g][two], sums=sums[kept]))
    return (
        _Table(
            first=np.concatenate([each.first for each in tables]),
            second=np.concatenate([each.second for each in tables]),
            sums=np.concatenate([each.sums for each in tables]),
        ),
        tested,
    )


def _renumbered(codes: NDArray[np.int16], own: Integers) -> Integers:
    """Codes by their place among those that are left; the others together come last."""
    place = np.full(64, len(own), dtype=np.int64)
    place[own] = np.arange(len(own))
    return place[codes]


def _scored(table: _Table, before: _Side, now: _Side) -> dict[str, Floats]:
    n, s, ss, m, t, tt = table.sums.T
    old, new = s / n, t / m
    var_old, var_new = np.maximum(ss / n - old**2, 0.0), np.maximum(tt / m - new**2, 0.0)
    carried = m / len(now.loss) * (new - old)
    # the rest of the rows, for "worse than elsewhere"
    other_n, other_m = np.maximum(len(before.loss) - n, 1), np.maximum(len(now.loss) - m, 1)
    rest = (now.loss.sum() - t) / other_m - (before.loss.sum() - s) / other_n
    noise = before.inflation * var_old / n + now.inflation * var_new / m
    noise += before.inflation * before.loss.var() / other_n + now.inflation * now.loss.var() / other_m
    pooled = np.sqrt((var_old * n + var_new * m) / (n + m))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.nan_to_num((new - old - rest) / np.sqrt(noise))
        effect = np.nan_to_num((new - old) / pooled)
    weight = m / len(now.loss)
    return {
        "before": old,
        "now": new,
        "carried": carried,
        "excess": carried - weight * (carried + (1 - weight) * rest),
        "effect": effect,
        # few clusters in a slice know little of their own spread
        "p": scipy.special.stdtr(np.maximum(n / before.inflation + m / now.inflation - 2, 1), -z),
    }


def _adjusted(p: Floats, tested: int) -> Floats:
    """Benjamini and Hochberg's adjusted p-values."""
    order = np.argsort(p, kind="stable")
    ranked = p[order] * tested / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return found


def _chosen(
    table: _Table,
    found: dict[str, Floats],
    wanted: NDArray[np.bool_],
    now: _Side,
    before: _Side,
    delta: float,
) -> tuple[list[int], float]:
    """One slice after the other, each for what it carries on rows that none before it has, until it is enough."""
    value = np.where(table.second < 0, found["excess"], found["excess"] * _SIMPLER)
    ranked = [int(at) for at in np.argsort(-value, kind="stable")[:_KEPT] if wanted[at]]
    free = [np.ones(len(side.loss), dtype=np.bool_) for side in (before, now)]
    chosen: list[int] = []
    explained = 0.0
    for at in ranked:
        mine = [_rows(table, at, side) for side in (before, now)]
        added = [rows & left for rows, left in zip(mine, free, strict=True)]
        if added[1].sum() < mine[1].sum() / 2 or not added[0].any():
            continue
        worse = float(now.loss[added[1]].mean() - before.loss[added[0]].mean())
        part = float(added[1].mean()) * worse / delta
        if part < _LEAST:
            continue
        chosen.append(at)
        explained += part
        free = [left & ~rows for rows, left in zip(mine, free, strict=True)]
        if explained >= ENOUGH or len(chosen) == _SHOWN:
            break
    return chosen, explained


def _rows(table: _Table, at: int, side: _Side) -> NDArray[np.bool_]:
    rows = np.ones(len(side.loss), dtype=np.bool_)
    for key in (int(table.first[at]), int(table.second[at])):
        if key >= 0:
            rows &= side.codes[:, key // 64] == key % 64
    return rows


def _said(shown: tuple[SliceLoss, ...], explained: float, tested: int) -> Test:
    if not shown:
        text = f"No part of the population got worse than the rest, of {tested} that were tested."
    else:
        best = shown[0]
        text = (
            f"{explained:.0%} of the drop lies in {len(shown)} of {tested} parts that were tested, first {best.where}: "
            f"{best.share_of_rows:.0%} of the rows, {best.contribution:.0%} of the drop."
        )
    return Test(
        id="S8",
        title=_TITLE,
        outcome=Outcome.FOUND if shown else Outcome.CLEAR,
        text=text,
        numbers={"explained": explained, "tested": float(tested), "slices": float(len(shown))},
        assumption=_ASSUMPTION,
    )
