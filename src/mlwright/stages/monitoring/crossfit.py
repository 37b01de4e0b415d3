"""Small models that never judge the rows they were fitted on: folds, and the classifier of two samples.

A classifier that tells a current row from a reference row sees every joint change that has a pattern (Lopez-Paz and
Oquab 2017); held out, an area of 0.5 means that there is none to be seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Fitted, Learner
from mlwright.stages.monitoring.statistics import auc_clustered, normal_interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROWS: Final = 10_000
"""Most rows of a side that a fit takes: more sharpen nothing that a verdict hangs on."""
CLASSES: Final = 12
"""More classes are too many for a classifier of each."""
_PERMUTED: Final = 1_500
_TOGETHER: Final = 200_000
"""Cells that are predicted at once: more are no faster, and memory stays small."""


def sampled(rows: int, limit: int, seed: int | tuple[int, ...]) -> Integers:
    """At most ``limit`` of 0 … rows − 1, drawn without replacement, in order."""
    if rows <= limit:
        return np.arange(rows, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False)).astype(np.int64)


def folds_of(groups: Integers, folds: int, seed: int, strata: Integers | None = None) -> Integers:
    """A fold 0 … folds − 1 for each row; rows of one group share it, and so do groups evenly.

    Args:
        groups: shape (n,); with fewer groups than twice the folds every row stands for itself.
        folds: how many.
        seed: of the shuffle.
        strata: shape (n,); where rows are their own groups, each stratum is spread evenly.
    """
    random = np.random.default_rng(seed)
    known, place = np.unique(groups, return_inverse=True)
    rows = len(groups)
    if 2 * folds <= len(known) < rows:
        return (random.permutation(len(known)) % folds)[place].astype(np.int64)
    found = np.empty(rows, dtype=np.int64)
    by = np.zeros(rows, dtype=np.int64) if strata is None else strata
    for value in np.unique(by):
        among = np.flatnonzero(by == value)
        found[among] = random.permutation(len(among)) % folds
    return found


def folds_of_sides(groups: tuple[Integers, Integers], folds: int, seed: int) -> Integers | None:
    """A fold for each row, the first side's first: rows of one group share it, and each fold has groups of both sides.

    Args:
        groups: of both sides, one numbering; a group that is on both sides goes with the first.
        folds: how many.
        seed: of the shuffle.

    Returns:
        None where a side has fewer than two groups of its own for each fold: no interval can rest on them.
    """
    random = np.random.default_rng(seed)
    first, second = np.unique(groups[0]), np.setdiff1d(groups[1], groups[0])
    if min(len(first), len(second)) < 2 * folds:
        return None
    known = np.concatenate([first, second])
    dealt = np.concatenate([random.permutation(len(each)) % folds for each in (first, second)])
    order = np.argsort(known)
    place = np.searchsorted(known, np.concatenate(groups), sorter=order)
    return np.asarray(dealt[order[place]], dtype=np.int64)


def cross_fitted(
    fit: Callable[[NDArray[np.bool_]], Fitted], features: Floats, folds: Integers
) -> tuple[Floats, dict[int, Fitted]]:
    """Predict every row by the model that was fitted without its fold.

    Args:
        fit: a model of the rows where the mask, shape (n,), is True.
        features: shape (n, k).
        folds: shape (n,), as :func:`folds_of` gives them.

    Returns:
        The predictions, shape (n,), and the model that each fold was predicted by.
    """
    found, models = np.full(len(features), np.nan), {}
    for fold in np.unique(folds).tolist():
        held = folds == fold
        models[fold] = fit(~held)
        found[held] = models[fold].predict(features[held])
    return found, models


class _OneOfMany:
    """The class whose own classifier is surest."""

    def __init__(self, classes: Floats, models: list[Fitted]) -> None:
        self._classes = classes
        self._models = models

    def predict(self, features: Floats) -> Floats:
        sure = np.column_stack([model.predict(features) for model in self._models])
        found: Floats = self._classes[np.argmax(sure, axis=1)]
        return found


def one_of_many(
    learner: Learner,
    features: Floats,
    label: Floats,
    classes: Floats,
    *,
    categorical: Sequence[int] = (),
    seed: int = 0,
) -> Fitted:
    """Fit each class against the rest; predictions are codes of classes.

    Args:
        learner: fits a classifier for each class.
        features: shape (n, k).
        label: shape (n,), codes.
        classes: the codes there are, those that ``label`` lacks among them; at most :data:`CLASSES` are worth it.
        categorical: which columns hold codes without an order.
        seed: of the fits.
    """
    models = [
        learner.classify(features, (label == each).astype(np.float64), categorical=categorical, seed=seed)
        for each in classes
    ]
    return _OneOfMany(classes, models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """How well current rows can be told from reference rows.

    ``chance`` is the held-out probability of being current, both sides equally likely before; shape (n,) with
    the reference first, of which there are ``before``.
    """

    chance: Floats
    before: int
    auc: Estimate
    importance: tuple[float, ...] = ()
    """What each group of columns adds to the area: the held-out area lost when it is shuffled."""


def domain(
    reference: Floats,
    current: Floats,
    learner: Learner,
    *,
    categorical: Sequence[int] = (),
    groups: tuple[Integers, Integers] | None = None,
    shuffled: Sequence[Sequence[int]] = (),
    folds: int = 3,
    fold: Integers | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Domain:
    """Tell two samples apart by a cross-fitted classifier.

    Args:
        reference: shape (n, k).
        current: shape (m, k).
        learner: fits the classifiers.
        categorical: which columns hold codes without an order.
        groups: the clusters of both sides, one numbering; they stay in one fold.
        shuffled: groups of columns whose importance is wanted.
        folds: how many.
        fold: that of each row, the reference first; None: drawn.
        level: of the interval: the structural components of DeLong by fold (Obuchowski 1997 for clusters), no
            resampling.
        seed: of folds, fits and shuffles.
    """
    table = np.concatenate([reference, current])
    side = np.concatenate([np.zeros(len(reference)), np.ones(len(current))])
    group = np.arange(len(table)) if groups is None else np.concatenate(groups)
    if fold is None:
        fold = folds_of(group, folds, seed, strata=side.astype(np.int64))

    def fit(kept: NDArray[np.bool_]) -> Fitted:
        return learner.classify(table[kept], side[kept], categorical=categorical, seed=seed)

    found, models = cross_fitted(fit, table, fold)
    chance = _even(found, len(reference), len(current))
    return Domain(
        chance=chance,
        before=len(reference),
        auc=mean_area(side, chance, group, fold, level),
        importance=_shuffled(table, side, fold, models, shuffled, seed),
    )


def _even(chance: Floats, before: int, now: int) -> Floats:
    """Chances with both sides equally likely before, by Bayes' rule: weights say the same and bin slowly."""
    if before == now or min(before, now) == 0:
        return chance
    one, zero = chance / now, (1.0 - chance) / before
    return np.asarray(one / np.maximum(one + zero, 1e-300), dtype=np.float64)


