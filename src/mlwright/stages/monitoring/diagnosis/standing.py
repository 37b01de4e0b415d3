"""How two samples stand to each other: their ranks, their distance, the factor between them."""

import numpy as np

from mlwright.stages.monitoring.comparison import rankdata
from mlwright.stages.monitoring.diagnosis.case import Case, Floats


def factor(before: Floats, now: Floats) -> float | None:
    """The factor between two samples if one factor explains all their quantiles; None where none does."""
    shares = np.linspace(0.1, 0.9, 9)
    first, second = (
        np.quantile(each[np.isfinite(each)], shares) if np.isfinite(each).any() else None
        for each in (before, now)
    )
    if first is None or second is None or (first <= 0).any() or (second <= 0).any():
        return None
    ratios = np.log(second / first)
    return float(np.exp(np.median(ratios))) if float(np.ptp(ratios)) < 0.5 else None


def auc(label: Floats, score: Floats) -> float | None:
    """Area under the ROC curve; None with one class."""
    known = np.isfinite(label) & np.isfinite(score)
    positive = label[known] == 1
    many, few = int(positive.sum()), int((~positive).sum())
    if min(many, few) == 0:
        return None
    return (float(rankdata(score[known])[positive].sum()) - many * (many + 1) / 2) / (many * few)


def calibrated(case: Case) -> Floats:
    """What the current scores meant on the reference: the share of positives in 20 bins, shape (current rows,)."""
    past = case.reference
    known = np.isfinite(past.label) & np.isfinite(past.score)
    edges = np.unique(np.quantile(past.score[known], np.linspace(0, 1, 21)[1:-1]))
    bins = np.searchsorted(edges, past.score[known])
    counts = np.bincount(bins, minlength=len(edges) + 1)
    overall = float((past.label[known] == 1).mean())
    rate = (np.bincount(bins, past.label[known] == 1, len(edges) + 1) + overall) / (counts + 1.0)
    found: Floats = np.where(
        np.isfinite(case.current.score), rate[np.searchsorted(edges, case.current.score)], np.nan
    )
    return found


def distance(ordered: Floats, values: Floats) -> float:
    """Kolmogorov's distance of two samples, the first of them sorted."""
    places = np.sort(values)
    both = np.concatenate([ordered, places])
    left = np.searchsorted(ordered, both, "right") / len(ordered)
    return float(np.abs(left - np.searchsorted(places, both, "right") / len(places)).max())
