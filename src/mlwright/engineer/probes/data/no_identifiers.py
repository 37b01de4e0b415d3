"""Is the number of a row a feature?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.columns import (
    ENTITY_IDENTIFIERS,
    ENTITY_MODELS,
    ROW_IDENTIFIERS,
    Column,
    feature_columns,
    mentions,
)
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location


def look(repository: Repository) -> Answer:
    """Look at the columns that are written out as features; ids of entities may be meant where they are embedded."""
    features = feature_columns(repository)
    if not features:
        return unknown("no list of feature columns is written out in code or settings")
    rows = [each for each in features if ROW_IDENTIFIERS.fullmatch(each.name)]
    entities = [each for each in features if ENTITY_IDENTIFIERS.fullmatch(each.name)]
    if rows:
        return no(
            f"{listed(each.name for each in rows)} among {counted(len(features), 'feature')}",
            *sorted({each.at for each in rows})[:SHOWN],
            features=len(features),
            identifiers=len(rows),
        )
    if entities and not any(mentions(file, ENTITY_MODELS) for file in repository.production):
        return unknown(
            f"{listed(each.name for each in entities)} among the features: right where each is known again and meant "
            "(an embedding), a leak where it only numbers rows",
            *sorted({each.at for each in entities})[:SHOWN],
        )
    return yes(
        f"{counted(len(features), 'feature')}, none of them numbers rows",
        *_shown(features),
        features=len(features),
    )


def _shown(features: tuple[Column, ...]) -> list[Location]:
    return sorted({each.at for each in features})[:SHOWN]


PROBE = Probe(
    id="data.no_identifiers",
    title="no identifier of a row is a feature",
    why="A tree learns the row number by heart, and numbers of tomorrow are outside of everything it saw.",
    remedy="take the column out of the list of features and keep it as an index",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.MINUTES,
    source="Kapoor & Narayanan 2023, L2; Kaufman et al. 2012, Leakage in Data Mining",
)
