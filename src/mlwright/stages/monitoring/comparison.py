"""The offline gate: candidates and champion on the same matured rows.

The metric is the one that the endpoint is watched by, so that a candidate is chosen for what an alert is about.
Standard errors treat days as independent and let the rows of one day depend on each other; quantiles are Student's t
over the days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.errors import DataError

FEWEST_DAYS = 5
"""With fewer clusters the standard error is itself too uncertain to decide anything."""

_Floats = NDArray[np.float64]
_RowLoss = Callable[[_Floats, _Floats], _Floats]


def _squared(truth: _Floats, said: _Floats) -> _Floats:
    return np.asarray((said - truth) ** 2, dtype=np.float64)


def _absolute(truth: _Floats, said: _Floats) -> _Floats:
    return np.asarray(np.abs(said - truth), dtype=np.float64)


def _log(truth: _Floats, said: _Floats) -> _Floats:
    edge = float(np.finfo(np.float64).eps)
    return np.asarray(-np.log(np.clip(np.where(truth > 0.5, said, 1 - said), edge, 1.0)), dtype=np.float64)


_ROW_LOSSES: Final[Mapping[str, _RowLoss]] = {
    "brier": _squared,
    "log_loss": _log,
    "mae": _absolute,
    "mse": _squared,
    "median_error": _absolute,
}
_INSTEAD: Final[Mapping[str, str]] = {
    **dict.fromkeys(("accuracy", "precision", "recall", "specificity", "f1"), "brier"),
    "average_precision": "auc",
    "rmse": "mse",
    "r2": "mse",
    "bias": "mae",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A name and its scores on the common rows. The first candidate is the one preferred in doubt."""

    name: str
    scores: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``better`` against ``worse``: how much larger the metric is, with its standard error over days.

    For losses, where less is better, the difference is turned around: positive is always in favour.
    """

    name: str
    against: str
    difference: float
    error: float

    @property
    def z(self) -> float:
        """The difference in standard errors; 0 where both models say the same, or where there are too few days."""
        return self.difference / self.error if self.error > 0 else 0.0

    def as_evidence(self) -> dict[str, object]:
        """The numbers, for the record of a decision."""
        return {
            "name": self.name,
            "against": self.against,
            "difference": self.difference,
            "error": self.error,
            "z": self.z,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """Which candidate goes on, if any, and why."""

    chosen: str | None
    reason: str
    comparisons: tuple[Comparison, ...]
    assumption: str = "days are independent; one-sided t test of a paired difference clustered by day"


def choose(
    labels: ArrayLike,
    *,
    champion: ArrayLike,
    candidates: Sequence[Candidate],
    clusters: ArrayLike,
    metric: str,
    level: float,
    gain: float = 0.0,
    window_level: float = 0.95,
) -> GateDecision:
    """Choose a candidate, and let it go on only if it beats the champion.

    The first candidate stands unless another one beats it significantly: in doubt the simpler choice (after the
    one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984). The one that stands must
    then beat the champion. Where the champion was trained on some of these rows, the test is harder to pass.

    Args:
        labels: 0 or 1, shape (n,).
        champion: the champion's scores, shape (n,).
        candidates: the preferred candidate first.
        clusters: day number of each row, shape (n,).
        metric: what the endpoint is watched by; see :func:`judged_by`.
        level: confidence of the one-sided test against the champion, such as 0.95.
        gain: by how much the metric must be better at least for a change to be worth it.
        window_level: confidence at which another candidate takes the place of the first.
    """
    truth = np.asarray(labels, dtype=np.float64)
    days = len(np.unique(np.asarray(clusters)))
    limit, doubt = (_quantile(days, each) for each in (level, window_level))
    standing = candidates[0]
    made: list[Comparison] = []
    for other in candidates[1:]:
        comparison = compare(
            truth, other.name, other.scores, standing.name, standing.scores, clusters, metric
        )
        made.append(comparison)
        if comparison.z > doubt:
            standing = other
    against = [
        compare(truth, each.name, each.scores, "champion", champion, clusters, metric) for each in candidates
    ]
    final = next(each for each in against if each.name == standing.name)
    passed = final.z > limit and final.difference >= gain
    verb = "beats" if passed else "does not beat"
    least = f" and at least {gain:+.4f}" if gain else ""
    reason = (
        f"{standing.name!r} {verb} the champion on {len(truth):,} rows of {days} days: "
        f"{judged_by(metric)} difference {final.difference:+.4f} ± {final.error:.4f}, "
        f"z = {final.z:.2f}, needed {limit:.2f}{least}"
    )
    return GateDecision(
        chosen=standing.name if passed else None, reason=reason, comparisons=(*made, *against)
    )


def compare(
    labels: ArrayLike,
    name: str,
    scores: ArrayLike,
    against: str,
    others: ArrayLike,
    clusters: ArrayLike,
    metric: str,
) -> Comparison:
    """Compare two models on the same rows.

    Raises:
        DataError: no gate can judge by the metric, or only one class was seen.
    """
    truth = np.asarray(labels, dtype=np.float64)
    mine, theirs = np.asarray(scores, dtype=np.float64), np.asarray(others, dtype=np.float64)
    by = judged_by(metric)
    if by == "auc":
        difference, error = auc_difference(truth, mine, theirs, clusters)
    else:
        loss = _ROW_LOSSES[by]
        difference, error = mean_difference(loss(truth, theirs) - loss(truth, mine), clusters)
    return Comparison(name=name, against=against, difference=difference, error=error)


def judged_by(metric: str) -> str:
    """The metric or loss that a gate judges by where the endpoint is watched by ``metric``.

    Only what is a mean over rows, or the AUC, has a paired test by clusters. In place of the others stands a proper
    loss of the same task: the Brier score for what depends on a threshold, squared errors for their root and for R².

    Raises:
        DataError: no gate can judge by it.
    """
    by = _INSTEAD.get(metric, metric)
    if by != "auc" and by not in _ROW_LOSSES:
        known = ", ".join(("auc", *_ROW_LOSSES, *_INSTEAD))
        raise DataError(f"a gate cannot judge by {metric!r}", why=f"known metrics are {known}")
    return by


def mean_difference(values: _Floats, clusters: ArrayLike) -> tuple[float, float]:
    """Mean and cluster-robust standard error of paired differences, each of shape (n,)."""
    groups, count = _numbered(clusters)
    mean = float(values.mean())
    sums = np.bincount(groups, values - mean, count)
    return mean, sqrt(_small_sample(count) * float((sums**2).sum())) / len(values)


def auc_difference(
    labels: _Floats, scores: _Floats, others: _Floats, clusters: ArrayLike
) -> tuple[float, float]:
    """Difference of two AUCs on the same rows, with its cluster-robust standard error.

    DeLong's structural components (1988) of both models are subtracted row by row and summed by cluster, as
    Obuchowski (1997) does for one AUC.

    Raises:
        DataError: only one class was seen.
    """
    positive = labels == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        raise DataError("an AUC needs both classes", where="labels of the gate's window")
    parts = _components(positive, scores) - _components(positive, others)
    groups, count = _numbered(clusters)
    difference = float(parts[positive].mean())
    up = np.bincount(groups[positive], parts[positive] - difference, count) / n1
    down = np.bincount(groups[~positive], parts[~positive] - parts[~positive].mean(), count) / n0
    return difference, sqrt(_small_sample(count) * float(((up + down) ** 2).sum()))


def _components(positive: NDArray[np.bool_], scores: _Floats) -> _Floats:
    ranks = rankdata(scores)
    n1, n0 = int(positive.sum()), int((~positive).sum())
    parts = np.empty(len(scores))
    parts[positive] = (ranks[positive] - rankdata(scores[positive])) / n0
    parts[~positive] = 1.0 - (ranks[~positive] - rankdata(scores[~positive])) / n1
    return parts


def _quantile(days: int, level: float) -> float:
    return float(scipy.special.stdtrit(days - 1, level)) if days >= FEWEST_DAYS else inf


def _numbered(clusters: ArrayLike) -> tuple[NDArray[np.intp], int]:
    known, groups = np.unique(np.asarray(clusters), return_inverse=True)
    return groups, len(known)


def _small_sample(count: int) -> float:
    return count / (count - 1) if count > 1 else inf


def rankdata(values: _Floats) -> _Floats:
    """Midranks from 1, as ``scipy.stats.rankdata`` gives them, without the half second of its import."""
    ordered = np.sort(values)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    ranks: _Floats = (left + right + 1) / 2.0
    return ranks
