"""What came of converting a model version: does it answer as before, how fast, how large."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlwright.model.ids import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The row whose answers differ most: what went in, and what either model gives for it."""

    row: int
    origin: str
    output: str
    inputs: Mapping[str, object]
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How two models answer the same rows.

    A number is within the tolerance where it differs by at most ``tolerance * max(1, |before|)``; anything else (a
    label, a text) has to be the same. What is None does not apply to outputs of this kind.
    """

    rows: int
    origins: Mapping[str, int]
    """How many rows came from where: ``log``, ``held out``, ``example``, ``drawn``."""
    tolerance: float
    max_abs: float
    max_rel: float
    """The largest difference in relation to the value before, of values that are not 0."""
    beyond: int
    """Rows with an answer outside the tolerance."""
    spearman: float | None = None
    same_decision: float | None = None
    """The share of rows on the same side of 0.5, where all answers are in [0, 1]."""
    same_labels: float | None = None
    worst: Mismatch | None = None
    """Where they differ at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds a call with so many rows, before and after: medians of rounds in which both took turns."""

    rows: int
    before_s: float
    after_s: float

    @property
    def ratio(self) -> float:
        """How many times as fast."""
        return self.before_s / self.after_s if self.after_s else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a process needs that loads one model and answers with it. Bytes of memory are resident; None: not known."""

    load_s: float
    """From the folder to a model that can answer, the import of its library included."""
    first_s: float
    """The first answer after that."""
    base: int | None
    """Bytes before the model is loaded."""
    loaded: int | None
    """Bytes after it has answered."""
    peak: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A conversion, whether or not it was kept."""

    source: str
    """The version that was converted, ``name/3``."""
    target: str
    """``onnx``."""
    quantize: str
    parity: Parity
    paces: tuple[Pace, ...]
    before: Footprint | None = None
    after: Footprint | None = None
    ref: str | None = None
    """The version that was registered; None: nothing was."""
    digest: Digest | None = None
    reasons: tuple[str, ...] = ()
    """Why nothing was registered; empty where something was."""
    notes: tuple[str, ...] = ()
    next_command: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether it was registered."""
        return self.ref is not None
