"""What a library answered, as the outputs of a signature."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlwright.adapters.runtimes.schemas import field_like
from mlwright.errors import SignatureMismatch
from mlwright.model.batches import DTYPES, Array
from mlwright.model.registry import Field


def named(fields: Sequence[Field], result: object) -> dict[str, Array]:
    """A result by output name, in the order of the fields.

    A matrix is split into its columns where there are as many fields; texts become objects; numbers take the declared
    type where that loses nothing but digits (float32 where double is declared, not floats where long is).

    Args:
        fields: the outputs of the signature.
        result: an array, a data frame, or a list of arrays, the rows being the first axis.

    Raises:
        SignatureMismatch: the result has another number of outputs.
    """
    arrays = arrays_of(result)
    if len(arrays) == 1 < len(fields) and arrays[0].ndim == 2 and arrays[0].shape[1] == len(fields):
        arrays = list(arrays[0].T)
    elif len(fields) == 1 < len(arrays) and fields[0].shape:
        arrays = [np.column_stack(arrays)]
    if len(arrays) != len(fields):
        raise SignatureMismatch(
            f"the model gives {len(arrays)} outputs, but its signature names {len(fields)}",
            why=", ".join(each.name for each in fields),
        )
    return {each.name: shaped(each, array) for each, array in zip(fields, arrays, strict=True)}


def shaped(each: Field, array: Array) -> Array:
    """One output in the shape and, where nothing but digits is lost, of the type of its field."""
    if not each.shape and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    wanted = np.dtype(DTYPES[each.type])
    if array.dtype != wanted and (
        array.dtype.kind in "UST" or np.can_cast(array.dtype, wanted, casting="same_kind")
    ):
        return array.astype(object if array.dtype.kind in "UST" else wanted)
    return array


def empty(each: Field) -> Array:
    """An output of no rows."""
    return np.empty((0, *(max(size, 0) for size in each.shape)), dtype=DTYPES[each.type])


def arrays_of(result: object) -> list[Array]:
    """The arrays of a result: the columns of a data frame, the items of a list of arrays, or the array itself."""
    if isinstance(result, np.ndarray):
        return [result]
    if isinstance(result, dict):
        return [np.asarray(each) for each in result.values()]
    if isinstance(result, list | tuple) and result and isinstance(result[0], np.ndarray):
        return list(result)
    frame: Any = result
    if hasattr(result, "columns") and hasattr(result, "to_numpy"):
        return [np.asarray(frame[name].to_numpy()) for name in frame.columns]
    return [np.asarray(frame.toarray() if hasattr(result, "toarray") else frame)]


def fields_like(result: object, *, alone: str = "output") -> tuple[Field, ...]:
    """The fields of a result whose model has no signature: ``output``, or ``output_0``, ``output_1`` …

    Raises:
        ValueError: an array has a dtype that no field has.
    """
    arrays = arrays_of(result)
    names = [alone] if len(arrays) == 1 else [f"{alone}_{at}" for at in range(len(arrays))]
    if isinstance(result, dict):
        names = list(result)
    elif hasattr(result, "columns"):
        names = [str(name) for name in result.columns]
    return tuple(field_like(name, array) for name, array in zip(names, arrays, strict=True))
