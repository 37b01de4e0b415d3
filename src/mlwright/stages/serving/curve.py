"""How long a model takes for how many rows: measured at warm-up, used to choose how requests are batched."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Final

MOST_REPEATS: Final = 15
_FEWEST_REPEATS: Final = 3
_WEIGHT: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Seconds by rows, as measured: ``seconds[i]`` for ``rows[i]``, rows ascending."""

    rows: tuple[int, ...]
    seconds: tuple[float, ...]
    elsewhere: bool = False
    """Whether a model computes in another process: whoever asks it waits, and may wait for long if that hangs."""

    def __post_init__(self) -> None:
        if not self.rows or len(self.rows) != len(self.seconds):
            raise ValueError(
                f"a curve needs as many times as sizes, at least one; got {self.rows}, {self.seconds}"
            )
        if list(self.rows) != sorted(set(self.rows)) or self.rows[0] < 1:
            raise ValueError(f"sizes ascend from 1 row; got {self.rows}")
        if not all(math.isfinite(each) and each >= 0 for each in self.seconds):
            raise ValueError(f"times are finite and not negative; got {self.seconds}")

    def t(self, rows: int) -> float:
        """Seconds for so many rows: between two sizes in proportion, beyond the last by the fit, below the first the
        first."""
        sizes, seconds = self.rows, self.seconds
        if rows <= sizes[0]:
            return seconds[0]
        for at in range(1, len(sizes)):
            if rows <= sizes[at]:
                part = (rows - sizes[at - 1]) / (sizes[at] - sizes[at - 1])
                return seconds[at - 1] + part * (seconds[at] - seconds[at - 1])
        return seconds[-1] + (rows - sizes[-1]) * self.fit[1]

    @property
    def fit(self) -> tuple[float, float]:
        """(alpha, beta) of the least-squares line ``alpha + beta * rows``: what a call costs, and a row. Neither is
        negative; of one size alone nothing is known of the row, so all is alpha."""
        count = len(self.rows)
        mean_rows, mean_s = sum(self.rows) / count, sum(self.seconds) / count
        spread = sum((each - mean_rows) ** 2 for each in self.rows)
        if spread == 0:
            return mean_s, 0.0
        together = sum((r - mean_rows) * (s - mean_s) for r, s in zip(self.rows, self.seconds, strict=True))
        beta = max(0.0, together / spread)
        alpha = mean_s - beta * mean_rows
        if alpha < 0:  # through the origin, then
            alpha, beta = (
                0.0,
                sum(r * s for r, s in zip(self.rows, self.seconds, strict=True))
                / sum(r * r for r in self.rows),
            )
        return alpha, beta


class Pace:
    """How many seconds a row takes in a full batch, from the batches as they go by: how long a queue will take.

    What small batches take is put in proportion by the curve's fit, where there is one: a model that needs 100 µs
    whatever the rows does not need 100 µs for each row of a queue.
    """

    def __init__(self) -> None:
        self.row_s = 0.0
        """Seconds a row; 0.0 as long as nothing is known."""
        self._alpha, self._beta, self._full = 0.0, 1.0, 1.0

    def follow(self, curve: Curve | None, max_rows: int) -> None:
        """Start from this curve, with batches of ``max_rows``."""
        self._alpha, self._beta = curve.fit if curve is not None else (0.0, 1.0)
        self._full = (self._alpha + self._beta * max_rows) / max_rows
        if curve is not None:
            self.row_s = curve.t(max_rows) / max_rows

    def saw(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        fitted = self._alpha + self._beta * rows
        if fitted > 0:
            row_s = seconds * self._full / fitted
            self.row_s = self.row_s + _WEIGHT * (row_s - self.row_s) if self.row_s else row_s


def measure(
    infer: Callable[[int], object],
    sizes: Sequence[int] = (1, 8, 64),
    budget_s: float = 0.25,
    *,
    clock: Callable[[], float] = perf_counter,
) -> Curve:
    """Measure a model: the median of a few calls at each size, after one that does not count.

    Args:
        infer: scores so many rows.
        sizes: how many rows, ascending.
        budget_s: no call is started later than this after the first, except the first of all. A model too slow for
            all sizes has a curve of fewer.
        clock: seconds, of any origin.
    """
    started = clock()
    known: dict[int, float] = {}
    for number, size in enumerate(sizes):
        until = started + budget_s * (number + 1) / len(sizes)
        if known and clock() - started + max(known.values()) > budget_s:
            break
        times: list[float] = []
        before = clock()
        infer(size)
        first = clock() - before
        while len(times) < MOST_REPEATS:
            before = clock()
            limit = started + budget_s if len(times) < _FEWEST_REPEATS else until
            if before + (times[-1] if times else first) > limit:
                break
            infer(size)
            times.append(clock() - before)
        known[size] = median(times) if times else first
    return Curve(rows=tuple(known), seconds=tuple(known.values()))
