"""Whether a folder is a complete MLflow Model, before it becomes a model version.

The format is the one that MLflow 3 writes (mlflow.org/docs/latest/ml/model): ``MLmodel`` in YAML, with the
flavors and the files they need, and a signature whose inputs and outputs are JSON texts.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from mlwright.errors import Fault, ModelLoadFailed
from mlwright.model.registry import Field, Signature

_MLMODEL = "MLmodel"
_MLMODEL_BYTES = 16 * 2**20

# Keys under a flavor whose value is a path inside the folder.
_PATH_KEYS = ("code", "data", "model_data", "model_file", "model_path", "pickled_model")

# MLflow's column types, and which of ours holds each of their values exactly.
_COLUMN_TYPES = {
    "string": "string",
    "long": "long",
    "integer": "long",
    "double": "double",
    "float": "double",
    "boolean": "boolean",
}
# The kinds of numpy dtypes that tensors are declared with: infer_signature makes one of an array of scores.
_TENSOR_TYPES = {"int": "long", "uint": "long", "float": "double", "bool": "boolean", "str": "string"}


def check_package(folder: Path) -> Signature:
    """Verify that a folder is a complete MLflow Model folder, and return its signature.

    Nothing of the model itself is loaded. Whole numbers of 32 bits are widened to ``long``, floats to
    ``double``. MLflow often gives an output no name: it is called ``output``, or ``output_0``, ``output_1`` …
    when there are several.

    Args:
        folder: the folder that holds ``MLmodel``.

    Raises:
        ModelLoadFailed: it is not complete; ``faults`` names everything that is missing or wrong.
    """
    faults: list[Fault] = []
    described = read_mlmodel(folder, faults)
    signature = Signature(inputs=(), outputs=())
    if described is not None:
        check_flavors(folder, described.get("flavors"), faults)
        signature = read_signature(described.get("signature"), faults)
        if not (folder / "requirements.txt").is_file():
            faults.append(Fault(where="requirements.txt", what="is missing: the packages the model needs"))
    if faults:
        raise ModelLoadFailed(
            "this is not a complete MLflow Model folder",
            where=str(folder),
            faults=faults,
            next_command="mlwright doctor",
        )
    return signature


def read_mlmodel(folder: Path, faults: list[Fault]) -> Mapping[str, object] | None:
    """What ``MLmodel`` says, or None where it cannot be read; then ``faults`` has one more."""
    path = folder / _MLMODEL
    try:
        if path.stat().st_size > _MLMODEL_BYTES:
            faults.append(Fault(where=_MLMODEL, what="is larger than 16 MiB"))
            return None
        described = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        faults.append(Fault(where=_MLMODEL, what="is missing"))
    except (OSError, UnicodeDecodeError) as fault:
        faults.append(Fault(where=_MLMODEL, what=f"cannot be read: {fault}"))
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        faults.append(Fault(where=_MLMODEL, what=f"is not YAML: {' '.join(str(fault).split())}"))
    else:
        if isinstance(described, dict):
            return described
        faults.append(Fault(where=_MLMODEL, what="does not hold keys and values"))
    return None


def check_flavors(folder: Path, flavors: object, faults: list[Fault]) -> None:
    """Add a fault for each file that a flavor names and that is not there, or lies outside of the folder."""
    if not isinstance(flavors, dict) or not flavors:
        faults.append(Fault(where=f"{_MLMODEL}: flavors", what="names no engine that could load the model"))
        return
    for name, flavor in flavors.items():
        where = f"{_MLMODEL}: flavors.{name}"
        if not isinstance(flavor, dict):
            faults.append(Fault(where=where, what="does not hold keys and values"))
            continue
        for key, value in _paths(flavor):
            what = _path_fault(folder, value)
            if what is not None:
                faults.append(Fault(where=f"{where}.{key}", what=what))


def _paths(flavor: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key in _PATH_KEYS:
        if flavor.get(key) is not None:
            yield key, flavor[key]
    # One path in older models, one a kind of environment in newer ones.
    environment = flavor.get("env")
    if isinstance(environment, dict):
        for kind, value in environment.items():
            yield f"env.{kind}", value
    elif environment is not None:
        yield "env", environment


def _path_fault(folder: Path, value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return f"is {value!r} and not the name of a file"
    root = folder.resolve()
    path = (root / value).resolve()
    if not path.is_relative_to(root):
        return f"{value!r} is outside the folder"
    return None if path.exists() else f"the file {value!r} is missing"


def read_signature(signature: object, faults: list[Fault]) -> Signature:
    """The signature as our servers keep it; adds a fault for whatever they do not serve."""
    where = f"{_MLMODEL}: signature"
    if not isinstance(signature, dict):
        hint = "is missing: log the model with signature=infer_signature(inputs, predictions)"
        faults.append(Fault(where=where, what=hint))
        return Signature(inputs=(), outputs=())
    return Signature(
        inputs=tuple(_fields(signature.get("inputs"), f"{where}.inputs", None, faults)),
        outputs=tuple(_fields(signature.get("outputs"), f"{where}.outputs", "output", faults)),
    )


def _fields(text: object, where: str, unnamed: str | None, faults: list[Fault]) -> Iterator[Field]:
    columns: object = None
    try:
        columns = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as fault:
        faults.append(Fault(where=where, what=f"is not JSON: {fault}"))
        return
    if not isinstance(columns, list) or not columns:
        faults.append(Fault(where=where, what="is missing or empty"))
        return
    seen: set[str] = set()
    for number, column in enumerate(columns):
        place = f"{where}[{number}]"
        if not isinstance(column, dict):
            faults.append(Fault(where=place, what="does not hold keys and values"))
            continue
        name = column.get("name")
        if not name and unnamed:
            name = unnamed if len(columns) == 1 else f"{unnamed}_{number}"
        kind = _type(column, several=unnamed is not None)
        required = column.get("required", not column.get("optional", False))
        if not isinstance(name, str) or not name:
            faults.append(Fault(where=place, what="has no name; log the model with a table of named columns"))
        elif name in seen:
            faults.append(Fault(where=place, what=f"the name {name!r} is there twice"))
        elif kind is None:
            declared = column.get("tensor-spec", column.get("type"))
            faults.append(Fault(where=place, what=f"{name!r} has the type {declared!r}, which is not served"))
        else:
            seen.add(name)
            yield Field(name=name, type=kind, required=bool(required))


def _type(column: Mapping[str, object], *, several: bool) -> str | None:
    if column.get("type") != "tensor":
        return _COLUMN_TYPES.get(str(column.get("type")))
    spec = column.get("tensor-spec")
    if not isinstance(spec, dict):
        return None
    shape = spec.get("shape")
    # predict_proba answers with one column a class; that is one output here, the score.
    scores = several and isinstance(shape, list) and len(shape) == 2 and shape[0] == -1
    if shape not in ([-1], [-1, 1]) and not scores:
        return None
    return _TENSOR_TYPES.get(str(spec.get("dtype")).rstrip("0123456789"))
