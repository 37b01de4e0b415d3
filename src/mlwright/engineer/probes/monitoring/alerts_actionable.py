"""Does an alert say how bad it is and what to do?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort

_SAYS = ("runbook", "description", "summary", "message", "action", "playbook", "url")


def look(repository: Repository) -> Answer:
    """Look at labels and annotations of every alerting rule."""
    if not repository.alerts:
        return no_question("no alerting rule as code here")
    bare = [
        each
        for each in repository.alerts
        if not each.labels.get("severity")
        or not any(word in key for key in each.annotations for word in _SAYS)
    ]
    if bare:
        lacks = "a severity" if not bare[0].labels.get("severity") else "a description or runbook"
        evidence = f"{bare[0].name} has not {lacks} ({len(bare)} of {len(repository.alerts)} rules)"
        return no(evidence.replace("has not a", "lacks a"), *(each.at for each in bare), bare=len(bare))
    return yes(
        f"{len(repository.alerts)} rules say how bad and what to do", *(each.at for each in repository.alerts)
    )


PROBE = Probe(
    id="monitoring.alerts_actionable",
    title="each alert says how bad it is and what to do",
    why="An alert without a next step is muted the third time.",
    remedy="add labels.severity and annotations.runbook_url to each rule",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Google SRE Workbook, ch. 5; Prometheus documentation, Alerting",
)
