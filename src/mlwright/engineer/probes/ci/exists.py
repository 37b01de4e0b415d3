"""Does a machine look at each change?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look for a CI definition of any host."""
    if repository.workflows:
        hosts = sorted({each.host for each in repository.workflows})
        return yes(
            f"{len(repository.workflows)} definitions for {', '.join(hosts)}",
            *(Location(path=each.path) for each in repository.workflows),
        )
    others = repository.find(
        "cloudbuild.y*ml", "buildspec.y*ml", ".buildkite/*", "appveyor.yml", ".woodpecker*", ".ci/*"
    )
    if others:
        return yes(others[0].path, *(Location(path=each.path) for each in others))
    if repository.history is None and not repository.find(".gitignore", ".gitattributes"):
        return unknown("no definition here, and this may be a release without it")
    return no("no CI definition of any host")


PROBE = Probe(
    id="ci.exists",
    title="a machine looks at each change",
    why="Tests that nobody has to run are not run on the day that counts.",
    remedy="mlwright assess --fix ci",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    fix="ci",
    source="Google MLOps level 2; Kreuzberger P1",
)
