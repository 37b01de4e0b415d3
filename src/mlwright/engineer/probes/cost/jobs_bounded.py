"""Does a job that hangs end?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_DEADLINE = "activeDeadlineSeconds"


def look(repository: Repository) -> Answer:
    """Look for a deadline at Kubernetes jobs."""
    bounded: list[Location] = []
    faults: list[tuple[str, Location]] = []
    for each in repository.objects("Job", "CronJob"):
        at_job = ("spec",) if each.kind == "Job" else ("spec", "jobTemplate", "spec")
        deadlines = (
            each.document.get(*at_job, _DEADLINE),
            each.document.get(*at_job, "template", "spec", _DEADLINE),
        )
        if any(deadline is not None for deadline in deadlines):
            bounded.append(each.at)
        else:
            faults.append((f"{each.kind} {each.name} has no {_DEADLINE}", each.at))
    if faults:
        return no(faults[0][0], *(place for _, place in faults), faults=len(faults))
    if not bounded:
        return no_question("no Kubernetes job here")
    return yes(f"{len(bounded)} jobs, all with a deadline", *bounded, jobs=len(bounded))


PROBE = Probe(
    id="cost.jobs_bounded",
    title="jobs end even when they hang",
    why="A training job that hangs keeps its nodes until somebody looks at the bill.",
    remedy="set activeDeadlineSeconds to three times the usual run",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kubernetes documentation, Jobs",
)
