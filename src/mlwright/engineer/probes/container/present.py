"""Is what serves built as an image?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import at, run_images
from mlwright.engineer.vocabulary.servers import ready_made
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_OTHERS = ("bentofile.yaml", "cog.yaml", "project.toml", "Procfile", "app.yaml", "MLproject", "*.def")


def look(repository: Repository) -> Answer:
    """Look for a Dockerfile, or another recipe of an environment."""
    images = run_images(repository)
    if images:
        return yes(f"{len(images)} Dockerfiles", *map(at, images), images=len(images))
    others = repository.find(*_OTHERS)
    if others:
        return yes(f"built by {others[0].path}", *(Location(path=each.path) for each in others))
    ready = next(ready_made(repository), None)
    if ready is not None:
        return no_question(f"{ready[0]}: no image of its own is needed")
    return no("neither a Dockerfile nor another recipe of an image")


PROBE = Probe(
    id="container.present",
    title="the service is built as an image",
    why="A service that was set up by hand runs on one machine, until that machine is replaced.",
    remedy="mlwright assess --fix dockerfile",
    look=look,
    when=When.SERVES,
    severity=Severity.WARNING,
    effort=Effort.HOURS,
    elsewhere=True,
    fix="dockerfile",
    source="Google MLOps level 1, modular containerised components",
)
