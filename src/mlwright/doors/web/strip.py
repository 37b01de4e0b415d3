"""The loop in one look: its stages, each with the one fact that matters now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mlwright.doors.http.control.calls import Control
from mlwright.doors.web.facts import EndpointFacts, Facts, gather
from mlwright.doors.web.words import day, number, percent, version_of
from mlwright.model.monitoring import Performance
from mlwright.model.tracking import RunStatus

OK: Final = "ok"
WARN: Final = "warn"
BAD: Final = "bad"
IDLE: Final = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the loop. ``state`` is ok, warn, bad or idle; ``href`` leads to its section."""

    name: str
    value: str
    note: str
    state: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The loop of a project."""

    project: str
    last_event: datetime | None
    firing: int
    stages: tuple[Stage, ...]


def loop_of(control: Control) -> Loop:
    """The loop now; what ``GET /api/loop`` answers and the page shows on top."""
    facts = gather(control)
    return Loop(
        project=facts.settings.name,
        last_event=facts.last_event,
        firing=len(facts.firing),
        stages=stages(facts),
    )


def stages(facts: Facts) -> tuple[Stage, ...]:
    """The eleven stages, in the order of the loop. With several endpoints, those of the first."""
    first = facts.endpoints[0] if facts.endpoints else None
    return (
        _contract(facts),
        _features(facts),
        _pipeline(facts),
        _run(facts),
        _version(facts),
        _endpoint(first),
        _prediction(first),
        _label(first),
        _monitor(first),
        _alert(facts),
        _retrain(facts, first),
    )


def _contract(facts: Facts) -> Stage:
    looked = facts.looked
    if looked.contracts_error:
        return _stage("contract", "not read", "see below", BAD)
    if looked.contracts is None:
        return _stage("contract", "…", "being checked", IDLE)
    if not looked.contracts:
        return _stage("contract", "none", "no data sets", IDLE)
    broken = [each for each in looked.contracts if not each.passed]
    known = sum(len(each.broken) - len(each.refusing) for each in looked.contracts)
    faults = f"{known} known fault{'' if known == 1 else 's'}"
    if broken:
        return _stage("contract", f"{len(broken)} broken", broken[0].dataset, BAD)
    return _stage("contract", f"{len(looked.contracts)} kept", faults, OK)


def _features(facts: Facts) -> Stage:
    views = facts.settings.feature_views
    if not views:
        return _stage("features", "none", "no feature views", IDLE, "contract")
    columns = sum(len(view.features) for view in views)
    value = f"{len(views)} view{'' if len(views) == 1 else 's'}"
    return _stage("features", value, f"{columns} feature{'' if columns == 1 else 's'}", OK, "contract")


def _pipeline(facts: Facts) -> Stage:
    if facts.runs:
        return _stage("pipeline", facts.runs[0].name, ", ".join(facts.settings.pipelines), OK, "run")
    return _stage("pipeline", ", ".join(facts.settings.pipelines) or "none", "not run yet", IDLE, "run")


def _run(facts: Facts) -> Stage:
    if not facts.runs:
        return _stage("run", "none", "mlwright run --list", IDLE)
    last = facts.runs[0]
    auc = last.metrics.get("holdout_auc")
    value = f"AUC {number(auc)}" if auc is not None else last.status.value.lower()
    state = {RunStatus.FAILED: WARN, RunStatus.KILLED: WARN}.get(last.status, OK)
    note = f"{last.status.value.lower()} {day(last.started)}"
    return _stage("run", value, note, state)


def _version(facts: Facts) -> Stage:
    if not facts.versions:
        return _stage("version", "none", "nothing registered", IDLE)
    champion = next((each for each in facts.versions if "champion" in each.aliases), None)
    count = f"{len(facts.versions)} version{'' if len(facts.versions) == 1 else 's'}"
    if champion is None:
        return _stage("version", count, "no champion", WARN)
    return _stage("version", f"v{champion.version}", f"champion of {count}", OK)


def _endpoint(facts: EndpointFacts | None) -> Stage:
    if facts is None:
        return _stage("endpoint", "none", "no [[endpoint]]", IDLE)
    route = facts.status.route
    if route is None:
        return _stage("endpoint", "empty", f"mlwright deploy {facts.settings.name}", WARN)
    if not route.variants:
        return _stage("endpoint", "out of service", f"mlwright deploy {facts.settings.name}", WARN)
    shares = " · ".join(f"v{each.version} {percent(each.share, 0)}" for each in route.variants if each.share)
    shadow = [each for each in route.variants if each.shadow and not each.share]
    note = f"shadow v{shadow[0].version}" if shadow else facts.settings.name
    return _stage("endpoint", shares, note, OK)


def _prediction(facts: EndpointFacts | None) -> Stage:
    if facts is not None and facts.settings.label is None:
        return _stage("prediction", "–", "logged, not judged", IDLE, "monitor")
    if facts is None or not facts.days:
        return _stage("prediction", "–", "none judged yet", IDLE, "monitor")
    count = sum(each.predictions for each in facts.days)
    return _stage("prediction", f"{count:,}", f"to {_last_day(facts.days[-1])}", OK, "monitor")


def _label(facts: EndpointFacts | None) -> Stage:
    if facts is not None and facts.settings.label is None:
        return _stage("label", "none", "not set up", IDLE, "monitor")
    if facts is None or not facts.days:
        return _stage("label", "–", "none matured yet", IDLE, "monitor")
    lately = facts.days[-14:]
    asked = sum(each.predictions for each in lately)
    share = sum(each.labelled for each in lately) / asked if asked else 0.0
    return _stage("label", percent(share), "labelled, 14 d", OK if share > 0.5 else WARN, "monitor")


def _monitor(facts: EndpointFacts | None) -> Stage:
    lately = facts.lately if facts else None
    if facts is not None and facts.settings.label is None:
        return _stage("monitor", "–", "no label, no quality", IDLE)
    if facts is None or lately is None:
        return _stage("monitor", "–", "no matured window", IDLE)
    metric = facts.settings.monitor.metric
    measured = lately.metrics.get(metric)
    word = {"auc": "AUC", "brier": "Brier"}.get(metric, metric.replace("_", " "))
    span = f"{(lately.window.end - lately.window.start).days} d to {_last_day(lately)}"
    if measured is None:
        return _stage("monitor", f"{word} –", span, IDLE)
    return _stage("monitor", f"{word} {number(measured.value)}", span, OK)


def _alert(facts: Facts) -> Stage:
    if facts.firing:
        waiting = [each for each in facts.firing if each.acknowledged_by is None]
        note = f"{facts.firing[0].rule} of {facts.firing[0].endpoint}"
        return _stage("alert", f"{len(facts.firing)} open", note, BAD if waiting else WARN)
    if not facts.alerts:
        return _stage("alert", "none", "none so far", OK)
    return _stage("alert", "none open", f"last {day(facts.alerts[0].fired)}", OK)


def _retrain(facts: Facts, first: EndpointFacts | None) -> Stage:
    decision = next((each for each in facts.decisions if each.kind == "retrain"), None)
    if decision is None:
        asked = first.settings.retrain if first else None
        return _stage(
            "retrain", "none", "on " + ", ".join(asked.on) if asked else "not set up", IDLE, "decision"
        )
    ref = version_of(decision.outcome)
    kept = decision.outcome.startswith("keep")
    value = "kept" if kept else f"v{ref}" if ref else decision.outcome.partition(":")[0]
    state = WARN if decision.outcome.startswith(("failed", "wait")) else OK
    return _stage("retrain", value, day(decision.at), state, "decision")


def _last_day(window: Performance) -> str:
    """A window ends at midnight: the last day in it is the one before."""
    return day(window.window.end, before=True)


def _stage(name: str, value: str, note: str, state: str, section: str | None = None) -> Stage:
    return Stage(name=name, value=value, note=note, state=state, href=f"/#{section or name}")
