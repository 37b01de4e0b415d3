"""What an endpoint answered, and the truth that arrived later."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """Rows to be scored, column by column. All columns have one length.

    ``event_times`` are microseconds since 1970 in UTC: the instant as of which features are looked up.
    """

    id: str
    entity_keys: list[str]
    event_times: list[int]
    inputs: dict[str, list[object]]

    @property
    def rows(self) -> int:
        """How many rows are asked for."""
        return len(self.entity_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictAnswer:
    """One answer a row, in the order of the request."""

    prediction_ids: list[str]
    scores: list[float]
    variants: list[str]
    model_versions: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionBlock:
    """The log's record of one request and one variant: every row scored, and which rows it answered.

    ``served[i]`` is False where the variant only shadowed. ``latency_us`` is the time the model took for the
    whole block, in microseconds.
    """

    endpoint: str
    variant: str
    model_version: str
    generation: int
    logged_at: int
    latency_us: int
    prediction_ids: list[str]
    entity_keys: list[str]
    event_times: list[int]
    served: list[bool]
    scores: list[float]
    features: dict[str, list[object]] = field(default_factory=dict)
    """Empty for every variant but the first of a request: all variants see the same features."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBlock:
    """Ground truth for predictions, as it arrived. ``label`` is a number; a later record for the same key wins.

    A row names its prediction by ``prediction_ids`` or, where that is empty, by ``entity_keys``.
    """

    endpoint: str
    received_at: int
    prediction_ids: list[str]
    entity_keys: list[str]
    labels: list[float]
    observed_at: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceipt:
    """What was acknowledged: the labels are on disk."""

    endpoint: str
    accepted: int
    at: datetime
