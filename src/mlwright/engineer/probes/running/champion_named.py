"""Each registered model says which version is in force."""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.probes.running._records import SHARE, named, server_of
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Count the models of which some version has an alias; FALSE only where none has."""
    server = server_of(repository)
    models = sorted({each.model for each in server.versions})
    if not models:
        return unknown(f"{server.source} has no registered model")
    named_ones = {each.model for each in server.versions if each.aliases}
    without = [model for model in models if model not in named_ones]
    evidence = f"{len(models) - len(without)} of {len(models)} models in {server.source} have a version with an alias"
    if without:
        evidence += f"; not {named(without)}"
    values = {"models": len(models), "named": len(models) - len(without)}
    if len(without) <= (1 - SHARE) * len(models):
        return yes(evidence, **values)
    # Of a long list of models most are trials, which nobody puts in force.
    return no(evidence, **values) if len(without) == len(models) else unknown(evidence, **values)


PROBE = Probe(
    id="running.champion_named",
    title="each registered model says which version is in force",
    why="When two services guess which version to load, sooner or later they guess differently.",
    remedy=(
        "mlwright deploy ENDPOINT MODEL/VERSION, or client.set_registered_model_alias(name, "
        '"champion", version)'
    ),
    look=look,
    when=When.RUNNING,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kreuzberger et al. 2023, Machine Learning Operations, principle P4",
)
