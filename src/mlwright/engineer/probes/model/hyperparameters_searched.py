"""Was there a search for better hyperparameters?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, no_question, unknown, yes
from mlwright.engineer.vocabulary.learning import UNTUNED, importing, kinds, ours, said, training
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_PACKAGES: Final = (
    "optuna", "ray.tune", "hyperopt", "skopt", "keras_tuner", "kerastuner", "nevergrad", "ax", "bayes_opt", "flaml",
    "autogluon", "tpot", "autosklearn", "talos", "sherpa", "pyspark.ml.tuning", "kubeflow.katib", "oneflow.tune",
    "optuna_integration", "sagemaker.tuner", "supervised.automl", "h2o.automl", "ConfigSpace", "smac", "tune_sklearn",
)  # fmt: skip
_WORDS: Final = frozenset(
    "gridsearchcv randomizedsearchcv halvinggridsearchcv halvingrandomsearchcv parametergrid parametersampler "
    "bayessearchcv hyperparameter_search tune_model hyperparametertuningjob hyperparametertuner hyperdriveconfig "
    "logisticregressioncv ridgecv lassocv elasticnetcv lr_find randomized_search grid_search auto_arima "
    "tune_hyperparameters randomsearch hyperband evolve".split()
)


def look(repository: Repository) -> Answer:
    """Look for a search in code, a sweep in settings, or an experiment in a cluster."""
    files = ours(repository)
    found = importing(files, *_PACKAGES) or said(files, _WORDS) or _sweeps(repository)
    if found:
        return yes(f"searched with {found[0][0]}", *[place for _, place in found][:SHOWN])
    trained = training(repository)
    fitted = kinds(trained)
    if fitted and fitted <= UNTUNED:
        return no_question(f"{listed(fitted)} has next to nothing to search for")
    if any("product" in file.words and file.imports_any("itertools") for file in trained):
        return unknown("itertools.product may go through a grid; what it does cannot be told")
    return no(
        "no search, sweep or grid in code and settings",
        *[Location(path=each.path) for each in trained][:SHOWN],
    )


def _sweeps(repository: Repository) -> list[tuple[str, Location]]:
    found = [("Katib", each.at) for each in repository.objects("Experiment")]
    for document in repository.documents:
        if document.get("method") in ("bayes", "grid", "random") and isinstance(
            document.get("parameters"), dict
        ):
            found.append(("a wandb sweep", document.at("parameters")))
        sweeper = document.get("hydra", "sweeper")
        if isinstance(sweeper, dict):
            found.append(("a sweeper of Hydra", document.at("hydra", "sweeper")))
    return found


PROBE = Probe(
    id="model.hyperparameters_searched",
    title="hyperparameters were searched with a budget",
    why="Defaults are somebody else's guess; an hour of search often gives more than a week of features.",
    remedy="run 50 trials of Optuna on a validation part, and keep the study beside the code",
    look=look,
    when=When.TRAINS,
    severity=Severity.INFO,
    source="ML Test Score (Breck et al. 2017), Model 3",
)
