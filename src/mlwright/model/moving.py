"""What moves from another tracking tool to ours, as values that no tool's name is part of."""

from dataclasses import dataclass, field

from mlwright.model.tracking import DatasetInput, LoggedModelStatus, Metric, ModelOutput, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignExperiment:
    """Runs that belong together in the source: an experiment, a project, a log folder."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    created_ms: int = 0
    """0 where the source does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRun:
    """A run of the source. ``id`` is what the source calls it, and the same each time that it is read.

    A run id of MLflow (32 hexadecimal digits) is kept; any other becomes one that depends on source and id only, so
    that reading the same source again meets the same runs.
    """

    id: str
    experiment: str
    name: str
    status: RunStatus
    started_ms: int
    ended_ms: int | None
    actor: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: tuple[DatasetInput, ...] = ()
    outputs: tuple[ModelOutput, ...] = ()
    parent: str | None = None
    deleted: bool = False
    model_inputs: tuple[str, ...] = ()
    """Ids of logged models that the run used."""
    state: str = ""
    """Changes whenever a metric of the run gets a point; empty where only reading the histories tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLoggedModel:
    """A model that a run of the source logged, registered or not. Its files are asked for by its id, as a run's are."""

    id: str
    experiment: str
    name: str
    source_run: str | None
    status: LoggedModelStatus
    created_ms: int
    updated_ms: int
    status_message: str | None = None
    model_type: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, Metric], ...] = ()
    """Each with the run of the source that measured it."""
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFile:
    """An artifact of a run: its path below the run's artifacts, and its size in bytes where that is known."""

    path: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignVersion:
    """A model version of the source; ``path`` is where its folder lies among the artifacts of ``run``."""

    version: int
    run: str | None
    path: str | None
    source: str
    created_ms: int
    description: str | None = None
    stage: str = "None"
    tags: dict[str, str] = field(default_factory=dict)
    logged_model: str | None = None
    """The logged model that it was registered from; then ``path`` is None, and its files are those of that."""
    actor: str | None = None
    run_link: str | None = None
    status: str = "READY"
    status_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModel:
    """A registered model of the source with its versions in order, and its aliases."""

    name: str
    versions: tuple[ForeignVersion, ...]
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something of the source that is not carried over: what, where it was, and why."""

    what: str
    where: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFacts:
    """A source before it is read: its address as a report may show it (no secrets), and how much there is."""

    tool: str
    source: str
    experiments: tuple[ForeignExperiment, ...]
    runs: int | None
    """None where only reading tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """How many things of one kind came over now, and how many of them were there from an earlier time."""

    what: str
    new: int
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveReport:
    """What a move did, or would do: from where to where, what was carried, and what was not."""

    tool: str
    source: str
    carried: tuple[Carried, ...]
    left_out: tuple[LeftOut, ...]
    dry: bool = False

    def count(self, what: str) -> int:
        """How many things of one kind came over now."""
        return sum(each.new for each in self.carried if each.what == what)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveProgress:
    """How far a move is; ``of`` is None where only reading tells how many runs there are."""

    runs: int
    of: int | None
    points: int
    files: int
    size: int
    at: str
    """The run or model that is being carried."""
