"""Do models go to a place where each has a number?"""

from typing import Final

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When, no, unknown, yes
from mlwright.engineer.vocabulary.artifacts import kept_by_training
from mlwright.engineer.vocabulary.learning import importing, ours, said
from mlwright.engineer.vocabulary.signs import signs
from mlwright.engineer.vocabulary.words import SHOWN, listed
from mlwright.model.contracts import Severity

_CALLS: Final = (
    "mlwright.register", "*.register_model", "*.create_model_version", "*.create_registered_model", "*.link_model",
    "*.link_artifact", "*.push_to_hub", "google.cloud.aiplatform.Model.upload", "*.create_model_package",
    "*.RegisterModel", "bentoml.*.save_model", "bentoml.*.import_model", "*.OutputModel", "neptune.init_model*",
    "mlem.api.save", "*.transition_model_version_stage",
    "*.set_registered_model_alias", "*.ModelUploadOp",
    "*.ModelStep", "*.models.create_or_update", "*.save_to_registry",
)  # fmt: skip
_WORDS: Final = frozenset(
    "registered_model_name push_to_hub upload_folder model_package_group_name hub_model_id "
    "model_registry modelregistry".split()
)


def look(repository: Repository) -> Answer:
    """Look for a registry of any make; a model that only goes to a file has no version."""
    found = list(signs(repository, calls=_CALLS)) or said(ours(repository), _WORDS)
    found = found or importing(ours(repository), "mlem", "hsml")
    if found:
        return yes(f"models are registered: {found[0][0]}", *[place for _, place in found][:SHOWN])
    resources = [each for each in repository.resources if "model_package_group" in each.type]
    if resources:
        return yes(f"{resources[0].name} is a registry", *[each.at for each in resources][:SHOWN])
    for document in repository.documents:
        kept = document.get("artifacts") if document.path.rpartition("/")[2] == "dvc.yaml" else None
        if isinstance(kept, dict) and kept:
            return yes(f"dvc.yaml registers {listed(map(str, kept))}", document.at("artifacts"))
    kept = list(kept_by_training(repository))
    if not kept:
        return unknown("nothing is seen that keeps a trained model")
    places = [each.file.at(each.call) for each in kept]
    if any(each.format == "mlflow" for each in kept):
        return unknown(
            "log_model keeps the model with its run; whether it is registered cannot be told", *places[:SHOWN]
        )
    return no(f"models go to files ({listed(each.format for each in kept)}), to no registry", *places[:SHOWN])


PROBE = Probe(
    id="model.registered",
    title="models are registered with a version",
    why="A file called model.pkl is overwritten, and then nobody can say what answered last Tuesday or go back to it.",
    remedy="end the pipeline with mlwright.register(...); or mlflow.sklearn.log_model(..., registered_model_name=...)",
    look=look,
    when=When.TRAINS,
    severity=Severity.WARNING,
    elsewhere=True,
    source="Google, MLOps: continuous delivery and automation pipelines, level 1; Kreuzberger et al. 2023, component 6",
)
