"""``doctor``: is this project well?"""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import table
from mlwright.engineer.doctor import examine
from mlwright.model.findings import Finding, Outcome

_STYLES = {Outcome.TRUE: "green", Outcome.FALSE: "red", Outcome.ERROR: "red"}


@command("doctor", example="mlwright doctor\nmlwright doctor --json")
def doctor(door: Door) -> None:
    """Examine the project: machine, state, files, endpoints. Nothing is changed but the schema of an old database.

    Exits with 1 where something of severity error does not hold.
    """
    with door.working("examining"):
        findings = examine(door.platform_or_error)
    door.show(findings, _findings)
    door.finish(well=not any(each.alarming for each in findings))


def _findings(findings: Sequence[Finding]) -> RenderableType:
    rows = [(_mark(each), each.title, each.evidence, each.remedy) for each in findings]
    return table(["", "what should hold", "found", "next"], rows)


def _mark(finding: Finding) -> Text:
    bad = finding.outcome in (Outcome.FALSE, Outcome.ERROR)
    word = "warning" if bad and not finding.alarming else finding.outcome.value.replace("_", " ")
    return Text(word, style="yellow" if word == "warning" else _STYLES.get(finding.outcome, "dim"))
