"""Quality that is to be expected before labels arrive: CBPE for scores, DLE for numbers. Estimates, never gates.

Both take P(y|x) for unchanged and cannot see that it is not: they say what the model would do on these rows if it were
as right as it was. Show them beside the realised value, which arrives later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Final

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Fitted, Learner

Floats = NDArray[np.float64]

ASSUMPTION: Final = (
    "P(y|x) is as in the reference, the scores are calibrated there, and the rows are of its regions"
)
LOSS_ASSUMPTION: Final = (
    "the loss depends on features and prediction as it did in the reference, and the rows are of its regions"
)
_SPLITS: Final = 3
_HELD_OUT: Final = 0.1
_BINS: Final = 10
_SEPARATED: Final = 0.999
_BAND: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """A map from scores to probabilities of 1: linear between ``knots``, constant beyond them.

    No knots: the scores are probabilities already (or calibrating them did not make them better).
    """

    knots: Floats
    values: Floats

    @property
    def needed(self) -> bool:
        """Whether scores are changed at all."""
        return len(self.knots) > 0

    def probabilities(self, scores: ArrayLike) -> Floats:
        """The probability of 1 for each score, shape (n,), in [0, 1]; NaN stays NaN."""
        score = np.asarray(scores, dtype=np.float64)
        found = np.interp(score, self.knots, self.values) if self.needed else score
        clipped: Floats = np.clip(found, 0.0, 1.0)
        return clipped


def calibrator(labels: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> Calibrator:
    """Learn from a reference whether its scores have to be calibrated, and how.

    Isotonic regression (Zadrozny and Elkan 2002), used if it lowers the expected calibration error on held-out tenths
    of three stratified splits together: the rule of NannyML's CBPE. With one class, or a perfect ranking, there is
    nothing to calibrate by.

    Args:
        labels: shape (n,), 0 or 1; rows without a label or a score (NaN) are left out.
        scores: shape (n,).
        seed: of the splits.
    """
    label, score = _known(labels, scores)
    plain = Calibrator(knots=np.empty(0), values=np.empty(0))
    if min(label.sum(), len(label) - label.sum()) < _BINS or _area(score, label) > _SEPARATED:
        return plain
    random = np.random.default_rng(seed)
    raw, fitted, truth = [], [], []
    for _ in range(_SPLITS):
        held = _stratified(label, random)
        trained = _isotonic(score[~held], label[~held])
        raw.append(np.clip(score[held], 0.0, 1.0))
        fitted.append(trained.probabilities(score[held]))
        truth.append(label[held])
    of = np.concatenate(truth)
    before, after = _error(of, np.concatenate(raw)), _error(of, np.concatenate(fitted))
    return _isotonic(score, label) if after < before or _outside(score) else plain


def expected_binary(scores: ArrayLike, calibrator: Calibrator, threshold: float = 0.5) -> Mapping[str, float]:
    """Confidence-based performance estimation (NannyML's CBPE): the metrics of an expected confusion matrix.

    A row that is answered 1 and is 1 with probability p counts p of a true and 1 − p of a false positive.

    Args:
        scores: shape (n,), as served; NaN is left out.
        calibrator: of the reference.
        threshold: scores at or above it are answered 1.

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``specificity``, ``f1``, ``roc_auc``, ``brier`` (of the scores as
        served) and ``positive_rate``; NaN where one is not defined, as precision is without a row answered 1.
    """
    score = np.asarray(scores, dtype=np.float64)
    score = score[np.isfinite(score)]
    chance = calibrator.probabilities(score)
    answered = score >= threshold
    brier = chance * (1.0 - score) ** 2 + (1.0 - chance) * score**2
    return _metrics(chance, answered, _area(score, chance), float(brier.mean()) if len(score) else nan)


def realised_binary(labels: ArrayLike, scores: ArrayLike, threshold: float = 0.5) -> Mapping[str, float]:
    """The same metrics by labels, over the rows that have one: what the estimates are shown beside."""
    label, score = _known(labels, scores)
    brier = float(np.mean((label - score) ** 2)) if len(score) else nan
    return _metrics(label, score >= threshold, _area(score, label), brier)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingError:
    """What a metric of a perfect estimator would still vary by, learned from a reference.

    ``spread`` is the standard deviation of a row's part of the metric, ``share`` how many of the rows have a part:
    the standard error on n rows is spread / √(n × share), as in NannyML's "Estimation of standard error".
    """

    spread: Mapping[str, float]
    share: Mapping[str, float]

    def on(self, rows: int) -> Mapping[str, float]:
        """The standard error of each metric on so many rows; infinite without rows."""
        return {
            name: spread / sqrt(rows * self.share[name]) if rows and self.share[name] else inf
            for name, spread in self.spread.items()
        }


def sampling_error(labels: ArrayLike, scores: ArrayLike, threshold: float = 0.5) -> SamplingError:
    """Learn the sampling errors of the metrics of :func:`expected_binary` from labelled reference rows."""
    label, score = _known(labels, scores)
    answered = score >= threshold
    right = (label > 0.5) == answered
    positive, hit = label > 0.5, (label > 0.5) & answered
    parts: dict[str, tuple[Floats, float]] = {"accuracy": (right.astype(np.float64), 1.0)}
    for name, among in (("precision", answered), ("recall", positive), ("specificity", ~positive)):
        parts[name] = (right[among].astype(np.float64), _share(among))
    among = answered | positive
    wrong = float((among & ~hit).sum())
    weight = among.sum() / (0.5 * wrong + hit.sum()) if among.any() else 0.0
    parts["f1"] = (hit[among] * weight, _share(among))
    parts["brier"] = ((label - score) ** 2, 1.0)
    parts["positive_rate"] = (label, 1.0)
    few, order = (positive, score) if positive.mean() <= 0.5 else (~positive, -score)
    below = np.sort(order[~few])
    if len(below) and few.any():
        ranks = np.searchsorted(below, order[few], "left") + np.searchsorted(below, order[few], "right")
        parts["roc_auc"] = (ranks / (2.0 * len(below)), _share(few))
    else:
        parts["roc_auc"] = (np.empty(0), 0.0)
    return SamplingError(
        spread={name: float(part.std()) if len(part) else 0.0 for name, (part, _) in parts.items()},
        share={name: share for name, (_, share) in parts.items()},
    )


def estimate_binary(
    scores: ArrayLike, calibrator: Calibrator, error: SamplingError, threshold: float = 0.5
) -> Mapping[str, Estimate]:
    """The expected metrics with their sampling band of three standard errors, cut to [0, 1].

    The band is what the luck of the draw does to a window of this size. It says nothing about a broken assumption.
    """
    errors = error.on(int(np.isfinite(np.asarray(scores, dtype=np.float64)).sum()))
    return {
        name: Estimate(
            value=value,
            lower=max(0.0, value - _BAND * errors[name]),
            upper=min(1.0, value + _BAND * errors[name]),
            level=0.9973,
            assumption=ASSUMPTION,
        )
        for name, value in expected_binary(scores, calibrator, threshold).items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LossEstimator:
    """Direct loss estimation (NannyML's DLE): models of the absolute and the squared difference of each row."""

    absolute: Fitted
    squared: Fitted
    spread: Mapping[str, float]
    """Standard deviation of a row's part of each metric in the reference."""

    def rows(self, features: Floats, prediction: ArrayLike) -> Floats:
        """The expected absolute difference of each row, shape (n,), at least 0."""
        return np.maximum(self.absolute.predict(_beside(features, prediction)), 0.0)

    def expected(self, features: Floats, prediction: ArrayLike) -> Mapping[str, float]:
        """``mae``, ``mse`` and ``rmse`` to be expected on these rows; NaN without rows."""
        table = _beside(features, prediction)
        if len(table) == 0:
            return {"mae": nan, "mse": nan, "rmse": nan}
        mse = max(float(self.squared.predict(table).mean()), 0.0)
        return {"mae": float(self.rows(features, prediction).mean()), "mse": mse, "rmse": sqrt(mse)}

    def estimate(self, features: Floats, prediction: ArrayLike) -> Mapping[str, Estimate]:
        """The same with a band of three standard errors of sampling."""
        rows = max(len(np.asarray(prediction)), 1)
        return {
            name: Estimate(
                value=value,
                lower=max(0.0, value - _BAND * self.spread[name] / sqrt(rows)),
                upper=value + _BAND * self.spread[name] / sqrt(rows),
                level=0.9973,
                assumption=LOSS_ASSUMPTION,
            )
            for name, value in self.expected(features, prediction).items()
        }


def loss_estimator(
    learner: Learner,
    features: Floats,
    prediction: ArrayLike,
    label: ArrayLike,
    *,
    categorical: Sequence[int] = (),
    seed: int = 0,
) -> LossEstimator:
    """Learn the loss of each row of a reference from its features and its prediction.

    Args:
        learner: fits the two models.
        features: shape (n, k); NaN is missing.
        prediction: shape (n,).
        label: shape (n,); rows where it or the prediction is not finite are left out.
        categorical: which columns hold codes without an order.
        seed: of the fits.
    """
    table, off = (
        _beside(features, prediction),
        np.abs(np.asarray(label, float) - np.asarray(prediction, float)),
    )
    known = np.isfinite(off)
    table, off = table[known], off[known]
    rms = sqrt(float(np.mean(off**2))) if len(off) else 0.0
    return LossEstimator(
        absolute=learner.regress(table, off, categorical=categorical, seed=seed),
        squared=learner.regress(table, off**2, categorical=categorical, seed=seed),
        spread={
            "mae": float(off.std()) if len(off) else 0.0,
            "mse": float((off**2).std()) if len(off) else 0.0,
            "rmse": float((off**2).std()) / (2.0 * rms) if rms else 0.0,
        },
    )


def _beside(features: Floats, prediction: ArrayLike) -> Floats:
    return np.column_stack([features, np.asarray(prediction, dtype=np.float64)])


def _known(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    label, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    known = np.isfinite(label) & np.isfinite(score)
    return label[known], score[known]


def _share(among: NDArray[np.bool_]) -> float:
    return float(among.mean()) if len(among) else 0.0


def _outside(score: Floats) -> bool:
    """Margins and odds are not probabilities, however well they would do after clipping."""
    return bool(len(score) and (score.min() < 0.0 or score.max() > 1.0))


def _metrics(chance: Floats, answered: NDArray[np.bool_], area: float, brier: float) -> Mapping[str, float]:
    """Metrics of the confusion matrix of answers against probabilities (or labels)."""
    tp, fp = float(chance[answered].sum()), float((1.0 - chance[answered]).sum())
    fn, tn = float(chance[~answered].sum()), float((1.0 - chance[~answered]).sum())
    return {
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "roc_auc": area,
        "brier": brier,
        "positive_rate": _ratio(tp + fn, tp + fp + fn + tn),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else nan


def _area(score: Floats, chance: Floats) -> float:
    """Σ_i Σ_j p_i (1 − p_j) [s_i > s_j, ties one half] / (Σ p Σ (1 − p)); the ROC area where p is 0 or 1."""
    positive, negative = float(chance.sum()), float((1.0 - chance).sum())
    if positive <= 0 or negative <= 0:
        return nan
    place = np.unique(score, return_inverse=True)[1]
    lows = np.bincount(place, 1.0 - chance)
    below = np.cumsum(lows) - lows / 2.0
    return float(chance @ below[place]) / (positive * negative)


def _isotonic(score: Floats, label: Floats) -> Calibrator:
    """The monotone step function of least squares, by pooling adjacent violators; ties are one point."""
    at, place, rows = np.unique(score, return_inverse=True, return_counts=True)
    means = np.bincount(place, label) / rows
    fitted = np.asarray(scipy.optimize.isotonic_regression(means, weights=rows).x)
    # inner points of a constant stretch tell nothing
    kept = np.ones(len(at), dtype=np.bool_)
    kept[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return Calibrator(knots=at[kept], values=fitted[kept])


def _stratified(label: Floats, random: np.random.Generator) -> NDArray[np.bool_]:
    held = np.zeros(len(label), dtype=np.bool_)
    for value in (0.0, 1.0):
        rows = random.permutation(np.flatnonzero(label == value))
        held[rows[: max(1, round(len(rows) * _HELD_OUT))]] = True
    return held


def _error(label: Floats, score: Floats) -> float:
    """Expected calibration error over bins of equal mass."""
    order = np.argsort(score, kind="stable")
    bins = np.arange(len(score)) * _BINS // len(score)
    return float(np.abs(np.bincount(bins, (label - score)[order])).sum() / len(score))
