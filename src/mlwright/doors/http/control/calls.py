"""The calls of the JSON interface: path → one façade call each.

What only reads runs beside everything else. What works on the state of the loop is asked of the thread that turns it
(see ``turns.py``), so that it cannot meet a turn half-way; ending a rollout and taking an alert cannot wait for that.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal, cast

from mlwright.doors.http.control import asked as bodies
from mlwright.doors.http.control.asked import Asked
from mlwright.doors.http.control.status import Processes
from mlwright.doors.http.control.turns import Turns
from mlwright.errors import BadRequest
from mlwright.model.durations import parse_duration
from mlwright.model.ids import RunId
from mlwright.model.promotion import Judgement
from mlwright.platform.facade import Platform
from mlwright.platform.tracking.facade import TrackingPlatform


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the control door holds: the platform, the thread that turns its loop, and a look at the processes.

    ``tracking`` is the same store again, as the pages of experiments and models read it.
    """

    platform: Platform
    tracking: TrackingPlatform
    turns: Turns
    processes: Callable[[], Processes]


Reading = Callable[[Platform, Asked], object]
Changing = Callable[[Control, Asked], object]
"""Returns the answer, or a future that will hold it."""


def _monitor(platform: Platform, asked: Asked) -> object:
    window = asked.window()
    if window is not None:
        return platform.watch.window(asked.path["endpoint"], window)
    by = cast("Literal['day', 'month']", asked.one_of("by", ("day", "month")))
    return platform.watch.performance(platform.parts.endpoint(asked.path["endpoint"]).name, by)


def _slices(platform: Platform, asked: Asked) -> object:
    by = cast("Literal['day', 'month']", asked.one_of("by", ("day", "month")))
    return platform.watch.slices(platform.parts.endpoint(asked.path["endpoint"]).name, by, asked.window())


def _quality(platform: Platform, asked: Asked) -> object:
    endpoint, window = platform.parts.endpoint(asked.path["endpoint"]).name, asked.window()
    return platform.checking.measure(endpoint, window) if window else platform.checking.latest(endpoint)


def _drifted(platform: Platform, asked: Asked) -> object:
    endpoint, window = platform.parts.endpoint(asked.path["endpoint"]).name, asked.window()
    if window is None:
        raise BadRequest("the window is missing: ?from=…&to=…", next_command=f"GET /api/drift/{endpoint}")
    return platform.drifting.between(endpoint, window)


def _jointly(platform: Platform, asked: Asked) -> object:
    endpoint, window = platform.parts.endpoint(asked.path["endpoint"]).name, asked.window()
    return platform.shifting.compare(endpoint, window) if window else platform.shifting.kept(endpoint)


def _pipelines(platform: Platform, asked: Asked) -> object:
    return [
        {"name": name, "about": (found.function.__doc__ or "").strip()}
        for name, found in sorted(platform.training.pipelines().items())
    ]


def _gates(found: Judgement) -> object:
    return {
        "version": found.ref,
        "alias": found.alias,
        "champion": found.champion,
        "outcome": found.outcome,
        "policy": found.policy,
        "gates": found.results,
    }


