"""The arithmetic of a profile: service time by batch size, throughput by concurrency, and the advice that follows."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy

from mlwright.model.profiles import MOST_SAMPLES, Advice, Line, LoadPoint, Samples, Scalability
from mlwright.stages.serving.batching import INLINE_S, LOOP_S

GOOD: Final = 0.9
"""Larger batches are not worth their wait once this share of the highest throughput is reached."""
_NOTHING: Final = 1e-9
"""What the fit cannot tell from 0."""
_BATCHES_IN_THE_WAY: Final = 2
"""A request that arrives when a batch has just begun waits for that one, and is answered with the next."""


def kept(rows: int, seconds: Sequence[float], cpu_s: float = 0.0) -> Samples:
    """Service times as they are kept: of more than 200, 200 at equal steps of their order, with both ends."""
    ordered = sorted(seconds)
    if len(ordered) > MOST_SAMPLES:
        places = np.linspace(0, len(ordered) - 1, MOST_SAMPLES).round().astype(int)
        ordered = [ordered[at] for at in places]
    return Samples(
        rows=rows,
        seconds=tuple(round(each, 8) for each in ordered),
        measured=len(seconds),
        cpu_s=round(cpu_s, 8),
    )


def fit_line(rows: Sequence[int], seconds: Sequence[float]) -> Line:
    """The line ``alpha + beta * rows`` with the least squares of relative errors, neither below 0.

    Relative, for the time of one row is to be met as well as that of 256.

    Raises:
        ValueError: there are no sizes, or a time is not above 0.
    """
    if not rows or len(rows) != len(seconds) or min(seconds) <= 0:
        raise ValueError(f"a fit needs a time above 0 for each size; got {rows}, {seconds}")
    sizes, times = np.asarray(rows, dtype=float), np.asarray(seconds, dtype=float)
    if len(set(rows)) == 1:
        return Line(alpha_s=float(_harmonic(times, np.ones_like(sizes))), beta_s=0.0)
    found, *_ = np.linalg.lstsq(
        np.column_stack([1.0 / times, sizes / times]), np.ones_like(times), rcond=None
    )
    alpha, beta = map(float, found)
    if beta < 0:
        return Line(alpha_s=float(_harmonic(times, np.ones_like(sizes))), beta_s=0.0)
    if alpha < 0:
        return Line(alpha_s=0.0, beta_s=float(_harmonic(times, sizes)))
    return Line(alpha_s=alpha, beta_s=beta)


def rows_for(line: Line, share: float) -> float:
    """The batch size with a share in (0, 1) of the highest throughput: ``share / (1 - share) * alpha / beta``."""
    return math.inf if line.beta_s <= 0 else share / (1.0 - share) * line.alpha_s / line.beta_s


def fit_scalability(points: Sequence[LoadPoint]) -> Scalability | None:
    """The Universal Scalability Law with the least squares of relative errors; None of fewer than three points.

    See N. Gunther, Guerrilla Capacity Planning (2007), chapter 6. ``n / X(n)`` is linear in the three unknowns
    ``1/gamma``, ``alpha/gamma`` and ``beta/gamma``, none of them below 0: that gives the start of the fit.
    """
    used = [each for each in points if each.rate > 0]
    if len({each.connections for each in used}) < 3:
        return None
    n = np.array([each.connections for each in used], dtype=float)
    rates = np.array([each.rate for each in used])
    terms = np.column_stack([np.ones_like(n), n - 1.0, n * (n - 1.0)])
    start, _ = scipy.optimize.nnls(terms * (rates / n)[:, None], np.ones_like(n))
    gamma = 1.0 / start[0] if start[0] > 0 else float(rates.max())
    first = [gamma, start[1] * gamma, start[2] * gamma]

    def errors(sought: np.ndarray) -> np.ndarray:
        scale, alpha, beta = sought
        said = scale * n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0))
        wrong: np.ndarray = said / rates - 1.0
        return wrong

    done = scipy.optimize.least_squares(
        errors,
        first,
        bounds=([1e-12, 0.0, 0.0], [np.inf] * 3),
        x_scale=[gamma, 1e-2, 1e-3],
        xtol=1e-12,
        ftol=1e-14,
    )
    gamma, alpha, beta = (float(each) if each > _NOTHING else 0.0 for each in done.x)
    error = float(np.sqrt((errors(done.x) ** 2).mean()))
    return Scalability(gamma=gamma, alpha=alpha, beta=beta, error=error)


def growth(points: Sequence[LoadPoint]) -> float | None:
    """Bytes a thousand requests by which a process grows: the slope through the second half of the points."""
    done, seen = 0, []
    for each in points:
        done += each.requests
        if each.rss is not None:
            seen.append((done / 1000.0, float(each.rss)))
    seen = seen[len(seen) // 2 :] if len(seen) > 3 else seen
    if len(seen) < 2:
        return None
    at, held = np.array(seen).T
    spread = float(((at - at.mean()) ** 2).sum())
    return float(((at - at.mean()) * (held - held.mean())).sum() / spread) if spread else None


def advise(
    core: Sequence[Samples], line: Line, *, latency_s: float, auto: str = "", most_rows: int = 0
) -> Advice:
    """Which batching mode and size keep the promise, and how many rows a second that makes.

    A batch size keeps it where two batches take less at their 99th percentile: a request may arrive when a batch has
    just begun. Of those, the smallest counts that reaches 90 % of the highest throughput of all, for larger ones only
    wait longer. The mode is inline where one row takes less than 200 µs and a batch holds the loop for less than 1 ms:
    the rule of the server's own ``auto``, asked of the whole core where the server asks it of the models alone.

    Args:
        core: service times, by batch size.
        line: the line through them.
        latency_s: what is promised at the 99th percentile.
        auto: what the server chooses by itself.
        most_rows: no batch may be larger; 0: as large as was measured.
    """
    sized = [each for each in core if not most_rows or each.rows <= most_rows] or list(core[:1])
    one, tail = sized[0], {each.rows: each.quantile(0.99) for each in sized}
    keeps = [each for each in sized if _BATCHES_IN_THE_WAY * tail[each.rows] <= latency_s]
    rates = {each.rows: each.rows / each.quantile(0.5) for each in sized}
    meets = bool(keeps)
    if keeps:
        best = max(rates[each.rows] for each in keeps)
        rows = next(each.rows for each in keeps if rates[each.rows] >= GOOD * best)
    else:
        rows = one.rows
    alone = line.seconds(1) if one.rows != 1 else one.quantile(0.5)
    typical = {each.rows: each.quantile(0.5) for each in sized}
    inline = alone < INLINE_S and typical[rows] < LOOP_S
    tail_ms = tail[rows] * 1e3
    why = (
        f"{rows} rows take {tail_ms:.3g} ms at the 99th percentile, two such batches {2 * tail_ms:.3g} ms of the "
        f"{latency_s * 1e3:.4g} ms promised"
    )
    return Advice(
        mode="inline" if inline else "thread",
        auto=auto or ("inline" if inline else "thread"),
        max_rows=rows,
        rows_s=rates[rows] if meets else 0.0,
        latency_s=latency_s,
        meets=meets,
        why=why if meets else f"{why}: no batch size that was measured keeps it",
    )


def _harmonic(times: np.ndarray, sizes: np.ndarray) -> float:
    """The factor c of ``c * sizes`` with the least squares of relative errors."""
    part = sizes / times
    return float(part.sum() / (part**2).sum())
