"""What it means how a model loaded and answered in its own environment: outcomes, and the name of what was missing."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions
from typing import Final

from mlwright.model.evidence import Check, EvidenceKind, Outcome

RELATIVE: Final = 1e-5
ABSOLUTE: Final = 1e-8
"""How far two predictions may be apart; single precision holds seven digits, and libraries add up in another order."""

_ROWS: Final = 100
# Modules whose package has another name; a machine that has the package installed knows more.
_PACKAGES: Final = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "google": "protobuf",
    "Crypto": "pycryptodome",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "category_encoders": "category-encoders",
    "imblearn": "imbalanced-learn",
    "sentence_transformers": "sentence-transformers",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "statsmodels": "statsmodels",
    "prophet": "prophet",
    "shap": "shap",
    "joblib": "joblib",
    "cloudpickle": "cloudpickle",
    "dill": "dill",
    "skops": "skops",
    "onnxruntime": "onnxruntime",
    "transformers": "transformers",
    "nltk": "nltk",
    "spacy": "spacy",
    "feature_engine": "feature-engine",
    "sktime": "sktime",
    "holidays": "holidays",
    "numba": "numba",
    "requests": "requests",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "hydra": "hydra-core",
    "attr": "attrs",
    "setuptools": "setuptools",
    "pkg_resources": "setuptools",
}
_GONE: Final = {"distutils": "3.12", "imp": "3.12", "asyncore": "3.12", "asynchat": "3.12", "cgi": "3.13"}
_ATTRIBUTE: Final = re.compile(r"Can't get attribute '([^']+)' on <module '([^']+)'")
# What two packages that were built against each other's other version say.
_BINARY: Final = re.compile(
    r"numpy\.(?:dtype|ufunc) size changed|compiled using NumPy|numpy\.core\.multiarray failed to import"
    r"|_ARRAY_API not found|undefined symbol|version `[^']+' not found"
)


def environment_drift(
    saved_with: Mapping[str, str], installed: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Packages that the model was saved with in another version than its requirements install."""
    return {
        name: {"saved_with": version, "installed": installed[name]}
        for name, version in saved_with.items()
        if name in installed and installed[name].partition("+")[0] != version.partition("+")[0]
    }


def check_loaded(answer: Mapping[str, object], drift: Mapping[str, Mapping[str, str]]) -> Check:
    """Whether the model loaded. ``answer`` is that of ``loading.py``."""
    details: dict[str, object] = {
        "seconds": answer.get("seconds"),
        "warnings": answer.get("warnings"),
        "drift": dict(drift),
    }
    error = answer.get("error")
    if not isinstance(error, Mapping) or answer.get("phase") != "load":
        seconds = answer.get("seconds")
        took = seconds.get("load") if isinstance(seconds, Mapping) else None
        said = f"it loads in its own environment ({took:.1f} s)" if isinstance(took, float) else "it loads"
        return Check(kind=EvidenceKind.LOAD, outcome=Outcome.PASSED, summary=said, details=details)
    details["error"] = dict(error)
    why, named = _explained(error, drift)
    details |= named
    return Check(
        kind=EvidenceKind.LOAD, outcome=Outcome.FAILED, summary=f"it does not load: {why}", details=details
    )


def check_scored(
    answer: Mapping[str, object],
    drift: Mapping[str, Mapping[str, str]],
    *,
    recorded: object,
    recorded_by: str,
) -> Check:
    """Whether the model answered its example as it did before.

    Args:
        answer: that of ``loading.py``, of a model that loaded.
        drift: see :func:`environment_drift`.
        recorded: the predictions that are expected, clipped (see :func:`clip`), or None where there are none.
        recorded_by: who recorded them, in words.
    """
    kind = EvidenceKind.SCORE
    error = answer.get("error")
    if isinstance(error, Mapping):
        why, named = _explained(error, drift)
        said = f"it loads but does not answer its own example: {why}"
        return Check(kind=kind, outcome=Outcome.FAILED, summary=said, details={"error": dict(error)} | named)
    if "predictions" not in answer:
        said = "it has no input example, so nobody knows whether it answers: log it with input_example=…"
        return Check(kind=kind, outcome=Outcome.UNKNOWN, summary=said)
    found = clip(answer["predictions"])
    details: dict[str, object] = {
        "predictions": found,
        "relative": RELATIVE,
        "absolute": ABSOLUTE,
        "seconds": answer.get("seconds"),
    }
    if recorded is None:
        said = "it answers its example; these answers are what later proofs are compared with"
        return Check(kind=kind, outcome=Outcome.PASSED, summary=said, details=details | {"reference": "this"})
    details |= {"reference": recorded_by}
    apart = differences(recorded, found)
    if not apart:
        said = f"it answers its example as {recorded_by} (within {RELATIVE:g} relative)"
        return Check(kind=kind, outcome=Outcome.PASSED, summary=said, details=details)
    details |= {"recorded": recorded, "differences": apart[:20], "different": len(apart)}
    said = f"its answers are not those of {recorded_by}: {apart[0]}"
    return Check(kind=kind, outcome=Outcome.FAILED, summary=said, details=details)


