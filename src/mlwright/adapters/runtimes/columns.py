"""A batch to the matrix that a model takes: texts become numbers."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlwright.errors import SignatureMismatch, UsageError
from mlwright.model.batches import NUMBERS, Array, Batch
from mlwright.model.registry import Signature

Floats: TypeAlias = NDArray[np.float64]


class MatrixEncoder:
    """Encodes batches in the order of a signature.

    Texts become the position of their level (a level not listed, and None, become NaN), numbers and booleans
    become floats with NaN for a missing one. The one input of shape (n,) of a model without column names is the
    matrix already.

    Args:
        signature: the inputs.
        categories: the levels of each text input.
        names: the inputs in the order of the matrix, where that is not the order of the signature.
        dtype: of the matrix.
    """

    def __init__(
        self,
        signature: Signature,
        categories: Mapping[str, Sequence[str]],
        *,
        names: Sequence[str] | None = None,
        dtype: str = "float64",
    ) -> None:
        self._names: Final = tuple(names or signature.input_names)
        self._dtype: Final = dtype
        self._whole: Final = is_matrix(signature)
        self._codes = {
            name: {level: float(code) for code, level in enumerate(levels)}
            for name, levels in categories.items()
        }

    def encode(self, batch: Batch) -> Array:
        """The matrix, C-contiguous, shape (rows, inputs)."""
        if self._whole:
            return np.ascontiguousarray(batch.column(self._names[0]), dtype=self._dtype)
        if not self._codes:
            return batch.stacked(self._names, self._dtype)
        matrix = np.empty((batch.rows, len(self._names)), dtype=self._dtype)
        for at, name in enumerate(self._names):
            if not batch.has(name):
                matrix[:, at] = np.nan
            elif name in self._codes:
                matrix[:, at] = _texts(batch.column(name), self._codes[name])
            else:
                matrix[:, at] = _numbers(name, batch.column(name))
        return matrix


def is_matrix(signature: Signature) -> bool:
    """Whether its one input is a matrix: a tensor with several numbers a row."""
    return len(signature.inputs) == 1 and len(signature.inputs[0].shape) == 1


def width_of(signature: Signature) -> int:
    """How many columns the matrix has; -1 where that is not fixed."""
    return signature.inputs[0].shape[0] if is_matrix(signature) else len(signature.inputs)


def fits_matrix(signature: Signature, categories: Mapping[str, Sequence[str]]) -> bool:
    """Whether batches of this signature can be encoded: all inputs are numbers, or texts whose levels are known."""
    if is_matrix(signature):
        return signature.inputs[0].type in NUMBERS
    return all(
        not each.shape and (each.type in NUMBERS or (each.type == "string" and each.name in categories))
        for each in signature.inputs
    )


def text_categories(
    signature: Signature, categories: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The levels of the text inputs alone.

    Raises:
        UsageError: a text input has none, or a level is no text or stands there twice.
    """
    texts = [each.name for each in signature.inputs if each.type == "string" and not each.shape]
    absent = [name for name in texts if name not in categories]
    if absent:
        raise UsageError(
            f"text inputs without categories: {', '.join(absent)}",
            why="the model takes numbers; the categories say which number stands for which level",
        )
    used = {name: tuple(categories[name]) for name in texts}
    for name, levels in used.items():
        if len(set(levels)) != len(levels) or not all(isinstance(level, str) for level in levels):
            raise UsageError(f"the categories of {name!r} must be texts, each once", where=name)
    return used


def _texts(column: Array, codes: Mapping[str, float]) -> Floats:
    return np.array([codes.get(value) for value in column], dtype=np.float64)


def _numbers(name: str, column: Array) -> Array:
    try:
        return column.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise SignatureMismatch(f"column {name!r} is no number", where=name) from error
