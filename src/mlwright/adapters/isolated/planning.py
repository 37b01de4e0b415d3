"""What a model's folder says it needs, and what is installed for serving it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mlwright.model.registry import Field, Signature

_NAME: Final = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?")
_MLFLOW: Final = frozenset({"mlflow", "mlflow-skinny", "mlflow-tracing"})
_NATIVE: Final[Mapping[str, tuple[str, str]]] = {
    "sklearn": ("scikit-learn", "sklearn_version"),
    "onnx": ("onnxruntime", ""),
    "xgboost": ("xgboost", "xgb_version"),
    "lightgbm": ("lightgbm", "lgb_version"),
    "pytorch": ("torch", "pytorch_version"),
}
"""The flavors that need no MLflow: their library, and the key of the flavor that says its version."""
_SAME: Final = {"xgboost": "xgboost-cpu", "onnxruntime": "onnxruntime-gpu"}
_FUNCTION: Final = "mlwright_function"
_GENERAL: Final = "python_function"
_PLAIN: Final = frozenset({"string", "binary", "datetime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a folder says of itself."""

    flavors: Mapping[str, Mapping[str, object]]
    signature: Signature | None = None
    requirements: tuple[str, ...] = ()
    python: str = ""
    mlflow_version: str = ""
    ours: bool = False
    """Whether mlwright saved it, so that its library takes a matrix with the positions of text levels."""
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    classifier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to serve it: the flavor that it is loaded by, and what its environment holds."""

    by: str
    requirements: tuple[str, ...]


def plans(described: Described) -> tuple[Plan, ...]:
    """The ways to serve a model, the best first; none where it has no flavor that is known.

    Its library alone comes first, as it does in the server's own process: MLflow's checks cost a millisecond a call,
    and its packages seconds at the start. Where that does not load it, MLflow does, if the model asks for it.
    """
    flavors, names = described.flavors, set(map(name_of, described.requirements))
    found = []
    if _FUNCTION in flavors:
        found.append(Plan(by=_FUNCTION, requirements=_with(described.requirements, "numpy")))
    native = next((each for each in _NATIVE if each in flavors), None)
    if native is not None:
        found.append(Plan(by=native, requirements=_natively(described, native)))
    asks = not names.isdisjoint(_MLFLOW) or (not found and bool(described.mlflow_version))
    if _GENERAL in flavors and asks:
        found.append(Plan(by=_GENERAL, requirements=_by_mlflow(described)))
    return tuple(found)


def name_of(requirement: str) -> str:
    """The name of the package, as PEP 503 normalises it; empty where the line is no requirement."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def fields_of(fields: Sequence[Field]) -> list[dict[str, object]]:
    """Inputs or outputs for the job of a process."""
    return [{"name": each.name, "type": each.type, "shape": list(each.shape)} for each in fields]


def _natively(described: Described, native: str) -> tuple[str, ...]:
    kept = [each for each in described.requirements if name_of(each) not in _MLFLOW]
    names = set(map(name_of, kept))
    package, key = _NATIVE[native]
    flavor = described.flavors[native]
    more = ["numpy"]
    if names.isdisjoint({package, _SAME.get(package, package)}):
        version = str(flavor.get(key) or "").partition("+")[0]
        more.append(f"{package}=={version}" if version else package)
    if flavor.get("serialization_format") == "skops":
        more.append("skops")
    if flavor.get("serialization_format") == "cloudpickle":
        more.append("cloudpickle")
    signature = described.signature
    texts = signature is not None and any(each.type in _PLAIN for each in signature.inputs)
    if texts and not described.ours:
        more.append("pandas")  # columns that are chosen by name
    return _with(kept, *more)


def _by_mlflow(described: Described) -> tuple[str, ...]:
    """MLflow without what its server needs, in the version that the model asks for: it holds the same code."""
    kept = []
    for each in described.requirements:
        if name_of(each) == "mlflow":
            kept.append(_NAME.sub("mlflow-skinny", each, count=1))
        else:
            kept.append(each)
    version = described.mlflow_version
    return _with(kept, f"mlflow-skinny=={version}" if version else "mlflow-skinny", "pandas", "numpy")


def _with(requirements: Sequence[str], *more: str) -> tuple[str, ...]:
    """The requirements, and those of ``more`` whose package is not named yet."""
    names = set(map(name_of, requirements))
    return (*requirements, *(each for each in more if name_of(each) not in names))
