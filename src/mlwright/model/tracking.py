"""Experiments and runs as values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mlwright.model.ids import Digest, RunId


class RunStatus(StrEnum):
    """The life of a run; the words are those of the MLflow protocol."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured value of a run."""

    key: str
    value: float
    step: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A data set at one content digest."""

    name: str
    digest: Digest
    rows: int
    contract: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a run ran on: enough to say later whether a second run had the same."""

    python: str
    system: str
    packages: dict[str, str]
    lock_digest: Digest | None
    git_commit: str | None
    git_branch: str | None
    git_dirty: bool | None
    code_digest: Digest
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a pipeline or script."""

    id: RunId
    experiment: str
    name: str
    status: RunStatus
    started: datetime
    ended: datetime | None
    actor: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: tuple[DatasetVersion, ...] = ()
    environment: Environment | None = None
    error: str | None = None
