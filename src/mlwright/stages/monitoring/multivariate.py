"""Joint drift: what no column shows alone. A cross-fitted domain classifier, MMD, and columns that are no numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import FittedTexts, Learner
from mlwright.stages.monitoring.comparison import rankdata
from mlwright.stages.monitoring.crossfit import (
    ROWS,
    Integers,
    cross_fitted,
    domain,
    folds_of,
    folds_of_sides,
    mean_area,
    sampled,
)
from mlwright.stages.monitoring.encoding import Encoder, encoder

Floats = NDArray[np.float64]

FEW: Final = 50
"""Rows of a side below which nothing is said."""
_FOLDS: Final = 3
_DIMENSIONS: Final = 64
_WORDS: Final = 3.0
_DISTINCT: Final = 0.5
_TEXTS: Final = 5_000
_BLOCK: Final = 200
_MMD_ROWS: Final = 4_000
_NULL_ROWS: Final = 400
_PERMUTATIONS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariateDrift:
    """How far two samples are apart jointly. An effect size with its interval, and no p-value of a large sample."""

    auc: Estimate | None
    """Held-out area of the classifier of the samples: 0.5 alike, 1 apart. None with few rows or no column to read."""
    importance: tuple[tuple[str, float], ...] = ()
    """The area lost when a column is shuffled, largest first."""
    mmd: float | None = None
    """Unbiased squared maximum mean discrepancy; about 0, and possibly below it, where nothing moved."""
    mmd_p: float | None = None
    """By permutation of a subsample of at most 400 rows a side, so that it does not grow with the traffic."""
    columns: Mapping[str, Estimate] = field(default_factory=dict)
    """The area by each column of embeddings or free text alone."""
    rows: tuple[int, int] = (0, 0)
    """Rows of both sides that the classifier took."""
    grouped: bool = False
    """Whether groups of rows were kept together: without them, and where there are few, rows count as independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """What stays together of the rows of both sides, the fold of each row, and where an interval comes from."""

    before: Integers
    now: Integers
    fold: Integers | None
    seed: int

    @property
    def sides(self) -> tuple[Integers, Integers]:
        return self.before, self.now

    @property
    def of_rows(self) -> bool:
        """Whether every row stands for itself."""
        return self.fold is None


def drifted(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    learner: Learner,
    seed: int = 0,
    *,
    groups: tuple[Integers, Integers] | None = None,
) -> MultivariateDrift:
    """Compare two frames over all their columns.

    Lists and arrays of numbers are embeddings; text whose values are mostly distinct and of several words is free text.
    Both are told apart column by column, and everything else jointly. Drift says nothing about harm.

    Args:
        reference: feature columns.
        current: the same columns; one that is not there counts as missing.
        learner: fits the classifiers.
        seed: of samples, folds, fits and permutations; the answer depends on the order of the rows through it.
        groups: what rows belong to that are not independent, of both sides in one numbering, as the days that they are
            of: what is common to the rows of a day tells days apart, and no side from the other. They stay in one fold,
            and intervals and permutations take them as the units. Fewer than six on a side are not heeded.
    """
    rows = (reference.height, current.height)
    if min(rows) < FEW:
        return MultivariateDrift(auc=None, rows=rows)
    places = sampled(reference.height, ROWS, seed), sampled(current.height, ROWS, seed + 1)
    before, now = reference[places[0]], current[places[1]]
    together = _together(groups, places, seed)
    texts = tuple(name for name in before.columns if is_free_text(before[name]))
    fixed = encoder(before, texts)
    columns = _by_themselves(before, now, texts, learner, together)
    if not fixed.columns:
        return MultivariateDrift(
            auc=None, columns=columns, rows=(before.height, now.height), grouped=not together.of_rows
        )
    old, new = fixed.matrix(before), fixed.matrix(now)
    names = tuple(dict.fromkeys(fixed.names))
    found = domain(
        old,
        new,
        learner,
        categorical=fixed.categorical,
        shuffled=[fixed.places(name) for name in names],
        groups=None if together.of_rows else together.sides,
        folds=_FOLDS,
        fold=together.fold,
        seed=seed,
    )
    first, second = _points(fixed, old, new)
    statistic, p = mmd(first, second, seed=seed, groups=None if together.of_rows else together.sides)
    ranked = sorted(zip(names, found.importance, strict=True), key=lambda each: (-each[1], each[0]))
    return MultivariateDrift(
        auc=found.auc,
        importance=tuple(ranked),
        mmd=statistic,
        mmd_p=p,
        columns=columns,
        rows=(before.height, now.height),
        grouped=not together.of_rows,
    )


