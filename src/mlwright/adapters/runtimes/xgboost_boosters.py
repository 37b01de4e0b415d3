"""XGBoost's boosters in folders, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import xgboost

from mlwright.adapters.runtimes.boosters import LoadedBooster, Predict, loaded, save_booster
from mlwright.adapters.runtimes.columns import text_categories
from mlwright.adapters.runtimes.folder import Package, failed
from mlwright.adapters.runtimes.xgboost_dense import dense
from mlwright.adapters.runtimes.xgboost_files import is_whole
from mlwright.errors import UsageError
from mlwright.model.batches import Array
from mlwright.model.registry import Signature

MODEL_FILE: Final = "model.ubj"
_CLASSIFIERS: Final = ("XGBClassifier", "XGBRFClassifier")
_ALONE: Final = {"nthread": 1, "verbosity": 0}


def booster_of(model: object) -> xgboost.Booster | None:
    """The booster, with the rounds up to the best one after early stopping; None where there is none."""
    if isinstance(model, xgboost.XGBModel):
        try:
            held = model.get_booster()
        except Exception:  # noqa: BLE001 - NotFittedError of scikit-learn, which need not be there
            return None
    elif isinstance(model, xgboost.Booster):
        held = model
    else:
        return None
    best = held.attr("best_iteration")
    rounds = held.num_boosted_rounds()
    return held[: int(best) + 1] if best is not None and 0 < int(best) + 1 < rounds else held


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
            f"{type(model).__name__} cannot be saved", why="it must be a fitted model of XGBoost"
        )
    data = booster.save_raw("ubj")
    held = xgboost.Booster(_ALONE)
    held.load_model(data)
    used = text_categories(signature, categories)
    save_booster(
        folder,
        flavor="xgboost",
        conf={
            "data": MODEL_FILE,
            "model_class": "xgboost.core.Booster",
            "model_format": "ubj",
            "xgb_version": xgboost.__version__,
        },
        requirements=("numpy", "scipy", "xgboost"),
        model=LoadedBooster(_values(held), signature, used, held.feature_names or ()),
        example=example,
        categories=used,
        store=lambda: (folder / MODEL_FILE).write_bytes(data),
    )


def load(package: Package) -> LoadedBooster:
    """Load a folder; see ``ModelRuntime.load``."""
    flavor = package.flavor("xgboost")
    path = package.file(flavor.get("data"), "model.xgb")
    booster = xgboost.Booster(_ALONE)
    try:
        data = path.read_bytes()
        if not is_whole(data):
            raise ValueError(
                "it is neither whole JSON nor whole UBJSON; XGBoost no longer reads its older format"
            )
        booster.load_model(bytearray(data))
    except (OSError, ValueError) as error:  # XGBoostError is one
        raise failed(f"{path.name} cannot be loaded", path, error) from error
    kind = str(flavor.get("model_class") or "")
    estimator = not kind.endswith("Booster") and bool(kind)
    values = _values(booster, _best(booster) if estimator else 0)
    predict = _labels(values) if kind.endswith(_CLASSIFIERS) else values
    return loaded(package, predict, booster.num_features(), booster.feature_names or ())


def _best(booster: xgboost.Booster) -> int:
    """How many rounds an estimator answers with: after early stopping, those up to the best one; 0 for all."""
    best = booster.attr("best_iteration")
    return int(best) + 1 if best is not None else 0


def _values(booster: xgboost.Booster, rounds: int = 0) -> Predict:
    """What the objective gives: probabilities, values, or one number a class."""
    through = (0, rounds)
    width = booster.num_features()

    def in_place(matrix: Array) -> Array:
        answer: Array = booster.inplace_predict(matrix, iteration_range=through, validate_features=False)
        return answer

    def copied(matrix: Array) -> Array:
        # the names of the matrix are ours to keep in order: see LoadedBooster
        rows = xgboost.DMatrix(matrix, nthread=1)
        return booster.predict(rows, iteration_range=through, validate_features=False)

    probe = np.zeros((2, width))
    try:
        expected = in_place(probe)
    except (ValueError, NotImplementedError):  # linear boosters cannot
        return copied
    fast = dense(booster, rounds)
    if fast is not None and np.array_equal(fast(probe), expected, equal_nan=True):
        return fast
    return in_place


def _labels(values: Predict) -> Predict:
    """The class of each row, as ``XGBClassifier.predict`` gives it."""

    def predict(matrix: Array) -> Array:
        answer = values(matrix)
        if answer.ndim == 1:
            return (answer > 0.5).astype(np.int64)
        most: Array = answer.argmax(axis=1)
        return most

    return predict
