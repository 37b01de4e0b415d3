"""What the page rests on: values of the façade, gathered once a page."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from mlwright.doors.http.control.calls import Control
from mlwright.doors.http.control.status import Looked, Processes, TurnStatus
from mlwright.model.ledger import AuditRow, Decision
from mlwright.model.monitoring import Alert, DriftReport, Performance
from mlwright.model.registry import ModelVersion
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.model.tracking import Run
from mlwright.platform.facade import Platform
from mlwright.platform.releases import EndpointStatus

_RUNS: Final = 25
_DECISIONS: Final = 400
_ALERTS: Final = 200


class YearMonth(msgspec.Struct, frozen=True):
    """One month of the demo's result; see ``doors/cli/demo/results.py``."""

    month: str
    labelled: int
    auc: dict[str, float]
    brier: dict[str, float]
    did: list[str]


class YearPromise(msgspec.Struct, frozen=True):
    """One promise of the demo and whether it was kept."""

    text: str
    kept: bool
    measured: str


class Year(msgspec.Struct, frozen=True):
    """The result that a demo left."""

    months: list[YearMonth]
    mean_auc: dict[str, float]
    mean_brier: dict[str, float]
    model_changes: dict[str, int]
    promises: list[YearPromise]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """One endpoint: what stands behind it, and how it did. ``lately`` is over the monitor's window."""

    settings: EndpointSettings
    status: EndpointStatus
    days: tuple[Performance, ...]
    months: tuple[Performance, ...]
    drift: tuple[DriftReport, ...]
    rollouts: tuple[Rollout, ...]
    lately: Performance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A project at one instant."""

    settings: Settings
    now: datetime
    looked: Looked
    processes: Processes
    turns: TurnStatus
    runs: tuple[Run, ...]
    versions: tuple[ModelVersion, ...]
    endpoints: tuple[EndpointFacts, ...]
    alerts: tuple[Alert, ...]
    decisions: tuple[Decision, ...]
    audit: tuple[AuditRow, ...]
    year: Year | None

    @property
    def last_event(self) -> datetime | None:
        """The end of the latest judged day; before there is one, the latest run or change of state."""
        judged = [facts.days[-1].window.end for facts in self.endpoints if facts.days]
        changed = [each.at for each in self.audit[:1]] + [each.started for each in self.runs[:1]]
        return max(judged or changed, default=None)

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that nobody has resolved."""
        return tuple(each for each in self.alerts if each.resolved is None)


def gather(control: Control) -> Facts:
    """Ask the façade for everything that the page shows. Reads only the database and small files."""
    platform = control.platform
    looked = control.turns.looks.seen
    return Facts(
        settings=platform.parts.settings,
        now=platform.parts.clock.now(),
        looked=looked,
        processes=control.processes(),
        turns=control.turns.status,
        runs=platform.training.list(limit=_RUNS),
        versions=platform.releases.models(),
        endpoints=_endpoints(platform, looked.lately),
        alerts=platform.alerting.alerts(limit=_ALERTS),
        decisions=platform.records.decisions(limit=_DECISIONS),
        audit=platform.records.audit(limit=12),
        year=read_year(platform.parts.settings.state),
    )


def _endpoints(platform: Platform, lately: Mapping[str, Performance]) -> tuple[EndpointFacts, ...]:
    found: Sequence[EndpointStatus] = platform.releases.endpoints()
    return tuple(
        EndpointFacts(
            settings=platform.parts.endpoint(status.endpoint),
            status=status,
            days=platform.watch.performance(status.endpoint, "day"),
            months=platform.watch.performance(status.endpoint, "month"),
            drift=platform.drifting.drift(status.endpoint),
            rollouts=platform.rollouts.list(status.endpoint, limit=20),
            lately=lately.get(status.endpoint),
        )
        for status in found
    )


def read_year(state: Path) -> Year | None:
    """The result of a demo, where one was left and can be read."""
    with suppress(OSError, msgspec.DecodeError):
        year = msgspec.json.decode((state / "reports" / "year.json").read_bytes(), type=Year)
        return year if year.months else None
    return None
