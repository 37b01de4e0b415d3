"""Tools that ask what happened and what to do: diagnose, what_changed, runbook."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from mlwright.doors.mcp.operating import Instant, instant
from mlwright.doors.mcp.tool import Where
from mlwright.doors.mcp.workplace import Workplace
from mlwright.engineer.asking.decay import CHAIN, Judged, Link, answer_decay, judge
from mlwright.engineer.asking.running import endpoints_meant
from mlwright.engineer.asking.seen import Seen
from mlwright.engineer.collect.deltas import Broken
from mlwright.engineer.collect.git_objects import Objects, common_folder, git_folder, references
from mlwright.engineer.collect.history import newest
from mlwright.errors import NotFound
from mlwright.model.answers import NextCommand, Reading, Statement
from mlwright.model.diagnosis import Share, Suspect
from mlwright.model.ledger import AuditRow, Decision
from mlwright.model.monitoring import Alert, AlertState
from mlwright.model.registry import ModelVersion
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings

MOST: Final = 50
_COMMITS: Final = 500
_READING: Final = Reading(intent="decay", title="why quality falls", why=("diagnose",), others=(), sure=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link of the chain from "quality falls" to a cause.

    ``state`` says whether it was looked at, or what it needs first; ``missing`` are findings that do not hold and are
    needed; ``how`` is how a person does it by hand.
    """

    number: int
    title: str
    asks: str
    state: str
    missing: tuple[str, ...]
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the chain said of one endpoint; ``cause`` is "" where it could not be asked, and ``summary`` says why."""

    endpoint: str
    cause: str
    sureness: str
    summary: str
    suspects: tuple[Suspect, ...] = ()
    shares: tuple[Share, ...] = ()
    would_change: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Investigation:
    """What is known of falling quality: a verdict an endpoint, evidence, the tests in order, and what was not seen."""

    path: str
    summary: str
    verdicts: tuple[Verdict, ...]
    evidence: tuple[Statement, ...]
    chain: tuple[Step, ...]
    commands: tuple[NextCommand, ...]
    questions: tuple[str, ...]
    not_seen: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommit:
    """One commit: when it was committed, and the first line of its message."""

    id: str
    at: datetime
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What happened since an instant, the latest first within each kind."""

    since: datetime
    decisions: tuple[Decision, ...]
    versions: tuple[ModelVersion, ...]
    rollouts: tuple[Rollout, ...]
    alerts: tuple[Alert, ...]
    audit: tuple[AuditRow, ...]
    commits: tuple[GitCommit, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What to do when one rule fires: what it means, then commands in order. ``open`` are alerts that fire now."""

    rule: str
    endpoint: str
    level: str
    means: str
    look: tuple[NextCommand, ...]
    act: tuple[NextCommand, ...]
    open: tuple[Alert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """The runbook of a project, made from its settings and its open alerts."""

    project: str
    entries: tuple[Entry, ...]
    limits: tuple[str, ...]


class Investigating:
    """Tools that look back at what happened."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def diagnose(
        self,
        endpoint: Annotated[str | None, Field(description="The endpoint that is meant.")] = None,
        path: Where = ".",
    ) -> Investigation:
        """Investigate falling accuracy or model decay. Use it when somebody says that quality got worse, before you
        blame drift or propose retraining. Of a mlwright project it runs the chain of tests (is it real, what changed,
        replay, skew, integrity, mix or rate, label shift, would retraining help, slices, feedback) and gives a verdict
        with shares, intervals, named features, negative results and what would change it. Tell the sureness with the
        cause, and name no other cause. Without a project it gives the order of questions and how to do them by hand."""
        folder = self._place.folder(path)
        standing, repository = self._place.look(folder)
        question = f"why does the quality of {endpoint} fall" if endpoint else "why does quality fall"
        limits: list[str] = []
        with self._place.records(path) as records:
            platform = None if isinstance(records, str) else records
            if platform is not None and endpoint is not None:
                platform.parts.endpoint(endpoint)
            if isinstance(records, str):
                limits.append(
                    f"no records of a project were read, so nothing is known of what runs: {records}"
                )
            probes = self._place.engineer.probes
            seen = Seen(question, standing.assessment, repository, probes, platform)
            judged = judge(platform, endpoints_meant(seen, platform)) if platform is not None else ()
            said = answer_decay(seen, _READING, judged)
        links = {f"{number}. {link.title} (": (number, link) for number, link in enumerate(CHAIN, 1)}
        steps = {
            head: _step(number, link, each)
            for each in said.statements
            for head, (number, link) in links.items()
            if each.text.startswith(head)
        }
        return Investigation(
            path=self._place.named(folder),
            summary=said.summary,
            verdicts=tuple(map(_verdict, judged)),
            evidence=tuple(each for each in said.statements if not each.text.startswith(tuple(links))),
            chain=tuple(steps.values()),
            commands=said.commands,
            questions=said.questions,
            not_seen=said.not_seen,
            limits=tuple(limits),
        )

    def what_changed(
        self,
        since: Instant = "7d",
        path: Where = ".",
    ) -> Changed:
        """List what happened to a mlwright project since an instant: decisions with reasons, model versions, rollouts,
        alerts, audited changes of state, and git commits. Use it when something is different from before and nobody
        knows why, or to write a summary of a week. That two things happened together proves no cause."""
        folder = self._place.folder(path)
        with self._place.platform(path) as platform:
            start = instant(since, platform.parts.clock.now())
            decisions = [each for each in platform.records.decisions(limit=1000) if each.at >= start]
            versions = [each for each in platform.releases.models() if each.created >= start]
            rollouts = [
                replace(each, history=())
                for each in platform.rollouts.list(limit=500)
                if (each.ended or each.started) >= start or not each.state.ended
            ]
            alerts = [
                each
                for each in platform.alerting.alerts(limit=1000)
                if (each.resolved or each.fired) >= start
            ]
            audit = [each for each in platform.records.audit(limit=1000) if each.at >= start]
        versions.sort(key=lambda each: each.created, reverse=True)
        commits, note = self._commits(folder, start)
        counted = {
            "decisions": len(decisions),
            "versions": len(versions),
            "rollouts": len(rollouts),
            "alerts": len(alerts),
            "audit": len(audit),
            "commits": len(commits),
        }
        return Changed(
            since=start,
            decisions=tuple(decisions[:MOST]),
            versions=tuple(versions[:MOST]),
            rollouts=tuple(rollouts[:MOST]),
            alerts=tuple(alerts[:MOST]),
            audit=tuple(audit[:MOST]),
            commits=tuple(commits[:MOST]),
            limits=(
                *(f"{name}: the latest {MOST} of {n}" for name, n in counted.items() if n > MOST),
                *((note,) if note else ()),
                "changes outside of this project are not seen: sources, upstream code, traffic",
            ),
        )

    def runbook(
        self,
        endpoint: Annotated[str | None, Field(description="One endpoint; all without it.")] = None,
        alert: Annotated[str | None, Field(description="Id of one alert.")] = None,
        path: Where = ".",
    ) -> Runbook:
        """Give the runbook of a mlwright project: for each alert rule of each endpoint what it means, what to look at
        and what to do, with commands that exist, and the alerts that fire now. Use it when an alert fires or somebody
        is on call. Commands under act change production: run them only when the person has agreed."""
        with self._place.platform(path) as platform:
            if endpoint is not None:
                platform.parts.endpoint(endpoint)
            settings = platform.parts.settings
            alerts = platform.alerting.alerts(endpoint, limit=1000)
        if alert is not None:
            chosen = [each for each in alerts if each.id == alert]
            if not chosen:
                raise NotFound.named("alert", alert, [each.id for each in alerts], "mlwright alerts")
            alerts = tuple(chosen)
        entries = [
            entry
            for one in settings.endpoints
            if endpoint in (None, one.name)
            for entry in _entries(one, alerts)
            if alert is None or any(each.rule == entry.rule and each.endpoint == one.name for each in alerts)
        ]
        return Runbook(
            project=settings.name,
            entries=tuple(entries),
            limits=(
                "made from this project's settings; who is on call and what the business does meanwhile is not known",
            ),
        )

    def _commits(self, folder: Path, since: datetime) -> tuple[list[GitCommit], str]:
        with suppress(Broken, OSError):
            found = git_folder(folder)
            if found is None:
                return [], "there is no git repository here"
            work, git = found
            if not (work.is_relative_to(self._place.root) and git.resolve().is_relative_to(self._place.root)):
                return (
                    [],
                    "git commits: the repository stands outside of the folder that this server may look at",
                )
            return _commits_since(git, since), ""
        return [], "git commits: the history cannot be read"


