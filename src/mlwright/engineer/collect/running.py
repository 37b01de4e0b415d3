"""What a running project of ours knows: Platform → ServerFacts. Read, never changed.

The platform is given by whoever opened it, so that importing this costs nothing: what belongs to the platform is
imported where it is used.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mlwright.engineer.facts.running import EndpointFact, RolloutFact, RunFact, ServerFacts, VersionFact
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Decision
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.tracking import Run
from mlwright.model.windows import Window

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

MOST: Final = 500
"""The newest runs, rollouts, alerts and decisions that are read."""
LOOKBACK: Final = timedelta(days=90)
"""How far back predictions and labels are counted."""

_REFUSED: Final = re.compile(r"dataset (\S+): \d+ rules? of the contract")
_BY_ITSELF: Final = re.compile(r"alert |the \w+ schedule of ")
_DAY_S: Final = 86_400


def facts_of_project(platform: "Platform", seen: datetime | None = None) -> ServerFacts:
    """What the project knows at ``seen`` (aware UTC; the platform's own clock without it)."""
    now = seen or platform.parts.clock.now()
    runs = platform.training.list(limit=MOST)
    decisions = platform.records.decisions(limit=MOST)
    facts = tuple(_run(each, decisions) for each in runs)
    audited = platform.records.broken_audit_row() is None if platform.records.audit(limit=1) else None
    return ServerFacts(
        source=f"project {platform.parts.settings.name}",
        seen=now,
        runs=facts,
        versions=tuple(_version(each, facts) for each in platform.releases.models()),
        rollouts=tuple(
            RolloutFact(
                endpoint=each.endpoint,
                started=each.started,
                state=each.state.value,
                verdict=each.last.verdict.value if each.last else "",
                steps=len(each.plan.steps),
            )
            for each in platform.rollouts.list(limit=MOST)
        ),
        endpoints=tuple(
            _endpoint(platform, each, now)
            for each in sorted(platform.parts.settings.endpoints, key=lambda endpoint: endpoint.name)
        ),
        checks=_checks(runs),
        audited=audited,
        channels=sum(1 for each in platform.parts.notifiers if each.name != "log"),
        undelivered=_overdue(platform, now),
        notes=(f"only the newest {MOST} runs were read",) if len(runs) == MOST else (),
    )


def _run(run: Run, decisions: Sequence[Decision]) -> RunFact:
    gates = [value for name, value in sorted(run.tags.items()) if name.startswith("gate.")]
    environment = run.environment
    return RunFact(
        id=run.id,
        experiment=run.experiment,
        pipeline=run.name,
        status=run.status.value,
        started=run.started,
        ended=run.ended,
        commit=(environment.git_commit or "") if environment else "",
        dirty=environment.git_dirty if environment else None,
        environment=bool(environment and environment.packages),
        datasets=len(run.datasets),
        metrics=tuple(sorted(run.metrics)),
        params=tuple(sorted(run.params)),
        gates=len(gates),
        gates_failed=sum(1 for each in gates if each.startswith("failed")),
        scheduled=_by_itself(run, decisions),
    )


def _by_itself(run: Run, decisions: Sequence[Decision]) -> bool:
    """Whether the retraining that this run was part of was decided by an alert or a schedule.

    A retraining writes its decision when it is done: the first one after the run began is its own.
    """
    endpoint = run.tags.get("endpoint")
    if endpoint is None or "window" not in run.tags:
        return False
    later = [
        each
        for each in decisions
        if each.kind == "retrain"
        and each.subject == endpoint
        and each.at >= run.started
        and not each.outcome.startswith("wait")
    ]
    if not later:
        return False
    own = min(later, key=lambda each: each.at)
    return bool(own.reasons and _BY_ITSELF.match(own.reasons[0]))


def _version(version: ModelVersion, runs: Sequence[RunFact]) -> VersionFact:
    made = next((run for run in runs if run.id == version.run), None)
    return VersionFact(
        model=version.model,
        version=str(version.version),
        created=version.created,
        aliases=tuple(sorted(version.aliases)),
        run=version.run or "",
        signature=bool(version.inputs),
        described=True if version.description or version.tags.get("description") else None,
        gated=None if made is None else bool(made.gates),
        evaluated=version.evaluation is not None,
    )


def _endpoint(platform: "Platform", settings: EndpointSettings, now: datetime) -> EndpointFact:
    log, window = platform.parts.log, Window(start=now - LOOKBACK, end=now + timedelta(microseconds=1))
    answered = log.predictions(window, served_only=True, endpoint=settings.name)["event_time"]
    observed = log.labels(window, endpoint=settings.name)["observed_at"]
    evaluated = platform.watch.performance(settings.name)
    drifted = platform.drifting.drift(settings.name)
    champion = platform.releases.status(settings.name).champion
    alerts = platform.alerting.alerts(settings.name, limit=MOST)
    return EndpointFact(
        name=settings.name,
        predictions=answered.len(),
        ripe=int((answered < now - settings.label.horizon).sum()) if settings.label else 0,
        labels=observed.len(),
        released=_released(platform, settings.name),
        first_prediction=_instant(answered.min()),
        last_prediction=_instant(answered.max()),
        last_label=_instant(observed.max()),
        last_evaluation=_due(settings, [each.window.end for each in evaluated if each.labelled]),
        last_drift=_due(settings, [each.window.end for each in drifted]),
        alerts_open=sum(1 for each in alerts if each.state.value != "resolved"),
        slo=_slo(platform, settings),
        retrain_on=tuple(settings.retrain.on) if settings.retrain else (),
        champion=champion.ref if champion else "",
        champion_age_days=None if champion is None else (now - champion.created).total_seconds() / _DAY_S,
    )


def _due(settings: EndpointSettings, ends: Sequence[datetime]) -> datetime | None:
    """When the newest window that was looked at could be: the labels of a day are due one horizon later."""
    return max(ends) + settings.truth.horizon if ends and settings.label else None


def _instant(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _released(platform: "Platform", endpoint: str) -> int:
    """How many versions have answered somebody at this endpoint."""
    from mlwright.stages.serving import store as serving

    with platform.parts.read() as tx:
        history = serving.route_history(tx, EndpointName(endpoint))
    return len({variant.version for _, route in history for variant in route.variants if variant.share > 0})


def _overdue(platform: "Platform", now: datetime) -> int:
    from mlwright.stages.monitoring import outbox

    with platform.parts.read() as tx:
        return sum(1 for each in outbox.waiting(tx, due=now) if each.attempts > 0)


def _slo(platform: "Platform", settings: EndpointSettings) -> bool | None:
    """Whether a person chose the endpoint's limits; those in force may be the defaults."""
    try:
        written = tomllib.loads((platform.parts.settings.root / "mlwright.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    endpoints = written.get("endpoint")
    for each in endpoints if isinstance(endpoints, list) else []:
        if isinstance(each, Mapping) and each.get("name") == settings.name:
            return "slo" in each
    return None


def _checks(runs: Sequence[Run]) -> tuple[tuple[str, datetime, bool], ...]:
    """Contract checks as runs recorded them: a data set of a run was admitted; a run that was refused says by which."""
    found = {
        (data.name, run.started, True) for run in runs for data in run.datasets if data.contract != "none"
    }
    for run in runs:
        refused = _REFUSED.search(run.error or "")
        if refused is not None:
            found.add((refused[1], run.started, False))
    return tuple(sorted(found))
