"""What the files of a model folder say of it: flavors, requirements, Python, signature, example. Nothing is loaded."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from mlwright.errors import Fault
from mlwright.model.registry import Signature
from mlwright.stages.registry.package import check_flavors, read_mlmodel, read_signature

_TEXT_BYTES: Final = 1 << 20
_EXAMPLE_BYTES: Final = 32 << 20

# The key with which a flavor says what the model was saved with, and the package that it means.
_SAVED_WITH: Final = {
    "sklearn_version": "scikit-learn",
    "xgb_version": "xgboost",
    "lgb_version": "lightgbm",
    "cb_version": "catboost",
    "onnx_version": "onnx",
    "pytorch_version": "torch",
    "keras_version": "keras",
    "cloudpickle_version": "cloudpickle",
    "statsmodels_version": "statsmodels",
    "prophet_version": "prophet",
    "spacy_version": "spacy",
    "transformers_version": "transformers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the files say."""

    flavors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    loader: str = ""
    """The module with which MLflow loads it."""
    requirements: tuple[str, ...] = ()
    python: str = ""
    inputs: tuple[Mapping[str, object], ...] = ()
    """MLflow's schema of the inputs, as it stands in ``MLmodel``."""
    outputs: tuple[Mapping[str, object], ...] = ()
    signature: Signature | None = None
    """The signature where our servers can keep it."""
    example: str = ""
    """Path of the input example; empty where there is none."""
    saved_with: Mapping[str, str] = field(default_factory=dict)
    """Version by package, as the flavors say."""
    faults: tuple[Fault, ...] = ()
    """Why the folder is not complete."""
    signature_faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def flavor(self) -> str:
        """The engine that saved it; MLflow's general one where it names no other."""
        others = [name for name in self.flavors if name != "python_function"]
        return others[0] if others else "python_function"


def survey(folder: Path) -> Survey:
    """Read what the files of a folder say; everything that is missing or wrong is in its faults, nothing raised."""
    faults: list[Fault] = []
    signature_faults: list[Fault] = []
    notes: list[str] = []
    read = read_mlmodel(folder, faults)
    described = read or {}
    if read is not None:
        check_flavors(folder, described.get("flavors"), faults)
    flavors = described.get("flavors")
    known = {
        str(name): each
        for name, each in (flavors.items() if isinstance(flavors, dict) else ())
        if isinstance(each, dict)
    }
    requirements = _requirements(folder, faults, notes)
    inputs, outputs, signature = _signature(described.get("signature"), signature_faults, notes)
    general = known.get("python_function", {})
    return Survey(
        flavors=known,
        loader=str(general.get("loader_module") or ""),
        requirements=tuple(requirements),
        python=_python(folder) or str(general.get("python_version") or ""),
        inputs=inputs,
        outputs=outputs,
        signature=signature,
        example=_example_path(folder, described.get("saved_input_example_info"), faults),
        saved_with=_saved_with(known),
        faults=tuple(faults),
        signature_faults=tuple(signature_faults),
        notes=tuple(notes),
    )


def read_example(folder: Path, path: str) -> object:
    """The JSON of an example.

    Raises:
        ValueError: it is not JSON, or larger than 32 MiB.
        OSError: it cannot be read.
    """
    file = folder / path
    if file.stat().st_size > _EXAMPLE_BYTES:
        raise ValueError("the example is larger than 32 MiB")
    try:
        return json.loads(file.read_text("utf-8"))
    except RecursionError as fault:
        raise ValueError("the example is nested too deeply") from fault


def _signature(
    text: object, faults: list[Fault], notes: list[str]
) -> tuple[tuple[Mapping[str, object], ...], tuple[Mapping[str, object], ...], Signature | None]:
    if not isinstance(text, dict) or not text.get("inputs"):
        hint = "is missing: log the model with signature=infer_signature(inputs, predictions)"
        faults.append(Fault(where="MLmodel: signature", what=hint))
        return (), (), None
    inputs = _schema(text.get("inputs"), "inputs", faults)
    outputs = _schema(text.get("outputs"), "outputs", faults) if text.get("outputs") else ()
    unserved: list[Fault] = []
    signature = read_signature(text, unserved)
    if unserved:
        notes += [f"our own servers do not serve it as it is: {each}" for each in unserved[:5]]
    return inputs, outputs, None if unserved else signature


def _schema(text: object, what: str, faults: list[Fault]) -> tuple[Mapping[str, object], ...]:
    where = f"MLmodel: signature.{what}"
    try:
        columns = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        faults.append(Fault(where=where, what=f"is not JSON: {error}"))
        return ()
    if not isinstance(columns, list) or not all(isinstance(each, dict) for each in columns):
        faults.append(Fault(where=where, what="is no list of columns"))
        return ()
    return tuple(columns)


def _example_path(folder: Path, info: object, faults: list[Fault]) -> str:
    if not isinstance(info, dict) or not info.get("artifact_path"):
        return ""
    path = str(info["artifact_path"])
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        faults.append(Fault(where="MLmodel: saved_input_example_info", what=f"the file {path!r} is missing"))
        return ""
    return path


def _saved_with(flavors: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    found = {}
    for flavor in flavors.values():
        for key, package in _SAVED_WITH.items():
            if flavor.get(key):
                found[package] = str(flavor[key])
    return found


def _requirements(folder: Path, faults: list[Fault], notes: list[str]) -> list[str]:
    file = folder / "requirements.txt"
    if file.is_file():
        return list(dict.fromkeys(_lines(folder, file, 0)))
    conda = _yaml(folder / "conda.yaml")
    dependencies = conda.get("dependencies") if isinstance(conda, dict) else None
    if not isinstance(dependencies, list):
        faults.append(Fault(where="requirements.txt", what="is missing: the packages the model needs"))
        return []
    found: list[str] = []
    for each in dependencies:
        if isinstance(each, dict):
            found += [str(line) for line in each.get("pip") or ()]
        elif not re.match(r"(python|pip)\b", str(each)):
            notes.append(f"conda.yaml asks for {each}, which only conda can install")
    return found


def _lines(folder: Path, file: Path, depth: int) -> Iterator[str]:
    text = _text(file).replace("\\\n", " ")
    for line in text.splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line)
        bare = re.sub(r"\s--hash=\S+", "", bare).strip()
        included = re.fullmatch(r"(?:-r|--requirement)[ =]?(\S+)", bare)
        inner = (folder / included[1]).resolve() if included else None
        if inner is not None and inner.is_relative_to(folder.resolve()) and inner.is_file() and depth < 3:
            yield from _lines(folder, inner, depth + 1)
        elif bare:
            yield bare


def _python(folder: Path) -> str:
    environment = _yaml(folder / "python_env.yaml")
    if isinstance(environment, dict) and environment.get("python"):
        return str(environment["python"])
    conda = _yaml(folder / "conda.yaml")
    dependencies = conda.get("dependencies") if isinstance(conda, dict) else None
    for each in dependencies if isinstance(dependencies, list) else ():
        found = re.match(r"python\s*={1,2}\s*(\d[\d.]*)", str(each))
        if found:
            return found[1]
    return ""


def _yaml(path: Path) -> object:
    try:
        return yaml.safe_load(_text(path))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_TEXT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def unpinned(requirements: Sequence[str]) -> tuple[str, ...]:
    """The requirements that do not name one version, so that tomorrow's environment may be another."""
    return tuple(each for each in requirements if not re.search(r"===?\s*[^\s,*]+\s*(;|$)", each))
