"""Can a machine start the training?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import training_files
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_COMMANDS = (
    "argparse",
    "click",
    "typer",
    "fire",
    "hydra",
    "absl.app",
    "jsonargparse",
    "tyro",
    "lightning.pytorch.cli",
)


def look(repository: Repository) -> Answer:
    """Look for a pipeline of an orchestrator, then for a command that trains."""
    if repository.pipelines:
        first = repository.pipelines[0]
        tools = sorted({each.tool for each in repository.pipelines})
        return yes(
            f"{len(repository.pipelines)} pipelines ({', '.join(tools)}): {first.name}",
            *(each.at for each in repository.pipelines[:10]),
        )
    scripts = [file for file in training_files(repository) if not file.notebook]
    commands = [file for file in scripts if file.main_guard or file.imports_any(*_COMMANDS)]
    if commands:
        return yes(f"{commands[0].path} can be started", *(Location(path=file.path) for file in commands[:5]))
    if scripts:
        return unknown(
            "modules train; what starts them is not here", *(Location(path=f.path) for f in scripts[:5])
        )
    notebooks = training_files(repository)
    if not notebooks:
        return unknown("what trains could not be read")
    places = (Location(path=file.path) for file in notebooks[:10])
    return no("training stands in notebooks: no machine can start it", *places)


PROBE = Probe(
    id="pipeline.defined",
    title="training is one command or pipeline that a machine can start",
    why="What only a person can start is not run again when it has to be.",
    remedy="write a pipeline (mlwright init shows one), or a train.py with a main",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    source="Google MLOps level 1",
)
