"""Does an answer say which model gave it?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.sides import serving_files
from mlwright.engineer.vocabulary.signs import signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_WORDS = frozenset(
    ("model_version", "modelversion", "model-version", "x-model-version", "version_id", "model_id")
)


def look(repository: Repository) -> Answer:
    """Look for the model's version among the words of files that serve."""
    serving = serving_files(repository)
    known = [file for file in serving if file.words & _WORDS]
    if known:
        word = min(known[0].words & _WORDS)
        return yes(f"{known[0].path} names {word}", *(Location(path=file.path) for file in known))
    standard = list(
        signs(repository, packages=("mlserver", "kserve", "mlwright", "bentoml"), files=("mlwright.toml",))
    )
    if standard:
        return yes(
            f"{standard[0][0]}: its answers name the model version", *(place for _, place in standard[:5])
        )
    if not serving:
        return unknown("the code that answers is not here")
    return no(
        "nothing in the serving code names a model version",
        *(Location(path=file.path) for file in serving[:5]),
    )


PROBE = Probe(
    id="serving.version_told",
    title="answers name the model version that gave them",
    why="A complaint about one answer cannot be looked into when nobody knows which model gave it.",
    remedy="put model_name and model_version into the answer and the log",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.MINUTES,
    source="Open Inference Protocol v2, response; EU AI Act Art. 12",
)
