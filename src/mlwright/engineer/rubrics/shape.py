"""The shape of a rubric as data."""

from dataclasses import dataclass

from mlwright.model.findings import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Probes that together put an item on a rung: all of ``all_of`` hold, and one of ``any_of`` where there are any."""

    rung: Rung
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One item of a rubric: the highest rung whose evidence holds is where it stands.

    ``full`` is what it is worth at the top; ``halfway`` tells whether EXECUTABLE earns half of that (ML Test Score), or
    whether EXECUTABLE is enough (levels that ask for a thing to be there). ``question`` is put to people where no probe
    can know; such an item stays unknown until somebody answers it. ``next_step`` is what raises it.
    """

    id: str
    title: str
    evidence: tuple[Evidence, ...]
    next_step: str
    full: float = 1.0
    halfway: bool = False
    question: bool = False
