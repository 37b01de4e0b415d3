"""Models, versions, aliases and what a model takes and gives."""

from dataclasses import dataclass, field
from datetime import datetime

from mlwright.model.ids import Digest, ModelName, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output of a model. ``type`` is one of the MLflow schema types:
    ``string``, ``long``, ``double``, ``boolean``."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and what it gives, by name and in order."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs in the model's order."""
        return tuple(each.name for each in self.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a recipe did on rows it had not seen; the evidence behind a model version."""

    metrics: dict[str, float]
    rows: int
    start: datetime
    end: datetime
    holdout: Digest | None = None
    """Digest of the held-out frame (features, label, score), so that others can be judged on the same rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model: a folder in the artifact store, and where it came from."""

    model: ModelName
    version: int
    digest: Digest
    run: RunId | None
    created: datetime
    signature: Signature
    flavor: str
    trained_from: datetime | None = None
    trained_to: datetime | None = None
    evaluation: Evaluation | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """``name/version``, the form used in every table and on the wire."""
        return f"{self.model}/{self.version}"


def parse_model_ref(text: str) -> tuple[ModelName, int | None, str | None]:
    """Split ``name``, ``name/3`` or ``name@alias`` into name, version and alias.

    Raises:
        ValueError: the version is not a positive whole number.

    >>> parse_model_ref("flight-delay@champion")
    ('flight-delay', None, 'champion')
    >>> parse_model_ref("flight-delay/3")
    ('flight-delay', 3, None)
    """
    if "@" in text:
        name, alias = text.split("@", 1)
        return ModelName(name), None, alias
    if "/" in text:
        name, version = text.rsplit("/", 1)
        if not version.isdigit() or int(version) < 1:
            raise ValueError(f"{text!r}: the part after the slash must be a version number")
        return ModelName(name), int(version), None
    return ModelName(text), None, None
