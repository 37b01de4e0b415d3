"""The answers of MLflow's REST API 2.0, as far as they are read.

Source: https://mlflow.org/docs/latest/rest-api.html and mlflow/protos/{service,model_registry}.proto.
"""

from msgspec import Struct, field

from mlwright.adapters.mlflow.records import RunRecord, VersionRecord


class Pair(Struct):
    """A tag, param or metric; of metrics only the name is read."""

    key: str = ""
    value: object = None


class Experiment(Struct):
    """One experiment."""

    experiment_id: str
    name: str = ""


class Experiments(Struct):
    """The answer of experiments/search."""

    experiments: list[Experiment] = []
    next_page_token: str = ""


class OneExperiment(Struct):
    """The answer of experiments/get-by-name."""

    experiment: Experiment


class RunInfo(Struct):
    """What identifies a run; ``run_uuid`` is the older name of its id."""

    experiment_id: str = ""
    run_id: str = ""
    run_uuid: str = ""
    run_name: str = ""
    status: str = ""
    start_time: int | None = None
    end_time: int | None = None


class RunData(Struct):
    """What was logged."""

    metrics: list[Pair] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class RunInputs(Struct):
    """The data sets and models that went in."""

    dataset_inputs: list[object] = []


class RunOutputs(Struct):
    """The models that came out, since MLflow 3."""

    model_outputs: list[object] = []


class Run(Struct):
    """One run."""

    info: RunInfo
    data: RunData = field(default_factory=RunData)
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)

    def record(self, experiment: str) -> RunRecord:
        """The run in the shape of all stores."""
        info = self.info
        return RunRecord(
            id=info.run_id or info.run_uuid,
            experiment=experiment,
            name=info.run_name,
            status=info.status,
            start_ms=info.start_time or 0,
            end_ms=info.end_time or None,
            params=tuple(each.key for each in self.data.params),
            metrics=tuple(each.key for each in self.data.metrics),
            tags={each.key: str(each.value or "") for each in self.data.tags},
            datasets=len(self.inputs.dataset_inputs),
            models=len(self.outputs.model_outputs),
        )


class Runs(Struct):
    """The answer of runs/search."""

    runs: list[Run] = []
    next_page_token: str = ""


class Alias(Struct):
    """One alias of a registered model."""

    alias: str
    version: str


class Version(Struct):
    """One model version."""

    name: str
    version: str
    creation_timestamp: int = 0
    current_stage: str = ""
    description: str = ""
    run_id: str = ""

    def record(self, model: "Model | None", signature: bool | None) -> VersionRecord:
        """The version in the shape of all stores."""
        return VersionRecord(
            model=self.name,
            version=self.version,
            created_ms=self.creation_timestamp,
            run=self.run_id,
            stage=self.current_stage,
            described=bool(self.description.strip() or (model and model.description.strip())),
            aliases=tuple(
                each.alias for each in (model.aliases if model else []) if each.version == self.version
            ),
            signature=signature,
        )


class Model(Struct):
    """One registered model. Prompts are kept in the same place, with a tag."""

    name: str
    description: str = ""
    aliases: list[Alias] = []
    latest_versions: list[Version] = []
    tags: list[Pair] = []

    @property
    def prompt(self) -> bool:
        """Whether it is a prompt and no model."""
        return any(each.key == "mlflow.prompt.is_prompt" and str(each.value) == "true" for each in self.tags)


class Models(Struct):
    """The answer of registered-models/search."""

    registered_models: list[Model] = []
    next_page_token: str = ""


class Versions(Struct):
    """The answer of model-versions/search."""

    model_versions: list[Version] = []
    next_page_token: str = ""