READS: Final[Mapping[str, Reading]] = {
    "/runs": lambda p, a: p.training.list(
        limit=a.limit(50), failed=a.one_of("failed", ("false", "true")) == "true"
    ),
    "/runs/{run}": lambda p, a: p.training.get(RunId(a.path["run"])),
    "/pipelines": _pipelines,
    "/models": lambda p, a: p.releases.models(a.query.get("model")),
    "/models/{ref}": lambda p, a: p.releases.version(a.path["ref"]),
    "/models/{name}/{version:int}": lambda p, a: p.releases.version(a.ref()),
    "/models/{name}/{version:int}/evidence": lambda p, a: p.dossiers.evidence(
        a.ref(), everything=a.one_of("everything", ("false", "true")) == "true"
    ),
    "/models/{name}/{version:int}/card": lambda p, a: {"card": p.dossiers.card(a.ref())},
    "/models/{name}/{version:int}/bom": lambda p, a: p.dossiers.bom(a.ref()),
    "/models/{name}/{version:int}/gates": lambda p, a: _gates(
        p.releases.judge(a.ref(), a.query.get("alias", "champion"))
    ),
    "/compare/{name}/{version:int}/{other:int}": lambda p, a: p.dossiers.compare(
        a.ref(), f"{a.path['name']}/{a.path['other']}"
    ),
    "/endpoints": lambda p, a: p.releases.endpoints(),
    "/endpoints/{endpoint}": lambda p, a: p.releases.status(a.path["endpoint"]),
    "/rollouts": lambda p, a: p.rollouts.list(a.query.get("endpoint"), limit=a.limit(50)),
    "/monitor/{endpoint}": _monitor,
    "/monitor/{endpoint}/slices": _slices,
    "/monitor/{endpoint}/young": lambda p, a: p.watch.young(a.path["endpoint"]),
    "/monitor/{endpoint}/maturity": lambda p, a: p.watch.maturity(a.path["endpoint"]),
    "/monitor/{endpoint}/verdict": lambda p, a: p.watch.verdict(p.parts.endpoint(a.path["endpoint"]).name),
    "/quality/{endpoint}": _quality,
    "/drift/{endpoint}/window": _drifted,
    "/drift/{endpoint}/parts": lambda p, a: p.drifting.by_part(a.path["endpoint"], a.window()),
    "/drift/{endpoint}/joint": _jointly,
    "/drift/{endpoint}": lambda p, a: p.drifting.drift(p.parts.endpoint(a.path["endpoint"]).name),
    "/slo": lambda p, a: p.objectives.status(a.query.get("endpoint")),
    "/diagnoses": lambda p, a: p.diagnosing.diagnoses(a.query.get("endpoint"), limit=a.limit(20)),
    "/alerts": lambda p, a: p.alerting.alerts(a.query.get("endpoint"), limit=a.limit(100)),
    "/alerts/{alert}": lambda p, a: p.alerting.find(a.path["alert"]),
    "/silences": lambda p, a: p.alerting.silences(
        everything=a.one_of("everything", ("false", "true")) == "true"
    ),
    "/channels": lambda p, a: {"troubles": p.alerting.troubles()},
    "/decisions": lambda p, a: p.records.decisions(a.query.get("subject"), limit=a.limit(100)),
    "/audit": lambda p, a: p.records.audit(limit=a.limit(100)),
    "/audit/verify": lambda p, a: {"first_broken_row": p.records.broken_audit_row()},
    "/trace/{subject:path}": lambda p, a: p.records.trace(a.path["subject"]),
}


def _deploy(control: Control, asked: Asked) -> object:
    return control.platform.releases.deploy(asked.path["endpoint"], asked.parse(bodies.Deploy).ref)


def _withdraw(control: Control, asked: Asked) -> object:
    return control.platform.releases.withdraw(asked.path["endpoint"])


def _promote(control: Control, asked: Asked) -> object:
    wanted = asked.parse(bodies.Alias)
    return control.platform.releases.promote(asked.ref(), wanted.alias, override=wanted.override)


def _approve(control: Control, asked: Asked) -> object:
    said = asked.parse(bodies.Approve)
    return control.platform.releases.approve(asked.ref(), said.role, said.reason, withdraw=said.withdraw)


def _start(control: Control, asked: Asked) -> object:
    challenger = asked.parse(bodies.Challenge).challenger
    return control.platform.rollouts.start(asked.path["endpoint"], challenger)


def _abort(control: Control, asked: Asked) -> object:
    return control.platform.rollouts.abort(asked.path["endpoint"], asked.parse(bodies.Reason).reason)


def _acknowledge(control: Control, asked: Asked) -> object:
    who = asked.parse(bodies.Who).who or control.platform.parts.actor
    return control.platform.alerting.acknowledge(asked.path["alert"], who)


def _silence(control: Control, asked: Asked) -> object:
    wanted = asked.parse(bodies.Silencing)
    try:
        span = parse_duration(wanted.span)
    except ValueError as fault:
        raise BadRequest(str(fault), where="span") from None
    who = wanted.who or control.platform.parts.actor
    return control.platform.alerting.silence(
        asked.path["endpoint"], span=span, by=who, why=wanted.why, rule=wanted.rule
    )


def _unsilence(control: Control, asked: Asked) -> object:
    who = asked.parse(bodies.Who).who or control.platform.parts.actor
    return control.platform.alerting.unsilence(asked.path["silence"], who)


def _try_channel(control: Control, asked: Asked) -> object:
    asked.parse(bodies.Nothing)
    return control.platform.alerting.try_channel(asked.path["channel"])


def _advance(control: Control, asked: Asked) -> "Future[object]":
    endpoint = control.platform.parts.endpoint(asked.path["endpoint"]).name
    return control.turns.ask(
        f"judging the rollout at {endpoint}", lambda: control.platform.rollouts.advance(endpoint)
    )


def _watch(control: Control, asked: Asked) -> "Future[object]":
    endpoint = control.platform.parts.endpoint(asked.path["endpoint"]).name

    def work() -> object:
        control.platform.drifting.look(endpoint)
        watched = control.platform.watch.watch(endpoint)
        control.platform.shifting.look(endpoint)
        return watched

    return control.turns.ask(f"watching {endpoint}", work)


