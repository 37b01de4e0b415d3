"""Do notebooks show what running them would show?"""

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look at the execution counts that notebooks keep."""
    run = [
        each
        for each in repository.python
        if each.notebook
        and each.role not in (Role.VENDORED, Role.TEST)
        and each.executed_in_order is not None
    ]
    if not run:
        return no_question("no notebook here that was executed")
    mixed = [each for each in run if each.executed_in_order is False]
    if mixed:
        evidence = f"{mixed[0].path} was executed out of order ({len(mixed)} of {len(run)} notebooks)"
        return no(
            evidence, *(Location(path=each.path) for each in mixed), notebooks=len(run), mixed=len(mixed)
        )
    return yes(f"{len(run)} notebooks, executed from top to bottom", notebooks=len(run))


PROBE = Probe(
    id="notebook.in_order",
    title="notebooks were executed from top to bottom",
    why="A figure from a cell that ran before the one above it cannot be had again.",
    remedy="restart the kernel and run all cells (jupyter execute NOTEBOOK) before you commit",
    look=look,
    when=When.ALWAYS,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Pimentel et al. 2019, A large-scale study about quality and reproducibility of Jupyter notebooks",
)
