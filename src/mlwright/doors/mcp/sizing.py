"""How many replicas an endpoint needs, and what they cost, from figures that somebody measured.

A queue of c servers with one line (M/M/c): utilisation law ρ = λS/c, chance to wait by Erlang C (Erlang 1917), its tail
P(W > t) = P_wait·e^(−(cμ−λ)t), scaled by (c_a² + c_s²)/2 for other arrivals and services (Allen-Cunneen).
"""

from dataclasses import dataclass
from math import ceil, log
from typing import Final

HOURS_A_MONTH: Final = 730.0
LARGEST: Final = 100_000
"""Servers beyond which no answer is looked for."""

FORMULAS: Final = (
    "offered load a = λ·S, with λ divided by (1 − error rate) for retries",
    "utilisation ρ = a / c (utilisation law)",
    "chance to wait: Erlang C, from Erlang B by B_j = a·B_(j−1) / (j + a·B_(j−1)), P_wait = B_c / (1 − ρ(1 − B_c))",
    "wait at quantile q: V·ln(P_wait / (1 − q)) / (c/S − λ), V = (c_a² + c_s²) / 2 (M/M/c with Allen-Cunneen)",
    "response at quantile q ≤ wait at q + service time at q (an upper bound)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What has to be served: requests a second, seconds a request, squared coefficients of variation, promised time.

    ``service_at_quantile`` is the service time at ``quantile`` in seconds; None: services are exponential.
    """

    rate: float
    service: float
    target: float
    quantile: float = 0.99
    service_at_quantile: float | None = None
    concurrency: int = 1
    arrival_cv2: float = 1.0
    service_cv2: float = 1.0
    error_rate: float = 0.0

    @property
    def effective_rate(self) -> float:
        """Requests a second with those that are tried again."""
        return self.rate / (1 - self.error_rate)

    @property
    def slowest(self) -> float:
        """Service time at the quantile, in seconds."""
        if self.service_at_quantile is not None:
            return self.service_at_quantile
        return self.service * log(1 / (1 - self.quantile))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Replicas that keep the promise, how busy they are, and the bound on the response time in seconds.

    ``replicas`` is None where no number keeps it. ``binding`` is what decides: ``capacity`` (fewer could not keep up at
    all), ``waiting`` or ``service_time``.
    """

    replicas: int | None
    utilisation: float | None
    chance_to_wait: float | None
    wait: float | None
    response: float | None
    binding: str


def erlang_c(servers: int, offered: float) -> float:
    """The chance that a request waits, with ``offered`` erlangs at so many servers; 1.0 where they cannot keep up."""
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return _waits(blocked, servers, offered)


def size(load: Load) -> Size:
    """The smallest number of replicas whose bound on the response time keeps the promise."""
    if load.slowest > load.target:
        return _hopeless("service_time")
    rate, offered = load.effective_rate, load.effective_rate * load.service
    variation = (load.arrival_cv2 + load.service_cv2) / 2
    least = _replicas(int(offered) + 1, load.concurrency)
    blocked = 1.0
    for servers in range(1, LARGEST + 1):
        blocked = offered * blocked / (servers + offered * blocked)
        if servers <= offered or servers % load.concurrency:
            continue
        waits = _waits(blocked, servers, offered)
        wait = (
            variation * max(0.0, log(waits / (1 - load.quantile))) / (servers / load.service - rate)
            if waits
            else 0
        )
        if wait + load.slowest <= load.target:
            replicas = servers // load.concurrency
            return Size(
                replicas=replicas,
                utilisation=offered / servers,
                chance_to_wait=waits,
                wait=wait,
                response=wait + load.slowest,
                binding="capacity" if replicas == least else "waiting",
            )
    return _hopeless("capacity")


def _waits(blocked: float, servers: int, offered: float) -> float:
    return blocked / (1 - offered / servers * (1 - blocked))


def _replicas(servers: int, concurrency: int) -> int:
    return ceil(servers / concurrency)


def _hopeless(binding: str) -> Size:
    return Size(
        replicas=None, utilisation=None, chance_to_wait=None, wait=None, response=None, binding=binding
    )
