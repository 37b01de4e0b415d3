"""A gate has kept a bad model out."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, unknown, yes
from mlwright.engineer.probes.running._records import count, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for a gate that failed. None is no fault: there may have been no bad model."""
    server = server_of(repository)
    if all(run.gates is None for run in server.runs):
        return unknown(f"{server.source} does not know of gates")
    asked = sum(1 for run in server.runs if run.gates)
    blocked = sorted((run for run in server.runs if run.gates_failed), key=lambda run: (run.started, run.id))
    if not blocked:
        return unknown(
            f"gates were asked in {count(asked, 'run')} of {server.source} and none refused yet", asked=asked
        )
    of = f"{count(asked, 'run')} with a gate in {server.source}"
    evidence = f"of {of} {len(blocked)} refused, the latest {blocked[-1].id}"
    return yes(evidence, asked=asked, refused=len(blocked))


PROBE = Probe(
    id="running.gate_has_blocked",
    title="a gate has kept a bad model out",
    why="A gate that has never said no may not be able to.",
    remedy="train once with labels shuffled, or on a tenth of the rows, and see the gate refuse",
    look=look,
    when=When.RUNNING,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    after="running.versions_gated",
    source="Breck et al. 2017, The ML Test Score, Infra 4",
)
