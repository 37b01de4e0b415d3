"""How often one client may ask, and what is said to those who are refused."""

import math
from typing import Final

from mlwright.errors import DeadlinePassed, Overloaded, TooManyRequests
from mlwright.model.settings import LimitSettings

MOST_CLIENTS: Final = 10_000


class ClientLimits:
    """A bucket of tokens for each client: ``burst`` at most, ``rate`` more a second, one a request.

    It keeps one number a client, the instant at which its bucket is full again (the generic cell rate algorithm), and
    forgets the one that has not asked for longest once there are more than ``most``: memory stays bounded whoever asks.
    """

    def __init__(self, rate: float, burst: int = 0, *, most: int = MOST_CLIENTS) -> None:
        self._gap_s = 1.0 / rate if rate > 0 else 0.0
        self._depth_s = self._gap_s * (burst if burst > 0 else max(1, math.ceil(rate)))
        self._most = most
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, client: str, now: float) -> float:
        """Take a token: 0.0 where there was one, else the seconds until there is.

        Args:
            client: its address; the same name is the same client.
            now: seconds of ``time.monotonic``.
        """
        gap_s = self._gap_s
        if not gap_s:
            return 0.0
        known = self._full_at
        full_at = max(
            known.pop(client, now), now
        )  # put back at the end: a dict keeps the order, oldest first
        late_s = full_at + gap_s - now - self._depth_s
        if late_s > 1e-9:
            known[client] = full_at
            return late_s
        known[client] = full_at + gap_s
        if len(known) > self._most:
            del known[next(iter(known))]
        return 0.0


def too_often(endpoint: str, limits: LimitSettings, wait_s: float) -> TooManyRequests:
    """What a client gets that has no token left."""
    return TooManyRequests(
        f"endpoint {endpoint!r} takes {limits.client_rate:g} requests a second of one client",
        retry_after_s=math.ceil(wait_s),
        next_command="send several rows a request, or raise client_rate in mlwright.toml",
    )


def queue_full(endpoint: str, limits: LimitSettings, pending: int, estimate_s: float) -> Overloaded:
    """What is said when too many rows wait.

    Args:
        endpoint: its name.
        limits: in force.
        pending: rows that wait or are being scored.
        estimate_s: how long they will take.
    """
    return Overloaded(
        f"endpoint {endpoint!r} is overloaded: {pending} rows are here and {limits.queue_rows} may be",
        retry_after_s=max(1, math.ceil(estimate_s)),
        next_command="send it again after Retry-After, or raise queue_rows or max_workers in mlwright.toml",
    )


def too_late(endpoint: str, pending: int, estimate_s: float) -> DeadlinePassed:
    """What is said when the deadline has passed, or would have; arguments as of :func:`queue_full`."""
    return DeadlinePassed(
        f"endpoint {endpoint!r} could not answer before the deadline, so nothing was scored",
        why=f"{pending} rows wait, which takes about {estimate_s:.3g} s" if estimate_s else None,
        retry_after_s=max(1, math.ceil(estimate_s)),
        next_command="ask with a later deadline, or send it again",
    )


def closing(endpoint: str) -> Overloaded:
    """What is said once no more is taken."""
    return Overloaded(f"endpoint {endpoint!r} is shutting down", next_command="send it again")
