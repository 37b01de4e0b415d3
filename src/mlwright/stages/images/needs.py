"""The packages that serving one model needs: far fewer than mlwright has."""

import re
from collections.abc import Sequence
from typing import Final

from mlwright.model.settings import EndpointSettings

SERVING: Final = ("httptools", "msgspec", "numpy", "packaging", "pyyaml", "uvloop")
"""What an inference process imports that has its routes from a file; a test holds this against the process."""

_BY_FLAVOR: Final[dict[str, tuple[str, ...]]] = {
    "sklearn": ("scikit-learn",),
    "onnx": ("onnxruntime",),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "pytorch": ("torch",),
    "python_function": ("mlflow-skinny", "pandas"),
}
_MLFLOW: Final = frozenset({"mlflow", "mlflow-skinny", "mlflow-tracing"})
_OURS: Final = "mlwright"
"""Has a wheel of its own: as a requirement it would bring all that training needs."""
_SAME: Final = {
    "xgboost": ("xgboost-cpu",),
    "onnxruntime": ("onnxruntime-gpu",),
    "mlflow-skinny": ("mlflow",),
}
"""Packages that hold the same module."""
_NAME: Final = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")

LIBRARIES: Final = {"lightgbm": ("libgomp1",)}
"""Packages of Debian that a package of Python needs and slim images lack."""


def roots(
    flavor: str, requirements: Sequence[str], endpoint: EndpointSettings, installed: Sequence[str]
) -> tuple[str, ...]:
    """Names of packages: what serves, the model's library, and what the model's folder asks for.

    Args:
        flavor: what loads the model.
        requirements: lines of the model's ``requirements.txt``. MLflow among them is left out where the model's own
            library loads it, and so is what is not installed here, where it loads without.
        endpoint: feature views and a contract need data frames.
        installed: the names of what is installed here.
    """
    there = set(installed)
    found = [*SERVING, *_BY_FLAVOR.get(flavor, ())]
    for line in requirements:
        name = _name(line)
        if name in there and name != _OURS and (flavor == "python_function" or name not in _MLFLOW):
            found.append(name)
    if endpoint.features or endpoint.serving.edge.contract:
        found.append("polars")
    if endpoint.serving.edge.contract:
        found.append("jsonschema")
    return tuple(sorted({_present(each, there) for each in found}))


def libraries(pins: Sequence[str]) -> tuple[str, ...]:
    """The packages of Debian that these packages of Python need."""
    return tuple(sorted({each for name in pins for each in LIBRARIES.get(name, ())}))


def _present(name: str, there: set[str]) -> str:
    others = (each for each in _SAME.get(name, ()) if each in there)
    return name if name in there else next(others, name)


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""
