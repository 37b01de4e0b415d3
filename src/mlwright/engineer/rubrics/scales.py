"""How a published rubric turns its sections into a verdict."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mlwright.engineer.rubrics.items import total
from mlwright.engineer.rubrics.shape import Reading
from mlwright.model.assessment import Interval, Item, Section

# Upper edges, included, in the words of Breck et al. 2017, table "interpreting an ML Test Score". The workshop paper
# of 2016 counted otherwise and had other bands.
BANDS: Final = (
    (0.0, "more of a research project than a productionized system"),
    (1.0, "not totally untested, but serious holes in reliability are possible"),
    (2.0, "a first pass at basic productionization"),
    (3.0, "reasonably tested"),
    (5.0, "strong levels of automated testing and monitoring, appropriate for mission-critical systems"),
    (7.0, "exceptional levels of automated testing and monitoring"),
)
_NOTHING: Final = Reading(
    verdict="does not apply: none of its questions arises here",
    points=None,
    out_of=0.0,
    next_level="",
    blocking=(),
)


def band(points: float) -> str:
    """The words of the ML Test Score for a final score of 0 to 7."""
    return next(words for edge, words in BANDS if points <= edge)


def minimum(sections: Sequence[Section]) -> Reading:
    """ML Test Score: each section adds up its items, and the smallest section is the score."""
    known = [each.points for each in sections if each.points is not None]
    if not known:
        return _NOTHING
    points = Interval(low=min(each.low for each in known), high=min(each.high for each in known))
    low, high = band(points.low), band(points.high)
    edge = next(edge for edge, _ in BANDS if points.low <= edge)
    following = next((words for limit, words in BANDS if limit > edge), "")
    weak = [each for each in sections if each.points is not None and each.points.low <= edge]
    return Reading(
        verdict=f"{span(points)}: {low}" + ("" if low == high else f"; at best {high}"),
        points=points,
        out_of=7.0,
        next_level=f"more than {edge:g} in every section: {following}" if following else "",
        blocking=blocking(each for section in weak for each in section.items) if following else (),
    )


def levels(ground: str, *names: str) -> Callable[[Sequence[Section]], Reading]:
    """A maturity model: section n is what level n + 1 asks for; a level counts when all before it hold as well."""
    named = (ground, *names)

    def read(sections: Sequence[Section]) -> Reading:
        if all(each.points is None for each in sections):
            return _NOTHING
        low = _level(sections, lambda points: points.low)
        high = _level(sections, lambda points: points.high)
        low_name, high_name = named[low], named[high]
        above = sections[low] if low < len(sections) else None
        return Reading(
            verdict=f"level {low}: {low_name}"
            if low == high
            else f"level {low} to {high}: {low_name} to {high_name}",
            points=Interval(low=float(low), high=float(high)),
            out_of=float(len(names)),
            next_level=f"level {low + 1}: {named[low + 1]}" if above else "",
            blocking=blocking(above.items) if above else (),
        )

    return read


def count(sections: Sequence[Section]) -> Reading:
    """A list of things to have: how many of those that apply are shown."""
    known = [each.points for each in sections if each.points is not None]
    if not known:
        return _NOTHING
    points, out_of = total(known), sum(each.out_of for each in sections)
    done = points.low == out_of
    return Reading(
        verdict=f"{span(points)} of {out_of:g} shown",
        points=points,
        out_of=out_of,
        next_level="" if done else f"{out_of:g} of {out_of:g} shown",
        blocking=blocking(each for section in sections for each in section.items),
    )


def shares(sections: Sequence[Section]) -> Reading:
    """Principles of equal weight: each counts by the share of its items that is shown."""
    known = [(each, each.points) for each in sections if each.points is not None]
    if not known:
        return _NOTHING
    parts = [
        Interval(low=points.low / section.out_of, high=points.high / section.out_of)
        for section, points in known
    ]
    whole = total(parts)
    points = Interval(low=round(whole.low, 2), high=round(whole.high, 2))
    weakest = min(range(len(known)), key=lambda index: parts[index].low)
    done = parts[weakest].low == 1.0
    return Reading(
        verdict=f"{span(points)} of {len(known)} principles shown",
        points=points,
        out_of=float(len(known)),
        next_level="" if done else f"the weakest first: {known[weakest][0].title}",
        blocking=blocking(known[weakest][0].items),
    )


def blocking(items: Iterable[Item]) -> tuple[str, ...]:
    """Ids of what keeps these items from their points, in the items' order, each once."""
    return tuple(dict.fromkeys(id for item in items if item.applies for id in item.against))


def span(points: Interval) -> str:
    """An interval in words: "2", or "0.5 to 2"."""
    return f"{points.low:g}" if points.known else f"{points.low:g} to {points.high:g}"


def _level(sections: Sequence[Section], end: Callable[[Interval], float]) -> int:
    """How many levels hold in a row. A level none of whose items arises here cannot be shown: it ends the count."""
    reached = 0
    for section in sections:
        if section.points is None or end(section.points) < section.out_of:
            break
        reached += 1
    return reached