def _by_themselves(
    before: pl.DataFrame, now: pl.DataFrame, texts: Sequence[str], learner: Learner, together: _Groups
) -> dict[str, Estimate]:
    """The area by each column of embeddings or free text."""
    found: dict[str, Estimate] = {}
    for name in before.columns:
        if name not in now.columns:
            continue
        if name in texts:
            found[name] = _texts(before[name], now[name], learner, together)
        elif is_embedding(before[name].dtype):
            found[name] = _embeddings(before[name], now[name], learner, together)
    return found


def _together(
    groups: tuple[Integers, Integers] | None, places: tuple[Integers, Integers], seed: int
) -> _Groups:
    if groups is None:
        before, now = np.arange(len(places[0])), len(places[0]) + np.arange(len(places[1]))
        return _Groups(before=before, now=now, fold=None, seed=seed)
    before, now = groups[0][places[0]], groups[1][places[1]]
    return _Groups(before=before, now=now, fold=folds_of_sides((before, now), _FOLDS, seed), seed=seed)


def mmd(
    first: Floats, second: Floats, *, seed: int = 0, groups: tuple[Integers, Integers] | None = None
) -> tuple[float, float]:
    """Squared maximum mean discrepancy under a Gaussian kernel (Gretton and others 2012), and its p-value.

    The bandwidth is the median distance of a subsample. The estimate is unbiased, the mean over disjoint blocks
    (Zaremba, Gretton and Blaschko 2013), so that memory does not grow with the rows.

    Args:
        first: shape (n, k), finite, n ≥ 2.
        second: shape (m, k), m ≥ 2.
        seed: of the subsample and the permutations.
        groups: of the rows of both sides; whole groups change sides in the permutations. None: rows do.
    """
    random = np.random.default_rng(seed)
    places = [sampled(len(x), _MMD_ROWS, seed + at) for at, x in enumerate((first, second))]
    places = [each[random.permutation(len(each))] for each in places]
    a, b = first[places[0]], second[places[1]]
    few = min(len(a), len(b), _NULL_ROWS)
    pooled = np.concatenate([a[:few], b[:few]])
    distances = _distances(pooled, pooled)
    scale = float(np.median(distances[np.triu_indices(len(pooled), 1)])) or 1.0
    size = max(min(_BLOCK, len(a), len(b)), 2)
    blocks = max(min(len(a), len(b)) // size, 1)
    statistic = float(
        np.mean(
            [
                _unbiased(a[at * size : (at + 1) * size], b[at * size : (at + 1) * size], scale)
                for at in range(blocks)
            ]
        )
    )
    kernel = np.exp(-distances / scale)
    if groups is None:
        return statistic, _permuted(kernel, few, random)
    units = np.concatenate([of[at[:few]] for of, at in zip(groups, places, strict=True)])
    return statistic, _regrouped(kernel, units, few, random)


def _distances(a: Floats, b: Floats) -> Floats:
    found: Floats = np.maximum(
        np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2.0 * a @ b.T, 0.0
    )
    return found


def _unbiased(a: Floats, b: Floats, scale: float) -> float:
    """The U-statistic: no row is compared with itself."""
    n, m = len(a), len(b)
    inner = (np.exp(-_distances(a, a) / scale).sum() - n) / (n * (n - 1))
    outer = (np.exp(-_distances(b, b) / scale).sum() - m) / (m * (m - 1))
    return float(inner + outer - 2.0 * np.exp(-_distances(a, b) / scale).mean())


def _permuted(kernel: Floats, n: int, random: np.random.Generator) -> float:
    """Share of relabellings with at least the discrepancy that was seen, itself among them; all at once by signs."""
    signs = np.ones((_PERMUTATIONS + 1, 2 * n))
    signs[0, n:] = -1.0
    for line in signs[1:]:
        line[random.permutation(2 * n)[:n]] = -1.0
    # with sides of one size the unbiased statistic rises with s'Ks: the sum within less the sum across
    seen = np.einsum("ij,ij->i", signs @ kernel, signs)
    return float(np.mean(seen >= seen[0] * (1 - 1e-12)))


def _regrouped(kernel: Floats, units: Integers, n: int, random: np.random.Generator) -> float:
    """The same with whole groups that change sides, as many as each side has; the first ``n`` rows are one side."""
    known, place = np.unique(units, return_inverse=True)
    of_first = len(np.unique(units[:n]))
    first = np.zeros((_PERMUTATIONS + 1, len(units)))
    first[0, :n] = 1.0
    for line in first[1:]:
        chosen = np.zeros(len(known))
        chosen[random.permutation(len(known))[:of_first]] = 1.0
        line[:] = chosen[place]
    second = 1.0 - first
    rows, others = first.sum(axis=1), second.sum(axis=1)
    of_both = (first @ kernel, second @ kernel)
    within = [
        (np.einsum("ij,ij->i", product, side) - count) / np.maximum(count * (count - 1), 1.0)
        for product, side, count in zip(of_both, (first, second), (rows, others), strict=True)
    ]
    across = np.einsum("ij,ij->i", of_both[0], second) / np.maximum(rows * others, 1.0)
    seen = within[0] + within[1] - 2.0 * across
    return float(np.mean(seen >= seen[0] - 1e-12))


def _points(fixed: Encoder, old: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Both sides in a space where a distance means something: pooled ranks, levels one by one, missing as such."""
    table, parts = np.concatenate([old, new]), []
    for at in range(table.shape[1]):
        column = table[:, at]
        missing = np.isnan(column)
        if at in fixed.categorical:
            frequent = np.unique(column[~missing])[:20]
            parts += [(column == level) / np.sqrt(2.0) for level in frequent]
        elif not missing.all():
            ranks = np.full(len(column), 0.5)
            ranks[~missing] = (rankdata(column[~missing]) - 0.5) / (~missing).sum()
            parts.append(ranks)
        if missing.any():
            parts.append(missing.astype(np.float64))
    points = np.column_stack(parts)
    return points[: len(old)], points[len(old) :]


def is_embedding(dtype: pl.DataType) -> bool:
    """Whether a column holds lists or arrays of numbers."""
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else None
    return isinstance(inner, pl.DataType) and inner.is_numeric()


def is_free_text(series: pl.Series) -> bool:
    """Whether a column of text is prose: most values distinct, three words or more on average."""
    if series.dtype != pl.String or series.null_count() == len(series):
        return False
    known = series.drop_nulls().head(2_000)
    words = known.str.strip_chars().str.split(" ").list.len().mean()
    return bool(known.n_unique() > _DISTINCT * len(known) and isinstance(words, float) and words >= _WORDS)


def _embeddings(before: pl.Series, now: pl.Series, learner: Learner, together: _Groups) -> Estimate:
    old, new = _vectors(before), _vectors(now)
    width = max(old.shape[1], new.shape[1])
    old, new = (np.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=np.nan) for x in (old, new))
    if width > _DIMENSIONS:  # distances survive a random projection (Johnson and Lindenstrauss 1984)
        turn = np.random.default_rng(together.seed).normal(size=(width, _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
        old, new = np.nan_to_num(old) @ turn, np.nan_to_num(new) @ turn
    sides = None if together.of_rows else together.sides
    found = domain(old, new, learner, groups=sides, folds=_FOLDS, fold=together.fold, seed=together.seed)
    return found.auc


def _vectors(series: pl.Series) -> Floats:
    """Shape (n, widest); NaN where a vector is missing, is shorter, or holds no finite number."""
    lists = series.cast(pl.List(pl.Float64), strict=False) if is_embedding(series.dtype) else None
    if lists is None:
        return np.full((len(series), 1), np.nan)
    lengths = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
    found = np.full((len(series), max(int(lengths.max()), 1)), np.nan)
    flat = (
        lists.filter(lists.list.len().fill_null(0) > 0)
        .explode()
        .cast(pl.Float64)
        .fill_null(np.nan)
        .to_numpy()
    )
    row = np.repeat(np.arange(len(series)), lengths)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found[row, place] = np.where(np.isfinite(flat), flat, np.nan)
    return found


def _texts(before: pl.Series, now: pl.Series, learner: Learner, together: _Groups) -> Estimate:
    places = [sampled(len(series), _TEXTS, together.seed) for series in (before, now)]
    sides = [
        series[at].cast(pl.String, strict=False).fill_null("")
        for series, at in zip((before, now), places, strict=True)
    ]
    words = [word for side in sides for word in side.to_list()]
    label = np.repeat([0.0, 1.0], [len(side) for side in sides])
    rows = np.arange(len(words))
    kept = np.concatenate([places[0], len(before) + places[1]])
    if together.fold is None:
        group, fold = rows, folds_of(rows, _FOLDS, together.seed, strata=label.astype(np.int64))
    else:
        group, fold = np.concatenate(together.sides)[kept], together.fold[kept]

    class Chosen:
        """Rows by number, so that documents are cross-fitted as tables are."""

        def __init__(self, model: FittedTexts) -> None:
            self._model = model

        def predict(self, features: Floats) -> Floats:
            return self._model.predict([words[int(at)] for at in features[:, 0]])

    def fit(among: NDArray[np.bool_]) -> Chosen:
        texts = [words[at] for at in rows[among]]
        return Chosen(learner.classify_texts(texts, label[among], seed=together.seed))

    chance, _ = cross_fitted(fit, rows[:, None].astype(np.float64), fold)
    return mean_area(label, chance, group, fold, 0.95)
