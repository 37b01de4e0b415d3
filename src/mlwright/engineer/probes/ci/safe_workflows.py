"""Can a stranger make our CI run what they like, with our rights?"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mlwright.engineer.facts.configuration import Document, Plain, Workflow
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

# What a stranger can set off that runs with the repository's own token and secrets.
_STRANGERS: Final = frozenset(
    (
        "issues",
        "issue_comment",
        "pull_request_target",
        "discussion",
        "discussion_comment",
        "workflow_run",
        "fork",
    )
)
# What a stranger writes. An id, a number or a commit's digest is none of it.
_WRITTEN: Final = re.compile(
    r"\$\{\{[^}]*\bgithub\.(?:head_ref\b|event\.(?:issue\.(?:title|body)|pull_request\.(?:title|body|head\.(?:ref|label))"
    r"|comment\.body|review\.body|review_comment\.body|discussion\.(?:title|body)"
    r"|workflow_run\.(?:head_branch|display_title|head_commit\.message|head_commit\.author\.(?:name|email)))\b)"
)
_HEAD: Final = re.compile(
    r"github\.event\.pull_request\.head\.|github\.head_ref|github\.event\.workflow_run\.head_(?:sha|branch)"
    r"|refs/pull/"
)
_INJECTED: Final = "template-injection"


def look(repository: Repository) -> Answer:
    """Look for texts of strangers within scripts, and for code of strangers that is checked out and run."""
    workflows = tuple(each for each in repository.workflows if each.host == "github")
    if not workflows:
        return no_question("no GitHub workflow here")
    wrong: dict[Location, str] = {}
    guarded: dict[Location, str] = {}
    open_ = {each.path: each for each in workflows if _STRANGERS.intersection(each.triggers)}
    for workflow in open_.values():
        chosen = _labelled(workflow)
        for at, what, guard in (*_injections(workflow), *_checkouts(workflow)):
            (guarded if guard or chosen else wrong)[at] = what
    for scan in repository.scans:
        for hit in scan.hits:
            if hit.rule == _INJECTED and hit.severity is Severity.ERROR and hit.location.path in open_:
                known = {(each.path, each.line) for each in (*wrong, *guarded)}
                if not _near(hit.location, known):
                    guarded.setdefault(hit.location, f"{scan.scanner}: {hit.message}")
    if wrong:
        return no(
            f"{counted(len(wrong), 'place')}: {listed(wrong.values())}",
            *sorted(wrong)[:SHOWN],
            places=len(wrong),
        )
    if guarded:
        return unknown(
            f"behind a condition that a person has to judge: {listed(guarded.values())}",
            *sorted(guarded)[:SHOWN],
        )
    return yes(
        f"{counted(len(workflows), 'workflow')}, {len(open_)} of them set off by strangers, run none of their code"
    )


def _labelled(workflow: Workflow) -> bool:
    """Whether it starts only when one of us labels a pull request."""
    types = (
        workflow.document.get("on", "pull_request_target", "types") if workflow.document is not None else None
    )
    others = _STRANGERS.intersection(workflow.triggers) - {"pull_request_target"}
    return not others and types in ("labeled", ["labeled"])


def _near(at: Location, known: set[tuple[str, int | None]]) -> bool:
    """Whether a place is one that we have already: a scanner names the line in a script, we its beginning."""
    return any(path == at.path and 0 <= (at.line or 0) - (line or 0) <= 200 for path, line in known)


def _injections(workflow: Workflow) -> Iterator[tuple[Location, str, bool]]:
    """Where a text of a stranger is pasted into a script before the shell reads it."""
    for job, body, steps in _jobs(workflow.document):
        for position, step in enumerate(steps):
            script = step.get("run")
            if not isinstance(script, str) and isinstance(step.get("with"), dict):
                script = step["with"].get("script")  # actions/github-script
            found = _WRITTEN.search(script) if isinstance(script, str) else None
            if found and workflow.document is not None:
                at = workflow.document.at("jobs", job, "steps", position)
                yield at, f"{found[0].strip('${ ')} within a script", _guarded(body, step)


def _checkouts(workflow: Workflow) -> Iterator[tuple[Location, str, bool]]:
    """Where a stranger's code is checked out and something is run after it."""
    for job, body, steps in _jobs(workflow.document):
        for position, step in enumerate(steps):
            given = step.get("with")
            ref = f"{given.get('ref', '')} {given.get('repository', '')}" if isinstance(given, dict) else ""
            checkout = str(step.get("uses", "")).startswith("actions/checkout@") and _HEAD.search(ref)
            runs = any(
                "run" in each or str(each.get("uses", "")).startswith("./") for each in steps[position + 1 :]
            )
            if checkout and runs and workflow.document is not None:
                at = workflow.document.at("jobs", job, "steps", position)
                yield at, "a stranger's code is checked out and run with our secrets", _guarded(body, step)


def _jobs(document: Document | None) -> Iterator[tuple[str, Mapping[str, Plain], list[Mapping[str, Plain]]]]:
    jobs = document.get("jobs") if document is not None else None
    for name, body in jobs.items() if isinstance(jobs, dict) else ():
        steps = body.get("steps") if isinstance(body, dict) else None
        if isinstance(name, str) and isinstance(steps, list):
            yield name, body, [each if isinstance(each, dict) else {} for each in steps]


def _guarded(job: Mapping[str, Plain], step: Mapping[str, Plain]) -> bool:
    """Whether a condition, a protected environment or an earlier job may keep strangers out."""
    return any(key in job for key in ("if", "environment", "needs")) or "if" in step


PROBE = Probe(
    id="ci.safe_workflows",
    title="no stranger's text or code runs in CI with our rights",
    why="An issue's title can be a shell command: who opens it has the token that pushes and publishes.",
    remedy="hand texts over by env:, run strangers' code under pull_request without secrets; zizmor shows where",
    look=look,
    when=When.ALWAYS,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    source="GitHub: Security hardening for Actions; OWASP CICD-SEC-4; OpenSSF Scorecard Dangerous-Workflow",
)
