"""The journey of objectives: what was promised, what is kept, and the alert when the budget for failing burns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Alert, DriftReport, Performance
from mlwright.model.objectives import objectives_of
from mlwright.model.settings import EndpointSettings
from mlwright.model.slos import (
    CLIENT_FAULTS,
    REFUSALS,
    SPANS,
    Objective,
    ObjectiveKind,
    ObjectiveStatus,
    Tally,
)
from mlwright.model.windows import Window
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.freshness import ages_of
from mlwright.platform.parts import Parts
from mlwright.stages.monitoring import slos
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.burn import decide_burn, status_of
from mlwright.stages.serving import counters as names
from mlwright.stages.serving.readings import Reading, metrics_folder, read_all
from mlwright.stages.serving.slots import HISTOGRAM

_RECENT = timedelta(days=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an endpoint stands now: what was measured last, and what is open.

    ``performance`` is of the last matured day, ``drift`` of the last day that was compared. ``ages`` says how old the
    newest value of each feature view is.
    """

    endpoint: str
    at: datetime
    objectives: tuple[ObjectiveStatus, ...] = ()
    performance: Performance | None = None
    drift: DriftReport | None = None
    alerts: tuple[Alert, ...] = ()
    ages: Mapping[str, timedelta] = field(default_factory=dict)


class ObjectiveJourney:
    """Counts what was kept of what is promised."""

    def __init__(self, parts: Parts, alerting: AlertJourney) -> None:
        self._parts = parts
        self._alerting = alerting

    def look(self, endpoint: str) -> tuple[Alert, ...]:
        """Count what happened since the look before, and decide about alerts; returns those that changed.

        What the serving processes counted while nobody looked is spread evenly over that time.
        """
        settings = self._parts.endpoint(endpoint)
        now = self._parts.clock.now()  # before the counters are read: a later look has later counts
        counts = counted(read_all(metrics_folder(self._parts.settings.state)), endpoint, now)
        fresh = self._fresh(settings, now)
        objectives = objectives_of(settings)
        with self._parts.write() as tx:
            grown = slos.grow(tx, EndpointName(endpoint), counts)
            for each in objectives:
                if each.kind is ObjectiveKind.FRESHNESS:
                    if fresh is not None:
                        slos.add_minute(tx, each, now, good=fresh)
                elif each.kind is not ObjectiveKind.QUALITY and grown is not None:
                    slos.add(tx, each, slos.events(each, grown), grown.start, grown.end)
                slos.roll_up(tx, each, now, grown.start if grown is not None else None)
            decisions = [
                decision
                for each in objectives
                for decision in decide_burn(self._status(tx, each, settings, now))
            ]
            return self._alerting.act(tx, decisions, {}, now)

    def status(self, endpoint: str | None = None) -> tuple[ObjectiveStatus, ...]:
        """How the objectives of one endpoint, or of all, stand by the counts that are kept.

        Raises:
            NotFound: mlwright.toml has no such endpoint.
        """
        chosen = [self._parts.endpoint(endpoint)] if endpoint else self._parts.settings.endpoints
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            return tuple(
                self._status(tx, each, settings, now)
                for settings in chosen
                for each in objectives_of(settings)
            )

    def standing(self, endpoint: str) -> Standing:
        """What was measured last of an endpoint, as it is exported to other tools.

        Raises:
            NotFound: mlwright.toml has no such endpoint.
        """
        settings = self._parts.endpoint(endpoint)
        now = self._parts.clock.now()
        horizon = settings.label.horizon if settings.label else timedelta(0)
        since, name = now - _RECENT - horizon, EndpointName(endpoint)
        with self._parts.read() as tx:
            days = [each for each in monitoring.list_performance(tx, name, "day", since) if each.matured]
            drift = monitoring.list_drift(tx, name, since)
            return Standing(
                endpoint=endpoint,
                at=now,
                objectives=tuple(self._status(tx, each, settings, now) for each in objectives_of(settings)),
                performance=days[-1] if days else None,
                drift=drift[-1] if drift else None,
                alerts=monitoring.firing(tx, name),
                ages=ages_of(tx, settings.features, now),
            )

    def _status(
        self, tx: Connection, objective: Objective, settings: EndpointSettings, now: datetime
    ) -> ObjectiveStatus:
        if objective.kind is ObjectiveKind.QUALITY:
            return status_of(objective, _quality(tx, objective, settings, now), {}, at=now)
        found = slos.tallies(tx, objective, {*SPANS, objective.window}, now)
        since = slos.counted_since(tx, objective)
        return status_of(
            objective,
            found[objective.window],
            {span: found[span] for span in SPANS},
            at=now,
            seen_since=since if since is not None and since > now - objective.window else None,
        )

    def _fresh(self, settings: EndpointSettings, now: datetime) -> bool | None:
        """Whether what the endpoint answers with is young enough now; None where that is not known.

        That is the newest value of its oldest feature view; of an endpoint without views, the newest label.
        """
        limit = settings.slo.freshness
        if limit is None:
            return None
        if settings.features:
            with self._parts.read() as tx:
                ages = ages_of(tx, settings.features, now)
            return max(ages.values()) <= limit if ages else None
        if settings.label is None:
            return None
        recent = Window(start=now - limit, end=now + timedelta(microseconds=1))
        return not self._parts.log.labels(recent, endpoint=settings.name).is_empty()


def counted(reading: Reading, endpoint: str, at: datetime) -> slos.Counts:
    """What all processes counted of one endpoint that objectives are about."""
    label = ("endpoint", endpoint)
    sums: dict[str, float] = {}
    client = 0.0
    refused = 0.0
    for series, values in reading.totals.items():
        if label not in series.labels:
            continue
        number = sum(values[:-1]) if series.kind == HISTOGRAM else values[0]
        sums[series.name] = sums.get(series.name, 0.0) + number
        said = dict(series.labels)
        if series.name == names.ERRORS and said.get("kind") in CLIENT_FAULTS:
            client += number
        if series.name == names.REJECTED and said.get("reason") in REFUSALS:
            refused += number
    return slos.Counts(
        at=at,
        requests=sums.get(names.REQUESTS, 0.0) - client,
        failed=sums.get(names.ERRORS, 0.0) - client,
        answers=sums.get(names.LATENCY, 0.0),
        slow=sums.get(names.SLOW, 0.0),
        refused=refused,
    )


def _quality(tx: Connection, objective: Objective, settings: EndpointSettings, now: datetime) -> Tally:
    """The days of the last window whose labels have matured; those of the horizon are still to come."""
    horizon = settings.label.horizon if settings.label else timedelta(0)
    since = now - objective.window - horizon
    days = monitoring.list_performance(tx, objective.endpoint, "day", since)
    return slos.quality_tally(objective, [each.metrics.get(objective.unit) for each in days if each.matured])
