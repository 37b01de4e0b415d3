"""What runs, as facts: the project's own platform, or a tracking server. Instants are aware UTC."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One tracked run. ``commit`` and ``dirty`` are the git state that it recorded, "" and None without."""

    id: str
    experiment: str
    pipeline: str
    status: str
    started: datetime
    ended: datetime | None
    commit: str
    dirty: bool | None
    environment: bool
    datasets: int
    metrics: tuple[str, ...]
    params: tuple[str, ...]
    gates: int
    gates_failed: int
    scheduled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFact:
    """One registered model version."""

    model: str
    version: str
    created: datetime
    aliases: tuple[str, ...]
    run: str
    signature: bool | None
    described: bool
    gated: bool | None
    evaluated: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFact:
    """One rollout: its state and the verdict that ended it, "" while it runs."""

    endpoint: str
    started: datetime
    state: str
    verdict: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFact:
    """One endpoint and how it is watched."""

    name: str
    predictions: int
    labels: int
    last_prediction: datetime | None
    last_evaluation: datetime | None
    last_drift: datetime | None
    alerts_open: int
    slo: bool
    retrain_on: tuple[str, ...]
    champion_age_days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a tracking server or a running project knows; ``source`` is its folder or address.

    A part that the source cannot know is None ("an MLflow server knows no rollouts"), which is unknown, not absent.
    ``checks`` are recorded contract checks: (data set, instant, kept).
    """

    source: str
    seen: datetime
    runs: tuple[RunFact, ...]
    versions: tuple[VersionFact, ...]
    rollouts: tuple[RolloutFact, ...] | None = None
    endpoints: tuple[EndpointFact, ...] | None = None
    checks: tuple[tuple[str, datetime, bool], ...] | None = None
    audited: bool | None = None
    channels: int | None = None
