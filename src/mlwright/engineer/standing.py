"""Where a repository stands: its report, what was accepted or known before, and what a gate says to that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import floor
from pathlib import Path

from mlwright.engineer.annotations import accepted, read_acceptances
from mlwright.engineer.baseline import Problem, problems, read_baseline
from mlwright.engineer.changed import Assess, brought, revision
from mlwright.engineer.collect.changes import changed_lines
from mlwright.engineer.lines import Lines
from mlwright.errors import Fault
from mlwright.model.assessment import Assessment
from mlwright.model.contracts import Severity
from mlwright.model.findings import Outcome

_GRAVITY = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The report with what does not hold, place by place.

    ``faults`` are annotations that cannot be used. ``against`` names what was compared with, "" for nothing; ``gone``
    counts the baseline's problems that are no more. ``front_door`` is the file that stands for the whole repository.
    """

    assessment: Assessment
    problems: tuple[Problem, ...]
    faults: tuple[Fault, ...] = ()
    against: str = ""
    gone: int = 0
    front_door: str = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says: ``refusals`` are the reasons for a no, ``passes`` is True where there are none."""

    refusals: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether there is nothing against it."""
        return not self.refusals


def take_stock(assessment: Assessment, root: Path, *, probes: Collection[str], today: date) -> Standing:
    """Read what the repository's own annotations accept, and fingerprint every problem.

    Args:
        assessment: the report on the repository.
        root: the repository's folder.
        probes: all ids that can be accepted.
        today: an acceptance ends after its last day.
    """
    lines = Lines(root)
    read = read_acceptances(assessment.findings, lines, probes=probes, today=today)
    found = tuple(
        replace(each, accepted=accepted(each.finding, each.location, read.suppressions))
        for each in problems(assessment, lines)
    )
    return Standing(
        assessment=replace(assessment, suppressions=read.suppressions),
        problems=found,
        faults=read.faults,
        front_door=lines.front_door,
    )


def against_baseline(standing: Standing, file: Path) -> Standing:
    """Mark what a baseline knows as inherited.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no baseline, or one of an unknown version.
    """
    known = read_baseline(file)
    found = tuple(
        replace(each, inherited=True) if each.fingerprint in known else each for each in standing.problems
    )
    gone = known - {each.fingerprint for each in found}
    return _compared(standing, found, f"the baseline {file.name}", len(gone))


def against_revision(standing: Standing, root: Path, name: str, assess: Assess) -> Standing:
    """Mark what the change since a revision did not bring as inherited.

    Args:
        standing: how it stands now.
        root: the repository's folder.
        name: the revision, in any form that git takes.
        assess: how the revision is assessed, once it is written to a folder.

    Raises:
        UsageError: the folder is in no git repository.
        NotFound: there is no such revision.
    """
    changed = changed_lines(root, name)
    with revision(root, name) as before:
        found = brought(standing.problems, changed, assess(before), Lines(before))
    found = tuple(
        replace(new, inherited=new.inherited or old.inherited)
        for new, old in zip(found, standing.problems, strict=True)
    )
    both = f"{standing.against} and " if standing.against else ""
    return _compared(standing, found, f"{both}revision {name}", standing.gone)


def judge(standing: Standing, *, fail_under: float | None = None, fail_on: Severity | None = None) -> Verdict:
    """Ask the gate. What is accepted or inherited does not count against the findings, and always in the score.

    Args:
        standing: the report with its problems.
        fail_under: refuse where the lower end of readiness is below this.
        fail_on: refuse problems of this severity or a higher one.
    """
    refusals = []
    low = standing.assessment.readiness.low
    if fail_under is not None and low < fail_under:
        # Rounded down: 59.96 is not the 60 that was asked for.
        shown = floor(low * 100) / 100
        refusals.append(f"readiness: {shown:g} is shown, and {fail_under:g} was asked for")
    if fail_on is not None:
        grave = [
            each
            for each in standing.problems
            if each.counts and _GRAVITY[each.finding.severity] >= _GRAVITY[fail_on]
        ]
        new = "new " if standing.against else ""
        for id in sorted({each.finding.id for each in grave}):
            refusals.append(f"{new}{_said([each for each in grave if each.finding.id == id])}")
    return Verdict(refusals=tuple(refusals))


def _said(found: Sequence[Problem]) -> str:
    finding = found[0].finding
    places = [str(each.location) for each in found if each.location is not None]
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    where = f" at {', '.join(places[:3])}{more}" if places else ""
    how = "cannot be looked for" if finding.outcome is Outcome.ERROR else "does not hold"
    return f"{finding.severity}: {finding.id} {how}{where}"


def _compared(standing: Standing, found: tuple[Problem, ...], against: str, gone: int) -> Standing:
    ids = {each.finding.id for each in found}
    new = {each.finding.id for each in found if not each.inherited}
    return replace(
        standing,
        assessment=replace(standing.assessment, inherited=tuple(sorted(ids - new))),
        problems=found,
        against=against,
        gone=gone,
    )
