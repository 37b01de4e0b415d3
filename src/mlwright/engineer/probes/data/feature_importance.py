"""Does something measure what each feature is worth?"""

from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unsupported, yes
from mlwright.engineer.vocabulary.columns import mentions
from mlwright.engineer.vocabulary.sources import NO_TABLES, only_bundled, reads_tables
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_PACKAGES = (
    "shap",
    "eli5",
    "boruta",
    "captum",
    "dalex",
    "alibi.explainers",
    "sage",
    "BorutaShap",
    "fasttreeshap",
)
_WORDS = frozenset(
    "permutation_importance feature_importances_ feature_importance feature_importances get_feature_importance "
    "plot_importance rfe rfecv selectkbest selectfrommodel sequentialfeatureselector mutual_info_classif ablation "
    "mutual_info_regression permutationimportance drop_column_importance leave_one_feature_out".split()
)


def look(repository: Repository) -> Answer:
    """Look for importance, selection or ablation in code and notebooks, examples and tools included."""
    files = [
        each
        for each in repository.python
        if each.role in (Role.PRODUCTION, Role.TOOL, Role.EXAMPLE, Role.DOCUMENT)
    ]
    found = []
    how: set[str] = set()
    for file in files:
        place = file.imports_any(*_PACKAGES)
        if place is not None:
            found.append(file.at(place))
            how.add(place.name.partition(".")[0])
        elif mentions(file, _WORDS):
            found.append(Location(path=file.path))
            how |= _WORDS & file.words
    found += [
        Location(path=each.path)
        for each in repository.find("*ablation*.py", "*feature_importance*", "*feature_selection*")
    ]
    if found:
        return yes(f"measured with {listed(how) or 'a script of its own'}", *found[:SHOWN], places=len(found))
    if only_bundled(repository):
        return no_question("the features come with a public data set")
    if not reads_tables(repository):
        return unsupported(NO_TABLES)
    return no("no importance, ablation or selection of features in code or notebooks")


PROBE = Probe(
    id="data.feature_importance",
    title="what each feature is worth is measured",
    why="Features that add nothing still break, drift and have to be served for ever.",
    remedy="run sklearn.inspection.permutation_importance on the test part with each training and keep the table",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    source="ML Test Score (Breck et al. 2017), Data 2; Sculley et al. 2015, underutilized data dependencies",
)
