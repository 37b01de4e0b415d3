"""The built-in engineer: what every door asks. It reads, never runs, and changes only what somebody agreed to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlwright.engineer.answers import read_answers
from mlwright.engineer.asking.answering import answer
from mlwright.engineer.asking.talk import talk
from mlwright.engineer.catalogue import all_probes
from mlwright.engineer.collect.collect import collect
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.facts.running import ServerFacts
from mlwright.engineer.fixes.catalogue import named
from mlwright.engineer.fixes.writing import write_all
from mlwright.engineer.fixing import plan as plan_changes
from mlwright.engineer.fixing import result as what_turned
from mlwright.engineer.pauses import without_collector
from mlwright.engineer.probe import Lifecycle, Probe
from mlwright.engineer.probing import ask as put_questions
from mlwright.engineer.progress import Progress, silent
from mlwright.engineer.reviewing import review_probes, to_be_reviewed
from mlwright.engineer.rubrics.catalogue import RUBRICS, view
from mlwright.engineer.rubrics.items import Seen
from mlwright.engineer.rubrics.review import REVIEW
from mlwright.engineer.rubrics.shape import Rubric
from mlwright.engineer.scoring import readiness, recommend
from mlwright.errors import NotFound, UsageError
from mlwright.model.answers import Answer
from mlwright.model.assessment import Assessment
from mlwright.model.fixes import FixPlan, FixResult
from mlwright.model.scans import Scan
from mlwright.ports.advisor import Advisor
from mlwright.ports.clock import Clock
from mlwright.ports.scanner import Scanner

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform
    from mlwright.ports.tracking_server import TrackingServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """What the engineer works with; wiring chooses it.

    ``project`` opens the project that stands in a folder for reading: its platform, or why it was not opened, in words.
    ``tracking_server`` makes a reader of a tracking server from its URI.
    """

    scanners: Sequence[Scanner]
    clock: Clock
    project: "Callable[[Path], AbstractContextManager[Platform | str]]"
    tracking_server: "Callable[[str], TrackingServer]"


class Engineer:
    """One who looks at a repository and says what a senior MLOps engineer would say, with evidence for every claim."""

    def __init__(self, engines: Engines, probes: Sequence[Probe] | None = None) -> None:
        self.engines = engines
        self.probes = {probe.id: probe for probe in (all_probes() if probes is None else probes)}

    def look(self, path: Path, *, mlflow: str | None = None, progress: Progress = silent) -> Repository:
        """Read a repository, and what runs: the tracking server at ``mlflow``, else the project that stands there.

        Raises:
            NotFound: there is no such folder.
            UsageError: it is no folder, or the tracking server's URI cannot be right.
            MlwrightError: the tracking server does not answer.
        """
        root = _folder(path)
        server, note = self._running(root, mlflow)
        repository = collect(root, scanners=self._quick, server=server, progress=progress)
        answers = read_answers(root)
        notes = (*repository.unread, *((note,) if note else ()), *map(str, answers.faults))
        return replace(repository, unread=notes, answers=answers.findings)

    def assess(
        self, path: Path, *, mlflow: str | None = None, progress: Progress = silent
    ) -> tuple[Assessment, Repository]:
        """Look, put every question, and read the findings by every rubric; what is returned second is what was seen."""
        with without_collector():
            repository = self.look(path, mlflow=mlflow, progress=progress)
            return self.judge(repository), repository

    def judge(self, repository: Repository) -> Assessment:
        """The report on facts that were read before; the same facts give the same report."""
        return self._report(repository, self.probes, RUBRICS)

    def review(self, path: Path, *, progress: Progress = silent) -> tuple[Assessment, Repository]:
        """Look over files that deploy a model: security, observability, maintainability, recovery, cost.

        Args:
            path: a folder, or one file of it.
            progress: told how far the reading has come.

        Raises:
            NotFound: there is nothing of that name.
        """
        if path.is_file():
            repository = collect(
                path.resolve().parent, scanners=self.engines.scanners, progress=progress, only=(path.name,)
            )
        else:
            repository = collect(_folder(path), scanners=self.engines.scanners, progress=progress)
        served = to_be_reviewed(repository)
        return self._report(served, review_probes(self.probes), (REVIEW,)), served

    def _report(
        self, repository: Repository, probes: Mapping[str, Probe], rubrics: Sequence[Rubric]
    ) -> Assessment:
        findings = put_questions(repository, probes.values())
        seen = Seen(
            findings={each.id: each for each in (*findings, *repository.answers)}, elsewhere=self._elsewhere
        )
        return Assessment(
            subject=repository.name,
            profile=repository.profile,
            readiness=readiness(findings, probes),
            findings=findings,
            rubrics=tuple(view(rubric, repository.profile, seen) for rubric in rubrics),
            recommendations=recommend(findings, probes, repository.profile),
            unread=repository.unread,
            engines=tuple(map(_engine, repository.scans)),
            files=len(repository.files),
            bytes=sum(each.bytes for each in repository.files),
        )

    def ask(
        self, question: str, path: Path, *, advisor: Advisor | None = None, progress: Progress = silent
    ) -> Answer:
        """Answer a question in plain English about a repository, and the project that stands in it.

        An advisor may tell the same in its own words; what it says without evidence is dropped.

        Raises:
            NotFound: there is no such folder.
            MissingExtra: the advisor's library is not installed.
        """
        assessment, repository = self.assess(path, progress=progress)
        with (
            self.engines.project(_folder(path))
            if (path / "mlwright.toml").is_file()
            else nullcontext() as found
        ):
            platform = None if isinstance(found, str) else found
            told = answer(question, assessment, repository, platform, probes=self.probes)
            return (
                told
                if advisor is None
                else talk(told, assessment, repository, platform, advisor, probes=self.probes)
            )

    def plan_fixes(self, path: Path, ids: Sequence[str] = (), *, progress: Progress = silent) -> FixPlan:
        """What these fixes would change in a repository; without ids, all that mend something. Nothing is written.

        Raises:
            NotFound: there is no such folder, or no fix of that name.
        """
        named(ids)
        assessment, repository = self.assess(path, progress=progress)
        return plan_changes(path, repository, assessment, ids, self.probes, self._quick)

    def apply(self, plan: FixPlan, *, progress: Progress = silent) -> FixResult:
        """Write what was agreed to, all or nothing, and put the same questions again.

        Raises:
            NotFound: the folder is gone.
            Conflict: a file is not as it was when the plan was made, or cannot be written; nothing is changed then.
        """
        _folder(plan.path)
        written = write_all(plan.path, plan.changes)
        assessment, _ = self.assess(plan.path, progress=progress)
        return what_turned(plan, written, assessment)

    def probe(self, id: str) -> Probe:
        """One question by its id.

        Raises:
            NotFound: there is none of that name; the nearest is suggested.
        """
        found = self.probes.get(id)
        if found is None:
            raise NotFound.named("probe", id, list(self.probes), "mlwright assess --list")
        return found

    @property
    def _quick(self) -> tuple[Scanner, ...]:
        # Scanners of infrastructure take longer than all the rest together: they are for the review.
        return tuple(each for each in self.engines.scanners if each.topic != "infrastructure")

    @property
    def _elsewhere(self) -> frozenset[str]:
        return frozenset(
            id
            for id, probe in self.probes.items()
            if probe.elsewhere or probe.lifecycle is Lifecycle.EXPERIMENTAL
        )

    def _running(self, root: Path, mlflow: str | None) -> tuple[ServerFacts | None, str]:
        now = self.engines.clock.now()
        if mlflow is not None:
            return self.engines.tracking_server(mlflow).facts(now), ""
        if not (root / "mlwright.toml").is_file():
            return None, ""
        from mlwright.engineer.collect.running import facts_of_project

        with self.engines.project(root) as platform:
            if isinstance(platform, str):
                return None, f"the project's own records: {platform}"
            return facts_of_project(platform, now), ""


def _engine(scan: Scan) -> str:
    if not scan.missing:
        return f"{scan.scanner} {scan.version}".strip()
    return f"{scan.scanner}: {scan.missing}" + (f" ({scan.install})" if scan.install else "")


def _folder(path: Path) -> Path:
    if not path.exists():
        raise NotFound("there is no such folder", where=str(path), next_command="mlwright assess .")
    if not path.is_dir():
        raise UsageError(
            "that is a file, not a repository's folder",
            where=str(path),
            next_command=f"mlwright review {path}",
        )
    return path.resolve()
