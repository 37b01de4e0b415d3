"""MLflow Model folders, read and written: ``MLmodel`` and what lies beside it, whatever library the model is of.

Written are the keys of MLflow 3.17, so that MLflow loads the folder: ``MLmodel`` (flavors, signature),
``requirements.txt``, ``python_env.yaml``, ``input_example.json``, ``output_example.json`` with the answers to it (a
proof elsewhere must come to the same), and ``mlwright.json`` with what MLflow has no place for: the levels of text
inputs and the outputs by name. MLmodel is written last, so that a folder that has it is complete.

https://mlflow.org/docs/latest/ml/model/ describes the format.
"""

import json
import platform
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mlwright.adapters.runtimes.schemas import fields_of, schema_of
from mlwright.errors import ModelLoadFailed
from mlwright.model.batches import Array, Columns
from mlwright.model.registry import Signature

MLMODEL: Final = "MLmodel"
OURS: Final = "mlwright.json"
EXAMPLE: Final = "input_example.json"
OUTPUTS: Final = "output_example.json"
_FORMAT: Final = 1
_LARGEST: Final = 16_000_000
_SAME: Final = {
    "xgboost": ("xgboost", "xgboost-cpu"),
    "xgboost-cpu": ("xgboost-cpu", "xgboost"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "onnxruntime-gpu": ("onnxruntime-gpu", "onnxruntime"),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "mlflow": ("mlflow", "mlflow-skinny"),
}
"""Packages that hold the same library under several names, by what is asked for."""

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 8 times faster, where libyaml is there


class Ours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of ``mlwright.json``."""

    signature: Signature
    format: int
    categories: dict[str, tuple[str, ...]] = {}
    classifier: bool = False


def ours(
    signature: Signature,
    categories: Mapping[str, Sequence[str]] | None = None,
    *,
    classifier: bool = False,
) -> Ours:
    """What ``mlwright.json`` is to say."""
    levels = {name: tuple(each) for name, each in (categories or {}).items()}
    return Ours(signature=signature, format=_FORMAT, categories=levels, classifier=classifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What an MLflow Model folder says of itself.

    ``signature`` is that of ``mlwright.json`` where there is one, otherwise MLflow's; None where there is neither.
    """

    folder: Path
    flavors: Mapping[str, Mapping[str, object]]
    signature: Signature | None = None
    requirements: tuple[str, ...] = ()
    python: str = ""
    example: str = ""
    """The file with its input example."""
    mlflow_version: str = ""
    ours: Ours | None = None

    def flavor(self, name: str) -> Mapping[str, object]:
        """The section of one flavor.

        Raises:
            ModelLoadFailed: there is none; the message names those that there are.
        """
        if name not in self.flavors:
            has = ", ".join(sorted(self.flavors)) or "none"
            raise failed(f"MLmodel has no flavor {name!r} (it has {has})", self.folder / MLMODEL)
        return self.flavors[name]

    def file(self, named: object, default: str = "") -> Path:
        """A file or folder of the model, named by a key of a flavor.

        Raises:
            ModelLoadFailed: it is missing, or lies outside the folder.
        """
        name = default if named is None else named
        path = self.folder / str(name)
        if not isinstance(name, str) or not path.resolve().is_relative_to(self.folder.resolve()):
            raise failed(f"MLmodel names {name!r}, which is not in its folder", self.folder / MLMODEL)
        if not name or not path.exists():
            raise failed(f"the file {name!r} that MLmodel names is missing", path)
        return path

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The levels of the text inputs that were encoded as their positions."""
        return self.ours.categories if self.ours else {}


def read_package(folder: Path) -> Package:
    """Read what a folder says of itself; nothing of the model is loaded, no code of it runs.

    Raises:
        ModelLoadFailed: a file is missing or cannot be read; the message names it.
    """
    path = folder / MLMODEL
    described = _yaml(path)
    flavors = described.get("flavors")
    if not isinstance(flavors, dict) or not all(isinstance(each, dict) for each in flavors.values()):
        raise failed("MLmodel has no flavors", path)
    own = _ours(folder / OURS)
    return Package(
        folder=folder,
        flavors={str(name): each for name, each in flavors.items()},
        signature=own.signature if own else _signature(described.get("signature"), path),
        requirements=_requirements(folder / "requirements.txt"),
        python=_python(folder, flavors),
        example=_example(described.get("saved_input_example_info")),
        mlflow_version=str(described.get("mlflow_version") or ""),
        ours=own,
    )


def read_example(package: Package) -> Columns | None:
    """The rows that a folder gives as an example, by column; None where it has none, or none that is a table.

    An array without column names is the column of the signature's one input (``input`` where there is none).

    Raises:
        ModelLoadFailed: the file that MLmodel names cannot be read.
    """
    if not package.example:
        return None
    path = package.file(package.example)
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise failed(f"{package.example} cannot be read", path, error) from error
    return _columns(held, package)


def lacking(requirements: Sequence[str], *, exact: Collection[str] = ()) -> tuple[str, ...]:
    """Those of the requirements that this process does not have, as they were written.

    A package counts as there in any version, but those named in ``exact`` must have the major and minor number that
    the requirement pins. Lines that are no requirement (options, addresses) are passed over.
    """
    return tuple(each for each in requirements if _lacks(each, exact))


def name_of(requirement: str) -> str:
    """The name of the package that a requirement is for, as PEP 503 normalises it; empty where it is none."""
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def write_package(
    folder: Path,
    *,
    flavor: str,
    conf: Mapping[str, object],
    function: Mapping[str, object],
    signature: Signature,
    example: Columns,
    answers: Mapping[str, Array],
    requirements: Sequence[str],
    own: Ours,
    outputs: str | None = None,
) -> None:
    """Write everything but the model itself.

    Args:
        folder: where the files of the model already are.
        flavor: the name of the library's flavor.
        conf: the keys of that flavor.
        function: the keys of ``python_function``: ``loader_module`` and where the data is.
        signature: what it takes and gives here.
        example: a few rows.
        answers: what the model gives for them here and now, by output.
        requirements: names of the packages to pin, at the versions that are installed.
        own: the content of ``mlwright.json``; see :func:`ours`.
        outputs: the output schema for MLflow, where its answer has another form than ours.
    """
    environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    names = [each.name for each in signature.inputs if each.name in example]
    rows = zip(*(example[name] for name in names), strict=True)
    split = {"columns": names, "data": [[plain(value) for value in row] for row in rows]}
    given = {name: [plain(value) for value in array] for name, array in answers.items()}
    predictions = next(iter(given.values())) if len(given) == 1 else given
    described = {
        "flavors": {
            "python_function": {
                "env": {"virtualenv": "python_env.yaml"},
                "python_version": platform.python_version(),
                **function,
            },
            flavor: {"code": None, **conf},
        },
        "saved_input_example_info": {"artifact_path": EXAMPLE, "pandas_orient": "split", "type": "dataframe"},
        "signature": {
            "inputs": schema_of(signature.inputs),
            "outputs": outputs or schema_of(signature.outputs),
            "params": None,
        },
    }
    write(folder / OURS, msgspec.json.format(msgspec.json.encode(own), indent=1).decode())
    write(folder / EXAMPLE, json.dumps(split, allow_nan=False))
    write(folder / OUTPUTS, json.dumps({"predictions": predictions}, allow_nan=False))
    write(folder / "requirements.txt", "\n".join(map(_pinned, requirements)))
    write(folder / "python_env.yaml", yaml.safe_dump(environment, sort_keys=False))
    write(folder / MLMODEL, yaml.safe_dump(described, sort_keys=True))


def write(path: Path, text: str) -> None:
    """One text file, ending with a line end."""
    path.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")


def plain(value: Any) -> object:
    """A value as JSON has it: NumPy's as Python's, NaN and infinity as null, times in ISO 8601 and bytes in base64."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)).isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return None if isinstance(value, float) and value - value != 0.0 else value


def failed(what: str, path: Path, error: BaseException | None = None) -> ModelLoadFailed:
    """The error for a folder that does not load."""
    return ModelLoadFailed(
        what,
        where=str(path),
        why=f"{type(error).__name__}: {error}" if error else None,
        next_command="mlwright doctor",
    )


def _yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            described = yaml.load(file.read(_LARGEST), Loader=_Loader)  # a safe loader, see above
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise failed(f"{path.name} cannot be read", path, error) from error
    if not isinstance(described, dict):
        raise failed(f"{path.name} does not hold a mapping", path)
    return described


def _ours(path: Path) -> Ours | None:
    try:
        own = msgspec.json.decode(path.read_bytes(), type=Ours)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise failed(f"{OURS} cannot be read", path, error) from error
    if own.format != _FORMAT:
        raise failed(f"{OURS} has format {own.format}; this mlwright reads {_FORMAT}", path)
    return own


def _signature(described: object, path: Path) -> Signature | None:
    if not isinstance(described, dict):
        return None
    try:
        inputs = fields_of(described.get("inputs"), alone="input")
        outputs = fields_of(described.get("outputs"), alone="output")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise failed("the signature in MLmodel cannot be read", path, error) from error
    return Signature(inputs=inputs, outputs=outputs) if inputs else None


def _requirements(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise failed("requirements.txt cannot be read", path, error) from error
    bare = (line.split(" #")[0].strip() for line in lines)
    return tuple(line for line in bare if line and not line.startswith("#"))


def _python(folder: Path, flavors: Mapping[str, Mapping[str, object]]) -> str:
    path = folder / "python_env.yaml"
    named = _yaml(path).get("python") if path.is_file() else None
    return str(named or flavors.get("python_function", {}).get("python_version") or "")


def _example(described: object) -> str:
    path = described.get("artifact_path") if isinstance(described, dict) else None
    return path if isinstance(path, str) else ""


def _columns(held: object, package: Package) -> Columns | None:
    inputs = package.signature.inputs if package.signature else ()
    if isinstance(held, dict) and isinstance(held.get("data"), list):
        names, rows = held.get("columns"), held["data"]
        if isinstance(names, list):
            return {str(name): [row[at] for row in rows] for at, name in enumerate(names)}
        if rows and len(inputs) == len(rows[0]):
            return {each.name: [row[at] for row in rows] for at, each in enumerate(inputs)}
        return None
    if isinstance(held, dict) and isinstance(held.get("inputs"), dict | list):
        held = held["inputs"]
    if isinstance(held, dict):
        return held if all(isinstance(each, list) for each in held.values()) else None
    return {inputs[0].name if len(inputs) == 1 else "input": held} if isinstance(held, list) else None


def _lacks(line: str, exact: Collection[str]) -> bool:
    try:
        asked = Requirement(line)
    except InvalidRequirement:
        return False
    if asked.marker is not None and not asked.marker.evaluate():
        return False
    try:
        found = _installed(asked.name)
        if found is None:
            return True
        installed = Version(found[1])
        pinned = [Version(each.version) for each in asked.specifier if each.operator in ("==", "===")]
    except InvalidVersion:
        return False
    return canonicalize_name(asked.name) in map(canonicalize_name, exact) and any(
        each.release[:2] != installed.release[:2] for each in pinned
    )


def _installed(name: str) -> tuple[str, str] | None:
    for each in _SAME.get(canonicalize_name(name), (name,)):
        try:
            return each, version(each)
        except PackageNotFoundError:
            continue
    return None


def _pinned(name: str) -> str:
    found = _installed(name)
    return "==".join(found) if found else name
