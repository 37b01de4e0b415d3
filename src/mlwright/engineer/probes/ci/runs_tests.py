"""Does that machine run the tests?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_RUNNERS = (
    r"\bpytest\b|\bpy\.test\b|unittest|\btox\b|\bnox\b|nosetests|hatch (run )?test|manage\.py test",
    r"(make|just|task|poe|inv|pdm run|poetry run|uv run|rye|pixi run|npm)\b[^\n]*\b(test|tests|check|ci|coverage)\b",
    r"(dev|bash|sh)\b[^\n]*\b(test|tests|check|ci)\b",
    r"(go|cargo|dotnet|mvn|gradle|bazel|ctest)[^\n]*\btest",
    r"cibuildwheel|doctest|tests?\.(sh|py)|run_tests?",
)
_SCRIPT = re.compile(
    r"\.(sh|py|ps1)\b|\b(make|just|task|nox|inv|bash|bazel)\b|(^|\s)\.{0,2}[\w-]*/[\w./-]+", re.MULTILINE
)


def look(repository: Repository) -> Answer:
    """Look for a test runner in the steps."""
    found = [step for workflow in repository.workflows for step in workflow.running(*_RUNNERS)]
    if found:
        return yes(f"job {found[0].job} runs them", *(step.at for step in found[:10]), steps=len(found))
    if not repository.workflows:
        return unknown("the definition is of a host that is not read")
    scripts = [
        step
        for w in repository.workflows
        for step in w.steps
        if _SCRIPT.search(step.run) or "tests" in step.uses
    ]
    if scripts:
        return unknown(
            f"job {scripts[0].job} calls {scripts[0].run.strip()[:60]!r}: what it does is not read",
            scripts[0].at,
        )
    reused = [step for workflow in repository.workflows for step in workflow.steps if ".y" in step.uses]
    if reused or not any(workflow.steps for workflow in repository.workflows):
        return unknown("the steps stand in another file")
    return no(
        f"{len(repository.workflows)} CI definitions, none runs tests",
        *(Location(path=each.path) for each in repository.workflows[:5]),
    )


PROBE = Probe(
    id="ci.runs_tests",
    title="CI runs the tests",
    why="A green tick that tested nothing is worse than none.",
    remedy="add a job with pytest (mlwright assess --fix ci)",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    after="ci.exists",
    fix="ci",
    source="ML Test Score Infra 2",
)
