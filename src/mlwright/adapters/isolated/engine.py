"""Models in processes of their own, each in the environment that it asks for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from mlwright.adapters.isolated.planning import Described, Plan, fields_of, plans
from mlwright.adapters.isolated.process import Limits, ModelProcess, ProcessLost
from mlwright.adapters.isolated.supervising import IsolatedModel, Supervision
from mlwright.errors import ModelError, ModelLoadFailed
from mlwright.model.ids import Digest
from mlwright.model.registry import Signature
from mlwright.ports.environments import Built, Environments
from mlwright.ports.runtimes import LoadedModel

_NOTHING: Final = Signature(inputs=(), outputs=())
_STANDARD: Final = Limits()


class IsolatedEngine:
    """See ``Isolation``. Each model that is loaded has a process for itself."""

    def __init__(
        self,
        environments: Environments,
        describe: Callable[[Path], Described],
        loaders: Path,
        *,
        limits: Limits = _STANDARD,
    ) -> None:
        """
        Args:
            environments: makes the environments, and keeps them.
            describe: reads what a folder says of itself; raises ``ModelLoadFailed``.
            loaders: the file with the functions that load each flavor, for the process to run:
                ``stages/registry/loading.py``.
            limits: of each process.
        """
        self._environments = environments
        self._describe = describe
        self._loaders = loaders
        self._limits = limits

    def load(self, folder: Path, *, digest: Digest, flavors: tuple[str, ...]) -> LoadedModel:
        """Load a model in a process of its own; see ``Isolation.load``.

        Raises:
            MissingExtra: the program that makes environments is not installed.
        """
        described = self._describe(folder)
        ways = plans(described)
        if not ways:
            known = "neither mlflow nor a flavor that is known here can load it"
            raise ModelLoadFailed(
                f"nothing loads a model of {', '.join(flavors)}", where=str(folder), why=known
            )
        failure: ModelLoadFailed | None = None
        for plan in ways:
            start = partial(self._started, folder, described, plan)
            try:
                process = start()
            except ModelLoadFailed as error:
                failure = failure or error
                continue
            keep = partial(self._environments.build, plan.requirements, described.python)
            said, told = described.signature or _NOTHING, process.signature
            signature = Signature(inputs=said.inputs or told.inputs, outputs=said.outputs or told.outputs)
            return IsolatedModel(signature, Supervision(process, start, keep))
        assert failure is not None
        raise failure

    def _started(self, folder: Path, described: Described, plan: Plan) -> ModelProcess:
        built = self._environments.build(plan.requirements, described.python)
        signature = described.signature or _NOTHING
        job = {
            "folder": str(folder.resolve()),
            "by": plan.by,
            "loaders": str(self._loaders),
            "flavors": {name: dict(conf) for name, conf in described.flavors.items()},
            "inputs": fields_of(signature.inputs),
            "outputs": fields_of(signature.outputs),
            "categories": {name: list(levels) for name, levels in described.categories.items()},
            "ours": described.ours,
            "classifier": described.classifier,
        }
        try:
            return ModelProcess(built.interpreter, job, self._limits)
        except ProcessLost as error:
            raise _failed(folder, described, built, error.why) from error
        except ModelError as error:
            raise _failed(folder, described, built, error.why or error.what) from error


def _failed(folder: Path, described: Described, built: Built, why: str) -> ModelLoadFailed:
    if described.python and _minor(described.python) != _minor(built.python):
        why += f" (it asks for Python {described.python}, and {built.python} is what there is)"
    return ModelLoadFailed(
        "the model does not load in an environment of its own either",
        where=str(folder),
        why=why,
        next_command="mlwright models prove NAME/VERSION",
    )


def _minor(version: str) -> list[str]:
    return version.strip().split(".")[:2]
