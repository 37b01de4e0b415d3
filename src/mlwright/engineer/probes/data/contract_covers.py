"""Does the contract speak of the columns that the model learns from?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.columns import feature_columns
from mlwright.engineer.vocabulary.validation import contract_columns
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity

_ENOUGH = 0.95


def look(repository: Repository) -> Answer:
    """Compare the columns written out as features, those left out that code computes, with those of the contract."""
    known = {name.lower() for name in contract_columns(repository)}
    if not known:
        return unknown("the columns of the declared expectations cannot be read from files")
    made = {
        target.partition(".")[2].lower()
        for file in repository.production
        for each in file.bindings
        for target in each.targets
        if "." in target
    }
    features = [each for each in feature_columns(repository) if each.name.lower() not in made]
    if not features:
        return unknown(
            "no list of feature columns is written out in code or settings to compare the contract with"
        )
    missing = [each for each in features if each.name.lower() not in known]
    share = 1 - len(missing) / len(features)
    values = {"features": len(features), "missing": len(missing), "covered": round(share, 3)}
    if share >= _ENOUGH:
        places = (each.at for each in features)
        return yes(
            f"{len(features) - len(missing)} of {len(features)} feature columns are in it", *places, **values
        )
    if len(missing) == len(features):
        return unknown(
            f"none of {counted(len(features), 'feature column')} is named in the declared expectations, which may be "
            "about another table"
        )
    return no(
        f"{counted(len(missing), 'feature column')} of {len(features)} in no declaration: "
        f"{listed(each.name for each in missing)}",
        *sorted({each.at for each in missing})[:SHOWN],
        **values,
    )


PROBE = Probe(
    id="data.contract_covers",
    title="the contract covers the columns that the model learns from",
    why="The feature that nobody wrote an expectation for is the one that breaks unseen.",
    remedy="add the missing columns to the contract, with type, range and whether they may be null",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    after="data.contract",
    source="ML Test Score (Breck et al. 2017), Data 1",
)
