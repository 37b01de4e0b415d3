"""Running a model. Open wire: the MLflow Model folder on disk, Open Inference Protocol v2 outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlwright.model.registry import Signature


class LoadedModel(Protocol):
    """A model in memory. Safe to call from several threads."""

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        ...

    def predict(self, columns: Mapping[str, Sequence[object]]) -> list[float]:
        """Score rows.

        Args:
            columns: one sequence of equal length a signature input, by name; None is a missing value.

        Returns:
            One number a row: the probability of the positive class, or the predicted value.

        Raises:
            SignatureMismatch: a column is missing, or a value does not have the declared type.
        """
        ...


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
            signature: the inputs and outputs that :meth:`LoadedModel.predict` will keep.
            example: a few input rows.
            categories: the known levels of each text input; a level not listed is a missing value to the model.

        Raises:
            ModelUntrusted: the model holds types that could not be loaded again without trust.
        """
        ...

    def load(self, folder: Path) -> LoadedModel:
        """Load a folder that :meth:`save` wrote.

        Raises:
            ModelLoadFailed: the folder is incomplete or of another flavor; the message names the file.
            ModelUntrusted: the file asks for types outside the trusted list; nothing was constructed.
        """
        ...
