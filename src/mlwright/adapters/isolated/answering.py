"""Loads a model and answers rows with it, in the model's own environment, never in ours.

It runs with whatever the model asks for: the standard library and NumPy, in the syntax of Python 3.8. How files become
models is in the file that proofs use as well (``stages/registry/loading.py``), whose path the job names.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any, Callable  # noqa: UP035 - runs in an older Python as well

import numpy as np

from .native import SERVED, told_inputs
from .rows import DTYPES, NUMBERS, Refused, Rows


def load(job: dict[str, Any]) -> Callable[[Rows], Any]:
    """The model of a job, as what answers rows in whatever form it does; :func:`named` makes arrays of that.

    Where the job names no inputs, those that the model itself tells are put into it, and outputs as it gives them.
    """
    folder = job["folder"]
    for conf in job["flavors"].values():
        code = conf.get("code")
        if isinstance(code, str) and os.path.isdir(os.path.join(folder, code)):
            sys.path.insert(0, os.path.join(folder, code))
    by = job["by"]
    if by == "python_function":
        return _by_mlflow(job)
    spec: Any = importlib.util.spec_from_file_location("mlwright_loading", job["loaders"])
    loading = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loading)
    model, predict = loading.LOADERS[by](folder, job["flavors"][by])
    if by == "mlwright_function":
        return lambda rows: predict(rows.all())
    job["inputs"] = job["inputs"] or told_inputs(model)
    answer = SERVED[by](model, job)
    if not job["outputs"]:
        job["outputs"] = _shown(answer, job["inputs"])
    return answer


def _shown(answer: Callable[[Rows], Any], inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model without a signature gives: as it answers to a row of zeros; nothing where it does not."""
    types = {**{name: name for name in NUMBERS}, **{dtype: name for name, dtype in DTYPES.items()}}
    zeros = [
        (
            each["name"],
            np.zeros((1, *(max(n, 1) for n in each["shape"])), DTYPES.get(each["type"], each["type"])),
        )
        for each in inputs
        if each["type"] in NUMBERS
    ]
    try:
        found = named(answer(Rows(1, None, zeros)), 1, [])
    except Exception:  # noqa: BLE001 - it may refuse zeros, and answer everything else
        return []
    return [
        {"name": name, "type": types.get(each.dtype.name, "string"), "shape": list(each.shape[1:])}
        for name, each in found
    ]


def named(found: Any, rows: int, outputs: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """An answer as arrays, by the names of the signature where it has any, in its order.

    Raises:
        ValueError: it has other outputs, or another number of rows.
    """
    columns = _columns(found, rows)
    arrays = [(name, np.asarray(each)) for name, each in columns.items()]
    if outputs:
        names = [each["name"] for each in outputs]
        if set(columns) >= set(names):
            arrays = [(name, np.asarray(columns[name])) for name in names]
        elif len(arrays) == 1 < len(outputs) and np.ndim(arrays[0][1]) == 2:
            arrays = [(str(at), column) for at, column in enumerate(arrays[0][1].T)]
        elif len(outputs) == 1 < len(arrays) and outputs[0]["shape"]:
            arrays = [(names[0], np.column_stack([array for _, array in arrays]))]
        if len(arrays) != len(outputs):
            given = ", ".join(name for name, _ in arrays)
            raise ValueError(f"the model answers with {given}, but its signature names {', '.join(names)}")
        shaped = map(_shaped, outputs, (array for _, array in arrays))
        arrays = [(each["name"], array) for each, array in zip(outputs, shaped)]  # noqa: B905 - of Python 3.10
    for name, array in arrays:
        if not array.ndim or len(array) != rows:
            shape = list(array.shape)
            raise ValueError(f"the model's output {name!r} has the shape {shape} for {rows} rows")
    return arrays


def _shaped(each: dict[str, Any], array: Any) -> Any:
    if not each["shape"] and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    kind = each["type"]
    if kind in NUMBERS and array.dtype.kind in "fiub":
        dtype = np.dtype(DTYPES.get(kind, kind))
        if np.can_cast(array.dtype, dtype, casting="same_kind"):
            array = array.astype(dtype, copy=False)
    return array


def _columns(found: Any, rows: int) -> dict[str, Any]:
    if hasattr(found, "columns") and hasattr(found, "to_numpy"):
        without_names = list(found.columns) == list(range(len(found.columns)))  # then it is a matrix
        if not without_names:
            return {str(name): found[name].to_numpy() for name in found.columns}
    elif isinstance(found, dict):
        return {str(name): _listed(each, rows) for name, each in found.items()}
    elif isinstance(found, list) and found and all(isinstance(each, dict) for each in found):
        names = {name: None for each in found for name in each}
        return {str(name): [each.get(name) for each in found] for name in names}
    elif isinstance(found, tuple) or (isinstance(found, list) and found and isinstance(found[0], np.ndarray)):
        return {f"output_{at}" if len(found) > 1 else "output": each for at, each in enumerate(found)}
    for form in ("to_numpy", "toarray"):
        if hasattr(found, form):
            return {"output": getattr(found, form)()}
    return {"output": _listed(found, rows)}


def _listed(found: Any, rows: int) -> Any:
    single = isinstance(found, (str, bytes)) or not hasattr(found, "__len__")
    return [found] if single and rows == 1 else found


# ------------------------------------------------------------------ by MLflow


def _by_mlflow(job: dict[str, Any]) -> Callable[[Rows], Any]:
    pyfunc = importlib.import_module("mlflow.pyfunc")
    pandas = importlib.import_module("pandas")
    model = pyfunc.load_model(job["folder"])
    fields = {each["name"]: each for each in job["inputs"]}
    columns = {"string", "long", "integer", "double", "float", "boolean", "binary", "datetime"}
    tensors = any(each["shape"] or each["type"] not in columns for each in job["inputs"])
    schema = model.metadata.get_input_schema()
    alone = tensors and schema is not None and schema.is_tensor_spec() and not schema.has_input_names()

    def answer(rows: Rows) -> Any:
        given: Any = {
            name: column if tensors else _typed(column, fields.get(name))
            for name, column in rows.all().items()
            if not fields or name in fields
        }
        if not tensors:
            given = pandas.DataFrame({name: given[name] for name in fields or given if name in given})
        elif alone and len(given) == 1:
            given = next(iter(given.values()))
        try:
            return model.predict(given)
        except Exception as error:
            if getattr(error, "error_code", None) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
                raise Refused(str(error)) from error
            raise

    return answer


def _typed(column: Any, field: dict[str, Any] | None) -> Any:
    """The column in the type that MLflow asks for, where no missing value is in the way."""
    if field is None:
        return column
    if field["type"] == "datetime":
        return column.astype("datetime64[ns]")
    wanted = DTYPES.get(field["type"])
    if wanted is None or column.dtype.kind != "f" or (wanted[:1] in "ib" and np.isnan(column).any()):
        return column
    return column.astype(wanted)
