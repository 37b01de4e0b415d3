"""Service level objectives: what is promised, what was kept, and how fast the budget for failing burns.

The words and the rules of when to alert are those of Google's Site Reliability Workbook, chapter 5 ("Alerting on
SLOs", method 6: multiwindow, multi-burn-rate alerts).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import AlertLevel

CLIENT_FAULTS: Final = (
    "AlreadyExists",
    "AlreadyRunning",
    "BadRequest",
    "CheckFailed",
    "Conflict",
    "ContractBroken",
    "ContractInvalid",
    "GateFailed",
    "NotAvailableAtPrediction",
    "NotComparable",
    "NotFound",
    "PipelineInvalid",
    "PortInUse",
    "SettingsError",
    "SignatureMismatch",
    "TooManyRequests",
    "Unsupported",
    "UsageError",
)
"""Codes of errors that whoever asked brought about: such a request says nothing of our availability, good or bad."""

REFUSALS: Final = ("queue", "deadline")
"""Why a request was not scored, where that says that we did not keep up."""

LATENCY_TARGET: Final = 0.99
"""Share of answers within the limit: the limit is one for the 99th percentile."""
FRESHNESS_TARGET: Final = 0.99
"""Share of minutes in which the features were young enough."""
QUALITY_TARGET: Final = 0.9
"""Share of matured days whose quality was not proven to be below the limit."""


class ObjectiveKind(StrEnum):
    """What is promised of."""

    LATENCY = "latency"
    AVAILABILITY = "availability"
    THROUGHPUT = "throughput"
    FRESHNESS = "freshness"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One promise: at least ``target`` of the events in a rolling ``window`` are good.

    ``limit`` is what makes an event good, in ``unit`` (``s``, ``requests/s`` or the metric's name); None where the
    event says so itself.
    """

    endpoint: EndpointName
    kind: ObjectiveKind
    target: float
    window: timedelta
    promise: str
    """In words."""
    limit: float | None = None
    unit: str = ""

    @property
    def allowed(self) -> float:
        """The share of events that may be bad."""
        return round(1.0 - self.target, 12)  # 1 - 0.999 is not 0.001 in binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many of some events were good; both may be fractions where events were spread over time."""

    good: float = 0.0
    total: float = 0.0

    @property
    def bad(self) -> float:
        """How many were not."""
        return max(self.total - self.good, 0.0)

    @property
    def share(self) -> float | None:
        """The good ones' part, or None without events."""
        return min(self.good / self.total, 1.0) if self.total > 0 else None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(good=self.good + other.good, total=self.total + other.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """Alert when the budget burns ``factor`` times as fast as it may, over both the long and the short window.

    The long one makes it sure, the short one ends the alert soon after the trouble has ended. ``share`` is the part of
    the window's budget that a burn at exactly the limit uses up in the long window. ``chance`` bounds how likely so
    many bad events would be in the long one if the promise were just kept: it keeps two failures at night quiet.
    """

    level: AlertLevel
    share: float
    long: timedelta
    short: timedelta
    chance: float

    def factor(self, window: timedelta) -> float:
        """The least burn rate, for an objective over ``window``; 14.4, 6, 3 and 1 for 30 days, and never below 1."""
        return max(self.share * window / self.long, 1.0)

    def reachable(self, objective: Objective) -> bool:
        """Whether the rule can fire at all: with every event bad the budget burns at 1 / allowed."""
        return self.factor(objective.window) * objective.allowed < 1.0


_HOUR: Final = timedelta(hours=1)
BURN_RULES: Final = (
    BurnRule(level=AlertLevel.PAGE, share=0.02, long=_HOUR, short=_HOUR / 12, chance=1e-5),
    BurnRule(level=AlertLevel.PAGE, share=0.05, long=6 * _HOUR, short=_HOUR / 2, chance=1e-5),
    BurnRule(level=AlertLevel.TICKET, share=0.1, long=24 * _HOUR, short=2 * _HOUR, chance=1e-3),
    BurnRule(level=AlertLevel.TICKET, share=0.1, long=72 * _HOUR, short=6 * _HOUR, chance=1e-3),
)
"""The table of the Workbook, chapter 5: 2 % of the budget in 1 h, 5 % in 6 h, 10 % in 1 day and in 3 days."""

SPANS: Final = tuple(sorted({span for rule in BURN_RULES for span in (rule.long, rule.short)}))
"""The windows over which burn rates are looked at, the shortest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast the budget burned over the last ``span``: 1 uses it up in exactly the objective's window.

    ``rate`` is None where nothing happened.
    """

    span: timedelta
    tally: Tally
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveStatus:
    """How an objective stands.

    ``budget_left`` is the part of the budget that is left, below 0 where more was used than there was, and None where
    nothing happened yet. ``exhausted_in`` is the time until none is left if it goes on burning as over the last
    ``over``; None where it would last.
    """

    objective: Objective
    at: datetime
    tally: Tally
    budget_left: float | None
    burns: tuple[Burn, ...] = ()
    exhausted_in: timedelta | None = None
    over: timedelta | None = None
    level: AlertLevel | None = None
    """The gravest rule that holds now."""
    seen_since: datetime | None = None
    """When counting began, where that is after the window's start."""
    words: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept so far; None where nothing happened."""
        return None if self.budget_left is None else self.budget_left >= 0.0


def span_name(span: timedelta) -> str:
    """A span as Prometheus writes it: ``5m``, ``6h``, ``3d``.

    >>> span_name(timedelta(days=1)), span_name(timedelta(hours=6)), span_name(timedelta(minutes=30))
    ('1d', '6h', '30m')
    """
    seconds = int(span.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
