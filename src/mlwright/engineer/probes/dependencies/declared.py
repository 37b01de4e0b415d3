"""Is it written down what has to be installed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_COMMON = frozenset(
    "numpy pandas polars sklearn torch tensorflow keras xgboost lightgbm catboost scipy matplotlib fastapi flask "
    "mlflow transformers requests jax".split()
)


def look(repository: Repository) -> Answer:
    """Look for a file that declares dependencies."""
    if repository.requirements or repository.locks:
        places = [each.at for each in repository.requirements] + [
            Location(path=each.path) for each in repository.locks
        ]
        files = sorted({place.path for place in places})
        return yes(f"{len(repository.requirements)} direct dependencies in {', '.join(files[:3])}", places[0])
    others = repository.find(
        "setup.py", "setup.cfg", "pyproject.toml", "environment*.y*ml", "requirements*", "Pipfile"
    )
    if others:
        return unknown(f"{others[0].path} declares none that could be read", Location(path=others[0].path))
    foreign = sorted(
        {each.name.partition(".")[0] for f in repository.production for each in f.imports} & _COMMON
    )
    if foreign:
        first = next(
            (f, each)
            for f in repository.production
            for each in f.imports
            if each.name.partition(".")[0] == foreign[0]
        )
        return no(
            f"{', '.join(foreign[:4])} {'is' if len(foreign) == 1 else 'are'} imported and declared nowhere",
            first[0].at(first[1]),
        )
    return no_question("nothing is imported that would have to be installed")


PROBE = Probe(
    id="dependencies.declared",
    title="dependencies are declared",
    why="The environment of the one who wrote it is the only one where it runs.",
    remedy="write pyproject.toml with [project] dependencies, then uv lock (mlwright assess --fix lock)",
    look=look,
    when=When.CODE,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    source="The Twelve-Factor App, II",
)
