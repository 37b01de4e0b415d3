"""Is the model better than something simple?"""

from typing import Final

from mlwright.engineer.facts.code import Binding
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, unsupported, yes
from mlwright.engineer.vocabulary.learning import METRIC, SIMPLE, kinds, matching, models, ours, said
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.sources import only_bundled
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_WORDS: Final = frozenset(
    "dummyclassifier dummyregressor seasonalnaive naiveforecaster naiveseasonal historicaverage "
    "persistence most_popular toppopular majority_class zero_rule zeror last_value naive_forecast naive_prediction "
    "null_model mean_absolute_scaled_error mase randomwalkwithdrift compare_models skill_score".split()
)
_NAMED: Final = (
    r"(\w*_)?baselines?(_\w*)?"
    r"|(\w+_)?(naive|heuristic)_(model|forecast\w*|pred\w*|score|rmse|mae|accuracy|auc)"
)


def look(repository: Repository) -> Answer:
    """Look for a rule or a simple model beside the one that is kept."""
    files = ours(repository)
    found = said(files, _WORDS) or matching(files, _NAMED) or list(signs(repository, files=("*baseline*.*",)))
    if found:
        return yes(f"{found[0][0]} is the simpler one", *[place for _, place in found][:SHOWN])
    naive = [file.at(each) for file in files for each in file.bindings if _naive(each)]
    if naive:
        return yes("a naive guess is measured too", *naive[:SHOWN])
    places = [file.at(call) for file, call in models(files)][:SHOWN]
    fitted = kinds(files)
    simple, heavy = fitted & SIMPLE, fitted - SIMPLE
    if simple and heavy:
        return yes(f"{listed(simple)} beside {listed(heavy)}", *places, models=len(fitted))
    if simple:
        return no_question(f"{listed(simple)} is a simple model itself")
    return _none(repository, heavy, places)


def _naive(binding: Binding) -> bool:
    """Whether a metric of something naive is computed: ``naive = mean_absolute_error(…)``."""
    said_of = any("naive" in each.lower() for each in binding.targets)
    return said_of and METRIC.search(binding.text) is not None


def _none(repository: Repository, heavy: frozenset[str], places: list[Location]) -> Answer:
    if only_bundled(repository):
        return no_question("the only data seen is public and has known results")
    for text in repository.texts:
        if "baseline" in text.content.lower():
            return unknown(
                f"{text.path} speaks of a baseline, and no code evaluates one", Location(path=text.path)
            )
    if "r2_score" in frozenset[str]().union(*(each.words for each in ours(repository))):
        return unknown("R² compares with the mean, and nothing else does", *places)
    if not heavy:
        return unsupported("only for models with fit(X, y) can this probe tell what a simpler one would be")
    return no(f"{listed(heavy)} is compared with nothing simpler", *places, models=len(heavy))


PROBE = Probe(
    id="model.baseline_compared",
    title="a simpler model is evaluated on the same split",
    why="A model that barely beats the last value costs a service, a pipeline and a pager for nothing.",
    remedy="score DummyClassifier or DummyRegressor, the last value and a linear model on the same split, and log them",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    source="ML Test Score (Breck et al. 2017), Model 5; Google Rules of ML, rule 4",
)
