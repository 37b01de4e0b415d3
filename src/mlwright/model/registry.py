"""Models, versions, aliases and what a model takes and gives."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mlwright.errors import ModelLoadFailed
from mlwright.model.ids import Digest, ModelName, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output of a model.

    ``type`` is one of those of MLflow's column schema (``string``, ``long``, ``integer``, ``double``, ``float``,
    ``boolean``, ``binary``, ``datetime``) or, of a tensor, NumPy's name where that schema has none (``uint8``).
    ``shape`` is that of one row: empty for one value, -1 where a length is not fixed.
    """

    name: str
    type: str
    required: bool = True
    shape: tuple[int, ...] = ()


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


class VersionStatus(StrEnum):
    """How far a model version is; the words are those of the MLflow protocol."""

    PENDING = "PENDING_REGISTRATION"
    READY = "READY"
    FAILED = "FAILED_REGISTRATION"


class VersionStage(StrEnum):
    """MLflow's stages, which aliases replaced. Clients of theirs still ask for them."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


IS_PROMPT = "mlflow.prompt.is_prompt"
"""The tag that makes a model or version one of MLflow's prompts, when it says ``true``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name that versions are registered under. ``aliases`` holds the version that each points at."""

    name: ModelName
    created: datetime
    updated: datetime
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    @property
    def is_prompt(self) -> bool:
        """Whether it is a prompt of MLflow's, and no model."""
        return self.tags.get(IS_PROMPT, "false").lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a model: where it lies, and where it came from.

    ``digest``, ``signature`` and ``flavor`` are known once its folder is in the artifact store. A version that a client
    of the MLflow protocol registered has a ``source`` instead until it is proved; a prompt never has a folder.
    """

    model: ModelName
    version: int
    digest: Digest | None
    run: RunId | None
    created: datetime
    signature: Signature | None
    flavor: str | None
    trained_from: datetime | None = None
    trained_to: datetime | None = None
    evaluation: Evaluation | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    updated: datetime | None = None
    source: str | None = None
    location: str | None = None
    """Where its files lie, when that is not the source itself."""
    status: VersionStatus = VersionStatus.READY
    status_message: str | None = None
    description: str | None = None
    stage: VersionStage = VersionStage.NONE
    actor: str | None = None
    run_link: str | None = None
    logged_model: str | None = None

    @property
    def ref(self) -> str:
        """``name/version``, the form used in every table and on the wire."""
        return f"{self.model}/{self.version}"

    @property
    def is_prompt(self) -> bool:
        """Whether it is a version of a prompt of MLflow's, and no model."""
        return self.tags.get(IS_PROMPT, "false").lower() == "true"

    @property
    def inputs(self) -> tuple[Field, ...]:
        """What the model takes; nothing while that is unknown."""
        return self.signature.inputs if self.signature else ()

    @property
    def outputs(self) -> tuple[Field, ...]:
        """What the model gives; nothing while that is unknown."""
        return self.signature.outputs if self.signature else ()

    def stored(self) -> tuple[Digest, str]:
        """The digest of its folder in the artifact store, and the flavor that loads it.

        Raises:
            ModelLoadFailed: its folder is not in the store: it lies elsewhere, or it is a prompt.
        """
        if self.digest is None or self.flavor is None:
            if self.is_prompt:
                raise ModelLoadFailed(f"{self.ref} is a prompt: there is no model to load")
            raise ModelLoadFailed(
                f"no verified copy of model version {self.ref} is stored here",
                where=self.source,
                why="it was registered by its address, and nobody has looked yet whether it loads",
                next_command=f"mlwright models prove {self.ref}",
            )
        return self.digest, self.flavor


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
