"""What was measured of a model behind an endpoint: service times, concurrency, memory, and what to make of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST_SAMPLES: Final = 200
"""So many service times are kept a batch size."""


def quantile(ascending: Sequence[float], q: float) -> float:
    """The smallest of some numbers that a share ``q`` of them does not exceed; NaN where there are none."""
    size = len(ascending)
    return ascending[max(0, min(size - 1, math.ceil(q * size) - 1))] if size else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How long batches of one size took, in seconds, ascending: at most 200 of all that were measured."""

    rows: int
    seconds: tuple[float, ...]
    measured: int
    """How many batches that was."""
    cpu_s: float = 0.0
    """Processor seconds a batch, on average."""

    def quantile(self, q: float) -> float:
        """The smallest time that a share ``q`` of the batches did not exceed."""
        return quantile(self.seconds, q)

    @property
    def mean(self) -> float:
        """The mean of what was kept."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Service time ``alpha_s + beta_s * rows``: what a call costs, and a row."""

    alpha_s: float
    beta_s: float

    def seconds(self, rows: int) -> float:
        """Of a batch of so many rows."""
        return self.alpha_s + self.beta_s * rows

    @property
    def most_rows_s(self) -> float:
        """The throughput that ever larger batches come near to, in rows a second; infinite where a row is free."""
        return 1.0 / self.beta_s if self.beta_s > 0 else math.inf

    @property
    def knee(self) -> float:
        """The batch size at which half of that throughput is reached: there a batch's rows cost as much as its call."""
        return self.alpha_s / self.beta_s if self.beta_s > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """What one serving process did with so many connections, each sending its next request when it has its answer."""

    connections: int
    requests: int
    seconds: float
    cpu_s: float | None
    """Processor seconds of the serving process meanwhile."""
    p50_s: float
    p99_s: float
    errors: int = 0
    rss: int | None = None
    """Bytes that the serving process holds at the end of it."""

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalability:
    """The Universal Scalability Law ``X(n) = gamma n / (1 + alpha (n-1) + beta n (n-1))``.

    ``gamma`` is the rate of one connection alone, ``alpha`` the share that cannot run beside other work, ``beta`` the
    cost of keeping n of them consistent. ``error`` is the root mean square of the relative errors of the fit.
    """

    gamma: float
    alpha: float
    beta: float
    error: float

    def rate(self, connections: float) -> float:
        """Requests a second at a concurrency."""
        n = connections
        return self.gamma * n / (1.0 + self.alpha * (n - 1.0) + self.beta * n * (n - 1.0))

    @property
    def peak(self) -> float | None:
        """The concurrency with the highest rate; None where the rate never falls again."""
        if self.beta <= 0:
            return None
        return math.sqrt((1.0 - self.alpha) / self.beta) if self.alpha < 1 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One serving process under load."""

    cold_start_s: float
    """From the start of the process to its first right answer."""
    idle: int | None
    """Bytes that it holds before the load."""
    peak: int | None
    request_bytes: float
    """The mean body of a request of one row, in bytes."""
    answer_bytes: float
    points: tuple[LoadPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the measurements say about an endpoint's settings."""

    mode: str
    """``inline`` or ``thread``."""
    auto: str
    """What the server chooses by itself from its own short measurement."""
    max_rows: int
    rows_s: float
    """Rows a second of one process in batches of ``max_rows``, each answered within the promised time."""
    latency_s: float
    """The promise."""
    meets: bool
    """Whether one row alone keeps it."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that was measured at once."""

    subject: str
    """The endpoint, or the version where no endpoint was named."""
    versions: tuple[str, ...]
    """Those that answered, the champion first."""
    origins: Mapping[str, int]
    """How many of the rows came from where."""
    core: tuple[Samples, ...]
    """Through validation, scoring, split and log, as one-row requests answered together."""
    bare: tuple[Samples, ...]
    """The champion's model alone."""
    line: Line
    load_s: float
    """How long the champion took to load in this process."""
    advice: Advice
    served: Served | None = None
    scalability: Scalability | None = None
    growth: float | None = None
    """Bytes a thousand requests by which the serving process grew under load."""
    assumptions: tuple[str, ...] = ()
