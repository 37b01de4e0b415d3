"""From findings to changed files: plan, show, write on consent, and put the same questions again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlwright.engineer.collect.opening import read_regular
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.catalogue import named
from mlwright.engineer.fixes.diff import unified
from mlwright.engineer.fixes.forecast import forecast
from mlwright.engineer.fixes.shape import LARGEST, Draft, Fix
from mlwright.engineer.fixes.text import source_of
from mlwright.engineer.fixes.writing import digest
from mlwright.engineer.probe import Probe
from mlwright.engineer.probing import ask
from mlwright.model.assessment import Assessment, Interval
from mlwright.model.findings import Finding, Outcome
from mlwright.model.fixes import Change, FixPlan, FixResult, PlannedFix, Remainder, Turn
from mlwright.ports.scanner import Scanner

_OWN = ("ci.", "container.", "security.", "kubernetes.", "code.", "dependencies.")
"""What every file that we write is asked: one that is red itself is not offered."""


class Files:
    """A repository's files, as they stand or as they would: nothing is written here."""

    def __init__(self, root: Path, repository: Repository) -> None:
        self._root = root
        self._known = {each.path: each.bytes for each in repository.files}
        self.planned: dict[str, bytes] = {}

    def __call__(self, path: str, *, head: int | None = None) -> bytes | None:
        """What will stand at this path; a :class:`Read`."""
        if path in self.planned:
            return self.planned[path][:head]
        return self.standing(path, head=head)

    def standing(self, path: str, *, head: int | None = None) -> bytes | None:
        """What stands there now."""
        # Only what the walk listed: whatever else there is was left out for a reason, or lies behind a link.
        if path not in self._known or (head is None and self._known[path] > LARGEST):
            return None
        try:
            return read_regular(self._root / path, LARGEST if head is None else head)
        except OSError:
            return None

    def in_the_way(self, path: str) -> str:
        """What keeps a file from being written here: a link, or something that was not read; "" for nothing."""
        if path in self._known:
            return "" if self.standing(path) is not None else "it cannot be read, or is too large"
        here = self._root
        for name in path.split("/"):
            here = here / name
            if here.is_symlink():
                return f"{name} is a symbolic link, and links are not followed"
        return "something stands there that was not read" if here.exists() else ""


@dataclass(frozen=True, slots=True)
class _Step:
    """How far planning has come: the facts and findings as they would be."""

    repository: Repository
    findings: Mapping[str, Finding]


def plan(
    path: Path,
    repository: Repository,
    assessment: Assessment,
    ids: Iterable[str],
    probes: Mapping[str, Probe],
    scanners: Sequence[Scanner] = (),
) -> FixPlan:
    """What these fixes would change. Nothing is written.

    Args:
        path: the repository's folder.
        repository: what was read of it.
        assessment: what was found.
        ids: the fixes; none for all that mend something.
        probes: every question, by id.
        scanners: those that look at the new files.

    Raises:
        NotFound: there is no fix of that name.
    """
    files = Files(path, repository)
    before = {each.id: each for each in assessment.findings}
    step = _Step(repository, before)
    wanted = tuple(ids)
    planned: list[PlannedFix] = []
    by: dict[str, list[str]] = {}
    for fix in named(wanted):
        failing = [id for id in _targets(fix, probes) if _fails(step.findings, id)]
        if not wanted and not failing:
            continue
        draft = fix.plan(step.repository, files)
        draft = replace(draft, changes={p: c for p, c in draft.changes.items() if c != files(p)})
        draft = _possible(draft, files)
        after = _after(step, draft, probes, scanners)
        draft = _own_medicine(draft, step, after)
        if draft.changes:
            files.planned.update(draft.changes)
            for changed in draft.changes:
                by.setdefault(changed, []).append(fix.id)
        else:
            after = step
        planned.append(_planned(fix, draft, failing, step, after))
        step = after
    changes = tuple(_change(each, files, tuple(by[each])) for each in sorted(files.planned))
    return FixPlan(
        subject=assessment.subject,
        path=path,
        fixes=tuple(planned),
        changes=tuple(each for each in changes if each.diff),
        readiness=assessment.readiness,
        outcomes={id: before[id].outcome for id in sorted(before)},
    )


