"""Can the owner of somebody else's action change what runs in our CI?"""

import re
from collections.abc import Iterator

from mlwright.engineer.facts.configuration import WorkflowStep
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_HOSTS_OWN = frozenset({"actions", "github"})
_PINNED = re.compile(r"@[0-9a-f]{40}$|@[0-9a-f]{64}$|@sha256:[0-9a-f]{64}$")
_USED = re.compile(r"(?:docker://\S+|[\w.-]+/[\w.-]+(?:/[^@\s]+)?@\S+)")


def look(repository: Repository) -> Answer:
    """Read the workflows ourselves: what an action is and whether it is ours cannot be told from a scanner's hit."""
    if not any(each.host == "github" for each in repository.workflows):
        return no_question("no GitHub workflow here")
    used = tuple(_others(repository))
    if not used:
        return yes("no workflow uses an action of somebody else")
    loose = tuple(step for step in used if not _PINNED.search(step.uses.strip()))
    if loose:
        return no(
            f"{len(loose)} of {counted(len(used), 'use')} by a tag or branch: {listed(step.uses for step in loose)}",
            *(step.at for step in loose[:SHOWN]),
            loose=len(loose),
            used=len(used),
        )
    return yes(f"all {counted(len(used), 'use')} by commit", *(step.at for step in used[:SHOWN]))


def _others(repository: Repository) -> Iterator[WorkflowStep]:
    """Steps and jobs that use what neither GitHub nor this repository's owner keeps."""
    owners = _HOSTS_OWN | _own_owners(repository)
    for workflow in repository.workflows:
        if workflow.host == "github":
            for step in workflow.steps:
                uses = step.uses.strip()
                if _USED.fullmatch(uses) and uses.partition("/")[0].lower() not in owners:
                    yield step


def _own_owners(repository: Repository) -> frozenset[str]:
    remotes = repository.history.remotes if repository.history is not None else ()
    found = (re.search(r"github\.com[/:]([\w.-]+)/", remote) for remote in remotes)
    return frozenset(each[1].lower() for each in found if each)


PROBE = Probe(
    id="ci.pinned_actions",
    title="actions of others are pinned by commit",
    why="A tag can be moved: in 2025 a stolen token made an action that 23,000 repositories use print secrets.",
    remedy="zizmor --fix=all .github/workflows, or replace each tag by the commit that it names",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="GitHub: Security hardening for Actions; OpenSSF Scorecard Pinned-Dependencies; CVE-2025-30066",
)
