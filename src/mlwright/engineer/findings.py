"""Writing findings in one line."""

from mlwright.errors import MlwrightError
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Outcome


def holds(id: str, title: str, evidence: str) -> Finding:
    """What should hold does."""
    return Finding(id=id, title=title, outcome=Outcome.TRUE, evidence=evidence)


def fails(id: str, title: str, evidence: str, remedy: str, severity: Severity = Severity.ERROR) -> Finding:
    """What should hold does not."""
    return Finding(
        id=id, title=title, outcome=Outcome.FALSE, evidence=evidence, remedy=remedy, severity=severity
    )


def refused(id: str, title: str, error: MlwrightError, severity: Severity = Severity.ERROR) -> Finding:
    """What should hold does not, as one of our own errors says."""
    evidence = "; ".join(
        [f"{error.where}: {error.what}" if error.where else error.what, *map(str, error.faults)]
    )
    if error.why:
        evidence += f" ({error.why})"
    # An error may name this very command as the next one; a doctor who sends you to the doctor is no use.
    remedy = error.next_command if error.next_command != "mlwright doctor" else ""
    return fails(id, title, evidence, remedy or "", severity)


def no_question(id: str, title: str, evidence: str) -> Finding:
    """The question does not arise here."""
    return Finding(
        id=id, title=title, outcome=Outcome.NOT_APPLICABLE, evidence=evidence, severity=Severity.INFO
    )


def unknown(id: str, title: str, evidence: str) -> Finding:
    """It could not be found out, for a reason that another finding gives."""
    return Finding(id=id, title=title, outcome=Outcome.NOT_AVAILABLE, evidence=evidence)


def broke(id: str, title: str, error: Exception) -> Finding:
    """Looking for it failed in a way that nobody expected."""
    return Finding(
        id=id,
        title=title,
        outcome=Outcome.ERROR,
        evidence=f"{type(error).__name__}: {error}",
        remedy="report this; MLWRIGHT_DEBUG=1 shows more",
    )
