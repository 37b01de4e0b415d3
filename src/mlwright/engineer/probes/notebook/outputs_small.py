"""Does git carry what notebooks printed?"""

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LARGE = 1_000_000


def look(repository: Repository) -> Answer:
    """Look at the size of stored outputs."""
    notebooks = [
        each for each in repository.python if each.notebook and each.role not in (Role.VENDORED, Role.TEST)
    ]
    if not notebooks:
        return no_question("no notebook here")
    large = [each for each in notebooks if each.outputs_bytes > _LARGE]
    if large:
        most = max(large, key=lambda each: (each.outputs_bytes, each.path))
        evidence = (
            f"{most.path} keeps {most.outputs_bytes / 1e6:.1f} MB of outputs ({len(large)} such notebooks)"
        )
        return no(evidence, *(Location(path=each.path) for each in large), large=len(large))
    return yes(f"{len(notebooks)} notebooks, outputs below 1 MB each", notebooks=len(notebooks))


PROBE = Probe(
    id="notebook.outputs_small",
    title="notebooks do not carry large outputs",
    why="Outputs make each diff unreadable, and carry rows of real people into git.",
    remedy="add nbstripout to pre-commit (mlwright assess --fix pre-commit)",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    fix="pre-commit",
    source="nbstripout documentation",
)
