"""Whether a candidate is no worse than the champion on the same rows: overall, in its calibration, and in slices.

Rows of one day resemble each other, so every error sums rows by day first; only days have to be independent. Overall
and for calibration "no worse" has to be shown (a test of non-inferiority: the whole interval lies within the
tolerance). No slice has the rows to show that, so slices look for harm, with the chance of any false alarm controlled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.errors import DataError
from mlwright.model.evidence import Outcome
from mlwright.stages.monitoring.comparison import FEWEST_DAYS, compare

BINS = 10
RESAMPLES = 2_000
"""Of the days; the error of a 95% bound that comes from resampling is then below a tenth of its distance."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two models' scores of the same rows, all of shape (n,). ``clusters`` holds the day of each row."""

    labels: ArrayLike
    candidate: ArrayLike
    champion: ArrayLike
    clusters: ArrayLike

    @property
    def days(self) -> int:
        """How many clusters there are."""
        return len(np.unique(np.asarray(self.clusters)))

    def __len__(self) -> int:
        return len(np.asarray(self.labels))

    def part(self, which: NDArray[np.bool_]) -> "Pair":
        """The rows that are marked."""
        return Pair(
            labels=np.asarray(self.labels)[which],
            candidate=np.asarray(self.candidate)[which],
            champion=np.asarray(self.champion)[which],
            clusters=np.asarray(self.clusters)[which],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A measured difference: positive favours the candidate. Each bound alone holds at the level asked for."""

    value: float
    lower: float
    upper: float
    rows: int
    days: int

    def as_evidence(self) -> dict[str, object]:
        """The numbers, for the record."""
        return {
            "difference": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "rows": self.rows,
            "days": self.days,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some of the rows: those whose ``column`` has the ``value``, marked in ``rows``, of shape (n,)."""

    column: str
    value: str
    rows: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """``column=value``."""
        return f"{self.column}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFinding:
    """What was found in one slice. ``p`` is adjusted for the number of slices; None where it was not judged."""

    name: str
    difference: Difference | None
    p: float | None
    worse: bool
    why: str = ""


def metric_difference(pair: Pair, metric: str, level: float) -> Difference:
    """How much better the candidate is: paired, with bounds over days (see ``comparison.py``).

    Each bound is one-sided at ``level``, from Student's t with a degree of freedom less than there are days.

    Raises:
        DataError: the metric is unknown, or an AUC meets one class only.
    """
    found = compare(
        pair.labels, "candidate", pair.candidate, "champion", pair.champion, pair.clusters, metric
    )
    days = pair.days
    reach = float(scipy.special.stdtrit(days - 1, level)) * found.error if days > 1 else np.inf
    return Difference(
        value=found.difference,
        lower=found.difference - reach,
        upper=found.difference + reach,
        rows=len(pair),
        days=days,
    )


def calibration_difference(pair: Pair, level: float, *, bins: int = BINS, seed: int = 0) -> Difference:
    """How much better calibrated the candidate is, in units of the Brier score.

    Measured is the reliability term of Murphy's decomposition (J. Appl. Meteorol. 12, 1973): the mean squared
    distance between the mean score and the share of ones, in bins of equal mass of each model's own scores; 0 is
    perfect. Its estimate is too large by the noise of each bin, more so with few days. Resampling whole days shows by
    how much: value and bounds are those of the basic bootstrap (Davison and Hinkley, Bootstrap Methods, 1997, 5.2),
    which takes that bias off. Bins stay as they are while days are drawn.

    Args:
        pair: the scores; probabilities.
        level: of each one-sided bound.
        bins: how many at most.
        seed: of the resampling, so that the same rows always give the same answer.
    """
    days, number = np.unique(np.asarray(pair.clusters), return_inverse=True)
    labels = np.asarray(pair.labels, dtype=np.float64)
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(days), np.full(len(days), 1 / len(days)), RESAMPLES).astype(np.float64)
    weights = np.vstack([np.ones(len(days)), weights])
    champion, candidate = (
        _reliability(labels, np.asarray(scores, dtype=np.float64), number, weights, bins)
        for scores in (pair.champion, pair.candidate)
    )
    raw, drawn = (champion - candidate)[0], (champion - candidate)[1:]
    middle = float(drawn.mean())
    # Resampled days vary less than new ones would, and few of them have the tails of Student's t.
    few = len(days) / (len(days) - 1) if len(days) > 1 else np.inf
    wider = sqrt(few) * float(
        scipy.special.stdtrit(max(len(days) - 1, 1), level) / scipy.special.ndtri(level)
    )
    low, high = (middle + wider * (each - middle) for each in np.quantile(drawn, [1 - level, level]))
    return Difference(
        value=float(2 * raw - middle),
        lower=float(2 * raw - high),
        upper=float(2 * raw - low),
        rows=len(pair),
        days=len(days),
    )


