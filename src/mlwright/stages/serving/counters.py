"""What one endpoint counts while it serves: plain numbers that a metrics page can show."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the latency buckets in seconds; one more bucket takes what is slower."""


@dataclass(slots=True)
class Counters:
    """Counts since the process started. ``latency_buckets[i]`` counts requests in bucket i alone."""

    requests: int = 0
    rows: int = 0
    errors: int = 0
    labels: int = 0
    latency_sum_s: float = 0.0
    latency_buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    variant_rows: dict[str, int] = field(default_factory=dict)
    """Rows answered, by variant."""
    variant_errors: dict[str, int] = field(default_factory=dict)
    """Blocks that a variant could not score, by variant."""

    def answered(self, rows: int, seconds: float) -> None:
        """Count one request that got its answer."""
        self.requests += 1
        self.rows += rows
        self.latency_sum_s += seconds
        self.latency_buckets[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1

    def failed(self) -> None:
        """Count one request that got an error."""
        self.requests += 1
        self.errors += 1
