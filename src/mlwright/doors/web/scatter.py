"""A scatter of runs: one value against another; texts stand side by side like numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from mlwright.doors.web.plots import COLOURS, STYLE
from mlwright.doors.web.sizes import cut, measured
from mlwright.doors.web.ticks import Ticks, number_ticks

_LEFT, _TOP, _BOTTOM, _RIGHT = 110, 36, 44, 24
_MOST_PLACES: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One run; a value is a number, a text, or None where the run has none."""

    id: str
    name: str
    number: int
    x: float | str | None
    y: float | str | None


def scatter(dots: Sequence[Dot], *, across: str, upward: str, width: int = 860, height: int = 320) -> str:
    """Draw a dot a run; runs that lack one of the values are left out and counted.

    Returns:
        A complete ``<svg>`` element.
    """
    x, y = (
        _axis([each.x for each in dots], width // 100, widen=False),
        _axis([each.y for each in dots], height // 60, widen=True),
    )
    shown = [(each, x.place(each.x), y.place(each.y)) for each in dots]
    placed = [(each, a, b) for each, a, b in shown if a is not None and b is not None]
    title = f"{upward} by {across}" + (
        f", {len(dots) - len(placed)} without" if len(placed) < len(dots) else ""
    )
    parts = [
        f'<svg class="pl dotted" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" ',
        f'role="img" aria-label="{escape(title)}"><style>{STYLE}</style>',
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
        f'<text class="t" x="16" y="20">{escape(cut(title, 110))}</text>',
    ]
    if not placed:
        return "".join(parts) + f'<text x="{width / 2}" y="{height / 2}">no run has both</text></svg>'
    wide, high = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    for at, text in y.marks():
        level = height - _BOTTOM - high * at
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>'
        )
        parts.append(_text(_LEFT - 8, level + 4, "end", text, 15))
    for at, text in x.marks():
        parts.append(_text(_LEFT + wide * at, height - 24, "middle", text, 12))
    parts.append(_text(_LEFT + wide / 2, height - 7, "middle", across, 100))
    for each, a, b in placed:
        said = f"{each.name}: {across} {_said(each.x)}, {upward} {_said(each.y)}"
        parts.append(
            f'<a href="/runs/{escape(each.id)}"><circle class="c{each.number % COLOURS}" data-run="{escape(each.id)}" '
            f'cx="{_LEFT + wide * a:.1f}" cy="{height - _BOTTOM - high * b:.1f}" r="5">'
            f"<title>{escape(said)}</title></circle></a>"
        )
    return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class _Axis:
    """Numbers along ticks, or texts side by side."""

    ticks: Ticks | None
    texts: tuple[str, ...]

    def place(self, value: float | str | None) -> float | None:
        """Where a value stands, from 0 to 1."""
        if value is None:
            return None
        if self.ticks is None:
            return (self.texts.index(str(value)) + 0.5) / len(self.texts)
        number = _number(value)
        return None if number is None else (number - self.ticks.low) / (self.ticks.high - self.ticks.low)

    def marks(self) -> list[tuple[float, str]]:
        """What is written where."""
        if self.ticks is not None:
            spread = self.ticks.high - self.ticks.low
            return [((value - self.ticks.low) / spread, text) for value, text in self.ticks.marks]
        every = math.ceil(len(self.texts) / _MOST_PLACES)
        return [((at + 0.5) / len(self.texts), self.texts[at]) for at in range(0, len(self.texts), every)]


def _axis(values: Sequence[float | str | None], most: int, *, widen: bool) -> _Axis:
    known = [each for each in values if each is not None]
    numbers = [_number(each) for each in known]
    finite = [each for each in numbers if each is not None]
    if (finite and all(isinstance(each, float) for each in known)) or len(finite) == len(known) > 0:
        low, high = float(np.min(finite)), float(np.max(finite))
        margin = (high - low) * 0.04
        return _Axis(number_ticks(low - margin, high + margin, max(3, most), widen=widen), ())
    return _Axis(None, tuple(sorted({str(each) for each in known})))


def _number(value: float | str) -> float | None:
    """A finite number of common size; a text like ``0.01`` is one."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < 1e300 else None


def _said(value: float | str | None) -> str:
    return measured(value) if isinstance(value, float) else cut(value, 80)


def _text(x: float, y: float, anchor: str, text: str, most: int) -> str:
    whole = f"<title>{escape(text[:300])}</title>" if len(text) > most else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(cut(text, most))}{whole}</text>'
