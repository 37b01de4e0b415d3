"""A model runtime without a model library: logistic scores from stored weights."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlwright.errors import ModelLoadFailed
from mlwright.model.batches import Array, Batch
from mlwright.model.registry import Field, Signature

_WEIGHTS = "weights.json"
_EXAMPLE = "input_example.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearModel:
    """A logistic score: ``1 / (1 + exp(-(bias + sum of weight * value)))``.

    A number weighs under its column's name, a text or boolean under ``column=level`` (``carrier=UA``,
    ``night=true``).
    A missing value, and a level without a weight, add nothing.
    """

    weights: Mapping[str, float]
    bias: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedLinearModel:
    """A :class:`LinearModel` with its signature; fills ``LoadedModel``."""

    model: LinearModel
    signature: Signature
    categories: Mapping[str, Sequence[str]]

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Score rows; see ``LoadedModel.infer``."""
        names = [name for name in self.signature.input_names if batch.has(name)]
        columns = [batch.column(name).tolist() for name in names]
        rows = zip(*columns, strict=True) if columns else ()
        scores = [self._score(dict(zip(names, row, strict=True))) for row in rows]
        return {self.signature.outputs[0].name: np.array(scores, dtype=np.float64)}

    def close(self) -> None:
        """It holds nothing but memory."""

    def _score(self, row: Mapping[str, object]) -> float:
        total = self.model.bias + sum(self._term(name, value) for name, value in row.items())
        return 0.5 * (1.0 + math.tanh(total / 2.0))  # the logistic function, without overflow

    def _term(self, name: str, value: object) -> float:
        weights = self.model.weights
        if isinstance(value, bool):
            return weights.get(f"{name}={str(value).lower()}", 0.0)
        if isinstance(value, str):
            listed = value in self.categories.get(name, (value,))
            return weights.get(f"{name}={value}", 0.0) if listed else 0.0
        if isinstance(value, int | float) and not math.isnan(value):
            return weights.get(name, 0.0) * value
        return 0.0


class LinearRuntime:
    """Saves and loads :class:`LinearModel` as JSON in an MLflow Model folder."""

    @property
    def flavor(self) -> str:
        """``mlwright_linear``."""
        return "mlwright_linear"

    def accepts(self, model: object) -> bool:
        """Whether this is a :class:`LinearModel`."""
        return isinstance(model, LinearModel)

    def save(
        self,
        model: object,
        folder: Path,
        *,
        signature: Signature,
        example: Mapping[str, Sequence[object]],
        categories: Mapping[str, Sequence[str]],
    ) -> None:
        """Write the folder; ``MLmodel`` last, so that a folder that has it is complete."""
        if not isinstance(model, LinearModel):
            raise TypeError(f"{type(model).__name__} is not a LinearModel")
        weights = {
            "weights": dict(model.weights),
            "bias": model.bias,
            "categories": {name: list(levels) for name, levels in categories.items()},
        }
        described = {
            "flavors": {self.flavor: {"data": _WEIGHTS}},
            "signature": {"inputs": _schema(signature.inputs), "outputs": _schema(signature.outputs)},
            "saved_input_example_info": {
                "artifact_path": _EXAMPLE,
                "type": "dataframe",
                "pandas_orient": "split",
            },
        }
        rows = [list(row) for row in zip(*example.values(), strict=True)]
        split = {"columns": list(example), "data": rows}
        (folder / _WEIGHTS).write_text(json.dumps(weights, indent=1, sort_keys=True), encoding="utf-8")
        (folder / _EXAMPLE).write_text(json.dumps(split), encoding="utf-8")
        (folder / "requirements.txt").write_text("mlwright\n", encoding="utf-8")
        # JSON is YAML: any MLflow tool reads it, and nothing has to be installed to write it
        (folder / "MLmodel").write_text(json.dumps(described, indent=1), encoding="utf-8")

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """Nothing, ever."""
        return ()

    def load(self, folder: Path) -> LoadedLinearModel:
        """Load what :meth:`save` wrote."""
        described = _json(folder / "MLmodel")
        flavors = described.get("flavors")
        if not isinstance(flavors, dict) or self.flavor not in flavors:
            raise ModelLoadFailed(
                f"the model is not of flavor {self.flavor!r}", where=str(folder / "MLmodel")
            )
        stored = _json(folder / _WEIGHTS)
        try:
            signature = described["signature"]
            return LoadedLinearModel(
                model=LinearModel(weights=stored["weights"], bias=stored["bias"]),
                signature=Signature(
                    inputs=_fields(signature["inputs"]), outputs=_fields(signature["outputs"])
                ),
                categories=stored["categories"],
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise ModelLoadFailed(
                "the model's files lack a part", where=str(folder), why=repr(fault)
            ) from fault


def _schema(fields: Sequence[Field]) -> str:
    # the MLflow schema: a JSON list inside a string
    return json.dumps([{"type": each.type, "name": each.name, "required": each.required} for each in fields])


def _fields(schema: str) -> tuple[Field, ...]:
    return tuple(
        Field(name=each["name"], type=each["type"], required=each["required"]) for each in json.loads(schema)
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ModelLoadFailed(f"{path.name} cannot be read", where=str(path), why=str(fault)) from fault
    if not isinstance(found, dict):
        raise ModelLoadFailed(f"{path.name} does not hold an object", where=str(path))
    return found
