"""A fitted model together with what it takes: what a training step returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mlwright.model.functions import shape_of
from mlwright.model.registry import Field, Signature

SCORE: Final = (Field(name="score", type="double"),)
"""What most models give: one number a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model of any library and the inputs it was fitted on, in order.

    ``categories`` holds the known levels of each text input. The model sees a text as the position of its level,
    and a level that is not listed as missing.
    """

    model: object
    inputs: tuple[Field, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: tuple[Field, ...] = SCORE

    @classmethod
    def of(cls, function: object) -> "Fitted":
        """A plain function, or a class with a method ``predict``, with what its annotations say of it.

        Raises:
            UsageError: something cannot be told from them; ``faults`` names every parameter.
        """
        signature = shape_of(function).signature
        return cls(model=function, inputs=signature.inputs, outputs=signature.outputs)

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return Signature(inputs=self.inputs, outputs=self.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a training pipeline returns: the model version that it registered."""

    model: str
    version: int
    metrics: dict[str, float]

    @property
    def ref(self) -> str:
        """``name/version``."""
        return f"{self.model}/{self.version}"
