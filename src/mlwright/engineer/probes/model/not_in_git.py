"""Are model files tracked by git?"""

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.artifacts import AMBIGUOUS, MODEL_SUFFIXES
from mlwright.engineer.vocabulary.words import SHOWN, counted
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LARGE = 1_000_000
_OURS = (Role.PRODUCTION, Role.TOOL, Role.DOCUMENT)


def look(repository: Repository) -> Answer:
    """Compare what git tracks with the sizes of model files; those of tests and examples are left alone."""
    if repository.history is None:
        return no_question("this is no git repository")
    large = [
        each
        for each in repository.files
        if each.bytes > _LARGE
        and each.role in _OURS
        and each.path in repository.history.tracked
        and (each.path.lower().endswith(MODEL_SUFFIXES) or AMBIGUOUS.search(each.path))
    ]
    if not large:
        return yes("git tracks no model above 1 MB")
    size = sum(each.bytes for each in large) / 1e6
    places = [Location(path=each.path) for each in sorted(large, key=lambda each: (-each.bytes, each.path))]
    said = f"{counted(len(large), 'model file')} above 1 MB in git, {size:,.0f} MB together: {places[0].path}"
    if any(each.path.rpartition("/")[2] == ".gitattributes" for each in repository.files):
        return unknown(
            f"{said}; .gitattributes may keep them in LFS (git lfs ls-files tells)", *places[:SHOWN]
        )
    return no(said, *places[:SHOWN], files=len(large), megabytes=round(size, 1))


PROBE = Probe(
    id="model.not_in_git",
    title="git tracks no model binaries",
    why="Every clone carries every model for ever, and nothing says which commit and data a binary came from.",
    remedy="git rm --cached the files, ignore the folder, and keep models in a registry, with DVC or in Git LFS",
    look=look,
    when=When.ALWAYS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    fix="gitignore",
    source="GitHub documentation, About large files; Kreuzberger et al. 2023, principle 4, versioning",
)
