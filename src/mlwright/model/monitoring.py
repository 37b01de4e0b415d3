"""What monitoring measures: windows of performance, drift of features, and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
class CalibrationBin:
    """Rows whose scores lie near each other: how many, what they said on average, and what became true."""

    rows: int
    score: float
    label: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far scores can be taken at their word.

    ``bins`` are of equal mass (equal scores share one), by score. ``error`` is the mean over rows of the distance
    between the mean score and the mean label of the row's bin: for yes and no the expected calibration error, for
    numbers the same in units of the label. ``slope`` and ``intercept`` are those of the labels on the scores (for yes
    and no on the logit scale, Cox 1958): 1 and 0 are perfect, a slope below 1 is too sure of itself. None: not known.
    """

    bins: tuple[CalibrationBin, ...]
    error: float
    slope: float | None = None
    intercept: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaturityCurve:
    """How soon the labels of an endpoint arrive, by Kaplan and Meier: predictions without a label yet are censored.

    ``shares[i]`` is the share of all predictions whose label has arrived ``delays[i]`` seconds after the event, with
    its standard error in ``errors[i]`` (Greenwood); ``means[i]`` the mean of the labels that arrive by then. Labels
    that are early are no fair sample: compare the first means with the last. ``spread`` is the standard deviation
    between days of the share that gets a label in the end, beyond the luck of single predictions.
    """

    endpoint: EndpointName
    at: datetime
    window: Window
    predictions: int
    labelled: int
    delays: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    spread: float = 0.0

    @property
    def final(self) -> float:
        """The share of predictions that get a label at all, as far as the curve reaches; 0 where none is known."""
        return self.shares[-1] if self.shares else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """How complete the labels of a window are.

    ``arrived`` is the share of its predictions that have a label. The rest is by the endpoint's curve, and None where
    that is not known: ``due`` the share that should have arrived by now, ``final`` how many labels there will be,
    ``early_mean`` the mean of labels that come as early as these do, ``final_mean`` that of all labels. Where the last
    two differ, what is measured on this window now is biased by about so much.
    """

    arrived: float
    due: float | None = None
    final: Estimate | None = None
    early_mean: float | None = None
    final_mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeWorth:
    """How often one outcome occurred among the labelled answers, and what it came to."""

    name: str
    count: float
    money: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the labelled answers of a window were worth, in money.

    ``total`` is what they brought, its interval what another window of as many clusters would; ``per_prediction`` the
    mean of one answer.
    """

    currency: str
    total: Estimate
    per_prediction: Estimate
    outcomes: tuple[OutcomeWorth, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Realised quality of what an endpoint answered in one window, or in a part of it, on labels that have matured.

    ``predictions`` counts all answers, ``labelled`` those whose label is known; ``matured`` says whether the window
    closed at least one label horizon ago: no rule judges one that did not. ``metrics`` holds those of the task (see
    ``model/metrics.py``); one that is not defined, as the AUC of one class, is not there. ``part`` is empty for the
    whole window, ``column=value`` for a slice, ``variant=name`` for what one variant scored, served or not.

    ``expected`` is what was to be expected before labels came (CBPE, DLE). These are estimates that hold while P(y|x)
    is what it was, for people to compare with ``metrics``: nothing is decided by them.
    """

    endpoint: EndpointName
    window: Window
    predictions: int
    labelled: int
    matured: bool
    task: str = "binary"
    part: str = ""
    positive_rate: float | None = None
    mean_score: float | None = None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    expected: Mapping[str, Estimate] = field(default_factory=dict)
    calibration: Calibration | None = None
    maturity: Maturity | None = None
    worth: Worth | None = None
    versions: tuple[str, ...] = ()

    @property
    def auc(self) -> Estimate | None:
        """Area under the ROC curve; None where only one class was seen."""
        return self.metrics.get("auc")

    @property
    def brier(self) -> Estimate | None:
        """Mean squared difference of score and label."""
        return self.metrics.get("brier")

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error."""
        return self.calibration.error if self.calibration else None


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
    kind: str = "feature"
    """``feature``, or ``prediction`` for what the model answered."""
    reference_n: int = 0
    noise: float = 0.0
    """The PSI that two samples of these sizes have without any change (Yurdakul 2018)."""
    unread_rate: float = 0.0
    """Share of values that are not of the reference's type; they count as missing."""
    hellinger: float | None = None
    l_infinity: float | None = None
    cramers_v: float | None = None
    ks: float | None = None
    ks_error: float | None = None
    wasserstein: float | None = None
    wasserstein_error: float | None = None
    """The distances of numbers lie between the value and the value plus its error. None: levels, or no values."""
    wasserstein_scaled: float | None = None
    """In robust standard deviations of the reference (interquartile range / 1.349)."""
    mean: float | None = None
    reference_mean: float | None = None
    least: float | None = None
    most: float | None = None
    moved: bool = False
    """More than noise, more than the reference itself varies, and enough to matter."""
    reason: str = ""
    """``psi``, ``missing``, ``new levels`` or ``type``; empty where nothing moved."""
    threshold: float | None = None
    """The PSI above which the values have moved. None: not judged, because there are too few rows."""
    score: float | None = None
    """How many times its limit the strongest of the tests is."""
    p: float | None = None
    """Chance of as much under the variation of the reference, of the three tests together."""
    season: str = ""
    """Which season of an earlier period the window was compared with too."""
    seasonal_psi: float | None = None
    weight: float = 1.0
    """How much the feature matters to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Drift of all columns in one window. Context for a decay, never a reason for an alert by itself."""

    endpoint: EndpointName
    window: Window
    reference: Window
    features: tuple[FeatureDrift, ...]
    share_moved: float = 0.0
    """Of the features that were judged."""
    weighted: float = 0.0
    """The same, each feature as much as it matters to the model."""


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
class SuspectedChange:
    """The nearest change before something went wrong: where to look first, and no proof.

    ``subject`` is as the ledger has it (``endpoint:delay``), ``before`` how long before the onset it happened.
    """

    at: datetime
    what: str
    subject: str
    by: str
    before: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that needs a decision, with the evidence for it.

    ``group`` is what it is told together with, ``silenced`` the silence that keeps it from being told, ``escalated_to``
    the channels that an escalation told last, ``flaps`` how often it came back soon after it was over.
    """

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
    owner: str | None = None
    runbook: str = ""
    suspected: SuspectedChange | None = None
    group: str | None = None
    silenced: str | None = None
    escalated_to: tuple[str, ...] = ()
    flaps: int = 0
