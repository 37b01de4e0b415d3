"""Experiments, runs, logged models and what is recorded about them, as values.

Instants that a client measured are whole milliseconds since 1970 (``*_ms``), as in the MLflow protocol, and are kept
as they came: a framework that counts in another unit shall get back what it sent.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import numpy as np

from mlwright.model.ids import Digest, RunId

T = TypeVar("T")


class RunStatus(StrEnum):
    """The life of a run; the words are those of the MLflow protocol."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Lifecycle(StrEnum):
    """Whether something was deleted. What was deleted can be restored until it is collected."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured value of a run, or of a logged model on a dataset."""

    key: str
    value: float
    step: int
    at_ms: int
    model: str | None = None
    dataset: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """The latest value of one metric, and the range of all finite ones. Both ends are NaN where none is finite."""

    key: str
    value: float
    step: int
    at_ms: int
    points: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """All points of one metric by step, then instant, then the order of logging; three arrays of one length.

    ``steps`` and ``at_ms`` are int64, ``values`` float64 with NaN and the infinities as they were logged.
    """

    key: str
    steps: np.ndarray
    at_ms: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """A data set at one content digest."""

    name: str
    digest: Digest
    rows: int
    contract: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set as a client described it: ``source``, ``schema`` and ``profile`` are its own texts, mostly JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """A data set that a run used, and as what (tag ``mlflow.data.context``)."""

    dataset: Dataset
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """A logged model that a run made, and at which step."""

    model: str
    step: int = 0


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
class Experiment:
    """Runs that belong together. ``id`` is a whole number as text; ``0`` is the experiment ``Default``."""

    id: str
    name: str
    artifact_root: str
    lifecycle: Lifecycle
    created: datetime
    updated: datetime
    tags: dict[str, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run with everything that a client of the MLflow protocol asks about it."""

    id: RunId
    experiment_id: str
    name: str
    status: RunStatus
    started_ms: int
    ended_ms: int | None
    actor: str
    artifact_root: str
    lifecycle: Lifecycle
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[str, ...] = ()
    outputs: tuple[ModelOutput, ...] = ()


class LoggedModelStatus(StrEnum):
    """How far a logged model is; the words are those of the MLflow protocol."""

    PENDING = "LOGGED_MODEL_PENDING"
    READY = "LOGGED_MODEL_READY"
    FAILED = "LOGGED_MODEL_UPLOAD_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model that a run logged, with its own params and metrics, before anybody registers it."""

    id: str
    experiment_id: str
    name: str
    artifact_root: str
    source_run: RunId | None
    status: LoggedModelStatus
    status_message: str | None
    model_type: str | None
    created_ms: int
    updated_ms: int
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[RunId, Metric], ...] = ()
    """Each with the run that measured it."""
    versions: tuple[tuple[str, int], ...] = ()
    """The model versions that were registered from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was deleted and is now removed for good, by id; or would be."""

    experiments: tuple[str, ...] = ()
    runs: tuple[RunId, ...] = ()
    logged_models: tuple[str, ...] = ()
    files: int = 0
    """Artifacts that go with them, and their bytes."""
    size: int = 0
    elsewhere: tuple[str, ...] = ()
    """Places that hold artifacts of them, but are not with us: they stay as they are."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.experiments or self.runs or self.logged_models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of the things that were found, and the token that asks for those after them (None at the end)."""

    items: tuple[T, ...]
    token: str | None = None
