"""A fitted model together with what it takes: what a training step returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlwright.model.registry import Field, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model of any library and the inputs it was fitted on, in order.

    ``categories`` holds the known levels of each text input. The model sees a text as the position of its level,
    and a level that is not listed as missing.
    """

    model: object
    inputs: tuple[Field, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def signature(self) -> Signature:
        """The inputs, and the one output: a score a row."""
        return Signature(inputs=self.inputs, outputs=(Field(name="score", type="double"),))


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
