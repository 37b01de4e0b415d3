"""What a diagnosis says: whether quality fell, since when, why, how sure that is, and what would change the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from mlwright.model.answers import NextCommand
from mlwright.model.monitoring import Estimate


class Cause(StrEnum):
    """Why quality fell, in the words of the verdict."""

    NO_EVIDENCE = "no evidence of a drop"
    SERVING = "serving defect"
    SKEW = "training-serving skew"
    QUALITY = "data quality"
    LABELS = "label pipeline"
    PRIOR = "label shift"
    HARDER = "harder population"
    """Other cases than before, of kinds that the model knows: covariate shift."""
    UNSEEN = "unseen region"
    CONCEPT = "concept change"
    LOST = "information lost"
    """A join, a source or the labels stopped carrying what they carried; retraining does not help."""
    FEEDBACK = "feedback loop"
    MIXED = "mixed"
    OPEN = "cannot say"


class Sureness(StrEnum):
    """How far a verdict may be trusted."""

    SURE = "sure"
    LIKELY = "likely"
    OPEN = "open"


class Outcome(StrEnum):
    """What came out of one test."""

    FOUND = "found"
    CLEAR = "clear"
    UNKNOWN = "not tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One feature that is wrong in a way that has a name.

    ``mechanism`` is one of ``missing``, ``unit``, ``sentinel``, ``constant``, ``range``, ``type``, ``new levels``,
    ``recoded``, ``time zone``, ``stale``, ``lag``, ``offset``, ``scale``, ``default``, ``join``, ``duplicates``,
    ``differs`` (served is not what was recomputed, no pattern), ``importance`` (what it told is gone), ``moved`` (its
    distribution is another, and that carries part of the drop). ``rows`` is the share of current rows that it
    affects, ``recovered`` the share of the drop that goes away when it is repaired.
    """

    column: str
    mechanism: str
    text: str
    rows: float
    factor: float | None = None
    recovered: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One link of the chain, S0 to S9, and what came out, negative results too.

    ``needs`` says, for what could not be tested, what it would take.
    """

    id: str
    title: str
    outcome: Outcome
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    suspects: tuple[Suspect, ...] = ()
    needs: tuple[str, ...] = ()
    assumption: str = ""

    __test__: ClassVar[bool] = False  # pytest takes every class of this name for one of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of the drop one cause carries; 1 is all of it. What they leave of 1 is unexplained."""

    cause: Cause
    share: Estimate
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that was changed: a deploy, a commit, a schema, a configuration, a dependency, a source."""

    at: datetime
    kind: str
    what: str
    source: str = ""
    """Where it stands: ``audit:214``, ``decision:…``, ``git:1a2b3c``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """When the loss changed, and how."""

    at: datetime
    shape: str
    """``abrupt``, ``gradual`` or ``recurring``."""
    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLoss:
    """A part of the population that carries a part of the drop."""

    where: str
    rows: int
    share_of_rows: float
    loss_before: float
    loss_now: float
    contribution: float
    """Share of the drop."""
    effect: float
    """Cohen's d of the loss in it, now against before."""
    p_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPoint:
    """The mean loss of one interval of time, for the plot."""

    at: datetime
    loss: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The whole answer. Deterministic: the same rows in any order give the same digest."""

    subject: str
    metric: str
    """The loss that the drop is of, such as ``Brier score``; lower is better."""
    reference_rows: int
    current_rows: int
    labelled_rows: int
    loss_before: float
    loss_now: float
    drop: Estimate
    """Loss now less loss before; above 0 is worse."""
    verdict: Cause
    sureness: Sureness
    summary: str
    shares: tuple[Share, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    onset: Onset | None = None
    happenings: tuple[Happening, ...] = ()
    """What was changed near the onset, nearest first."""
    tests: tuple[Test, ...] = ()
    slices: tuple[SliceLoss, ...] = ()
    series: tuple[LossPoint, ...] = ()
    retrain_gain: Estimate | None = None
    """Share of the drop that a refit on current rows takes back."""
    would_change: tuple[str, ...] = ()
    """What, if it were known, could change the verdict."""
    commands: tuple[NextCommand, ...] = ()
    limits: tuple[str, ...] = ()
    digest: str = ""
