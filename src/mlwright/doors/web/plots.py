"""Line plots of metrics over steps or time, as SVG text: many lines, straight or logarithmic, gaps where NaN is.

Unlike ``charts.py``, whose places are named, both axes are numbers here, which the SVG says in ``data-`` attributes, so
that a script can tell what lies below the pointer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

import numpy as np

from mlwright.doors.web.sizes import cut, lasted, measured
from mlwright.doors.web.ticks import Ticks, log_ticks, number_ticks, span_ticks, time_ticks

COLOURS: Final = 6
"""Of the "vibrant" scheme of Paul Tol ("Colour Schemes", 2021), which colour-blind people can tell apart."""
DASHES: Final = 4

STYLE: Final = """
.pl{font:11px system-ui,-apple-system,"Segoe UI",sans-serif}.pl text{fill:#5b6270}
.pl .t{font-size:13px;font-weight:600;fill:#1b1e24}.pl .grid{stroke:#e7e8ea}.pl .bg{fill:#fff}.pl .name{fill:#1b1e24}
.pl path{fill:none;stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}.pl .many path{stroke-width:1.1}
.pl g .curve .dots{stroke-width:4.5}.pl .odd{font-size:10px}
.k0{stroke:#0077bb}.k1{stroke:#ee7733}.k2{stroke:#009988}.k3{stroke:#ee3377}.k4{stroke:#33bbee}.k5{stroke:#cc3311}
.c0{fill:#0077bb}.c1{fill:#ee7733}.c2{fill:#009988}.c3{fill:#ee3377}.c4{fill:#33bbee}.c5{fill:#cc3311}
.dotted circle{fill-opacity:.75}.d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:8 3 2 3}
@media (prefers-color-scheme:dark){.pl text{fill:#9aa1ad}.pl .t,.pl .name{fill:#e8eaee}.pl .grid{stroke:#2c3038}
.pl .bg{fill:#181a1f}}
"""
_LEFT, _TOP, _BOTTOM = 62, 36, 34
_LABELLED: Final = 12
"""Lines that have their name at the end; of more, the names would not be readable."""
_DOTTED: Final = 40
"""Points of a line up to which each has a dot."""
_LETTER: Final = 6.2
_LONGEST: Final = 24
_GAP: Final = 14.0
_HUGE: Final = 1e300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One line: two arrays of one length, x rising. ``number`` gives colour and dashes."""

    id: str
    name: str
    number: int
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    right: int
    x: Ticks
    y: Ticks
    log: bool

    def place_x(self, values: np.ndarray) -> np.ndarray:
        inside = (values - self.x.low) / (self.x.high - self.x.low)
        return np.asarray(_LEFT + (self.width - _LEFT - self.right) * inside)

    def place_y(self, values: np.ndarray) -> np.ndarray:
        inside = (np.clip(values, -_HUGE, _HUGE) - self.y.low) / (self.y.high - self.y.low)
        return np.asarray(self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * inside)


def classes_of(number: int) -> str:
    """The classes that give the line of this number its colour and dashes."""
    return f"k{number % COLOURS} d{number // COLOURS % DASHES}"


def plot(
    curves: Sequence[Curve],
    *,
    title: str,
    axis: str = "step",
    log: bool = False,
    width: int = 860,
    height: int = 300,
) -> str:
    """Draw lines.

    Args:
        curves: the lines; those without a finite value are left out.
        title: said above.
        axis: what x is: ``step``, ``time`` (milliseconds since 1970) or ``relative`` (milliseconds).
        log: whether y is logarithmic; values that are not above 0 are left out then.
        width, height: of the drawing in pixels.

    Returns:
        A complete ``<svg>`` element.
    """
    shown = [(each, _transformed(each.y, log=log)) for each in curves]
    shown = [(each, y) for each, y in shown if np.isfinite(y).any()]
    labelled = len(shown) <= _LABELLED and len(curves) > 1
    longest = max((len(cut(each.name, _LONGEST)) for each, _ in shown), default=0) if labelled else 0
    right = 18 + math.ceil(_LETTER * longest)
    frame = _frame(shown, axis, log=log, width=width, height=height, right=right)
    parts = [
        f'<svg class="pl" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" role="img"',
        f' aria-label="{escape(title)}" data-axis="{axis}" data-log="{int(log)}" data-left="{_LEFT}"',
        f' data-right="{width - right}" data-top="{_TOP}" data-bottom="{height - _BOTTOM}"',
        f' data-x0="{frame.x.low!r}" data-x1="{frame.x.high!r}" data-y0="{frame.y.low!r}" data-y1="{frame.y.high!r}">',
        f'<style>{STYLE}</style><rect class="bg" width="{width}" height="{height}" rx="8"/>',
        f'<text class="t" x="16" y="20">{escape(cut(title, 110))}</text>',
        *_axes(frame),
        f'<g class="{"many" if len(shown) > _LABELLED else "few"}">',
    ]
    if not shown:
        middle = (_LEFT + width - right) / 2
        why = "no value above 0" if log else "no finite value"
        parts.append(f'<text x="{middle:.0f}" y="{height / 2:.0f}" text-anchor="middle">{why} here</text>')
    for each, y in shown:
        parts.append(_line(frame, each, y))
    if labelled:
        parts += _names(frame, shown)
    return "".join(parts) + "</g></svg>"


def spark(y: np.ndarray, *, title: str, width: int = 150, height: int = 30) -> str:
    """One line without axes, as small as a word; the points stand at equal distances."""
    finite = np.isfinite(y)
    if finite.sum() < 2:
        return ""
    low, high = float(y[finite].min()), float(y[finite].max())
    spread = (min(high, _HUGE) - max(low, -_HUGE)) or 1.0
    places = 2 + (width - 4) * np.arange(len(y)) / max(len(y) - 1, 1)
    levels = height - 3 - (height - 6) * (np.clip(y, -_HUGE, _HUGE) - max(low, -_HUGE)) / spread
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(title)}"><path d="{_path(places, levels, finite)}"/></svg>'
    )


def _transformed(y: np.ndarray, *, log: bool) -> np.ndarray:
    if not log:
        return y
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(y > 0, np.log10(y), np.nan)


def _frame(
    shown: Sequence[tuple[Curve, np.ndarray]], axis: str, *, log: bool, width: int, height: int, right: int
) -> _Frame:
    finite = [y[np.isfinite(y)] for _, y in shown]
    low = max(min((float(each.min()) for each in finite), default=0.0), -_HUGE)
    high = min(max((float(each.max()) for each in finite), default=1.0), _HUGE)
    first = min((float(each.x[0]) for each, _ in shown), default=0.0)
    last = max((float(each.x[-1]) for each, _ in shown), default=1.0)
    if first == last:
        margin = max(0.5, abs(first) * 1e-9)
        first, last = first - margin, last + margin
    many = max(3, (width - _LEFT - right) // 110)
    across = {"time": time_ticks, "relative": span_ticks}.get(axis, number_ticks)
    if axis == "step":
        many = max(1, min(many, math.floor(last - first)))
    upward = log_ticks(low, high) if log else number_ticks(low, high, max(3, height // 60), widen=True)
    return _Frame(width, height, right, across(first, last, many), upward, log)


def _axes(frame: _Frame) -> list[str]:
    parts: list[str] = []
    end = frame.width - frame.right
    for value, text in frame.y.marks:
        y = float(frame.place_y(np.array(value)))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for value, text in frame.x.marks:
        x = float(frame.place_x(np.array(value)))
        parts.append(f'<text x="{x:.1f}" y="{frame.height - 12}" text-anchor="middle">{escape(text)}</text>')
    return parts


def _line(frame: _Frame, curve: Curve, y: np.ndarray) -> str:
    finite = np.isfinite(y)
    places, levels = frame.place_x(curve.x), frame.place_y(np.where(finite, y, 0.0))
    name = escape(curve.name)
    parts = [
        f'<g class="curve" data-run="{escape(curve.id)}" data-name="{name}"><title>{name}</title>',
        f'<path class="{classes_of(curve.number)}" d="{_path(places, levels, finite)}"/>',
    ]
    count = int(finite.sum())
    if count <= _DOTTED:
        dots = "".join(
            f"M{a:.1f} {b:.2f}h0"
            for a, b in zip(places[finite].tolist(), levels[finite].tolist(), strict=True)
        )
        parts.append(f'<path class="dots k{curve.number % COLOURS}" d="{dots}"/>')
    odd = np.flatnonzero(~np.isfinite(curve.y))
    for at in odd[:: max(1, len(odd) // 20)].tolist():
        said = f"{curve.name}: {measured(float(curve.y[at]))} at {_said(float(curve.x[at]), frame, curve)}"
        parts.append(
            f'<text class="odd" x="{places[at]:.1f}" y="{_TOP - 3}" text-anchor="middle">×'
            f"<title>{escape(said)}</title></text>"
        )
    return "".join(parts) + "</g>"


def _said(x: float, frame: _Frame, curve: Curve) -> str:
    if frame.x.kind == "time":
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=x):%Y-%m-%d %H:%M:%S}"
    return lasted(x) if frame.x.kind == "relative" else f"step {x:,.0f}"


def _path(places: np.ndarray, levels: np.ndarray, finite: np.ndarray) -> str:
    """Lines between neighbours that are both finite; a point alone between gaps is a dot."""
    if finite.all():
        pairs = zip(places.tolist(), levels.tolist(), strict=True)
        return "M" + "L".join([f"{a:.1f} {b:.2f}" for a, b in pairs]) + ("h0" if len(places) == 1 else "")
    edges = np.flatnonzero(np.diff(np.concatenate(([False], finite, [False])).astype(np.int8)))
    parts = []
    for start, stop in edges.reshape(-1, 2).tolist():
        piece = slice(start, stop)
        parts.append(_path(places[piece], levels[piece], finite[piece]))
    return "".join(parts)


def _names(frame: _Frame, shown: Sequence[tuple[Curve, np.ndarray]]) -> list[str]:
    """Names at the ends of their lines, pushed apart where they would overlap."""
    ends: list[tuple[float, float, Curve]] = []
    for each, y in shown:
        at = int(np.flatnonzero(np.isfinite(y))[-1])
        ends.append((float(frame.place_y(y[at])), float(frame.place_x(each.x[at])), each))
    ends.sort(key=lambda end: end[0])
    levels: list[float] = []
    for end, _, _ in ends:
        levels.append(max(end, levels[-1] + _GAP) if levels else end)
    over = levels[-1] - (frame.height - _BOTTOM) if levels else 0.0
    if over > 0:
        below = math.inf
        for at in reversed(range(len(levels))):
            below = levels[at] = min(levels[at], frame.height - _BOTTOM, below - _GAP)
    parts: list[str] = []
    for level, (_, x, each) in zip(levels, ends, strict=True):
        parts.append(
            f'<text class="name" x="{x + 8:.1f}" y="{level + 4:.1f}">{escape(cut(each.name, _LONGEST))}</text>'
        )
    return parts
