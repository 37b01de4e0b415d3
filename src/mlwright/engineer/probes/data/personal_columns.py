"""Does a model learn from who somebody is?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.columns import (
    DIRECT,
    PROTECTED,
    PROXIES,
    feature_columns,
    mentions,
    policies,
)
from mlwright.engineer.vocabulary.words import SHOWN, counted, listed
from mlwright.model.contracts import Severity

# Where sex is a fact of a body, a race is run, and nobody's standing is decided.
_OTHER_MATTERS = frozenset(
    "abalone penguin penguins species titanic pclass survived horse jockey lap laps circuit racing "
    "patient patients diagnosis clinical mortality disease cholesterol glucose bmi icu tumor tumour hospital "
    "diabetes cancer heart stroke dosage".split()
)
_FAIRNESS = ("fairlearn", "aif360", "aequitas", "fairness_indicators", "responsibleai")


def look(repository: Repository) -> Answer:
    """Look at the columns that are written out as features, and for a policy that allows them."""
    features = feature_columns(repository)
    if not features:
        return unknown("no list of feature columns is written out in code or settings")
    direct = [each for each in features if DIRECT.fullmatch(each.name)]
    protected = [each for each in features if PROTECTED.fullmatch(each.name)]
    values = {"features": len(features), "direct": len(direct), "protected": len(protected)}
    found = [*direct, *protected]
    names = listed(each.name for each in found)
    places = sorted({each.at for each in found})[:SHOWN]
    if found and (policy := [*policies(repository), *repository.importing(*_FAIRNESS)]):
        return unknown(
            f"{names} among the features; whether {policy[0]} allows them, a person must say",
            *places,
            **values,
        )
    doubtful = {each.name.lower() for each in protected} <= {"sex"} or any(
        mentions(file, _OTHER_MATTERS) for file in repository.production
    )
    if direct or (protected and not doubtful):
        return no(
            f"{names} among {counted(len(features), 'feature')}, and no policy says why", *places, **values
        )
    if protected:
        return unknown(
            f"{names} among the features: unlawful where people are judged, right where it is a fact of the body",
            *places,
            **values,
        )
    proxies = [each for each in features if PROXIES.fullmatch(each.name)]
    if proxies:
        return unknown(
            f"{listed(each.name for each in proxies)} may stand for origin or income where people are judged",
            *sorted({each.at for each in proxies})[:SHOWN],
            **values,
        )
    return yes(
        f"{counted(len(features), 'feature')}, none named like a personal or protected attribute",
        *sorted({each.at for each in features})[:SHOWN],
        **values,
    )


PROBE = Probe(
    id="data.personal_columns",
    title="no personal or protected attribute is a feature without a policy",
    why="A decision that reads race or an e-mail address is unlawful in most places, however well it scores.",
    remedy="take the column out, or name it in a policy (SENSITIVE_COLUMNS, a tag in the contract) with the reason",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Data 4; GDPR Art. 9; EU AI Act Art. 10(5)",
)
