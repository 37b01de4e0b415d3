"""Is the model described for those who will use it?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, yes
from mlwright.engineer.vocabulary.cards import cards
from mlwright.engineer.vocabulary.learning import ours, said
from mlwright.engineer.vocabulary.sections import sections
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_WORDS: Final = frozenset(
    "create_model_card modelcard model_card_toolkit modelcardtoolkit modelcarddata".split()
)


def look(repository: Repository) -> Answer:
    """Look for a card as a document, in a README, as data, or in code that writes one."""
    found = [Location(path=each.path) for each in cards(repository)]
    if found:
        return yes(f"{found[0].path} describes the model", *found[:SHOWN], cards=len(found))
    inside = sections(repository, r"(\w+ )?model card.*")
    if inside:
        return yes(
            f"a section of {inside[0].at.path} describes the model", *[each.at for each in inside][:SHOWN]
        )
    data = [Location(path=each.path) for each in repository.documents if _is_card(each.path)]
    if data:
        return yes(f"{data[0].path} describes the model", *data[:SHOWN])
    made = said(ours(repository), _WORDS)
    if made:
        return yes(f"{made[0][0]} writes one", *[place for _, place in made][:SHOWN])
    return no(
        "no model card: no MODEL_CARD.md, no front matter of a hub in a README, no section of that name"
    )


def _is_card(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.startswith(("model_card", "model-card", "modelcard")) and "template" not in name


PROBE = Probe(
    id="model.card",
    title="a model card says what the model is for, and what not",
    why="Whoever finds the model next will use it for something that it was never tested on.",
    remedy="mlwright assess --fix model-card writes one with what is known; fill in what only you know",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    fix="model-card",
    source="Mitchell et al. 2019, Model Cards for Model Reporting; EU AI Act Annex IV",
)