def shuffled_predictions(
    model: Fitted, table: Floats, wanted: Sequence[Sequence[int]], random: np.random.Generator
) -> list[Floats]:
    """Predictions with each group of columns shuffled among the rows; all in one call, as small ones cost the same.

    Args:
        model: predicts.
        table: shape (n, k).
        wanted: groups of columns.
        random: of the shuffles.

    Returns:
        One array of shape (n,) for each group.
    """
    rows = len(table)
    found: list[Floats] = []
    together = max(_TOGETHER // max(table.size, 1), 1)
    for start in range(0, len(wanted), together):
        some = wanted[start : start + together]
        stacked = np.concatenate([table] * len(some)) if some else table
        for at, columns in enumerate(some):
            places = list(columns)
            stacked[at * rows : (at + 1) * rows, places] = table[random.permutation(rows)][:, places]
        found += np.split(model.predict(stacked), len(some))
    return found


def mean_area(side: Floats, chance: Floats, group: Integers, fold: Integers, level: float) -> Estimate:
    """The mean of the folds' areas: scores of different models are not compared with each other.

    What a model learned by chance in one fold is missing from the others, so that the folds' areas vary together. The
    variance is that of independent folds × (1 + folds × held-out rows / fitted rows), as Nadeau and Bengio (2003) have
    it for cross-validation; without it the interval misses 0.5 between equal samples every fourth time.
    """
    found = [
        area
        for each in np.unique(fold)
        if (area := auc_clustered(side[fold == each], chance[fold == each], group[fold == each])) is not None
    ]
    if not found:
        return Estimate(value=0.5, lower=0.0, upper=1.0, level=level, assumption="one of the sides is empty")
    value, folds = float(np.mean([area for area, _ in found])), len(found)
    error = np.inf
    if all(isfinite(se) for _, se in found):
        shared = 1.0 + folds / max(folds - 1, 1)
        error = sqrt(shared * sum(se * se for _, se in found)) / folds
    lower, upper = normal_interval(value, error, level)
    return Estimate(value=value, lower=lower, upper=upper, level=level, assumption="clusters are independent")


def _shuffled(
    table: Floats,
    side: Floats,
    fold: Integers,
    models: dict[int, Fitted],
    wanted: Sequence[Sequence[int]],
    seed: int,
) -> tuple[float, ...]:
    """The area lost by shuffling each group of columns within the rows that a model has not seen."""
    if not wanted:
        return ()
    random = np.random.default_rng(seed)
    lost = np.zeros(len(wanted))
    for number, model in models.items():
        rows = np.flatnonzero(fold == number)
        rows = rows[sampled(len(rows), _PERMUTED, seed)]
        whole = _area(side[rows], model.predict(table[rows]))
        for at, changed in enumerate(shuffled_predictions(model, table[rows], wanted, random)):
            lost[at] += (whole - _area(side[rows], changed)) / len(models)
    return tuple(lost.tolist())


def _area(side: Floats, chance: Floats) -> float:
    found = auc_clustered(side, chance, np.arange(len(side)))
    return 0.5 if found is None else found[0]
