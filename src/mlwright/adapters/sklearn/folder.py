"""The files of an MLflow Model folder around the estimator, written as MLflow 3 writes them.

``MLmodel`` (flavors ``sklearn`` and ``python_function``, signature), ``requirements.txt``,
``python_env.yaml``, ``input_example.json``, ``output_example.json`` with the answers to it (a proof
elsewhere must come to the same), and ``mlwright.json`` with what MLflow has no place for: the levels of
text inputs and the output by name. MLmodel is written last, so that a folder that has it is
complete. The keys are those of ``mlflow.sklearn.save_model(..., serialization_format="skops")`` in MLflow
3.18.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mlwright.errors import ModelLoadFailed
from mlwright.model.registry import Field, Signature

MODEL_FILE: Final = "model.skops"
_OURS: Final = "mlwright.json"
_EXAMPLE: Final = "input_example.json"
_OUTPUTS: Final = "output_example.json"
_FORMAT: Final = 1
_REQUIRED: Final = ("numpy", "scikit-learn", "scipy", "skops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a folder says of its model."""

    flavor: str
    signature: Signature
    categories: dict[str, tuple[str, ...]]
    classifier: bool
    trusted: tuple[str, ...] = ()


class _Ours(msgspec.Struct, kw_only=True):
    """The content of ``mlwright.json``."""

    format: int
    signature: Signature
    categories: dict[str, tuple[str, ...]]
    classifier: bool


def write_folder(
    folder: Path, described: Described, example: Mapping[str, Sequence[object]], outputs: Sequence[float]
) -> None:
    """Write everything but the model itself. ``outputs`` is what it answers to the example here and now."""
    ours = _Ours(
        format=_FORMAT,
        signature=described.signature,
        categories=described.categories,
        classifier=described.classifier,
    )
    names = list(described.signature.input_names)
    rows = zip(*(example[name] for name in names), strict=True)
    split = {"columns": names, "data": [[_plain(value) for value in row] for row in rows]}
    requirements = [f"{name}=={version(name)}" for name in _REQUIRED]
    environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    _write(folder / _OURS, msgspec.json.format(msgspec.json.encode(ours), indent=1).decode())
    _write(folder / _EXAMPLE, json.dumps(split, allow_nan=False))
    _write(folder / _OUTPUTS, json.dumps({"predictions": list(map(_plain, outputs))}, allow_nan=False))
    _write(folder / "requirements.txt", "\n".join(requirements))
    _write(folder / "python_env.yaml", yaml.safe_dump(environment, sort_keys=False))
    _write(folder / "MLmodel", yaml.safe_dump(_mlmodel(described), sort_keys=True))


def read_folder(folder: Path, flavor: str) -> Described:
    """Read a folder's description.

    Raises:
        ModelLoadFailed: a file is missing or cannot be read, or the model is of another flavor or was not
            stored with skops.
    """
    path = folder / "MLmodel"
    try:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _failed("MLmodel cannot be read", path, error) from error
    flavors = described.get("flavors") if isinstance(described, dict) else None
    if not isinstance(flavors, dict) or not isinstance(flavors.get(flavor), dict):
        has = ", ".join(map(str, flavors)) if isinstance(flavors, dict) else "none"
        raise _failed(f"MLmodel has no flavor {flavor!r} (it has {has})", path)
    stored = flavors[flavor].get("serialization_format"), flavors[flavor].get("pickled_model")
    if stored != ("skops", MODEL_FILE):
        raise _failed(f"MLmodel names {stored[1]!r} in format {stored[0]!r}; only skops is loaded", path)
    path = folder / _OURS
    try:
        ours = msgspec.json.decode(path.read_bytes(), type=_Ours)
    except (OSError, msgspec.MsgspecError) as error:
        raise _failed(f"{_OURS} cannot be read", path, error) from error
    if ours.format != _FORMAT:
        raise _failed(f"{_OURS} has format {ours.format}; this mlwright reads {_FORMAT}", path)
    return Described(
        flavor=flavor, signature=ours.signature, categories=ours.categories, classifier=ours.classifier
    )


def _mlmodel(described: Described) -> dict[str, object]:
    python_function: dict[str, object] = {
        "env": {"virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.sklearn",
        "model_path": MODEL_FILE,
        "python_version": platform.python_version(),
    }
    outputs = _schema(described.signature.outputs)
    if described.classifier:
        # MLflow answers with predict_proba: both classes, without a name. Ours is the second column.
        python_function["predict_fn"] = "predict_proba"
        tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
        outputs = json.dumps([tensor])
    return {
        "flavors": {
            "python_function": python_function,
            described.flavor: {
                "code": None,
                "pickled_model": MODEL_FILE,
                "serialization_format": "skops",
                "skops_trusted_types": list(described.trusted),
                "sklearn_version": version("scikit-learn"),
            },
        },
        "saved_input_example_info": {
            "artifact_path": _EXAMPLE,
            "pandas_orient": "split",
            "type": "dataframe",
        },
        "signature": {"inputs": _schema(described.signature.inputs), "outputs": outputs, "params": None},
    }


def _schema(fields: Sequence[Field]) -> str:
    """MLflow's schema: a JSON list inside a string."""
    return json.dumps([{"type": each.type, "name": each.name, "required": each.required} for each in fields])


def _plain(value: Any) -> object:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and plain - plain != 0.0 else plain


def _write(path: Path, text: str) -> None:
    path.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")


def _failed(what: str, path: Path, error: Exception | None = None) -> ModelLoadFailed:
    return ModelLoadFailed(
        what,
        where=str(path),
        why=f"{type(error).__name__}: {error}" if error else None,
        next_command="mlwright doctor",
    )
