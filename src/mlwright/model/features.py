"""Feature views: where values come from, whose they are, and how long they may be used."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Values of one data set, looked up by entity as of an instant.

    A value observed at ``t`` may be used for instants in ``[t, t + ttl]``, both ends included.
    """

    name: str
    dataset: str
    entity: tuple[str, ...]
    timestamp: str
    features: tuple[str, ...]
    ttl: timedelta
    created: str | None = None
