"""LightGBM's boosters in folders, and back."""

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np

from mlwright.adapters.runtimes.boosters import LoadedBooster, Predict, loaded, save_booster
from mlwright.adapters.runtimes.columns import text_categories
from mlwright.adapters.runtimes.folder import Package, failed
from mlwright.errors import MlwrightError, UsageError
from mlwright.model.batches import Array
from mlwright.model.registry import Signature

MODEL_FILE: Final = "model.lgb"


def booster_of(model: object) -> lightgbm.Booster | None:
    """The booster; None where there is none."""
    if isinstance(model, lightgbm.LGBMModel):
        return model.booster_ if model.__sklearn_is_fitted__() else None
    return model if isinstance(model, lightgbm.Booster) else None


def save(
    model: object,
    folder: Path,
    *,
    signature: Signature,
    example: Mapping[str, Sequence[object]],
    categories: Mapping[str, Sequence[str]],
) -> None:
    """Write a folder; see ``ModelRuntime.save``."""
    booster = booster_of(model)
    if booster is None:
        raise UsageError(
            f"{type(model).__name__} cannot be saved", why="it must be a fitted model of LightGBM"
        )
    used = text_categories(signature, categories)
    save_booster(
        folder,
        flavor="lightgbm",
        conf={
            "data": MODEL_FILE,
            "model_class": "lightgbm.basic.Booster",
            "lgb_version": lightgbm.__version__,
        },
        requirements=("lightgbm", "numpy", "scipy"),
        model=LoadedBooster(_values(booster), signature, used, _names(booster)),
        example=example,
        categories=used,
        # no path of ours inside: the folder can move
        store=lambda: (folder / MODEL_FILE).write_text(booster.model_to_string(), encoding="utf-8"),
    )


def load(package: Package) -> LoadedBooster:
    """Load a folder; see ``ModelRuntime.load``."""
    model, held = _stored(package)
    return loaded(package, _estimated(model, held), held.num_feature(), _names(held))


def stored_booster(package: Package) -> tuple[lightgbm.Booster, Sequence[str]]:
    """The booster of a folder that :func:`load` loads, and the names it was fitted with."""
    _, held = _stored(package)
    return held, _names(held)


def is_whole(text: bytes) -> bool:
    """Whether the trees of a model file are as long as it says. LightGBM 4.7 ends the process on one cut short."""
    found = re.search(rb"^tree_sizes=([0-9 ]*)$", text, re.MULTILINE)
    first, last = text.find(b"\nTree=0\n"), text.find(b"\nend of trees\n")
    if found is None or last < 0 or b"\nend of parameters\n" not in text[last:]:
        return False
    sizes = [int(each) for each in found[1].split()]
    if first < 0:
        return not sizes
    return first + 1 + sum(sizes) == last + 1 and text.count(b"\nTree=") == len(sizes)


def _values(booster: lightgbm.Booster) -> Predict:
    """What the objective gives: probabilities, values, or one number a class."""

    def predict(matrix: Array) -> Array:
        answer: Any = booster.predict(matrix, num_threads=1)
        return np.asarray(answer)

    return predict


def _estimated(model: Any, booster: lightgbm.Booster) -> Predict:
    """What an estimator's ``predict`` gives, without what it checks first (0.3 ms): a classifier gives labels."""
    if callable(getattr(model, "objective_", None)) or not isinstance(model, lightgbm.LGBMClassifier):
        return _values(booster)
    values, classes = _values(booster), np.asarray(model.classes_)

    def predict(matrix: Array) -> Array:
        answer = values(matrix)
        chosen = (answer > 1.0 - answer).astype(np.intp) if answer.ndim == 1 else answer.argmax(axis=1)
        labels: Array = classes[chosen]
        return labels

    return predict


def _stored(package: Package) -> tuple[object, lightgbm.Booster]:
    """What a folder holds, a booster or an estimator, and the booster in it."""
    flavor = package.flavor("lightgbm")
    path = package.file(flavor.get("data"), "model.lgb")
    kind = str(flavor.get("model_class") or "lightgbm.basic.Booster")
    plain = kind.endswith(".Booster") and path.suffix not in (".pkl", ".skops")
    try:
        model = _text(path) if plain else _estimator(path, flavor)
    except MlwrightError:
        raise
    except Exception as error:  # a damaged file makes LightGBM, pickle and skops raise all sorts of errors
        raise failed(f"{path.name} cannot be loaded", path, error) from error
    held = booster_of(model)
    if held is None:
        raise failed(f"{path.name} holds a {type(model).__name__}, not a fitted model of LightGBM", path)
    return model, held


def _text(path: Path) -> lightgbm.Booster:
    text = path.read_bytes()
    if not is_whole(text):
        raise ValueError("the trees are not those that it announces: it was cut short or changed")
    return lightgbm.Booster(model_str=text.decode())


def _estimator(path: Path, flavor: Mapping[str, object]) -> object:
    """What MLflow stored of an estimator; a registered version, see ``SklearnRuntime.load``."""
    if path.suffix != ".skops":
        with path.open("rb") as file:
            return pickle.load(file)
    import skops.io  # costs 0.5 s, and only MLflow's estimators need it

    from mlwright.adapters.runtimes.trust import types_to_trust

    data, listed = path.read_bytes(), flavor.get("skops_trusted_types")
    trusted = types_to_trust(data, where=str(path), more=listed if isinstance(listed, list) else ())
    return skops.io.loads(data, trusted=trusted)


def _names(booster: lightgbm.Booster) -> Sequence[str]:
    """The names it was fitted with; none where LightGBM made them up."""
    names: list[str] = booster.feature_name()
    return () if names == [f"Column_{at}" for at in range(len(names))] else names
