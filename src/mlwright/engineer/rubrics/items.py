"""How well an item is shown: findings → rung, points and what stands in the way.

Three answers, not two. What is shown counts, what is shown to be missing does not, and what nobody could tell counts in
the upper end alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.rubrics.shape import Chapter, Check, Evidence
from mlwright.model.assessment import Interval, Item, Section
from mlwright.model.findings import Finding, Outcome, Rung

_RUNNING: Final = "running."


@dataclass(frozen=True, slots=True)
class State:
    """Whether something is shown to hold, and whether it may hold."""

    shown: bool
    possible: bool


SHOWN: Final = State(shown=True, possible=True)
OPEN: Final = State(shown=False, possible=True)
MISSING: Final = State(shown=False, possible=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The findings by id, and the ids of those whose FALSE means "not seen here"."""

    findings: Mapping[str, Finding]
    elsewhere: frozenset[str]

    def root(self, id: str) -> str:
        """The finding that keeps this one from being asked, or itself."""
        passed = {id}
        while (found := self.findings.get(id)) is not None and found.outcome is Outcome.NOT_APPLICABLE:
            before = found.values.get("blocked_by")
            if not isinstance(before, str) or before in passed:
                break
            passed.add(id := before)
        return id

    def state(self, name: str) -> State | None:
        """What the findings say of a name; None where the question does not arise.

        A finding that nobody made is open. One that waits for another is not shown, and possible if the other is.
        """
        id, _, part = name.partition(":")
        root = self.root(id)
        found = self.findings.get(root)
        if found is None:
            return OPEN
        state = self._of(found, part if root == id else "")
        return state if root == id or state is None else State(shown=False, possible=state.possible)

    def _of(self, found: Finding, part: str) -> State | None:
        missing = OPEN if found.id in self.elsewhere else MISSING
        match found.outcome:
            case Outcome.NOT_APPLICABLE:
                return None
            case Outcome.TRUE | Outcome.FALSE if isinstance(found.values.get(part), bool):
                return SHOWN if found.values[part] else missing
            case Outcome.TRUE:
                return SHOWN
            case Outcome.FALSE:
                return OPEN if part else missing
            case _:
                return OPEN


def section_of(chapter: Chapter, seen: Seen) -> Section:
    """One chapter with its items; ``points`` adds up those that apply."""
    items = tuple(item_of(check, seen) for check in chapter.checks)
    applying = [item for item in items if item.applies]
    return Section(
        title=chapter.title,
        points=total([item.points for item in applying]) if applying else None,
        out_of=float(len(applying)),
        items=items,
    )


def item_of(check: Check, seen: Seen) -> Item:
    """One item: where it stands, and where it could stand at best."""
    states = {each.rung: _evidence(each, seen) for each in check.evidence}
    applies = _applies(check, seen)
    rung = max((rung for rung, state in states.items() if state and state.shown), default=Rung.ABSENT)
    best = max(rung, _reach(check, rung, states))
    points = (
        Interval(low=check.points(rung), high=check.points(best)) if applies else Interval(low=0.0, high=0.0)
    )
    return Item(
        id=check.id,
        title=check.title,
        applies=applies,
        rung=rung,
        points=points,
        because=_because(check, seen),
        against=_against(check, rung, seen) if applies else (),
        next_step=_next_step(check, rung) if applies else "",
    )


def total(points: list[Interval]) -> Interval:
    """The sum of intervals."""
    return Interval(low=sum(each.low for each in points), high=sum(each.high for each in points))


def _evidence(evidence: Evidence, seen: Seen) -> State | None:
    states = [state for name in evidence.names if (state := seen.state(name)) is not None]
    if not states:
        return None
    fold = any if evidence.alternatives else all
    return State(shown=fold(each.shown for each in states), possible=fold(each.possible for each in states))


def _applies(check: Check, seen: Seen) -> bool:
    """Whether one of its questions arises; a record of what ran speaks for an item but does not raise it."""
    states = {name: seen.state(name) for each in check.evidence for name in each.names}
    of_files = [state for name, state in states.items() if not name.startswith(_RUNNING)]
    recorded = any(state is not None and state.shown for state in states.values())
    return recorded or any(state is not None for state in of_files or states.values())


def _reach(check: Check, rung: Rung, states: Mapping[Rung, State | None]) -> Rung:
    """The highest rung that nothing rules out: a rung that earns points and is shown to be missing ends the climb."""
    for each in Rung:
        state = states.get(each)
        if each > rung and each >= (check.half or check.whole) and state is not None and not state.possible:
            return Rung(each - 1)
    return Rung.AUTOMATIC


def _because(check: Check, seen: Seen) -> tuple[str, ...]:
    names = (name for each in check.evidence for name in each.names)
    shown = (
        name.partition(":")[0] for name in names if (state := seen.state(name)) is not None and state.shown
    )
    return tuple(dict.fromkeys(shown))


def _against(check: Check, rung: Rung, seen: Seen) -> tuple[str, ...]:
    """What is not shown of the rungs up to the next one that earns more; what waits gives way to what it waits for."""
    earning = (each for each in Rung if check.points(each) > check.points(rung))
    target = next(earning, rung)
    names = (name for each in check.evidence if rung < each.rung <= target for name in each.names)
    states = ((name, seen.state(name)) for name in names)
    missing = (
        seen.root(name.partition(":")[0]) for name, state in states if state is not None and not state.shown
    )
    return tuple(dict.fromkeys(missing))


def _next_step(check: Check, rung: Rung) -> str:
    earned = check.points(rung)
    if earned == 1.0:
        return ""
    return check.then if earned > 0.0 and check.then else check.next_step