def clip(value: object) -> object:
    """The first hundred entries of every list and mapping: enough to compare, little enough to keep."""
    if isinstance(value, Mapping):
        return {name: clip(value[name]) for name in list(value)[:_ROWS]}
    if isinstance(value, list):
        return [clip(each) for each in value[:_ROWS]]
    return value


def differences(recorded: object, found: object) -> list[str]:
    """Where two clipped predictions differ, one sentence each."""
    return list(_differences(recorded, found, ""))


def _differences(recorded: object, found: object, at: str) -> Iterator[str]:
    where = at or "the prediction"
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        if set(recorded) != set(found):
            yield f"{where} has {sorted(found)}, recorded was {sorted(recorded)}"
            return
        for name in recorded:
            yield from _differences(recorded[name], found[name], f"{at}[{name!r}]")
    elif isinstance(recorded, list) and isinstance(found, list):
        if len(recorded) != len(found):
            yield f"{where} has {len(found)} values, recorded were {len(recorded)}"
            return
        for number, (one, other) in enumerate(zip(recorded, found, strict=True)):
            yield from _differences(one, other, f"{at}[{number}]")
    elif not _same(recorded, found):
        yield f"{where} is {found!r}, recorded was {recorded!r}"


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        if isinstance(one, int) and isinstance(other, int):
            return one == other
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return one == other


def _explained(
    error: Mapping[str, object], drift: Mapping[str, Mapping[str, str]]
) -> tuple[str, dict[str, object]]:
    """One clause that names the cause, and what is named in it."""
    message = " ".join(str(error.get("message")).split())
    whole = " ".join([message, *map(str, error.get("causes") or ())])  # type: ignore[call-overload]
    missing = error.get("missing")
    if missing:
        return _absent(str(missing))
    lost = _ATTRIBUTE.search(whole)
    if lost and lost[2] in ("__main__", "builtins"):
        said = (
            f"{lost[1]} was defined in a script or notebook, which nobody else has: "
            "move it into a module and log the model with code_paths=…"
        )
        return said, {"local": lost[1]}
    if drift and (lost or _BINARY.search(whole) or "version" in whole.lower()):
        name, versions = next(iter(drift.items()))
        said = f"it was saved with {name} {versions['saved_with']}, its requirements install {versions['installed']}"
        return f"{said} ({message[:200]})", {"clash": [name]}
    if _BINARY.search(whole):
        return f"two of its packages were built for different versions of each other ({message[:200]})", {
            "clash": ["numpy"] if "numpy" in whole.lower() else []
        }
    if lost:
        said = f"the installed {lost[2].partition('.')[0]} has no {lost[1]}: the model was saved with another version"
        return said, {"clash": [_package(lost[2]) or lost[2]]}
    return f"{error.get('type')}: {message[:300]}", {}


def _absent(module: str) -> tuple[str, dict[str, object]]:
    top = module.partition(".")[0]
    named: dict[str, object] = {"missing_module": module}
    if top in _GONE:
        return f"the module {top!r} left Python with {_GONE[top]}: the model needs an older one", named
    package = _package(top)
    if package:
        named["missing_package"] = package
        return f"the package {package!r} is missing: add it to the model's requirements", named
    said = (
        f"the module {module!r} is missing, and it is no package that is known here: if it is a file of the project "
        f"that trained the model, log it with code_paths=[…]"
    )
    return said, named


def _package(module: str) -> str | None:
    """The package that probably provides a module."""
    top = module.partition(".")[0]
    if top in _PACKAGES:
        return _PACKAGES[top]
    found: Sequence[str] = packages_distributions().get(top, ())
    return found[0] if found else None
