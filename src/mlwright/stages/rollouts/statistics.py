"""Tests that may be looked at after every request and still keep their promised rate of false alarms.

E-values: under the null hypothesis an e-process has expectation at most 1 at every stopping time, so it ever
reaches 1/alpha with probability at most alpha (Ville 1939). Everything is computed in natural logarithms.
Confidence sequences: intervals that cover at all times at once (Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, log, log1p, sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

FIRST_CLUSTERS = 50
"""A confidence sequence says nothing before this many clusters: its guarantee is asymptotic."""

_TAIL_TERMS = 20_000
_LARGEST_LOG = 690.0


def log_harm_e_value(n: int, k: int) -> float:
    """Evidence that the challenger is the worse one of pairs in which exactly one is wrong.

    The null hypothesis is P(challenger is the wrong one) ≤ 1/2; the alternative mixes q uniformly over
    (1/2, 1).

    Args:
        n: discordant pairs.
        k: those of them in which only the challenger is wrong.

    Returns:
        The natural logarithm of ``2^(n+1) · B(k+1, n−k+1) · (1 − I_1/2(k+1, n−k+1))``.
    """
    return log_share_e_value(k, n, 0.5)


def log_share_e_value(bad_challenger: int, bad_total: int, share: float) -> float:
    """Evidence that more of the bad events come from the challenger than its share of the calls explains.

    Conditional on a bad event (error, slow answer), the null hypothesis says that it is the challenger's with
    probability at most ``share``; the alternative mixes that probability uniformly over (share, 1). Only
    events count, so the test works at any traffic.

    Args:
        bad_challenger: bad events of the challenger.
        bad_total: bad events of both variants.
        share: the challenger's share of all calls, in (0, 1).

    Returns:
        The natural logarithm of the e-value; finite for every input.

    Raises:
        ValueError: the counts or the share are impossible.
    """
    _require_counts(bad_challenger, bad_total, share)
    k, n = bad_challenger, bad_total
    tail = _log_beta_upper_tail(k, n, share)
    return float(
        scipy.special.betaln(k + 1, n - k + 1)
        + tail
        - log1p(-share)
        - k * log(share)
        - (n - k) * log1p(-share)
    )


def _log_beta_upper_tail(k: int, n: int, share: float) -> float:
    """log P(Q > share) for Q ~ Beta(k+1, n−k+1); betaincc underflows where k is far below n·share."""
    tail = float(scipy.special.betaincc(k + 1, n - k + 1, share))
    if tail > 1e-280:
        return log(tail)
    # The same number as P(Bin(n+1, share) ≤ k); far in the tail its last terms are nearly all of it.
    j = np.arange(max(0, k - _TAIL_TERMS), k + 1)
    terms = (
        scipy.special.gammaln(n + 2)
        - scipy.special.gammaln(j + 1)
        - scipy.special.gammaln(n + 2 - j)
        + j * log(share)
        + (n + 1 - j) * log1p(-share)
    )
    return float(scipy.special.logsumexp(terms))


def share_bounds(bad_challenger: int, bad_total: int, alpha: float) -> tuple[float, float]:
    """Bound the probability that a bad event is the challenger's, at all times at once.

    The set of q at which the beta-binomial martingale ``B(k+1, n−k+1) / (q^k (1−q)^(n−k))`` stays below
    1/alpha (Robbins 1970): exact for independent events, not only asymptotic.

    Returns:
        The lower and upper bound in [0, 1].
    """
    _require_counts(bad_challenger, bad_total, 0.5)
    k, n = bad_challenger, bad_total
    if n == 0:
        return 0.0, 1.0
    constant = float(scipy.special.betaln(k + 1, n - k + 1)) + log(alpha)

    def excess(q: float) -> float:
        return constant - k * log(q) - (n - k) * log1p(-q)

    middle, tiny = min(max(k / n, 1e-12), 1 - 1e-12), 1e-15
    lower = float(scipy.optimize.brentq(excess, tiny, middle)) if k > 0 and excess(tiny) > 0 else 0.0
    upper = float(scipy.optimize.brentq(excess, middle, 1 - tiny)) if k < n and excess(1 - tiny) > 0 else 1.0
    return lower, upper


def _require_counts(k: int, n: int, share: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} bad events of the challenger out of {n} cannot be")
    if not 0 < share < 1:
        raise ValueError(f"the share {share} must lie between 0 and 1")


def srm_log_e_value(counts: Sequence[int], expected: Sequence[float], kappa: float = 100.0) -> float:
    """Evidence that assignment does not follow the intended shares (sample-ratio mismatch).

    Anytime multinomial test with a Dirichlet(kappa · expected) mixture (Lindon and Malek, NeurIPS 2022,
    arXiv 2011.03567): ``B(α0 + S) / B(α0) / Π θ_i^S_i``.

    Args:
        counts: assigned units of each variant.
        expected: their intended shares, each above 0, of sum 1.
        kappa: how closely the alternatives are expected to lie around the intended shares.

    Returns:
        The natural logarithm of the e-value.

    Raises:
        ValueError: the shares do not add up to 1, or one of them is not positive.
    """
    seen = np.asarray(counts, dtype=np.float64)
    theta = np.asarray(expected, dtype=np.float64)
    if seen.shape != theta.shape or np.any(theta <= 0) or abs(float(theta.sum()) - 1) > 1e-9:
        raise ValueError(f"counts {list(counts)} do not go with intended shares {list(expected)}")
    prior = kappa * theta
    posterior = prior + seen
    ratio = (
        scipy.special.gammaln(posterior).sum()
        - scipy.special.gammaln(posterior.sum())
        - scipy.special.gammaln(prior).sum()
        + scipy.special.gammaln(prior.sum())
    )
    return float(ratio - np.dot(seen, np.log(theta)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequence:
    """A mean paired difference with bounds that hold at all times at once.

    ``scale`` is the standard deviation of one cluster's share of the mean, ``mixing`` the ρ of the mixture.
    Before ``FIRST_CLUSTERS`` clusters the bounds are those of the range, −1 and 1, and ``log_e_value`` is 0.
    """

    estimate: float
    lower: float
    upper: float
    log_e_value: float
    """Evidence for a mean above 0; it reaches log(1/alpha) exactly when ``lower`` passes 0."""
    clusters: int
    rows: int
    alpha: float
    scale: float
    mixing: float
    assumption: str

    @property
    def started(self) -> bool:
        """Whether there are enough clusters for the bounds to mean something."""
        return self.clusters >= FIRST_CLUSTERS


def mixing_of(alpha: float, planned: int) -> float:
    """The ρ of the Robbins mixture that makes the bounds tightest at the planned number of clusters."""
    return sqrt((-2 * log(alpha) + log(-2 * log(alpha) + 1)) / planned)


def half_width(clusters: float, *, alpha: float, mixing: float) -> float:
    """The half width of the two-sided asymptotic confidence sequence, in units of ``scale``."""
    spread = clusters * mixing**2 + 1
    return sqrt(2 * spread / (clusters * mixing) ** 2 * log(sqrt(spread) / alpha))


def confidence_sequence(
    differences: NDArray[np.float64], clusters: NDArray[np.int64], *, alpha: float, planned: int
) -> ConfidenceSequence:
    """Bound the mean of paired differences whose rows are dependent within clusters.

    Clusters, not rows, are the units: the mean is the ratio ΣS_k / Σn_k of cluster sums and sizes,
    linearised to the residuals ``e_k = (S_k − μ n_k) / mean(n)``.

    What is bounded is the running mean of what each hour was expected to bring given the hours before it
    (Waudby-Smith et al. 2021, for martingale differences with means that vary in time): how the challenger
    did on the traffic so far. Nothing is assumed about how hours hang together, and nothing is said about
    weather that has not been seen. A bound for one fixed mean of all weather would have to treat days or
    weeks as the units, and takes months to be of use.

    Args:
        differences: challenger − champion of each row, in [−1, 1], shape (rows,).
        clusters: an integer of each row whose order is the order in time (the hour since 1970), shape
            (rows,).
        alpha: chance that the sequence ever misses the running mean.
        planned: the number of clusters at which the bounds shall be tightest; chosen before the start.
    """
    mixing = mixing_of(alpha, planned)
    rows = int(differences.size)
    _, member, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    count = int(sizes.size)
    estimate = float(differences.mean()) if rows else 0.0
    lower, upper, log_e, scale = -1.0, 1.0, 0.0, inf
    if count >= 2:
        sums = np.bincount(member, weights=differences, minlength=count)
        scale = float(np.std((sums - estimate * sizes) / sizes.mean(), ddof=1))
    if count >= FIRST_CLUSTERS:
        width = scale * half_width(count, alpha=alpha, mixing=mixing)
        lower, upper = max(-1.0, estimate - width), min(1.0, estimate + width)
        log_e = _log_mean_e_value(estimate, scale, count, mixing)
    return ConfidenceSequence(
        estimate=estimate,
        lower=lower,
        upper=upper,
        log_e_value=log_e,
        clusters=count,
        rows=rows,
        alpha=alpha,
        scale=scale,
        mixing=mixing,
        assumption=(
            f"asymptotic confidence sequence at {1 - alpha:.2%} over {count} hours as clusters, for the traffic"
            " so far: rows of an hour may depend on each other; both variants scored the same rows"
        ),
    )


def _log_mean_e_value(estimate: float, scale: float, count: int, mixing: float) -> float:
    """The Gaussian mixture that the bounds invert; 0 evidence (−inf) for a mean that is not above 0."""
    if estimate <= 0:
        return -inf
    if scale == 0:
        return inf
    total, spread = estimate * count / scale, count * mixing**2 + 1
    return (mixing * total) ** 2 / (2 * spread) - 0.5 * log(spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How much more is needed, in all likelihood, until the upper bound passes the margin."""

    clusters: int
    rows: int


def rows_to_decision(sequence: ConfidenceSequence, margin: float) -> Outlook | None:
    """Plan ahead: what is missing until ``upper < margin`` if the estimate and the scale stay as they are.

    Returns:
        The further clusters and rows (0 where it is so already), or None where the estimate itself is not
        below the margin or nothing can be said yet.
    """
    if sequence.clusters < 2 or sequence.estimate >= margin:
        return None
    room = margin - sequence.estimate

    def enough(clusters: int) -> bool:
        return sequence.scale * half_width(clusters, alpha=sequence.alpha, mixing=sequence.mixing) < room

    low, high = max(sequence.clusters, FIRST_CLUSTERS), max(sequence.clusters, FIRST_CLUSTERS)
    while not enough(high):
        low, high = high, high * 2
        if high > 10**12:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    missing = high - sequence.clusters
    return Outlook(clusters=missing, rows=ceil(missing * sequence.rows / sequence.clusters))


def e_value(log_e: float) -> float:
    """Leave the logarithm, capped so that the number stays finite in a database."""
    return exp(min(log_e, _LARGEST_LOG))