def _diagnose(control: Control, asked: Asked) -> "Future[object]":
    wanted = asked.parse(bodies.Diagnose)
    endpoint = control.platform.parts.endpoint(asked.path["endpoint"]).name
    return control.turns.ask(
        f"diagnosing {endpoint}",
        lambda: control.platform.diagnosing.diagnose(endpoint, since=wanted.since, until=wanted.until),
    )


def _retrain(control: Control, asked: Asked) -> "Future[object]":
    wanted = asked.parse(bodies.Retrain)
    platform = control.platform
    endpoint = platform.parts.endpoint(asked.path["endpoint"]).name

    def work() -> object:
        if wanted.if_due:
            return platform.retraining.consider(endpoint)
        return platform.retraining.retrain(endpoint, reason=wanted.reason)

    return control.turns.ask(f"retraining {endpoint}", work)


def _run(control: Control, asked: Asked) -> "Future[object]":
    wanted = asked.parse(bodies.Run)
    name = asked.path["pipeline"]
    return control.turns.ask(
        f"running {name}", lambda: control.platform.training.run(name, wanted.params, tags=wanted.tags)
    )


def _materialize(control: Control, asked: Asked) -> "Future[object]":
    view = asked.parse(bodies.View).view
    return control.turns.ask(
        f"writing {view or 'all feature views'}", lambda: control.platform.data.materialize(view)
    )


def _check(control: Control, asked: Asked) -> "Future[object]":
    asked.parse(bodies.Dataset)
    return control.turns.ask("checking contracts", control.turns.looks.check_contracts)


def _tick(control: Control, asked: Asked) -> "Future[object]":
    return control.turns.ask("turning the loop", control.turns.turn)


CHANGES: Final[Mapping[str, Changing]] = {
    "/endpoints/{endpoint}/deploy": _deploy,
    "/endpoints/{endpoint}/withdraw": _withdraw,
    "/models/{name}/{version:int}/alias": _promote,
    "/models/{name}/{version:int}/approve": _approve,
    "/rollouts/{endpoint}/start": _start,
    "/rollouts/{endpoint}/abort": _abort,
    "/rollouts/{endpoint}/advance": _advance,
    "/alerts/{alert}/ack": _acknowledge,
    "/silence/{endpoint}": _silence,
    "/silences/{silence}/end": _unsilence,
    "/channels/{channel}/test": _try_channel,
    "/watch/{endpoint}": _watch,
    "/diagnose/{endpoint}": _diagnose,
    "/retrain/{endpoint}": _retrain,
    "/run/{pipeline}": _run,
    "/features": _materialize,
    "/contracts/check": _check,
    "/tick": _tick,
}

NOT_OVER_HTTP: Final[Mapping[str, str]] = {
    "releases.register": "reads a folder or a Python file of this machine, and runs the file: the command line does it",
    "objectives.look": "is one part of a turn of the loop: tick does it, and /slo shows what is kept",
    "objectives.standing": "is at /metrics, for Prometheus",
    "watch.lost": "is one part of a turn of the loop: tick does it, and the alerts show what it found",
    "data.load": "gives a frame to code in this process; its report is at /contracts/check",
    "data.examples": "gives a frame to a pipeline in this process",
    "data.forget": "lets go of this process's own memory",
    "training.recover": "done once when `mlwright up` starts",
    "training.send": "each run sends what waits, when it ends; by hand: `mlwright runs --send`",
    "releases.load": "gives a model to code in this process; clients ask the endpoint",
    "releases.load_variant": "gives a model to code in this process; clients ask the endpoint",
    "scoring.score": "reads and writes files of whoever types it: `mlwright predict --output`",
    "scoring.watch": "works until it is stopped: `mlwright predict --watch`",
    "scoring.consume": "works until it is stopped: `mlwright predict --input redis://…`",
    "alerting.escalate": "part of every tick",
    "alerting.deliver": "part of every tick",
    "alerting.act": "writes what rules decided inside the transaction of a look",
    "drifting.measure": "part of a look: /watch does it",
    "checking.look": "is one part of a turn of the loop: tick does it, and /quality shows what it found",
    "imaging.engine": "is a program on the PATH of whoever builds",
    "imaging.write": "writes into a folder of this machine: `mlwright build image`",
    "imaging.build": "runs an engine for a minute: `mlwright build image`",
    "imaging.check": "starts a container on this machine: `mlwright build image`",
    "optimizing.optimize": "races models on the whole processor for seconds: `mlwright models optimize`",
    "profiling.profile": "takes the processor for seconds and starts a process: `mlwright profile`",
    "profiling.latest": "is in the evidence of the version, as kind profile",
    "records.monitoring": "writes into a folder of this machine: `mlwright export monitoring`",
    "records.export": "writes into a folder of this machine: `mlwright export`",
}
"""Public methods of the journeys that no call reaches, and why."""
