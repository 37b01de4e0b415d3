"""Whether a movement of a column is news.

Three things must come together, because each alone cries wolf: it is more than noise *and* more than the reference
itself varies from window to window (self-calibrated), it is still so after all features and windows were looked at
(false-discovery control), and it is large enough to matter (effect size). Three tests a column: the values that are
there (PSI), missing values, and levels never seen. With 200,000 rows everything is significant, so nothing here turns
on a p-value of rows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import asin, isfinite, sqrt

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import DriftReport, FeatureDrift
from mlwright.model.windows import Window
from mlwright.stages.monitoring.distances import psi, psi_noise, psi_rows
from mlwright.stages.monitoring.drift import Groups, compare, groups_of
from mlwright.stages.monitoring.sketches import Floats, Sketch

TESTS = 3
SEVERAL = 5
"""Windows of the reference below which nothing is known of how it varies."""
TAIL = 0.00135
"""Chance beyond three standard deviations of a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What counts as enough. The larger limits hold where the reference could not be calibrated.

    ``psi`` 0.1 is the customary "moderate change", a shift of a normal by 0.31 deviations; 0.02 is a shift by 0.14.
    """

    rows: int = 500
    psi: float = 0.1
    calibrated_psi: float = 0.02
    missing: float = 0.02
    new_levels: float = 0.01
    crowded_levels: float = 0.1
    """The same where the reference has more levels than a sketch names, so that unnamed ones need not be new."""
    discovery_rate: float = 0.05
    """Share of the announced movements that may be none (Benjamini and Hochberg 1995)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Varying:
    """How a statistic varies over windows of the reference, on the scale on which it is about normal."""

    centre: float
    deviation: float
    windows: int

    def chance(self, value: float) -> float:
        """Chance of a new window at or above the value (the prediction interval of Student's t)."""
        return float(scipy.special.stdtr(self.windows - 1, -(value - self.centre) / self._spread()))

    def limit(self, tail: float = TAIL) -> float:
        """The value that a new window exceeds with this chance."""
        return self.centre + float(scipy.special.stdtrit(self.windows - 1, 1 - tail)) * self._spread()

    def _spread(self) -> float:
        return max(self.deviation, 1e-9) * sqrt(1 + 1 / self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scattering:
    """How a PSI varies over windows of the reference: about a multiple of chi-square of ``freedom`` degrees.

    The degrees run from 1, where windows differ by one shift, to those of noise. They are chosen by the windows'
    mean and variance (Satterthwaite 1946), and towards 1 where windows are few.
    """

    mean: float
    freedom: float
    windows: int

    def chance(self, value: float) -> float:
        """Chance of a new window at or above the value (Fisher's F: a new window over the mean of those before)."""
        return float(scipy.special.fdtrc(self.freedom, self._known(), max(value, 0.0) / self.mean))

    def limit(self, tail: float = TAIL) -> float:
        """The value that a new window exceeds with this chance."""
        return self.mean * float(scipy.special.fdtri(self.freedom, self._known(), 1 - tail))

    def _known(self) -> float:
        # The windows' own mean is what they are measured from: one of them is spent on it.
        return self.freedom * (self.windows - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """How one column of the reference varies from window to window. ``effective`` is the size of those windows."""

    psi: Scattering
    missing: Varying
    unseen: Varying
    effective: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One column in one window, compared with all there is to compare it with. ``groups`` are the reference's."""

    drift: FeatureDrift
    reference: Sketch
    groups: Groups
    current: Sketch
    baseline: Baseline | None = None
    seasonal: Sketch | None = None
    """The same season an earlier period, counted into the same bins."""
    season: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    p: float
    score: float
    reason: str
    threshold: float


def calibrate(
    reference: Mapping[str, Sketch], windows: Sequence[Mapping[str, Sketch]], *, inside: bool = True
) -> dict[str, Baseline]:
    """Learn from windows without a known change how each column varies.

    Args:
        reference: what windows are compared with.
        windows: as long as those that will be judged, counted into the reference's bins.
        inside: whether the windows are parts of the reference; each is then compared with the rest of it.

    Returns:
        A baseline for every column of which at least five windows have rows.
    """
    found: dict[str, Baseline] = {}
    for name, known in reference.items():
        parts = [each[name] for each in windows if name in each and each[name].n > 0]
        if len(parts) >= SEVERAL and known.n > 0:
            found[name] = _baseline(known, parts, inside)
    return found


def measure(
    name: str,
    reference: Sketch,
    current: Sketch,
    *,
    baseline: Baseline | None = None,
    seasonal: Sketch | None = None,
    season: str = "",
    kind: str = "feature",
    weight: float = 1.0,
) -> Measured:
    """Compare one column of one window; :func:`judge` says of many at once which have moved."""
    groups = groups_of(reference)
    return Measured(
        drift=replace(compare(name, reference, current, groups), kind=kind, weight=weight),
        reference=reference,
        groups=groups,
        current=current,
        baseline=baseline,
        seasonal=seasonal,
        season=season if seasonal is not None else "",
    )


def judge(measured: Sequence[Measured], rules: Rules | None = None) -> tuple[FeatureDrift, ...]:
    """Say which columns have moved; the false-discovery rate is controlled over all that are judged together.

    A column with fewer than ``rules.rows`` rows on either side is not judged. Where the same season of an earlier
    period is known, a column has moved only if it differs from that too: winter is not news.
    """
    limits = rules or Rules()
    verdicts = [_verdict(each, limits) for each in measured]
    judged = [verdict.p for verdict in verdicts if verdict is not None]
    proven = iter(discoveries(judged, limits.discovery_rate).tolist())
    told = []
    for each, verdict in zip(measured, verdicts, strict=True):
        if verdict is None:
            told.append(replace(each.drift, season=each.season))
            continue
        moved = bool(next(proven)) and verdict.score >= 1
        told.append(
            replace(
                each.drift,
                moved=moved,
                reason=verdict.reason if moved else "",
                threshold=verdict.threshold,
                score=verdict.score if isfinite(verdict.score) else None,
                p=verdict.p,
                season=each.season,
                seasonal_psi=_seasonal_psi(each),
            )
        )
    return tuple(told)


def report_of(
    endpoint: EndpointName, window: Window, reference: Window, features: Sequence[FeatureDrift]
) -> DriftReport:
    """The report of one window, with how much of it has moved; predictions do not count as features."""
    judged = [each for each in features if each.kind == "feature" and each.threshold is not None]
    moved = [each for each in judged if each.moved]
    weights = sum(each.weight for each in judged)
    return DriftReport(
        endpoint=endpoint,
        window=window,
        reference=reference,
        features=tuple(features),
        share_moved=len(moved) / len(judged) if judged else 0.0,
        weighted=sum(each.weight for each in moved) / weights if weights > 0 else 0.0,
    )


def discoveries(p: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Which of many hypotheses to reject so that at most this share of the rejected ones is true on average.

    Benjamini and Hochberg (1995); holds for independent and positively dependent tests.

    Args:
        p: shape (n,), in [0, 1].
        rate: the share.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    passed = np.flatnonzero(values[order] <= rate * np.arange(1, len(values) + 1) / max(len(values), 1))
    found = np.zeros(len(values), dtype=np.bool_)
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found


def _verdict(each: Measured, rules: Rules) -> _Verdict | None:
    """The strongest of the three tests, against the season too where it is known; None where rows are too few."""
    if min(each.reference.rows, each.current.rows) < rules.rows:
        return None
    found = _against(each, each.reference, each.groups, rules)
    if each.seasonal is None or each.seasonal.rows < rules.rows:
        return found
    # The weaker of the two: both have to be passed. The reference's windows say how one season varies within.
    season = _against(each, each.seasonal, groups_of(each.seasonal), rules)
    weaker = season if season.score < found.score else found
    return replace(weaker, p=max(found.p, season.p))


def _against(each: Measured, reference: Sketch, groups: Groups, rules: Rules) -> _Verdict:
    tests = [
        (*_values_test(reference, groups, each.current, each.baseline, rules), "psi"),
        (*_missing_test(reference, each.current, each.baseline, rules), "missing"),
        (*_unseen_test(reference, each.current, each.baseline, rules), "new levels"),
    ]
    threshold = tests[0][2]
    # Of values that came with missing ones or new levels, these are the reason and the values what is left.
    passed = [test for test in tests if test[1] >= 1]
    named = [test for test in passed if test[3] != "psi"] or passed or tests
    _, _, _, reason = max(named, key=lambda test: test[1])
    if reason == "missing" and each.current.unread >= 0.5 * each.current.nulls > 0:
        reason = "type"
    eligible = [test[0] for test in passed] or [test[0] for test in tests]
    return _Verdict(
        p=min(1.0, TESTS * min(eligible)),
        score=max(test[1] for test in tests),
        reason=reason,
        threshold=threshold,
    )


def _values_test(
    reference: Sketch, groups: Groups, current: Sketch, baseline: Baseline | None, rules: Rules
) -> tuple[float, float, float]:
    """Chance, score and threshold of the PSI of the values that are there and named."""
    expected, actual = _known(groups, reference), _known(groups, current)
    before, now = _values(reference), _values(current)
    found, used = psi(expected, actual), int(((expected + actual) > 0).sum())
    if min(before, now) < rules.rows or used < 2:
        return 1.0, 0.0, rules.psi
    mean, deviation = psi_noise(used, before, now)
    # Chi-square with used - 1 degrees of freedom.
    noise = float(scipy.special.gammaincc((used - 1) / 2, found / (1 / before + 1 / now) / 2))
    if baseline is None:
        threshold = max(rules.psi, mean + 3 * deviation)
        return noise, found / threshold, threshold
    # A smaller window than those of the baseline has more noise than they had.
    extra = max(mean - psi_noise(used, before, baseline.effective)[0], 0.0)
    chance = baseline.psi.chance(found - extra)
    limit = baseline.psi.limit() + extra
    threshold = max(rules.calibrated_psi, limit, mean + 3 * deviation)
    return max(chance, noise), found / threshold, threshold


def _missing_test(
    reference: Sketch, current: Sketch, baseline: Baseline | None, rules: Rules
) -> tuple[float, float, float]:
    """Chance, score and limit of the change of the share of missing values, in either direction."""
    before, now = reference.nulls / reference.n, current.nulls / current.n
    noise = sqrt(1 / reference.effective + 1 / current.effective) / 2
    moved = abs(_angle(now) - _angle(before))
    if baseline is None:
        chance, limit = 2 * float(scipy.special.ndtr(-moved / noise)), 3 * noise
    else:
        varying = baseline.missing
        moved = abs(_angle(now) - varying.centre)
        varying = replace(varying, centre=0.0, deviation=max(varying.deviation, noise))
        chance, limit = 2 * varying.chance(moved), varying.limit()
    score = min(moved / limit, abs(now - before) / rules.missing)
    return min(chance, 1.0), score, limit


def _unseen_test(
    reference: Sketch, current: Sketch, baseline: Baseline | None, rules: Rules
) -> tuple[float, float, float]:
    """Chance, score and limit of the excess of levels that the reference does not name."""
    before, now = max(reference.unseen, _singles(reference)) / reference.n, current.unseen / current.n
    least = rules.crowded_levels if reference.unseen else rules.new_levels
    noise = sqrt(1 / reference.effective + 1 / current.effective) / 2
    if baseline is None:
        moved = _angle(now) - _angle(before)
        chance, limit = float(scipy.special.ndtr(-moved / noise)), 3 * noise
    else:
        varying = baseline.unseen
        moved = _angle(now) - varying.centre
        varying = replace(varying, centre=0.0, deviation=max(varying.deviation, noise))
        chance, limit = varying.chance(moved), varying.limit()
    score = max(min(moved / limit, (now - before) / least), 0.0)
    return chance, score, limit


def _baseline(reference: Sketch, parts: Sequence[Sketch], inside: bool) -> Baseline:
    groups = groups_of(reference)
    counts = np.array([each.counts for each in parts])
    rest = reference.counts - counts if inside else np.broadcast_to(reference.counts, counts.shape)
    expected = groups.sums(np.maximum(rest, 0.0))[:, : groups.known]
    actual = groups.sums(counts)[:, : groups.known]
    sizes = np.array([each.effective for each in parts])
    middle = float(np.median(sizes))
    used = int((groups.sums(reference.counts)[: groups.known] > 0).sum())
    floor = psi_noise(used, reference.effective, middle)[0]
    whole = np.maximum(counts.sum(axis=1), 1e-12)
    return Baseline(
        psi=_scattering(psi_rows(expected, actual), floor, max(used - 1, 1)),
        missing=_varying(np.array([_angle(each) for each in counts[:, -1] / whole])),
        unseen=_varying(np.array([_angle(each) for each in counts[:, -2] / whole])),
        effective=middle,
    )


def _varying(values: Floats) -> Varying:
    kept = _usual(values)
    return Varying(centre=float(kept.mean()), deviation=float(kept.std(ddof=1)), windows=len(kept))


def _scattering(values: Floats, floor: float, most: int) -> Scattering:
    """Fit a multiple of chi-square; ``floor`` is the mean that noise alone has, ``most`` its degrees of freedom."""
    kept = _usual(np.cbrt(values)) ** 3  # on the scale of Wilson and Hilferty chi-squares are about normal
    mean, variance, windows = float(kept.mean()), float(kept.var(ddof=1)), len(kept)
    freedom = 2 * mean**2 / variance if variance > 0 else float(most)
    # The lower end of what the windows allow: 14 / n is the squared relative error of a variance of chi-squares of one
    # degree. Fewer degrees have the heavier tail, so to err towards one is to raise fewer false alarms.
    freedom = max(freedom / (1 + 2 * sqrt(14 / windows)), 1.0)
    return Scattering(mean=max(mean, floor, 1e-12), freedom=min(freedom, float(most)), windows=windows)


def _usual(values: Floats) -> Floats:
    """Without the windows that themselves stand apart (an incident in the reference), where there are enough."""
    if len(values) < 2 * SEVERAL:
        return values
    apart = np.abs(values - np.median(values))
    usual = 1.4826 * float(np.median(apart))
    kept = values[apart <= 6 * usual] if usual > 0 else values
    return kept if len(kept) >= SEVERAL else values


def _angle(share: float) -> float:
    """The share on the scale on which its binomial noise is 1 / (2 sqrt n) everywhere (Anscombe 1948)."""
    return asin(sqrt(min(max(share, 0.0), 1.0)))


def _singles(one: Sketch) -> float:
    """Rows with a level that was seen once: about as many rows of a new window have one never seen (Good 1953)."""
    named = one.counts[one.bins.ordered : -2]
    return float((named == 1).sum()) if one.rows == one.n else 0.0


def _known(groups: Groups, one: Sketch) -> Floats:
    return groups.sums(one.counts)[: groups.known]


def _values(one: Sketch) -> float:
    """Effective number of the rows with a value that the bins name."""
    return one.effective * (1 - (one.nulls + one.unseen) / one.n) if one.n else 0.0


def _seasonal_psi(each: Measured) -> float | None:
    groups, season = each.groups, each.seasonal
    return psi(groups.sums(season.counts), groups.sums(each.current.counts)) if season else None