def _verdict(judged: Judged) -> Verdict:
    found = judged.found
    if found is None:
        return Verdict(endpoint=judged.endpoint, cause="", sureness="open", summary=judged.why)
    return Verdict(
        endpoint=judged.endpoint,
        cause=found.verdict,
        sureness=found.sureness,
        summary=found.summary,
        suspects=found.suspects,
        shares=found.shares,
        would_change=found.would_change,
    )


def _step(number: int, link: Link, said: Statement) -> Step:
    state = said.text.removeprefix(f"{number}. {link.title} ({link.asks}): ")
    return Step(
        number=number,
        title=link.title,
        asks=link.asks,
        state=state,
        missing=said.because,
        how=link.how,
    )


def _commits_since(git: Path, since: datetime) -> list[GitCommit]:
    common = common_folder(git)
    head = references(git, common).get("HEAD")
    if head is None:
        return []
    objects = Objects(common)
    made = []
    for id, commit in newest(objects, head, _COMMITS).items():
        at = datetime.fromtimestamp(commit.time, UTC)
        if at >= since:
            message = objects.read(id)[1].partition(b"\n\n")[2]
            subject = message.strip().split(b"\n")[0].decode("utf-8", "replace")[:200]
            made.append(GitCommit(id=id, at=at, subject=subject))
    return sorted(made, key=lambda each: (each.at, each.id), reverse=True)


