"""How the processes of ``mlwright up`` are: values that the JSON interface and the pages show."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from mlwright.model.contracts import ContractReport
from mlwright.model.monitoring import MaturityCurve, Performance

if TYPE_CHECKING:
    from mlwright.stages.monitoring.alerts import AlertDecision  # data frames, which an image does not have


class WorkerState(StrEnum):
    """Where a process stands in its life."""

    STARTING = "starting"
    SERVING = "serving"
    WAITING = "waiting to start again"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One process. ``restarts`` counts how often it ended by itself, ``said`` are its last words then."""

    number: int
    state: WorkerState
    pid: int | None
    restarts: int
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStatus:
    """How the loop is turned. ``doing`` is what its thread works at now, ``error`` what the last failed turn said."""

    every_s: float | None
    turns: int
    failures: int
    last: datetime | None
    doing: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is looked at from time to time, because it costs too much for every page.

    ``contracts`` is None until the first look is done; ``contracts_error`` says why they could not be checked.
    ``audit_broken`` is the number of the first audit row that does not fit the chain. ``lately`` is each endpoint's
    quality over its monitor's window, up to the last day that was evaluated, ``verdicts`` what the rule about decay
    says of it. ``young`` are its days whose labels are not due yet, ``curves`` how soon its labels arrive.
    """

    contracts: tuple[ContractReport, ...] | None = None
    contracts_at: datetime | None = None
    contracts_error: str | None = None
    audit_broken: int | None = None
    lately: dict[str, Performance] = field(default_factory=dict)
    verdicts: "dict[str, AlertDecision]" = field(default_factory=dict)
    young: dict[str, tuple[Performance, ...]] = field(default_factory=dict)
    curves: dict[str, MaturityCurve] = field(default_factory=dict)
    young_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The addresses, the inference processes and the one that answers the MLflow protocol."""

    pages: str
    inference: str
    workers: tuple[WorkerStatus, ...]
    tracking: WorkerStatus | None = None

    @property
    def serving(self) -> int:
        """How many inference processes answer now."""
        return sum(each.state is WorkerState.SERVING for each in self.workers)
