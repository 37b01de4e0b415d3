"""Making another form of a model that answers the same. Open wire: the MLflow Model folder on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class ModelConverter(Protocol):
    """Converts model folders into one other format."""

    @property
    def target(self) -> str:
        """What it converts to: ``onnx``."""
        ...

    def converts(self, flavors: Sequence[str]) -> bool:
        """Whether a folder with these flavors may be converted; :meth:`convert` may refuse it yet."""
        ...

    def convert(self, folder: Path, into: Path, *, quantize: str = "none") -> str:
        """Write a complete MLflow Model folder that takes and gives what the other does.

        Nothing is promised about how near the answers are: the caller compares them.

        Args:
            folder: a complete folder; it stays as it is.
            into: an empty, existing folder.
            quantize: ``none``, or ``dynamic``: weights as 8-bit whole numbers, activations as they come.

        Returns:
            The flavor of the folder that was written.

        Raises:
            Unsupported: this model cannot be converted, or not quantised; the message says what stands in the way.
            ModelLoadFailed: the folder does not load here.
            MissingExtra: a library that is needed for it is not installed.
        """
        ...
