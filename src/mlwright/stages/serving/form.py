"""What clients send to an endpoint and get back, as long as one generation of its route is in force."""

from dataclasses import dataclass

from mlwright.model.batches import NUMBERS
from mlwright.model.registry import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of an endpoint's requests and answers. Doors compile their parsers from it, once a generation."""

    endpoint: str
    model: str
    version: str
    """The champion's version number, as a text."""
    generation: int
    inputs: tuple[Field, ...]
    """What the models take and no feature view provides, then keys of feature views; without entity and timestamp.
    None at all: the model has no signature, and whatever is sent is handed on."""
    outputs: tuple[Field, ...]
    """What the champion gives."""
    entity: str
    """The name under which the entity of a row may be sent (a text)."""
    timestamp: str
    """The name under which its instant may be sent (a long: microseconds since 1970 UTC)."""
    keyed: bool
    """Whether entity and timestamp have to be sent."""
    extra: str = "ignore"
    """``ignore`` or ``reject``: fields that nobody asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, in order."""
        return tuple(each.name for each in self.inputs)

    @property
    def matrix(self) -> bool:
        """Whether all inputs are numbers, one a row: then rows of numbers, or one tensor, may be sent for all."""
        return bool(self.inputs) and all(each.type in NUMBERS and not each.shape for each in self.inputs)

    @property
    def tensor(self) -> Field | None:
        """The one input where it is a tensor (such as an image): it may be sent without its name."""
        return self.inputs[0] if len(self.inputs) == 1 and self.inputs[0].shape else None
