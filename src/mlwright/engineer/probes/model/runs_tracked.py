"""Is what was tried written down by a machine?"""

from typing import Final

from mlwright.engineer.facts.configuration import DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.learning import METRIC, importing, ours, said, training
from mlwright.engineer.vocabulary.words import SHOWN
from mlwright.model.contracts import Severity
from mlwright.model.findings import Location

_TRACKERS: Final = (
    "mlflow", "wandb", "neptune", "comet_ml", "tensorboard", "torch.utils.tensorboard", "tensorboardX",
    "dvclive", "aim", "clearml", "sacred", "guild", "determined", "trackio", "swanlab", "azureml.core",
    "polyaxon", "losswise", "sagemaker.experiments", "smexperiments", "vertexai", "hopsworks", "mlwright",
    "tensorboard_logger", "visdom", "keepsake", "labml", "ml_metadata", "tfx", "kedro_mlflow", "dagshub",
    "dora", "flashy", "clu", "metaflow", "zenml",
)  # fmt: skip
_WORDS: Final = frozenset(
    "tensorboard csvlogger tensorboardlogger wandblogger mlflowlogger summarywriter neptunelogger cometlogger "
    "create_file_writer report_to log_metric log_metrics add_output_metadata wandbcallback mlflowcallback "
    "tensorboardcallback tensorboard_log tensorboardvisbackend log_with".split()
)
_OWN_LOGS: Final = (
    "transformers", "lightning", "pytorch_lightning", "ultralytics", "detectron2", "mmengine", "nemo", "composer",
    "fairseq", "spacy", "stable_baselines3", "fastai", "autogluon", "mmdet", "trl",
)  # fmt: skip
_WRITES: Final = (
    "json.dump",
    "*.to_csv",
    "*.to_json",
    "csv.writer",
    "csv.DictWriter",
    "*.writerow",
    "yaml.dump",
)


def look(repository: Repository) -> Answer:
    """Look for a tracker, for DVC's metrics, then for figures that end in a file or a framework's own log."""
    files = ours(repository)
    found = importing(files, *_TRACKERS) or said(files, _WORDS) or _dvc(repository)
    if found:
        return yes(f"{found[0][0]} keeps what was tried", *[place for _, place in found][:SHOWN])
    trained = training(repository)
    framework = importing(trained, *_OWN_LOGS)
    if framework:
        name = framework[0][0].partition(".")[0]
        return unknown(
            f"{name} writes logs of its own; whether anybody keeps them cannot be told", framework[0][1]
        )
    written = [
        file.at(call)
        for file, call in repository.calls(*_WRITES)
        if any(METRIC.search(arg.text) for arg in call.args) or METRIC.search(call.receiver)
    ]
    if written:
        return unknown(
            "figures go into a file; whether those of earlier runs stay cannot be told", *written[:SHOWN]
        )
    if not trained:
        return unknown("no place is seen that trains and keeps a model")
    places = [Location(path=each.path) for each in trained]
    return no("no tracker is imported or configured where models are trained", *places[:SHOWN])


def _dvc(repository: Repository) -> list[tuple[str, Location]]:
    return [
        ("DVC", document.at("stages", name))
        for document in repository.of_kind(DocumentKind.DVC)
        if isinstance(stages := document.get("stages"), dict)
        for name, stage in stages.items()
        if isinstance(stage, dict) and stage.get("metrics")
    ]


PROBE = Probe(
    id="model.runs_tracked",
    title="parameters and metrics of each training run are recorded",
    why="Without a record nobody can say what the model in production was trained with, or beat it on purpose.",
    remedy="mlwright run records each; or mlflow.autolog() before the first fit",
    look=look,
    when=When.TRAINS,
    severity=Severity.ERROR,
    elsewhere=True,
    source="Kreuzberger et al. 2023, principle 7, metadata tracking; ML Test Score, Model 1",
)
