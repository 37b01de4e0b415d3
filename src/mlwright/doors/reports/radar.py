"""The nine principles as a radar chart in SVG, drawn without a library; what is unknown is hatched."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final

from markupsafe import Markup, escape

from mlwright.doors.reports.words import clean
from mlwright.model.assessment import Interval, Section

_SIZE: Final = (520, 380)
_CENTRE: Final = (260.0, 196.0)
_RADIUS: Final = 128.0
_RINGS: Final = (0.25, 0.5, 0.75, 1.0)
_ROOM: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One spoke: its name and how much of it is shown, 0 to 1; None where it does not apply."""

    name: str
    share: Interval | None


def axes(sections: Sequence[Section]) -> list[Axis]:
    """A rubric's sections as spokes."""
    return [
        Axis(
            name=clean(each.title),
            share=Interval(low=each.points.low / each.out_of, high=each.points.high / each.out_of)
            if each.points is not None and each.out_of
            else None,
        )
        for each in sections
    ]


def radar(spokes: Sequence[Axis]) -> Markup:
    """Draw the chart; fewer than three spokes make no area, and the answer is empty."""
    if len(spokes) < 3:
        return Markup("")
    count = len(spokes)
    low = [each.share.low if each.share else 0.0 for each in spokes]
    high = [each.share.high if each.share else 0.0 for each in spokes]
    said = "; ".join(f"{each.name}: {_said(each)}" for each in spokes)
    maybe = (
        '<defs><pattern id="maybe" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="2" height="6" class="hatch"/></pattern></defs>'
    )
    parts = [
        f'<svg class="radar" viewBox="0 0 {_SIZE[0]} {_SIZE[1]}" role="img" aria-label="{escape(said)}">',
        maybe,
    ]
    parts += [f'<polygon class="ring" points="{_points([ring] * count)}"/>' for ring in _RINGS]
    for number, each in enumerate(spokes):
        x, y = _at(number, count, 1.0)
        parts.append(f'<line class="spoke" x1="{_CENTRE[0]}" y1="{_CENTRE[1]}" x2="{x:.1f}" y2="{y:.1f}"/>')
        parts.append(_label(each, number, count))
    parts.append(f'<polygon class="maybe" points="{_points(high)}" fill="url(#maybe)"/>')
    parts.append(f'<polygon class="shown" points="{_points(low)}"/>')
    for number, share in enumerate(low):
        x, y = _at(number, count, share)
        parts.append(f'<circle class="knot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
    return Markup("".join([*parts, "</svg>"]))


def _label(axis: Axis, number: int, count: int) -> str:
    x, y = _at(number, count, 1.1)
    side = "middle" if abs(x - _CENTRE[0]) < 12 else "start" if x > _CENTRE[0] else "end"
    lines = _wrapped(axis.name)
    top = y - 7 * len(lines) if y < _CENTRE[1] - 100 else y
    rows = [
        f'<tspan x="{x:.1f}" dy="{0 if row == 0 else 13}">{escape(line)}</tspan>'
        for row, line in enumerate(lines)
    ]
    rows.append(f'<tspan class="share" x="{x:.1f}" dy="13">{_said(axis)}</tspan>')
    return f'<text text-anchor="{side}" y="{top:.1f}">{"".join(rows)}</text>'


def _said(axis: Axis) -> str:
    if axis.share is None:
        return "does not apply"
    low, high = (round(100 * each) for each in (axis.share.low, axis.share.high))
    return f"{low} %" if low == high else f"{low}–{high} %"


def _wrapped(name: str) -> list[str]:
    """At most two lines; the second ends in an ellipsis where the name is longer."""
    first, rest = "", name.split()
    while rest and len(f"{first} {rest[0]}") <= _ROOM:
        first = f"{first} {rest.pop(0)}".strip()
    second = " ".join(rest) if first else ""
    if not first:
        first = name
    return [_short(each) for each in (first, second) if each]


def _short(text: str) -> str:
    return text if len(text) <= _ROOM + 4 else f"{text[: _ROOM + 3]}…"


def _points(shares: Sequence[float]) -> str:
    places = (_at(number, len(shares), share) for number, share in enumerate(shares))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _at(number: int, count: int, share: float) -> tuple[float, float]:
    angle = 2 * pi * number / count - pi / 2
    return _CENTRE[0] + _RADIUS * share * cos(angle), _CENTRE[1] + _RADIUS * share * sin(angle)
