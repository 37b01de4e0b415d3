"""Is production a notebook?"""

import re

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import at, run_images
from mlwright.engineer.vocabulary.sides import trains
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_RUNS = re.compile(r"papermill|nbconvert[^\n]*--execute|jupyter (execute|run)|\bploomber-engine\b")


def look(repository: Repository) -> Answer:
    """Look for notebooks that images, schedules and jobs run, and for training that stands in notebooks alone."""
    notebooks = [each for each in repository.production if each.notebook]
    if not notebooks:
        return no_question("no notebook among the production code")
    ran = [
        (each.value, at(file, each))
        for file in run_images(repository)
        for each in file.all("CMD", "ENTRYPOINT")
        if _RUNS.search(each.value)
    ]
    ran += [
        (step.run, step.at)
        for workflow in repository.workflows
        if "schedule" in workflow.triggers
        for step in workflow.steps
        if _RUNS.search(step.run)
    ]
    if ran:
        return no("a notebook is what runs in production", *(place for _, place in ran))
    training = [each for each in repository.production if trains(each)]
    if training and all(each.notebook for each in training):
        evidence = f"training stands in {len(training)} notebooks and nowhere else"
        return no(evidence, *(Location(path=each.path) for each in training), notebooks=len(training))
    return yes(f"{len(notebooks)} notebooks beside modules that train", notebooks=len(notebooks))


PROBE = Probe(
    id="notebook.not_production",
    title="no notebook is what runs in production",
    why="A notebook cannot be tested, reviewed line by line or called with other parameters.",
    remedy="move the cells that train into functions of a module; let the notebook import them",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    source="Sculley et al. 2015, Prototype Smell; Google MLOps level 0",
)
