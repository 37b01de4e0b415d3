"""Where does Terraform keep what it knows?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look for a state file in the repository, then for a backend."""
    states = repository.find("*.tfstate", "*.tfstate.backup")
    tracked = repository.history.tracked if repository.history else None
    if states and (tracked is None or any(each.path in tracked for each in states)):
        places = (Location(path=each.path) for each in states)
        return no("Terraform's state lies in the repository, with every secret that it manages", *places)
    backends = [each for each in repository.resources if each.type == "terraform.backend"]
    if backends:
        return yes(f"backend {backends[0].name}", backends[0].at)
    ours = [each for each in repository.resources if each.tool == "terraform"]
    if not ours:
        return no_question("no Terraform here")
    return unknown("no backend is declared: a module, or state on somebody's laptop", ours[0].at)


PROBE = Probe(
    id="cloud.state_remote",
    title="Terraform's state is kept apart, locked and encrypted",
    why="State in a repository or on a laptop shows its secrets and lets two people destroy each other's work.",
    remedy="add a backend block (s3, gcs, azurerm) and remove the state file from git's history",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    source="Terraform documentation, Backend Configuration",
)