def _entries(endpoint: EndpointSettings, alerts: tuple[Alert, ...]) -> Iterable[Entry]:
    name, monitor = endpoint.name, endpoint.monitor
    look = NextCommand(command=f"mlwright monitor {name} --drift", why="the series, and which features moved")
    why = NextCommand(command=f"mlwright diagnose {name}", why="the cause, as far as it can be told")
    decided = NextCommand(command=f"mlwright decisions {name}", why="what changed before it, and why")
    yield Entry(
        rule=monitor.metric,
        endpoint=name,
        level="page",
        means=f"{monitor.metric} over {monitor.window.days} days lies, with its whole interval, more than "
        f"{monitor.tolerance:g} on the bad side of what the champion was released with",
        look=(
            why,
            look,
            decided,
            NextCommand(command="mlwright check", why="whether the data keep their contracts"),
        ),
        act=(
            NextCommand(
                command=f"mlwright retrain {name}", why="trains candidates; the gate keeps worse ones out"
            ),
            NextCommand(command=f"mlwright rollout abort {name}", why="where a rollout is under way"),
            NextCommand(
                command=f"mlwright deploy {name} REF",
                why="back to an earlier version: mlwright models lists them",
            ),
        ),
        open=_firing(alerts, name, monitor.metric),
    )
    yield Entry(
        rule="labels",
        endpoint=name,
        level="ticket",
        means="labels of predictions that should have theirs by now do not arrive: quality cannot be measured",
        look=(NextCommand(command=f"mlwright monitor {name}", why="since when labels are missing"),),
        act=(
            NextCommand(
                command="mlwright feedback --help", why="sends labels by hand; then repair what delivers them"
            ),
        ),
        open=_firing(alerts, name, "labels"),
    )
    for view in endpoint.features:
        yield Entry(
            rule=f"features.{view}",
            endpoint=name,
            level="ticket",
            means=f"predictions were answered without any value from the feature view {view}",
            look=(look, NextCommand(command="mlwright check", why="whether its source keeps its contract")),
            act=(
                NextCommand(command="mlwright features", why="writes the feature views to the online store"),
            ),
            open=_firing(alerts, name, f"features.{view}"),
        )


def _firing(alerts: tuple[Alert, ...], endpoint: str, rule: str) -> tuple[Alert, ...]:
    return tuple(
        each
        for each in alerts
        if each.endpoint == endpoint and each.rule == rule and each.state is not AlertState.RESOLVED
    )
