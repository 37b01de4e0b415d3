"""Which runtime loads a folder: the first whose flavor it has and who lacks nothing for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from mlwright.errors import Fault, MissingExtra, ModelLoadFailed
from mlwright.ports.runtimes import ModelRuntime


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was found of a folder."""

    runtime: ModelRuntime | None
    """Who loads it; None: nobody in this process."""
    flavors: tuple[str, ...]
    """The flavors that its MLmodel names."""
    lacking: Mapping[str, tuple[str, ...]]
    """What was lacking, by the flavor of each runtime that was asked before."""


def choose(runtimes: Sequence[ModelRuntime], folder: Path, hint: str | None = None) -> Choice:
    """Ask the runtimes in their order, the one for the hinted flavor first.

    A library's own flavor comes before MLflow's general one: it is faster and needs less.

    Raises:
        ModelLoadFailed: the folder does not say what it is.
    """
    flavors = flavors_of(folder)
    candidates = [each for each in runtimes if each.flavor in flavors]
    candidates.sort(key=lambda each: each.flavor != hint)  # keeps the order of the others
    lacking: dict[str, tuple[str, ...]] = {}
    for each in candidates:
        lacks = each.lacks(folder)
        if not lacks:
            return Choice(runtime=each, flavors=flavors, lacking=lacking)
        lacking.setdefault(each.flavor, lacks)
    return Choice(runtime=None, flavors=flavors, lacking=lacking)


def flavors_of(folder: Path) -> tuple[str, ...]:
    """The flavors that the MLmodel of a folder names.

    Raises:
        ModelLoadFailed: there is none, or it cannot be read.
    """
    path = folder / "MLmodel"
    try:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ModelLoadFailed("MLmodel cannot be read", where=str(path), why=str(error)) from error
    flavors = described.get("flavors") if isinstance(described, dict) else None
    if not isinstance(flavors, dict) or not flavors:
        raise ModelLoadFailed("MLmodel names no flavor", where=str(path))
    return tuple(str(each) for each in flavors)


def not_loadable(
    choice: Choice, runtimes: Sequence[ModelRuntime], *, alone: MissingExtra | None = None
) -> ModelLoadFailed:
    """The error for a folder that nothing here loads: what each runtime lacked, and the command that installs it.

    ``alone`` says what is missing for loading it in a process with packages of its own.
    """
    if not choice.lacking:
        known = ", ".join(dict.fromkeys(each.flavor for each in runtimes))
        return ModelLoadFailed(
            f"nothing here loads a model of {', '.join(choice.flavors)}",
            why=f"there are runtimes for {known}",
            next_command="mlwright doctor",
        )
    faults = [Fault(where=flavor, what=f"lacks {_some(lacks)}") for flavor, lacks in choice.lacking.items()]
    first = next(iter(choice.lacking.values()))
    extra = next((_EXTRAS[name] for name in map(_bare, first) if name in _EXTRAS), None)
    exact = [each for each in first if "==" in each]
    command = (
        f"pip install 'mlwright[{extra}]'"
        if extra and len(first) == 1 and not exact
        else f"pip install {' '.join(repr(each) for each in first[:20])}"
    )
    return ModelLoadFailed(
        "this process lacks packages that the model needs",
        faults=faults,
        why=f"uv, which would give it a process with its own packages, is missing: {alone.next_command}"
        if alone
        else None,
        next_command=command,
    )


_EXTRAS = {
    "onnxruntime": "onnx",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "torch": "torch",
    "mlflow-skinny": "mlflow",
}
"""The extra of mlwright that brings a package."""


def _bare(requirement: str) -> str:
    return requirement.partition("=")[0].partition(">")[0].partition("<")[0].strip().lower()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more
