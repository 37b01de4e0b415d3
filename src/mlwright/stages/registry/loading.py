"""Loads a model and scores its example: a script that runs in the model's own environment, never in ours.

It is given the path of a job (JSON: folder, answer, by, flavors) and writes its answer there (JSON: phase, seconds,
predictions, warnings, error). It imports only the standard library until the model asks for more, and keeps to the
syntax of Python 3.8, which a model may need.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any, Callable, Tuple  # noqa: UP035 - runs in an older Python as well

ROWS = 1000

Loaded = Tuple[Any, Callable[[Any], Any]]  # noqa: UP006
"""A model, and what answers to an example with it."""


def main(job_path: str) -> int:
    """Carry out the job; 0 when the model answered its example, or loaded and has none."""
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    answer: dict[str, Any] = {"phase": "load", "seconds": {}, "warnings": []}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        try:
            began = time.time()
            score = _by_mlflow(job) if job["by"] == "mlflow" else _natively(job)
            answer["seconds"]["load"] = time.time() - began
            answer["phase"] = "score"
            if job["example"]:
                began = time.time()
                answer["predictions"] = _plain(score())
                answer["seconds"]["score"] = time.time() - began
            answer["phase"] = "done"
        except BaseException as error:  # noqa: BLE001 - whatever the model raises is the answer
            answer["error"] = _described(error)
    answer["warnings"] = [str(each.message)[:500] for each in seen][:20]
    beside = job["answer"] + ".partial"
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(answer, file, allow_nan=False)
    os.replace(beside, job["answer"])
    return 1 if "error" in answer else 0


def _described(error: BaseException) -> dict[str, Any]:
    chain: list[BaseException] = []
    each: Any = error
    while each is not None and len(chain) < 8:
        chain.append(each)
        each = each.__cause__ or each.__context__
    missing = [each.name for each in chain if isinstance(each, ModuleNotFoundError) and each.name]
    return {
        "type": type(error).__name__,
        "message": str(error)[:2000],
        "causes": [f"{type(each).__name__}: {str(each)[:500]}" for each in chain[1:]],
        "missing": missing[0] if missing else None,
        "trace": "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:],
    }


def _by_mlflow(job: dict[str, Any]) -> Callable[[], Any]:
    pyfunc = importlib.import_module("mlflow.pyfunc")
    models = importlib.import_module("mlflow.models")
    model = pyfunc.load_model(job["folder"])

    def score() -> Any:
        described = models.Model.load(job["folder"])
        example = described.load_input_example(job["folder"])
        read_params = getattr(described, "load_input_example_params", None)
        params = read_params(job["folder"]) if read_params is not None else None
        return model.predict(example, params=params) if params else model.predict(example)

    return score


def _natively(job: dict[str, Any]) -> Callable[[], Any]:
    folder, flavors = job["folder"], job["flavors"]
    for name, load in LOADERS.items():
        if name in flavors:
            _, predict = load(folder, flavors[name])
            return lambda: predict(_example(job))
    raise RuntimeError(f"none of these flavors can be loaded without mlflow: {', '.join(sorted(flavors))}")


def _sklearn(folder: str, flavor: dict[str, Any]) -> Loaded:
    stored = flavor.get("serialization_format")
    path = os.path.join(folder, flavor.get("pickled_model") or "model.pkl")
    if stored == "skops":
        skops = importlib.import_module("skops.io")
        model = skops.load(path, trusted=list(flavor.get("skops_trusted_types") or ()))
    elif path.endswith(".joblib"):
        model = importlib.import_module("joblib").load(path)
    else:
        model = _unpickled(path)
    ours = os.path.join(folder, "mlwright.json")
    if os.path.exists(ours):
        with open(ours, encoding="utf-8") as file:
            return model, _ours(model, json.load(file))
    chosen = "predict_proba" if flavor.get("predict_fn") == "predict_proba" else "predict"
    return model, lambda example: getattr(model, chosen)(example)


def _ours(model: Any, described: dict[str, Any]) -> Callable[[Any], Any]:
    """Models that mlwright saved take a matrix with the positions of text levels, and give one number a row."""
    levels = {
        name: {each: float(n) for n, each in enumerate(found)}
        for name, found in described["categories"].items()
    }
    names = [each["name"] for each in described["signature"]["inputs"]]
    estimator = model.named_steps["estimator"] if levels else model

    def predict(example: Any) -> Any:
        numpy = importlib.import_module("numpy")
        columns = {name: _column(example, name) for name in names}
        coded = [[levels[n].get(v) for v in c] if n in levels else c for n, c in columns.items()]
        matrix = numpy.array(coded, dtype=float).T
        return estimator.predict_proba(matrix)[:, 1] if described["classifier"] else estimator.predict(matrix)

    return predict


def _column(example: Any, name: str) -> list[Any]:
    if isinstance(example, dict):
        at = example["columns"].index(name)
        return [row[at] for row in example["data"]]
    return list(example[name].astype(object).where(example[name].notna(), None))


def _unpickled(path: str) -> Any:
    pickle = importlib.import_module("pickle")
    with open(path, "rb") as file:
        return pickle.load(file)


def _xgboost(folder: str, flavor: dict[str, Any]) -> Loaded:
    xgboost = importlib.import_module("xgboost")
    path = os.path.join(folder, flavor.get("data") or "model.ubj")
    named = str(flavor.get("model_class") or "xgboost.core.Booster").rsplit(".", 1)[1]
    model = getattr(xgboost, named)()
    model.load_model(path)
    if named == "Booster":
        return model, lambda example: model.predict(xgboost.DMatrix(example))
    return model, lambda example: model.predict(example)


def _lightgbm(folder: str, flavor: dict[str, Any]) -> Loaded:
    lightgbm = importlib.import_module("lightgbm")
    path = os.path.join(folder, flavor.get("data") or "model.lgb")
    if path.endswith(".skops"):  # MLflow names this format of a booster as well, which it writes as text
        skops = importlib.import_module("skops.io")
        model = skops.load(path, trusted=list(flavor.get("skops_trusted_types") or ()))
    elif path.endswith((".pkl", ".pickle")):
        model = _unpickled(path)
    else:
        model = lightgbm.Booster(model_file=path)
    return model, lambda example: model.predict(example)


def _onnx(folder: str, flavor: dict[str, Any]) -> Loaded:
    runtime = importlib.import_module("onnxruntime")
    numpy = importlib.import_module("numpy")
    path = os.path.join(folder, flavor.get("data") or "model.onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64"}

    def predict(example: Any) -> Any:
        inputs = session.get_inputs()
        if len(inputs) == 1:
            values = numpy.asarray(getattr(example, "values", example), dtype=kinds.get(inputs[0].type))
            return session.run(None, {inputs[0].name: values})[0]
        feeds = {each.name: numpy.asarray(example[each.name], dtype=kinds.get(each.type)) for each in inputs}
        return session.run(None, {name: each.reshape(-1, 1) for name, each in feeds.items()})[0]

    return session, predict


def _torch(folder: str, flavor: dict[str, Any]) -> Loaded:
    torch = importlib.import_module("torch")
    inside = os.path.join(folder, flavor.get("model_data") or "data")
    path = os.path.join(inside, "model.pth") if os.path.isdir(inside) else inside
    program = os.path.join(inside, "model.pt2")
    if os.path.exists(program):
        model = torch.export.load(program).module()  # it has no other state than the exported one
    else:
        try:
            model = torch.jit.load(path, map_location="cpu")
        except RuntimeError:
            # A whole module is a pickle: without MLflow, which asks for it, it is refused, and the proof says so.
            model = torch.load(path, map_location="cpu", weights_only=True)
        model.eval()

    def predict(example: Any) -> Any:
        values = getattr(example, "values", example)
        with torch.no_grad():
            return model(torch.as_tensor(values)).numpy()

    return model, predict


def _function(folder: str, flavor: dict[str, Any]) -> Loaded:
    """A plain function: its code is in the folder, and beside it what calls it for MLflow."""
    sys.path.insert(0, os.path.join(folder, flavor.get("code") or "code"))
    model = importlib.import_module("mlwright_function").Predictor(folder, flavor)
    return model, model.predict


LOADERS: dict[str, Callable[[str, dict[str, Any]], Loaded]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "onnx": _onnx,
    "pytorch": _torch,
    "mlwright_function": _function,
}
"""From a folder and the section of its flavor to a model. ``adapters/isolated`` serves with them too."""


def _example(job: dict[str, Any]) -> Any:
    """The example as a data frame, where pandas is there; else as columns and rows; arrays as they are."""
    with open(os.path.join(job["folder"], job["example"]), encoding="utf-8") as file:
        found = json.load(file)
    if isinstance(found, dict) and "dataframe_split" in found:
        found = found["dataframe_split"]
    if isinstance(found, dict) and "inputs" in found and len(found) == 1:
        found = found["inputs"]
    if isinstance(found, dict) and set(found) >= {"columns", "data"}:
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            return found
        return pandas.DataFrame(found["data"], columns=found["columns"])
    if isinstance(found, list):
        return importlib.import_module("numpy").asarray(found)
    return found


def _plain(value: Any, depth: int = 0) -> Any:
    """Predictions as JSON: frames by column, arrays as lists, at most a thousand rows of each."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else str(value)
    value = _bare(value)
    if isinstance(value, dict):
        return {str(name): _plain(each, depth + 1) for name, each in list(value.items())[:ROWS]}
    if isinstance(value, (list, tuple)):
        return [_plain(each, depth + 1) for each in value[:ROWS]]
    if depth > 8 or not hasattr(value, "__dict__"):
        return _plain(value, depth) if isinstance(value, (str, bool, int, float)) else str(value)[:2000]
    return _plain(vars(value), depth + 1)


def _bare(value: Any) -> Any:
    """A frame as its columns; matrices, tensors, arrays and their numbers as plain ones."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return {str(name): value[name] for name in list(value.columns)}
    if hasattr(value, "toarray"):
        value = value.toarray()
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return value.tolist() if hasattr(value, "tolist") else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
