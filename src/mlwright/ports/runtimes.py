"""Running a model. Open wire: the MLflow Model folder on disk, Open Inference Protocol v2 outside."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mlwright.model.batches import Array, Batch, Columns, batch_of
from mlwright.model.ids import Digest
from mlwright.model.registry import Signature


class LoadedModel(Protocol):
    """A model in memory. Safe to call from several threads."""

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        ...

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows.

        Args:
            batch: the inputs of the signature with its types; one that is not required may be absent. It is left as
                it is.

        Returns:
            The outputs of the signature by name, in its order: each an array with as many rows as the batch.

        Raises:
            SignatureMismatch: the model refuses the values (such as a missing one).
        """
        ...

    def close(self) -> None:
        """Give back what it holds besides memory (a process, a GPU). It is not called again afterwards."""
        ...


@runtime_checkable
class Supervised(Protocol):
    """What a :class:`LoadedModel` has besides where it runs in a process of its own, which may end at any time."""

    @property
    def trouble(self) -> str | None:
        """Why it cannot answer now; None: it can."""
        ...

    def on_restart(self, tell: Callable[[], None]) -> None:
        """Have this called whenever the process is started again, in another thread."""
        ...


def trouble_of(model: LoadedModel) -> str | None:
    """Why a model cannot answer now (its process is down); None: nothing is known to be wrong with it."""
    return model.trouble if isinstance(model, Supervised) else None


def scores_of(model: LoadedModel, columns: Columns) -> list[float]:
    """One number a row, of a model that gives that: the probability of the positive class, or the predicted value.

    Args:
        model: a model whose first output is a number a row.
        columns: one sequence of equal length a signature input, by name; None is a missing value.

    Raises:
        SignatureMismatch: a column is missing, a value does not have the declared type, or the first output is no
            number a row.
    """
    batch = batch_of(model.signature.inputs, columns)
    if not batch.rows:
        return []
    return numbers_of(next(iter(model.infer(batch).values())))


def numbers_of(output: Array) -> list[float]:
    """An output as one number a row; NaN in each where it is something else (a text, several numbers)."""
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.ndim != 1 or output.dtype.kind not in "fiub":
        return [float("nan")] * len(output)
    plain: list[float] = output.astype(np.float64).tolist()
    return plain


class ModelRuntime(Protocol):
    """An engine that saves and loads models of one flavor."""

    @property
    def flavor(self) -> str:
        """The name under ``flavors:`` in the MLmodel file."""
        ...

    def accepts(self, model: object) -> bool:
        """Whether :meth:`save` can store this object."""
        ...

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """Write a complete MLflow Model folder: MLmodel, data, requirements, input example.

        Args:
            model: a fitted model that :meth:`accepts`.
            folder: an empty, existing folder.
            signature: the inputs and outputs that :meth:`LoadedModel.infer` will keep.
            example: a few input rows.
            categories: the known levels of each text input; a level not listed is a missing value to the model.

        Raises:
            ModelUntrusted: the model holds types that could not be loaded again without trust.
        """
        ...

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """What this process lacks to load the folder, as requirements (``xgboost==3.2.0``); nothing: it loads here.

        A format that its library keeps readable (ONNX, the boosters' own) asks for the library alone; a pickle asks
        for the versions that wrote it.
        """
        ...

    def load(self, folder: Path) -> LoadedModel:
        """Load an MLflow Model folder that has this flavor, whoever wrote it.

        Raises:
            ModelLoadFailed: the folder is incomplete or of another flavor; the message names the file.
            ModelUntrusted: the file asks for types outside the trusted list; nothing was constructed.
        """
        ...


class Isolation(Protocol):
    """Loads models that need other packages than this process has, each in a process with its own environment."""

    def load(self, folder: Path, *, digest: Digest, flavors: tuple[str, ...]) -> LoadedModel:
        """Build the model's environment, start a process in it, and load the model there.

        Args:
            folder: a complete MLflow Model folder; it stays where it is as long as the model is loaded.
            digest: of the folder: one environment and process may serve all who load the same.
            flavors: the flavors that its MLmodel names.

        Returns:
            The model; its ``close`` ends the process.

        Raises:
            EnvironmentFailed: the packages that the model asks for cannot be installed together.
            ModelLoadFailed: the model does not load in its own environment either.
        """
        ...
