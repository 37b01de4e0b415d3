"""What an incident is: the classes of faults, which answers are right, and the forms that most incidents have."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mlwright.model.diagnosis import Cause

from .faults import Fault
from .worlds import HELD_OUT

NO, SERVING, SKEW, QUALITY, LABELS = Cause.NO_EVIDENCE, Cause.SERVING, Cause.SKEW, Cause.QUALITY, Cause.LABELS
PRIOR, HARDER, UNSEEN, CONCEPT = Cause.PRIOR, Cause.HARDER, Cause.UNSEEN, Cause.CONCEPT
LOST, FEEDBACK, MIXED, OPEN = Cause.LOST, Cause.FEEDBACK, Cause.MIXED, Cause.OPEN


class Kind(StrEnum):
    """Classes of faults; every one must be in the corpus."""

    NONE = "none"
    BETTER = "improvement"
    HARMLESS = "harmless"
    HARDER = "covariate shift"
    UNSEEN = "unseen region"
    CONCEPT = "concept change"
    PRIOR = "label shift"
    UNIT = "unit"
    NULLS = "nulls"
    SENTINEL = "sentinel"
    CONSTANT = "constant"
    RECODE = "re-code"
    LEVELS = "new levels"
    ZONE = "time zone"
    STALE = "stale"
    LAG = "lag"
    JOIN = "wrong join"
    OFFSET = "offset"
    DEFAULT = "default"
    SERVING = "serving defect"
    LABELS = "label pipeline"
    FEEDBACK = "feedback loop"
    MIXED = "mixed"
    TINY = "few rows"
    NATURAL = "as it happened"
    DUPLICATES = "duplicates"
    TYPE = "type"
    ROUNDED = "rounded or cut"
    LATE = "late labels"
    EARLY = "early labels"
    PAIR = "two features"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident.

    ``accept`` are the right verdicts, the best first; ``hedged`` those that are fair while they are not called sure,
    because the rows cannot tell them from the truth. Any other verdict is a miss, and when sure a confident error, and
    so is a sure verdict of defect that names no column of ``columns``. MIXED and OPEN are never confident errors.
    """

    name: str
    world: str
    kind: Kind
    faults: tuple[Fault, ...]
    accept: tuple[Cause, ...]
    hedged: tuple[Cause, ...] = ()
    columns: tuple[str, ...] = ()
    """Any of them is the right feature to name."""
    mechanisms: tuple[str, ...] = ()
    copy: str = ""
    """``true``: a second copy as it should be; ``same``: it has the fault too, which came from above; empty: none."""
    model: bool = True
    deploy: bool = False
    """Whether something was changed at the onset; what has nothing to do with it is always there."""
    horizon: int | None = None
    rows: int = 2500
    why: str = ""
    sent: tuple[Fault, ...] = ()
    """What befalls the rows on their way, after they were drawn: what a draw would tear apart."""
    delay: tuple[float, float] | None = None
    """Days that labels of class 0 and of class 1 take as a rule; None: labels are there."""
    delay_known: bool = True
    """Whether it is on record when each label came."""
    later: bool = False
    """Written after the chain was finished, and run once before anything was changed because of it."""

    @property
    def held_out(self) -> bool:
        return self.world in HELD_OUT


BROKEN_UNKNOWN = (LOST, QUALITY, MIXED, OPEN)
"""What may be said of a feature that tells nothing any more and looks as ever."""
SEEN = {
    Kind.UNIT: ("unit", "scale", "offset", "range"),
    Kind.NULLS: ("missing",),
    Kind.SENTINEL: ("sentinel", "default", "constant", "range"),
    Kind.CONSTANT: ("constant", "default", "sentinel"),
    Kind.LEVELS: ("new levels", "recoded"),
    Kind.ZONE: ("time zone",),
    Kind.OFFSET: ("offset", "scale"),
    Kind.STALE: ("stale", "lag"),
    Kind.JOIN: ("join",),
    Kind.TYPE: ("type",),
    Kind.ROUNDED: ("type",),
    Kind.LAG: ("lag", "stale"),
    Kind.DUPLICATES: ("duplicates",),
}


def defect(
    world: str,
    kind: Kind,
    what: str,
    fault: Fault,
    *columns: str,
    why: str = "",
    copies: str = "both",
    **more: Any,
) -> Iterator[Incident]:
    """A visible defect of a feature: with a copy skew, without one data quality; both are the same repair."""
    one = Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=(fault,),
        accept=(QUALITY,),
        columns=columns,
        mechanisms=SEEN.get(kind, ()),
        why=why or "the column itself shows it",
        **more,
    )
    if copies != "with":
        yield one
    if copies != "without":
        yield replace(one, name=f"{one.name}, with a copy", copy="true", accept=(SKEW, QUALITY))


def hidden(world: str, kind: Kind, what: str, fault: Fault, *columns: str, **more: Any) -> Iterator[Incident]:
    """A defect whose column looks as ever: named with a copy; without one only that something is lost."""
    one = Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=(fault,),
        accept=BROKEN_UNKNOWN,
        hedged=(CONCEPT,),
        columns=columns,
        mechanisms=SEEN.get(kind, ()),
        why="marginals are intact: only a second copy can prove it, and a refit gains little",
        **more,
    )
    yield one
    yield replace(
        one,
        name=f"{one.name}, with a copy",
        copy="true",
        accept=(SKEW,),
        hedged=(),
        why="the copy differs in this column only",
    )


def recoded(world: str, column: str, fault: Fault) -> Iterator[Incident]:
    """A silent re-code: without a copy or an event nobody can tell it from a change of the world."""
    one = Incident(
        name=f"{world}: {column} re-coded in silence",
        world=world,
        kind=Kind.RECODE,
        faults=(fault,),
        accept=(QUALITY, MIXED, OPEN),
        hedged=(CONCEPT,),
        columns=(column,),
        mechanisms=("recoded", "new levels"),
        why="levels permuted: concept change is not excluded, so it must not be called sure",
    )
    yield one
    yield replace(one, name=f"{one.name}, with a copy", copy="true", accept=(SKEW, QUALITY), hedged=())


def placed(
    world: str, kind: Kind, what: str, fault: Fault | tuple[Fault, ...], *accept: Cause, **more: Any
) -> Incident:
    several = fault if isinstance(fault, tuple) else (fault,)
    return Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=several,
        accept=accept,
        **more,
    )
