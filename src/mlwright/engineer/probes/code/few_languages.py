"""How many languages does a request pass through?"""

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LANGUAGES = {
    "py": "Python",
    "java": "Java",
    "scala": "Scala",
    "go": "Go",
    "r": "R",
    "rs": "Rust",
    "cs": "C#",
    "jl": "Julia",
    "rb": "Ruby",
    "php": "PHP",
    "lua": "Lua",
}
_MANY = 3


def look(repository: Repository) -> Answer:
    """Count the languages with at least three production files; what runs in a browser is left out."""
    counts: dict[str, list[str]] = {}
    for each in repository.files:
        language = _LANGUAGES.get(each.path.rpartition(".")[2].lower())
        if language and each.role is Role.PRODUCTION:
            counts.setdefault(language, []).append(each.path)
    many = sorted(name for name, paths in counts.items() if len(paths) >= _MANY)
    if len(many) > 2:
        return no(
            f"{', '.join(many)}", *(Location(path=counts[name][0]) for name in many), languages=len(many)
        )
    if not many:
        return unknown("too few files to tell")
    return yes(f"{', '.join(many)}", languages=len(many))


PROBE = Probe(
    id="code.few_languages",
    title="at most two languages serve the model",
    why="Features that are written twice in two languages drift apart.",
    remedy="move the feature code to one language, or serve features from a store",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.WEEKS,
    source="Sculley et al. 2015, Multiple-Language Smell",
)
