"""A draft of a model card: what the files show, each with its place, and a TODO for every judgement."""

from collections.abc import Iterable, Sequence
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.probes.model import card
from mlwright.engineer.vocabulary.columns import feature_columns
from mlwright.engineer.vocabulary.dataflow import targets
from mlwright.engineer.vocabulary.learning import kind, models, training
from mlwright.engineer.vocabulary.scores import recorded
from mlwright.engineer.vocabulary.sources import literal, table_reads
from mlwright.model import cards
from mlwright.model.findings import Location, Outcome

_PATH: Final = "MODEL_CARD.md"
_SHOWN: Final = 10
_LATER: Final = (
    "what has TODO(owner) is for you to fill in: a machine knows no intent, no judgement and no consequence"
)


def plan(repository: Repository, read: Read) -> Draft:
    """Write MODEL_CARD.md where no card is."""
    if card.look(repository).outcome is Outcome.TRUE:
        return NOTHING
    if read(_PATH, head=1) is not None:
        return Draft(refused=f"{_PATH} is there already and was not recognised as a card")
    if not training(repository):
        return Draft(refused="nothing here trains a model that a card could describe")
    blocks = [(f"# Model card: {_plain(repository.name)}", _intro()), *_sections(repository)]
    text = "\n".join(f"{title}\n\n{''.join(f'{line}{chr(10)}' for line in lines)}" for title, lines in blocks)
    return Draft(
        changes={_PATH: text.encode()},
        notes=(_LATER,),
        leaves={"model.card_complete": "the sections that only you know have a TODO(owner) each"},
    )


def _intro() -> list[str]:
    return [
        "<!-- A draft by mlwright assess, from files of this repository. Each statement names its place. -->",
    ]


def _sections(repository: Repository) -> list[tuple[str, list[str]]]:
    """The nine sections of Mitchell et al. (2019), in their order."""
    facts = {
        cards.DETAILS: _details(repository),
        cards.METRICS: _metrics(repository),
        cards.TRAINING: _data(repository),
    }
    return [
        (f"## {title}", [*facts.get(title, []), f"- {cards.todo(judgement)}"])
        for title, judgement in cards.JUDGEMENTS.items()
    ]


def _details(repository: Repository) -> list[str]:
    made = [(kind(call), file.at(call)) for file, call in models(training(repository))]
    lines = [f"- Fitted: {_listed(made)}." if made else f"- Trained in {_files(repository)}."]
    if repository.profile.frameworks:
        lines.append(f"- Libraries that the code imports: {', '.join(repository.profile.frameworks)}.")
    return lines


def _files(repository: Repository) -> str:
    return ", ".join(_code(each.path) for each in training(repository)[:_SHOWN])


def _metrics(repository: Repository) -> list[str]:
    return [
        f"- {_plain(each.name)}: {_plain(each.written)}, as recorded in {_code(str(each.at))}."
        for each in recorded(repository)[:_SHOWN]
    ]


def _data(repository: Repository) -> list[str]:
    reads = [(literal(call) or call.method, file.at(call)) for file, call in table_reads(repository)]
    features = [(each.name, each.at) for each in feature_columns(repository)]
    aims = [(each.column, file.at(each.binding)) for file in training(repository) for each in targets(file)]
    lines = [f"- Tables that the code reads: {_listed(reads)}."] if reads else []
    lines += [f"- Target column: {_listed(aims)}."] if aims else []
    lines += [f"- Features that are written out: {_listed(features, 40)}."] if features else []
    return lines


def _listed(found: Iterable[tuple[str, Location]], most: int = _SHOWN) -> str:
    first: dict[str, Location] = {}
    for name, at in found:
        first.setdefault(name, at)
    shown: Sequence[str] = [f"{_code(name)} ({_plain(str(at))})" for name, at in list(first.items())[:most]]
    more = len(first) - most
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _code(text: str) -> str:
    return f"`{_plain(text)}`"


def _plain(text: str) -> str:
    """A text of the repository as one line that is no markup."""
    shown = "".join(each if each.isprintable() and each not in "`<>[]|" else " " for each in text)
    return " ".join(shown.split())[:120]


FIX: Final = Fix(
    id="model-card",
    title="draft a model card from what the files show",
    flips=("model.card",),
    plan=plan,
)
