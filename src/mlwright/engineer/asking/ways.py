"""Options as data: what each way is good and bad for, and what in a repository speaks for or against it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.asking.seen import Seen, places_text
from mlwright.model.answers import Choice
from mlwright.model.findings import Effort, Location

SMALL_TEAM: Final = 3
LARGE_TEAM: Final = 10
SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One option before it has met a repository.

    ``there`` is the first step where it is here already; the same without it.
    ``packages``, ``pipelines``, ``kinds`` and ``resources`` tell that it is there already: imports or requirements,
    tools of pipeline definitions, Kubernetes kinds, prefixes of cloud resource types. ``cluster`` is how much
    Kubernetes manifests speak for it (and their absence against it), ``small`` and ``large`` what the size of the team
    does.
    """

    name: str
    what: str
    good: str
    bad: str
    effort: Effort
    cost: str
    command: str
    packages: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    there: str = ""
    cluster: int = 0
    small: int = 0
    large: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing in the repository that speaks for (positive weight) or against an option."""

    weight: int
    text: str
    places: tuple[Location, ...] = ()
    present: bool = False


Special = Callable[[Way, Seen], Sequence[Reason]]
"""Reasons that only one question knows."""

_THERE: Final = 6


def choices(ways: Sequence[Way], seen: Seen, special: Special) -> tuple[Choice, ...]:
    """The options as they fit this repository, the nearest first; at most five, ties in the order of the table."""
    made = [_choice(way, [*_reasons(way, seen), *special(way, seen)]) for way in ways]
    return tuple(sorted(made, key=lambda each: -each.fit)[:SHOWN])


def _choice(way: Way, reasons: Sequence[Reason]) -> Choice:
    return Choice(
        what=way.what,
        good=way.good,
        bad=way.bad,
        effort=way.effort,
        cost=way.cost,
        command=way.there if way.there and any(each.present for each in reasons) else way.command,
        fit=sum(each.weight for each in reasons),
        here=tuple(
            f"{'for' if each.weight > 0 else 'against'}: {each.text}{places_text(each.places)}"
            for each in reasons
        ),
        places=tuple(dict.fromkeys(place for each in reasons for place in each.places)),
    )


def _reasons(way: Way, seen: Seen) -> list[Reason]:
    found: list[Reason] = []
    there = _present(way, seen)
    if there:
        found.append(Reason(weight=_THERE, text=f"{way.name} is here already", places=there, present=True))
    workloads = seen.repository.kubernetes
    if way.cluster and workloads:
        found.append(
            Reason(weight=way.cluster, text="there are Kubernetes manifests", places=(workloads[0].at,))
        )
    elif way.cluster > 0 and not there:
        found.append(Reason(weight=-way.cluster, text="no Kubernetes manifest was seen here"))
    return found + _team(way, seen)


def _team(way: Way, seen: Seen) -> list[Reason]:
    history = seen.repository.history
    if history is None:
        return []
    authors = history.authors
    said = f"{authors} {'author' if authors == 1 else 'authors'} in the newest {history.commits} commits"
    if authors <= SMALL_TEAM and way.small:
        return [Reason(weight=way.small, text=f"a small team ({said})")]
    if authors >= LARGE_TEAM and way.large:
        return [Reason(weight=way.large, text=f"a larger team ({said})")]
    return []


def _present(way: Way, seen: Seen) -> tuple[Location, ...]:
    repository = seen.repository
    places = [each.at for each in repository.pipelines if each.tool in way.pipelines]
    places += seen.uses(*way.packages) if way.packages else ()
    places += [each.at for each in repository.objects(*way.kinds)] if way.kinds else []
    places += [
        each.at for each in repository.resources if way.resources and each.type.startswith(way.resources)
    ]
    return tuple(dict.fromkeys(places))[:3]
