"""What is watched of an endpoint, who is told, and what a decay sets going: parts of a project's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SloSettings:
    """What an endpoint promises to those who call it, over a rolling ``window``; None: nothing is promised.

    ``latency_p99`` is the time within which 99 of 100 requests are answered, ``availability`` the share of requests
    that are answered, ``throughput`` the requests a second that it keeps up, ``freshness`` the greatest age of the
    features that it answers with, ``quality`` the least (for losses: the greatest) value of the monitored metric.
    """

    latency_p99: timedelta = timedelta(milliseconds=250)
    availability: float = 0.999
    throughput: float | None = None
    freshness: timedelta | None = None
    quality: float | None = None
    window: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """What is measured of an endpoint, and when realised quality counts as decayed.

    An alert fires when the whole confidence interval of ``metric`` over ``window`` lies more than ``tolerance``
    below the evidence that the champion was released with.
    """

    metric: str = "auc"
    window: timedelta = timedelta(days=14)
    tolerance: float = 0.02
    level: float = 0.90
    task: str = "binary"
    """``binary``, ``classes``, ``regression`` or ``ranking``."""
    threshold: float = 0.5
    """From which score on a binary answer counts as yes."""
    slices: tuple[str, ...] = ()
    """Features by which quality is looked at apart."""
    cluster: str | None = None
    """Column whose rows are not independent, which intervals resample by; None: days (see the interval's text)."""
    group: str | None = None
    """Column that names the query or user within which a ranking orders its answers."""
    skew_rows: int = 2000
    """Served rows that are recomputed offline at each look; 0: none."""
    skew_limit: float = 0.01
    """Share of served rows that may differ from what is recomputed before a ticket is opened."""
    joint_every: timedelta | None = timedelta(days=7)
    """Over which stretches of time all features are compared together with the reference; None: never. It takes about
    a second each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """What starts a retraining, on which windows of history, and what its winner must show.

    ``gate_level`` is the confidence with which a candidate must beat the champion on held-out rows to be worth a
    rollout, ``gate_gain`` by how much at least. The rollout then tests for harm, so the gate may be lenient.
    """

    pipeline: str
    on: tuple[str, ...] = ("performance", "schedule:monthly")
    """``performance``, ``drift``, ``data`` (``new_rows`` labelled rows since the last one), ``schedule:…``."""
    windows: tuple[str, ...] = ("all",)
    cooldown: timedelta = timedelta(days=14)
    gate_window: timedelta = timedelta(days=14)
    gate_level: float = 0.95
    gate_gain: float = 0.0
    approval: str = "auto"
    """``auto``, ``manual``, or ``manual:drift,data`` (manual for these triggers only)."""
    new_rows: int = 0
    drift_share: float = 0.5
    """Share of features (weighted by importance where it is known) that must have moved for the trigger ``drift``."""
    drift_days: int = 3
    """On how many days one after the other."""
    budget_runs: int = 0
    """Retrainings in ``budget_window`` at most; 0: any number."""
    budget_time: timedelta = timedelta(0)
    """Time of pipelines in ``budget_window`` at most; 0: any."""
    budget_window: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSettings:
    """What one answer is worth once the truth is known, in money.

    ``outcomes`` names ``true_positive``, ``false_positive``, ``true_negative``, ``false_negative`` (binary), ``right``
    and ``wrong`` (classes), or ``error`` (regression: for each unit of absolute error). ``amount`` names a feature that
    multiplies them, such as the value of an order.
    """

    currency: str
    outcomes: Mapping[str, float]
    amount: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """A channel that alerts go to besides the page.

    ``kind`` is ``log``, ``webhook``, ``alertmanager``, ``slack``, ``pagerduty``, ``opsgenie`` or ``email``. ``url`` and
    ``key`` are resolved from ``env:NAME`` or ``file:PATH`` where they are secret. ``levels`` and ``endpoints`` say of
    which alerts the channel hears at once; empty is every page and ticket, and all endpoints. A channel that an
    escalation names hears of alerts by that escalation only.
    """

    kind: str
    name: str = ""
    url: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    to: tuple[str, ...] = ()
    sender: str | None = None
    levels: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Who is told, and how long after the alert fired; only while nobody has acknowledged it."""

    after: timedelta
    to: tuple[str, ...]
    """Names of channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationSettings:
    """Who hears of alerts of one level, in which order. ``repeat``: tell the last step again so often; None: once."""

    level: str
    steps: tuple[EscalationStep, ...]
    endpoints: tuple[str, ...] = ()
    repeat: timedelta | None = None