def slice_findings(
    pair: Pair, slices: Sequence[Slice], *, metric: str, tolerance: float, level: float, min_rows: int
) -> tuple[SliceFinding, ...]:
    """Look for a slice in which the candidate is worse by more than the tolerance.

    Each slice is tested against "it is worse by no more than the tolerance", one-sided, with the paired difference
    clustered by day. The p values are adjusted after Holm (Scand. J. Stat. 6, 1979), which holds for slices that
    overlap: the chance that a candidate is refused which is worse in no slice is at most ``1 - level``.

    Args:
        pair: scores of all rows.
        slices: what to look at; those with fewer than ``min_rows`` rows or five days, or with one class only, are
            not judged.
        metric: ``auc`` or ``brier``.
        tolerance: the loss that still counts as no worse, 0 or more.
        level: such as 0.95.
        min_rows: fewest rows of a slice.
    """
    findings: list[SliceFinding] = []
    for each in slices:
        part = pair.part(each.rows)
        why = _unfit(part, min_rows)
        difference = None
        if not why:
            try:
                difference = metric_difference(part, metric, level)
            except DataError:
                why = "labels of one class only"
        p = None if difference is None else _p_worse(difference, tolerance, level)
        findings.append(SliceFinding(name=each.name, difference=difference, p=p, worse=False, why=why))
    adjusted = iter(holm([each.p for each in findings if each.p is not None]))
    judged = []
    for found in findings:
        p = None if found.p is None else next(adjusted)
        worse = p is not None and p < 1 - level
        judged.append(
            SliceFinding(name=found.name, difference=found.difference, p=p, worse=worse, why=found.why)
        )
    return tuple(judged)


def no_worse(found: Difference, tolerance: float) -> Outcome:
    """Passed where the whole interval is within the tolerance, failed where it is outside, else unknown.

    With fewer than five days the bounds are themselves too uncertain: unknown.
    """
    if found.days < FEWEST_DAYS:
        return Outcome.UNKNOWN
    if found.lower >= -tolerance:
        return Outcome.PASSED
    return Outcome.FAILED if found.upper < -tolerance else Outcome.UNKNOWN


def holm(values: Sequence[float]) -> list[float]:
    """P values adjusted for being several (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(values)
    most = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda each: values[each])):
        most = max(most, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = most
    return adjusted


def _p_worse(found: Difference, tolerance: float, level: float) -> float:
    """One-sided p value against "worse by no more than the tolerance"."""
    error = (found.upper - found.lower) / (2 * float(scipy.special.stdtrit(found.days - 1, level)))
    distance = found.value + tolerance
    if error == 0:
        return 0.0 if distance < 0 else 1.0
    return float(scipy.special.stdtr(found.days - 1, distance / error))


def _unfit(part: Pair, min_rows: int) -> str:
    if len(part) < min_rows:
        return f"{len(part)} rows, fewer than {min_rows}"
    return f"rows of {part.days} days, fewer than {FEWEST_DAYS}" if part.days < FEWEST_DAYS else ""


def _reliability(
    labels: _Floats, scores: _Floats, days: NDArray[np.intp], weights: _Floats, bins: int
) -> _Floats:
    """The reliability term under each row of day weights, of shape (weights,)."""
    rows = len(scores)
    upper = np.ceil(np.arange(1, bins) * rows / bins).astype(np.int64) - 1
    # Equal scores share a bin, so that the order of the rows does not matter.
    edges = np.unique(np.sort(scores)[np.clip(upper, 0, rows - 1)])
    bin_of = np.searchsorted(edges, scores, side="left")
    count, size = weights.shape[1], len(edges) + 1
    cell = days * size + bin_of
    missed = np.bincount(cell, labels - scores, count * size).reshape(count, size)
    there = np.bincount(cell, minlength=count * size).reshape(count, size)
    sums, numbers = weights @ missed, weights @ there
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(numbers > 0, sums**2 / numbers, 0.0)
    total: _Floats = parts.sum(axis=1) / numbers.sum(axis=1)
    return total
