"""Does the build send everything to the image?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, yes
from mlwright.engineer.vocabulary.images import at, run_images
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look for .dockerignore where a Dockerfile copies the whole folder."""
    whole = [
        (file, each)
        for file in run_images(repository)
        for each in file.all("COPY", "ADD")
        if "--from" not in each.value and _sources(each.value) & {".", "./", "/", "*"}
    ]
    if not whole:
        return no_question("no Dockerfile copies the whole folder")
    ignores = repository.find(".dockerignore", "*.dockerignore")
    if ignores:
        return yes(ignores[0].path, *(Location(path=each.path) for each in ignores))
    file, each = whole[0]
    return no(
        f"{file.path}:{each.line} copies everything, .git and data included", *(at(*pair) for pair in whole)
    )


def _sources(value: str) -> set[str]:
    words = [word for word in value.split() if not word.startswith("--")]
    return set(words[:-1])


PROBE = Probe(
    id="container.ignored_context",
    title="what is not needed stays out of the image",
    why="COPY . . puts .git, .env and gigabytes of data into every image, and every change of them rebuilds it.",
    remedy="add a .dockerignore with .git, .env, data/, models/, .venv (mlwright assess --fix dockerfile)",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    fix="dockerfile",
    source="Docker documentation, Building best practices",
)