def result(plan: FixPlan, written: tuple[str, ...], after: Assessment) -> FixResult:
    """What the same probes say now: which findings turned, and which did not although they were to, and why."""
    now = {each.id: each for each in after.findings}
    aims = {id for fix in plan.fixes for id in (*fix.turns, *fix.leaves)}
    reasons = {id: why for fix in plan.fixes for id, why in fix.leaves.items()}
    turned = [
        Turn(finding=id, title=each.title, before=plan.outcomes[id], after=each.outcome, why=each.evidence)
        for id, each in now.items()
        if id in plan.outcomes and each.outcome is not plan.outcomes[id]
    ]
    order = [Outcome.TRUE, Outcome.NOT_APPLICABLE, Outcome.NOT_AVAILABLE, Outcome.NOT_SUPPORTED]
    turned.sort(key=lambda each: (order.index(each.after) if each.after in order else 9, each.finding))
    remaining = [
        Remainder(
            finding=id, title=now[id].title, why=reasons.get(id) or now[id].evidence, remedy=now[id].remedy
        )
        for id in sorted(aims & set(now))
        if not _mended(now[id]) and plan.outcomes.get(id) is Outcome.FALSE
    ]
    return FixResult(
        subject=plan.subject,
        written=written,
        turned=tuple(turned),
        remaining=tuple(remaining),
        before=plan.readiness,
        after=Interval(low=after.readiness.low, high=after.readiness.high),
    )


def _targets(fix: Fix, probes: Mapping[str, Probe]) -> tuple[str, ...]:
    """The probes that a fix is there for: those that it names, and those that name it."""
    naming = {id for id, probe in probes.items() if probe.fix == fix.id}
    return tuple(sorted(naming | {id for id in fix.flips if id in probes}))


def _fails(findings: Mapping[str, Finding], id: str) -> bool:
    return id in findings and findings[id].outcome is Outcome.FALSE


def _possible(draft: Draft, files: Files) -> Draft:
    """A draft that could not be written is not offered."""
    for path in sorted(draft.changes):
        why = files.in_the_way(path) if path not in files.planned else ""
        if why:
            return Draft(refused=f"{path} cannot be written: {why}", notes=draft.notes)
    return draft


def _mended(finding: Finding) -> bool:
    """Whether what was asked holds, or there is nothing left to ask; a question that waits for another is open."""
    nothing_left = finding.outcome is Outcome.NOT_APPLICABLE and "blocked_by" not in finding.values
    return finding.outcome is Outcome.TRUE or nothing_left


def _after(step: _Step, draft: Draft, probes: Mapping[str, Probe], scanners: Sequence[Scanner]) -> _Step:
    if not draft.changes:
        return step
    facts = forecast(step.repository, draft.changes, scanners)
    return _Step(facts, {each.id: each for each in ask(facts, probes.values())})


def _own_medicine(draft: Draft, before: _Step, after: _Step) -> Draft:
    """A draft that our own review would not let pass is not offered."""
    for id, finding in sorted(after.findings.items()):
        new = finding.outcome is Outcome.FALSE and not _fails(before.findings, id)
        ours = any(each.path in draft.changes for each in finding.locations)
        if new and ours and id.startswith(_OWN) and id not in draft.leaves:
            return Draft(
                refused=f"what would be written does not pass {id}: {finding.evidence}",
                next_command=f"mlwright assess --explain {id}",
                notes=draft.notes,
            )
    return draft


def _planned(fix: Fix, draft: Draft, failing: Sequence[str], before: _Step, after: _Step) -> PlannedFix:
    turns = [id for id in failing if draft.changes and _mended(after.findings[id])]
    new = [id for id in draft.leaves if _fails(after.findings, id)]
    known = (*failing, *new) if draft.changes else tuple(id for id in failing if id in draft.leaves)
    left = [id for id in dict.fromkeys(known) if id not in turns]
    return PlannedFix(
        id=fix.id,
        title=fix.title,
        changes=tuple(sorted(draft.changes)),
        turns=tuple(turns),
        leaves={id: draft.leaves.get(id) or after.findings[id].evidence for id in left},
        notes=draft.notes,
        refused=draft.refused,
        next_command=draft.next_command,
    )


def _change(path: str, files: Files, fixes: tuple[str, ...]) -> Change:
    old, new = files.standing(path), files.planned[path]
    source = source_of(path, new)
    if source is None:  # what was no text before is planned by no fix
        raise TypeError(f"{path} would be no text")
    before = source_of(path, old) if old is not None else None
    return Change(
        path=path,
        before=None if old is None else digest(old),
        text=source.text,
        encoding=source.encoding,
        diff=unified(path, before.text if before else None, source.text),
        fixes=fixes,
    )
