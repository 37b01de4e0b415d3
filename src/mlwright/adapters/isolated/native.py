"""Models of each library, called without MLflow: standard library, NumPy and theirs, in the syntax of Python 3.8."""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Iterator  # noqa: UP035 - runs in an older Python as well

import numpy as np

from .rows import NUMBERS, Matrix, Rows, is_matrix

METHODS = frozenset(
    "predict predict_proba predict_log_proba predict_joint_log_proba score_samples decision_function "
    "transform".split()
)


def told_inputs(model: Any) -> list[dict[str, Any]]:
    """What a model without a signature takes: numbers, by the names that it was fitted with, or a matrix."""
    if any(map(_chooses, _estimators(model, set()))):
        raise ValueError("the model has no signature, and chooses columns by name: their types are not known")
    for attribute in ("feature_names_in_", "feature_name_", "feature_names", "feature_name"):
        try:
            names = getattr(model, attribute, None)
        except (AttributeError, TypeError):  # a pipeline asks its first step, which may have none
            continue
        names = names() if callable(names) else names
        if names is not None and len(names):
            return [{"name": str(name), "type": "double", "shape": []} for name in names]
    for attribute in ("n_features_in_", "num_features", "num_feature"):
        width = getattr(model, attribute, None)
        if width is not None:
            width = width() if callable(width) else width
            return [{"name": "input", "type": "double", "shape": [int(width)]}]
    raise ValueError("the model has no signature, and nothing else says what its inputs are")


def _sklearn(model: Any, job: dict[str, Any]) -> Callable[[Rows], Any]:
    if job["ours"]:
        matrix = Matrix(job)
        model = model.named_steps["estimator"] if job["categories"] else model
        if job["classifier"]:
            return lambda rows: model.predict_proba(matrix.encode(rows))[:, 1]
        return lambda rows: model.predict(matrix.encode(rows))
    parts = list(_estimators(model, set()))
    chosen = job["flavors"].get("python_function", {}).get("predict_fn") or "predict"
    if chosen not in METHODS or not callable(getattr(model, chosen, None)):
        raise ValueError(f"{type(model).__name__} has no method {chosen!r} to answer with")
    method, fields = getattr(model, chosen), job["inputs"]
    numbers = all(each["type"] in NUMBERS and not each["shape"] for each in fields)
    if not is_matrix(fields) and (not numbers or any(map(_chooses, parts))):
        pandas = importlib.import_module("pandas")
        names = [each["name"] for each in fields]
        return lambda rows: method(pandas.DataFrame({n: rows.column(n) for n in names if n in rows}))
    try:
        order = [str(name) for name in getattr(model, "feature_names_in_", ())]
    except (AttributeError, TypeError):
        order = []
    for part in parts:
        vars(part).pop("feature_names_in_", None)
        if isinstance(vars(part).get("n_jobs"), int):
            part.n_jobs = 1  # a pool of threads costs more than it saves on a few rows
    matrix = Matrix(job, order)
    return lambda rows: method(matrix.encode(rows))


def _chooses(part: Any) -> bool:
    """Whether an estimator may look at column names: it chooses by them, or is not of scikit-learn."""
    own = type(part).__module__.split(".")[0] in ("sklearn", "xgboost", "lightgbm")
    return not own or type(part).__name__ in ("ColumnTransformer", "FunctionTransformer")


def _estimators(part: Any, seen: set[int]) -> Iterator[Any]:
    """Every estimator inside a model, itself first."""
    if id(part) in seen:
        return
    seen.add(id(part))
    inner: list[Any] = []
    if isinstance(part, dict):
        inner = list(part.values())
    elif isinstance(part, (list, tuple)):
        inner = list(part)
    elif isinstance(part, np.ndarray):
        inner = part.ravel().tolist() if part.dtype == object else []
    elif hasattr(part, "__dict__") and not isinstance(part, (type, type(os))):
        if hasattr(part, "get_params"):
            yield part
        elif not type(part).__module__.startswith("sklearn."):
            return
        inner = list(vars(part).values())
    for each in inner:
        yield from _estimators(each, seen)


def _xgboost(model: Any, job: dict[str, Any]) -> Callable[[Rows], Any]:
    xgboost = importlib.import_module("xgboost")
    if not isinstance(model, xgboost.Booster):
        matrix = Matrix(job)
        return lambda rows: model.predict(matrix.encode(rows))
    model.set_param({"nthread": 1})
    matrix = Matrix(job, list(model.feature_names or ()))
    return lambda rows: model.predict(
        xgboost.DMatrix(matrix.encode(rows), nthread=1), validate_features=False
    )


def _lightgbm(model: Any, job: dict[str, Any]) -> Callable[[Rows], Any]:
    order = getattr(model, "feature_name_", None)
    names = model.feature_name() if order is None else order
    matrix = Matrix(job, list(names or ()))
    return lambda rows: model.predict(matrix.encode(rows))


def _onnx(session: Any, job: dict[str, Any]) -> Callable[[Rows], Any]:
    taken, matrix = session.get_inputs(), Matrix(job)
    names = [each.name for each in session.get_outputs()]
    wanted = [each["name"] for each in job["outputs"]]
    names = wanted if wanted and set(wanted) <= set(names) else names
    fields = [each["name"] for each in job["inputs"]]
    by_name = set(fields) <= {each.name for each in taken}
    pairs = [(each, each.name if by_name else name) for each, name in zip(taken, fields)]  # noqa: B905
    dtypes = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(string)": "object"}

    def dtype(each: Any) -> str:
        return dtypes.get(each.type) or str(each.type)[7:-1]

    def feed(rows: Rows) -> dict[str, Any]:
        if len(taken) == 1 and not any(each["shape"] for each in job["inputs"]) and len(taken[0].shape) == 2:
            return {taken[0].name: matrix.encode(rows).astype(dtype(taken[0]))}
        fed = {}
        for each, name in pairs:
            column = np.asarray(rows.column(name), dtype=dtype(each))
            fed[each.name] = column.reshape((-1, 1)) if column.ndim == 1 < len(each.shape) else column
        return fed

    def answer(rows: Rows) -> Any:
        found = session.run(names, feed(rows))
        return dict(zip(names, map(_unzipped, found)))  # noqa: B905

    return answer


def _unzipped(found: Any) -> Any:
    """What skl2onnx calls a zipmap, one mapping a row, as one vector a row."""
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return np.array([list(row.values()) for row in found])
    return found


def _torch(module: Any, job: dict[str, Any]) -> Callable[[Rows], Any]:
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    fields = [each["name"] for each in job["inputs"]]
    matrix = Matrix(job)
    floating = (each.dtype for each in module.parameters() if each.dtype.is_floating_point)
    dtype = next(floating, torch.float32)
    tensors = len(fields) > 1 and any(each["shape"] for each in job["inputs"])
    single = len(fields) == 1 and bool(job["inputs"][0]["shape"])

    def tensor(column: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(column))

    def answer(rows: Rows) -> Any:
        with torch.no_grad():
            if tensors or single:
                found = module(*[tensor(rows.column(name)) for name in fields])
            else:
                found = module(tensor(matrix.encode(rows)).to(dtype))
        if isinstance(found, dict):
            return {name: each.numpy() for name, each in found.items()}
        return tuple(each.numpy() for each in found) if isinstance(found, (tuple, list)) else found.numpy()

    return answer


SERVED: dict[str, Callable[[Any, dict[str, Any]], Callable[[Rows], Any]]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "onnx": _onnx,
    "pytorch": _torch,
}
"""From what a flavor's file holds, and the job, to what answers rows."""
