"""What monitoring measures: windows of performance, drift of features, and alerts."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A measured value with the bounds of its confidence interval and what the interval assumes."""

    value: float
    lower: float
    upper: float
    level: float = 0.95
    assumption: str = "days are independent; rows within a day need not be"


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Realised quality of what an endpoint answered in one window, on labels that have matured.

    ``predictions`` counts all answers, ``labelled`` those whose label is known; ``matured`` says whether the window
    closed at least one label horizon ago. ``auc`` is None where only one class was seen.
    """

    endpoint: EndpointName
    window: Window
    predictions: int
    labelled: int
    matured: bool
    positive_rate: float | None
    mean_score: float | None
    auc: Estimate | None
    brier: Estimate | None
    calibration_error: float | None
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far one column has moved from its reference in one window.

    ``psi`` is over the reference's quantile bins plus a null bin and an unseen bin, ``js`` the Jensen–Shannon distance
    (base 2, in [0, 1]) over the same bins, ``null_rate`` the share of missing values.
    """

    column: str
    n: int
    psi: float
    js: float
    null_rate: float
    reference_null_rate: float
    unseen_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Drift of all columns in one window. Context for a decay, never a reason for an alert by itself."""

    endpoint: EndpointName
    window: Window
    reference: Window
    features: tuple[FeatureDrift, ...]


class AlertState(StrEnum):
    """The life of an alert."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertLevel(StrEnum):
    """Who has to act, and when."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that needs a decision, with the evidence for it."""

    id: AlertId
    rule: str
    endpoint: EndpointName
    level: AlertLevel
    state: AlertState
    fired: datetime
    summary: str
    evidence: dict[str, object] = field(default_factory=dict)
    next_command: str = ""
    resolved: datetime | None = None
    acknowledged_by: str | None = None
