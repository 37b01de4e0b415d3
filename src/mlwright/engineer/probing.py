"""Asking every probe: repository → findings, in one order, whatever a probe does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no_question, unknown
from mlwright.model.assessment import RepositoryKind
from mlwright.model.findings import Finding, Outcome

_RELEASE: Final = "but this is a source release, which leaves such files out: look at its repository"
_PART: Final = "but these are some files of something larger"
_BLOCKED: Final = "this does not arise before {after} holds"


def ask(repository: Repository, probes: Iterable[Probe]) -> tuple[Finding, ...]:
    """Put every question to the facts; a probe that breaks gives an ERROR finding and stops nobody else.

    A probe whose ``after`` is not TRUE is NOT_APPLICABLE, with the value ``blocked_by``: it counts as not shown.
    """
    known = {probe.id: probe for probe in probes}
    done: dict[str, Finding] = {}
    for id in sorted(known):
        _answer(id, known, repository, done)
    return tuple(done[id] for id in sorted(done))


def _answer(id: str, known: Mapping[str, Probe], repository: Repository, done: dict[str, Finding]) -> Finding:
    if id in done:
        return done[id]
    probe = known[id]
    before = _answer(probe.after, known, repository, done) if probe.after and probe.after in known else None
    done[id] = _finding(probe, _look(probe, repository, before))
    return done[id]


def _look(probe: Probe, repository: Repository, before: Finding | None) -> Answer:
    if not _APPLIES[probe.when](repository):
        # A library runs nothing of its own: nobody need be asked, and nothing is unknown.
        asked = probe.when is When.RUNNING and repository.profile.kind is RepositoryKind.APPLICATION
        return unknown(_NOBODY) if asked else no_question(_REASONS[probe.when])
    if before is not None and before.outcome is not Outcome.TRUE:
        answer = no_question(_BLOCKED.format(after=before.id))
        if before.outcome is not Outcome.NOT_APPLICABLE or "blocked_by" in before.values:
            answer.values["blocked_by"] = before.id
        return answer
    try:
        answer = probe.look(repository)
    except Exception as error:  # noqa: BLE001 - one broken probe must not cost the report; it is shown as broken
        return Answer(outcome=Outcome.ERROR, evidence=f"{type(error).__name__}: {error}")
    if (
        answer.outcome is Outcome.FALSE
        and not answer.locations
        and (repository.partial or repository.released)
    ):
        reason = _PART if repository.partial else _RELEASE
        return unknown(f"{answer.evidence}; {reason}", **answer.values)
    return answer


def _finding(probe: Probe, answer: Answer) -> Finding:
    remedy = probe.remedy
    if answer.outcome is Outcome.ERROR:
        remedy = "report this: the probe broke, the repository is not to blame"
    return Finding(
        id=probe.id,
        title=probe.title,
        outcome=answer.outcome,
        evidence=answer.evidence,
        remedy=remedy,
        severity=probe.severity,
        locations=answer.locations,
        values=answer.values,
        effort=probe.effort,
        fix=probe.fix,
    )


_APPLIES: Final[Mapping[When, Callable[[Repository], bool]]] = {
    When.ALWAYS: lambda repository: True,
    When.CODE: lambda repository: bool(repository.python),
    When.ML: lambda repository: repository.profile.kind is RepositoryKind.APPLICATION,
    When.TRAINS: lambda repository: (
        repository.profile.kind is RepositoryKind.APPLICATION and repository.profile.trains
    ),
    When.SERVES: lambda repository: (
        repository.profile.kind is RepositoryKind.APPLICATION and repository.profile.serves
    ),
    When.RUNNING: lambda repository: repository.server is not None,
}

_REASONS: Final[Mapping[When, str]] = {
    When.CODE: "there is no Python here",
    When.ML: "nothing here trains or serves a model of its own",
    When.TRAINS: "nothing here trains a model of its own",
    When.SERVES: "nothing here serves a model",
    When.RUNNING: "nothing here trains or serves a model of its own",
}
_NOBODY: Final = "no running project and no tracking server was asked (--mlflow URI, or run it in a project)"
