"""The shelf of a project's models: every runtime, and processes of their own for models that need other packages."""

from pathlib import Path

from mlwright.adapters.isolated.engine import IsolatedEngine
from mlwright.adapters.isolated.planning import Described
from mlwright.adapters.runtimes.folder import read_example, read_package
from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.adapters.uv.environments import UvEnvironments
from mlwright.model.settings import Settings
from mlwright.ports.artifacts import ArtifactStore
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.stages.registry import loading
from mlwright.stages.registry.survey import survey


def model_shelf(settings: Settings, artifacts: ArtifactStore) -> ModelShelf:
    """The shelf; nothing is loaded yet, and uv is looked for when a model first needs it."""
    cache = settings.state / "cache"
    environments = UvEnvironments(cache / "environments")  # those that proofs made are there already
    return ModelShelf(
        artifacts=artifacts,
        runtimes=all_runtimes(),
        cache=cache,
        isolated=IsolatedEngine(environments, describe, Path(loading.__file__)),
        examples=lambda folder: read_example(read_package(folder)),
    )


def describe(folder: Path) -> Described:
    """What a folder says of itself, for a process of its own.

    Raises:
        ModelLoadFailed: a file is missing or cannot be read; the message names it.
    """
    package, found = read_package(folder), survey(folder)
    return Described(
        flavors=package.flavors,
        signature=package.signature,
        requirements=found.requirements,
        python=found.python,
        mlflow_version=package.mlflow_version,
        ours=package.ours is not None,
        categories=package.categories,
        classifier=package.ours is not None and package.ours.classifier,
    )
