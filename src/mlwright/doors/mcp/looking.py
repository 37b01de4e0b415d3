"""Tools that look at a repository: assess, explain_finding, review, doctor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import Field

from mlwright.doors.mcp.tool import Where
from mlwright.doors.mcp.workplace import Workplace
from mlwright.doors.reports.words import counts
from mlwright.engineer.probe import Probe
from mlwright.engineer.standing import judge
from mlwright.errors import MlwrightError
from mlwright.model.assessment import Assessment, Interval, Profile, Recommendation, RubricView, Suppression
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Location, Outcome

PLACES: Final = 10
"""Places that a finding shows here; the resource has all of them."""
UNREAD: Final = 10

_OPEN: Final = (Outcome.FALSE, Outcome.ERROR, Outcome.NOT_AVAILABLE, Outcome.NOT_SUPPORTED)
_GRAVITY: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_STATIC: Final = (
    "nothing of the repository was run: what files cannot show is unknown, and unknown is no pass"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricVerdict:
    """What a rubric says in one line; its items are in the report's resource."""

    id: str
    title: str
    verdict: str
    points: Interval | None
    out_of: float
    next_level: str
    blocking: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """The first screen of a report. ``counts`` is by outcome; ``findings`` only where details were asked for."""

    path: str
    subject: str
    profile: Profile
    readiness: Interval
    counts: dict[str, int]
    recommendations: tuple[Recommendation, ...]
    rubrics: tuple[RubricVerdict, ...]
    findings: tuple[Finding, ...]
    suppressions: tuple[Suppression, ...]
    unread: tuple[str, ...]
    engines: tuple[str, ...]
    files: int
    bytes: int
    resource: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a probe asks."""

    id: str
    title: str
    severity: Severity
    when: str
    effort: str
    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One finding in full: the question, its answer here, and which rubric items (``rubric/item``) hang on it."""

    path: str
    question: Question
    finding: Finding
    recommendation: Recommendation | None
    items: tuple[str, ...]
    suppressions: tuple[Suppression, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What is wrong with files that deploy a model, the gravest first; ``passes`` is False where an error stands."""

    path: str
    subject: str
    passes: bool
    counts: dict[str, int]
    rubrics: tuple[RubricVerdict, ...]
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]
    engines: tuple[str, ...]
    resource: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What the doctor found; ``well`` is False where something of severity error does not hold."""

    path: str
    well: bool
    findings: tuple[Finding, ...]
    limits: tuple[str, ...]


class Looking:
    """Tools that look and change nothing."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def assess(
        self,
        path: Where = ".",
        top: Annotated[int, Field(ge=1, le=50, description="How many recommendations.")] = 5,
        details: Annotated[
            bool, Field(description="Add every finding that does not hold or is unknown.")
        ] = False,
    ) -> Assessed:
        """Judge how ready a machine-learning repository is for production, as a senior MLOps engineer would. Use it
        first, before you plan, change or answer anything about pipelines, deployment, monitoring or MLOps maturity.
        It reads files and git history, runs nothing, and returns readiness (0 to 100 as an interval: unknown widens
        it), the verdicts of published rubrics and the most valuable fixes with places; cite findings by id. For one
        finding call explain_finding; the whole report is the resource."""
        folder = self._place.folder(path)
        standing, _ = self._place.look(folder)
        report = standing.assessment
        limits = [_STATIC, *(f"an annotation cannot be used: {fault}" for fault in standing.faults)]
        if len(report.recommendations) > top:
            limits.append(f"{len(report.recommendations) - top} more recommendations are in the resource")
        if len(report.unread) > UNREAD:
            limits.append(f"{len(report.unread) - UNREAD} more unread files are in the resource")
        return Assessed(
            path=self._place.named(folder),
            subject=report.subject,
            profile=report.profile,
            readiness=report.readiness,
            counts=_counts(report),
            recommendations=tuple(map(_short_recommendation, report.recommendations[:top])),
            rubrics=tuple(map(_verdict, report.rubrics)),
            findings=_problems(report, _OPEN) if details else (),
            suppressions=report.suppressions,
            unread=report.unread[:UNREAD],
            engines=report.engines,
            files=report.files,
            bytes=report.bytes,
            resource=resource("report", self._place.named(folder)),
            limits=tuple(limits),
        )

    def explain_finding(
        self,
        finding: Annotated[str, Field(description="The id, such as data.contract.")],
        path: Where = ".",
    ) -> Explained:
        """Explain one finding of an assessment: what is asked, why it matters and where the rule comes from, what was
        found in this repository with every place, what to do, and which rubric items depend on it. Use it before you
        act on a recommendation, or when a person asks why; ids come from assess, review or the resource
        mlwright://probes. The repository is read anew, so it also tells whether your change flipped the finding."""
        probe = self._place.engineer.probe(finding)
        folder = self._place.folder(path)
        standing, _ = self._place.look(folder)
        report = standing.assessment
        found = next(each for each in report.findings if each.id == probe.id)
        limits = [_STATIC] if found.outcome in _OPEN else []
        if probe.elsewhere and found.outcome is Outcome.FALSE:
            limits.append("this may well live outside of the repository: read it as not seen here")
        return Explained(
            path=self._place.named(folder),
            question=question(probe),
            finding=found,
            recommendation=next((each for each in report.recommendations if each.finding == probe.id), None),
            items=tuple(
                f"{view.id}/{item.id}"
                for view in report.rubrics
                for section in view.sections
                for item in section.items
                if probe.id in (*item.because, *item.against)
            ),
            suppressions=tuple(each for each in report.suppressions if each.finding == probe.id),
            limits=tuple(limits),
        )

    def review(
        self,
        path: Annotated[str, Field(description="A folder or one file below the server's root.")] = ".",
    ) -> Reviewed:
        """Look over files that deploy a model (Dockerfile, Compose, Kubernetes, Helm, Terraform, CI workflows, serving
        code) as a second pair of eyes: security, observability, maintainability, disaster recovery, cost. Use it on
        every such file that you or another model wrote, before you hand it to a person; nothing is run. Returns what
        does not hold with places and remedies, the gravest first."""
        place = self._place.path(path)
        standing = self._place.review(place)
        report = standing.assessment
        return Reviewed(
            path=self._place.named(place),
            subject=report.subject,
            passes=judge(standing, fail_on=Severity.ERROR).passes,
            counts=_counts(report),
            rubrics=tuple(map(_verdict, report.rubrics)),
            findings=_problems(report, (Outcome.FALSE, Outcome.ERROR)),
            unread=report.unread[:UNREAD],
            engines=report.engines,
            resource=resource("review", self._place.named(place)),
            limits=(_STATIC, "only what is asked by a probe was looked for: passing is no proof of safety"),
        )

    def doctor(self, path: Where = ".") -> Examined:
        """Examine a project of mlwright (a folder with mlwright.toml): machine, database, contracts, data sources,
        endpoints, alerts. Use it when one of its commands fails, or before a release, to learn what is broken and
        which command repairs it. It changes nothing. For any other repository use assess."""
        from mlwright.engineer.doctor import examine

        folder = self._place.project(path)
        without = {} if self._place.allow_writes else _LEFT_OUT
        try:
            with self._place.platform(path) as platform:
                findings = examine(platform, without=without)
        except MlwrightError as error:
            findings = examine(error)
        return Examined(
            path=self._place.named(folder),
            well=not any(each.alarming for each in findings),
            findings=findings,
            limits=tuple(f"{check} was left out: {why}" for check, why in without.items()),
        )


_WRITER: Final = "which only a server with --allow-writes does; mlwright doctor does it, too"
_LEFT_OUT: Final = {
    "pipelines": f"importing pipeline files runs the project's code, {_WRITER}",
    "state": f"it writes a file into the state folder, {_WRITER}",
    "serve.ports": f"it connects to the addresses that the settings name, {_WRITER}",
}
"""Checks of the doctor that do more than look."""


def question(probe: Probe) -> Question:
    """A probe as the catalogue and ``mlwright assess --list --json`` write it."""
    return Question(
        id=probe.id,
        title=probe.title,
        severity=probe.severity,
        when=str(probe.when),
        effort=str(probe.effort),
        why=probe.why,
        source=probe.source,
    )


def resource(kind: str, path: str) -> str:
    """The URI of a whole report."""
    return f"mlwright://{kind}" if path == "." else f"mlwright://{kind}/{quote(path)}"


def _counts(report: Assessment) -> dict[str, int]:
    return {outcome.value: number for outcome, number in counts(report.findings).items()}


def _verdict(view: RubricView) -> RubricVerdict:
    return RubricVerdict(
        id=view.id,
        title=view.title,
        verdict=view.verdict,
        points=view.points,
        out_of=view.out_of,
        next_level=view.next_level,
        blocking=view.blocking,
        note=view.note,
    )


def _problems(report: Assessment, outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    chosen = [each for each in report.findings if each.outcome in outcomes]
    chosen.sort(key=lambda each: (outcomes.index(each.outcome), _GRAVITY[each.severity], each.id))
    return tuple(replace(each, locations=_few(each.locations)) for each in chosen)


def _short_recommendation(each: Recommendation) -> Recommendation:
    return replace(each, locations=_few(each.locations))


def _few(locations: tuple[Location, ...]) -> tuple[Location, ...]:
    return locations[:PLACES]
