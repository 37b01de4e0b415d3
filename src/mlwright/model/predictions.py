"""What an endpoint answered, and the truth that arrived later."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBlock:
    """Ground truth for predictions, as it arrived. ``label`` is a number; a later record for the same key wins.

    A row names its prediction by ``prediction_ids`` or, where that is empty (the list, or the text of this row), by
    ``entity_keys``: all predictions of the entity until ``observed_at``, or with ``event_times`` the one that was asked
    as of that instant (None: the row names none).
    """

    endpoint: str
    received_at: int
    prediction_ids: list[str]
    entity_keys: list[str]
    labels: list[float]
    observed_at: list[int]
    event_times: list[int | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceipt:
    """What was acknowledged: the labels are on disk."""

    endpoint: str
    accepted: int
    at: datetime
    repeated: int | None = None
    """At least so many of them had been sent before, word for word: to this process, and not long ago. None: it was
    not looked at."""
