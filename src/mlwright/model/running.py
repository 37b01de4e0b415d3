"""What runs, as facts: a project of ours or a tracking server of others, at the instant it was seen. Instants are
aware UTC; what a source cannot tell is None (or "" for a name), which is unknown and not absent."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One tracked run.

    ``commit`` and ``dirty`` are the git state that it recorded, "" and None without. ``environment`` tells whether the
    packages it ran on are recorded, ``datasets`` how many data sets it names by version or digest. ``metrics`` and
    ``params`` are names. ``scheduled`` tells whether a schedule or an alert started it and no person.
    """

    id: str
    started: datetime
    experiment: str = ""
    pipeline: str = ""
    status: str = "FINISHED"
    ended: datetime | None = None
    commit: str = ""
    dirty: bool | None = None
    environment: bool | None = None
    datasets: int = 0
    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    gates: int | None = None
    gates_failed: int = 0
    scheduled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFact:
    """One registered model version. ``gated``: its run asked a gate; ``evaluated``: metrics were recorded for it."""

    model: str
    version: str
    created: datetime
    aliases: tuple[str, ...] = ()
    run: str = ""
    signature: bool | None = None
    described: bool | None = None
    gated: bool | None = None
    evaluated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFact:
    """One rollout: its state and the last verdict about it, "" before the first."""

    endpoint: str
    started: datetime
    state: str
    verdict: str = ""
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFact:
    """One endpoint and how it is watched.

    ``predictions`` counts the answers of the last 90 days, ``first_`` and ``last_prediction`` are of the same days;
    ``ripe`` counts those whose label has had time to arrive, ``labels`` the ground truth that came. ``released`` is how
    many versions ever answered there. ``slo`` is None where it cannot be told whether a person chose the limits in
    force. ``last_evaluation`` and ``last_drift`` are the instants at which the newest window that was looked at had its
    labels due. ``retrain_on`` names what starts a retraining by itself.
    """

    name: str
    predictions: int = 0
    ripe: int = 0
    labels: int = 0
    released: int = 0
    first_prediction: datetime | None = None
    last_prediction: datetime | None = None
    last_label: datetime | None = None
    last_evaluation: datetime | None = None
    last_drift: datetime | None = None
    alerts_open: int = 0
    slo: bool | None = None
    retrain_on: tuple[str, ...] = ()
    champion: str = ""
    champion_age_days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a tracking server or a running project knows.

    ``source`` is its name or address, without user or password; ``seen`` the instant that "recent" is counted from. A
    part that the source cannot know is None: an MLflow server knows no rollouts. ``checks`` are contract checks: (data
    set, instant, kept). ``audited`` tells whether the chain of audit rows is whole, None without one; ``channels`` how
    many ways alerts leave to people (a file on the same machine is none), ``undelivered`` how many messages are
    overdue. ``notes`` say what was left out.
    """

    source: str
    seen: datetime
    runs: tuple[RunFact, ...] = ()
    versions: tuple[VersionFact, ...] = ()
    rollouts: tuple[RolloutFact, ...] | None = None
    endpoints: tuple[EndpointFact, ...] | None = None
    checks: tuple[tuple[str, datetime, bool], ...] | None = None
    audited: bool | None = None
    channels: int | None = None
    undelivered: int = 0
    notes: tuple[str, ...] = ()
