"""Is what the model card says still so?"""

import re
from typing import Final

from mlwright.engineer.facts.configuration import Text
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.cards import cards, front_matter
from mlwright.engineer.vocabulary.learning import importing, training
from mlwright.engineer.vocabulary.scores import Score, recorded, scores_in
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_LIBRARIES: Final = {
    "sklearn": ("sklearn",),
    "scikit-learn": ("sklearn",),
    "keras": ("keras", "tensorflow"),
    "tf-keras": ("keras", "tensorflow"),
    "pytorch": ("torch", "lightning", "pytorch_lightning"),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
}
_LIBRARY: Final = re.compile(r"^library_name\s*:\s*[\"']?([\w-]+)", re.MULTILINE)


def look(repository: Repository) -> Answer:
    """Compare each metric that the card gives one value with the metrics file, and its library with the imports."""
    measured = {each.name: each for each in _single(recorded(repository))}
    agreed: list[str] = []
    wrong: list[tuple[str, Location]] = []
    for card in cards(repository):
        for score in _single(scores_in(card)):
            if score.name in measured:
                other = measured[score.name]
                same = score.agrees(other.value)
                agreed += [score.name] if same else []
                said = f"{score.name} is {score.written} in {card.path} and {other.written} in {other.at}"
                wrong += [] if same else [(said, score.at)]
        told = _library(repository, card)
        agreed += ["library_name"] if told == "" else []
        wrong += [(told, Location(path=card.path))] if told else []
    if wrong:
        return no(
            "; ".join(said for said, _ in wrong[:3]), *[at for _, at in wrong][:SHOWN], differences=len(wrong)
        )
    if agreed:
        return yes(
            f"{listed(agreed)} as recorded", *[Location(path=each.path) for each in cards(repository)][:SHOWN]
        )
    return unknown("there is no metrics file to compare the card with (metrics.json would do)")


def _single(scores: list[Score]) -> list[Score]:
    names = [each.name for each in scores]
    return [each for each in scores if names.count(each.name) == 1]


def _library(repository: Repository, card: Text) -> str | None:
    """What is wrong about the library, "" where it is right, None where it cannot be compared."""
    found = _LIBRARY.search(front_matter(card))
    packages = _LIBRARIES.get(found.group(1).lower()) if found else None
    trained = training(repository)
    if found is None or packages is None or not trained:
        return None
    if importing(repository.production, *packages):
        return ""
    others = [name for each in _LIBRARIES.values() for name, _ in importing(trained, *each)]
    if not others:
        return None
    return (
        f"library_name is {found.group(1)} in {card.path}, and the code that trains imports {listed(others)}"
    )


PROBE = Probe(
    id="model.card_agrees",
    title="the model card agrees with what is recorded",
    why="A card that gives last year's accuracy is worse than none: people decide by it.",
    remedy="write the card from the run's record after each training, or correct these figures",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    effort=Effort.MINUTES,
    after="model.card",
    source="Mitchell et al. 2019, Model Cards for Model Reporting, section 4.7",
)
