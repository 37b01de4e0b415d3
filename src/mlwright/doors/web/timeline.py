"""Panels over one time axis as one SVG: lines with intervals, heat maps, and the events that cross them all.

One drawing and not several, so that what lies above each other happened at the same time, whatever the labels beside it
are. Without a script; what a day or a cell was exactly is said on hover, and the pages have the same as tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Final, TypeAlias

from mlwright.doors.web.charts import Event

WIDTH: Final = 1180
LEFT: Final = 134
RIGHT: Final = 118
_HEAD: Final = 30
_LANE: Final = 15
_LANES: Final = 3
"""Rows of marks above the panels; what finds no room stands in the last."""
_MARK: Final = 16.0
_ROW: Final = 17
_LABEL_GAP: Final = 14.0
_COLOUR: Final = "#4f6bed"
_FAINTEST: Final = 0.05
_LONGEST: Final = 17

_STYLE = """
.tl{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}.tl text{fill:#5b6270}.tl .bg{fill:#fff}
.tl .t{font-size:13px;font-weight:600;fill:#1b1e24}.tl .grid{stroke:#e7e8ea}.tl .none{fill:#f1f2f4}
.tl .hot{fill:#000;fill-opacity:0}.tl .hot:hover{fill-opacity:.05}.tl .ev{stroke-opacity:.5;stroke-dasharray:2 3}
.tl .limit{stroke:#c9302c;stroke-dasharray:9 4;fill:none}.tl .lt{fill:#c9302c}
.tl .hatch{stroke:#8c939f;stroke-opacity:.55}.tl .young{font-size:11px}
.tl .moved{fill:#1b1e24;stroke:#fff;stroke-width:1.2}
@media (prefers-color-scheme:dark){.tl text{fill:#9aa1ad}.tl .t{fill:#e8eaee}.tl .bg{fill:#181a1f}
.tl .grid{stroke:#2c3038}.tl .none{fill:#21242b}.tl .hot{fill:#fff}.tl .limit{stroke:#ff7a72}.tl .lt{fill:#ff7a72}
.tl .moved{fill:#fff;stroke:#181a1f}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: places on the axis in days, and a value at each, None where there is none.

    ``style`` is ``line``, ``bold``, ``dashed`` or ``dotted``; ``bands`` are lower and upper bounds for a shade.
    """

    name: str
    at: Sequence[float]
    values: Sequence[float | None]
    colour: str
    style: str = "line"
    bands: Sequence[tuple[float, float] | None] = ()
    gap: float = 1.5
    """Places that are further apart are not joined: nobody measured anything between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """A hatched stretch of the axis: what is there is not to be judged yet."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What is said where the pointer stands between two places."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePanel:
    """Lines over one scale; ``limit`` is drawn as a line of steps, None where nobody knows it."""

    title: str
    lines: Sequence[Line]
    height: int = 220
    digits: int = 2
    bounds: tuple[float, float] | None = None
    limit: Sequence[tuple[float, float, float]] = ()
    """Start, end and height of each step."""
    limit_name: str = "limit"
    shades: Sequence[Shade] = ()
    hints: Sequence[Hint] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a heat map: from where to where, how much, and whether that was judged to have moved."""

    start: float
    end: float
    value: float | None
    moved: bool
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPanel:
    """Rows of cells, darker where the value is larger; a cell that moved has a dot, which needs no colour."""

    title: str
    rows: Sequence[tuple[str, Sequence[Cell]]]
    full: float
    unit: str

    @property
    def height(self) -> int:
        """In pixels, with the legend."""
        return _HEAD + _ROW * len(self.rows) + 26


Panel: TypeAlias = LinePanel | HeatPanel


def timeline(
    panels: Sequence[Panel],
    *,
    name: str,
    label: str,
    days: int,
    ticks: Sequence[tuple[float, str]],
    events: Sequence[Event] = (),
    width: int = WIDTH,
) -> str:
    """Draw panels below each other over one axis.

    Args:
        panels: from top to bottom.
        name: of the drawing on its page, for what it refers to within itself; letters, digits and hyphens.
        label: what it shows, for those who cannot see it.
        days: the length of the axis.
        ticks: where the axis is written, in days, and how.
        events: verticals through all panels, each with its mark above them.
        width: of the drawing, in pixels.

    Returns:
        A complete ``<svg>`` element.
    """
    axis = _Across(width, max(days, 1))
    lanes = _lanes(axis, events)
    top = 6 + _LANE * (max(lanes, default=-1) + 1)
    height = top + sum(each.height for each in panels) + 8 * len(panels) + 24
    parts = [
        f'<svg class="tl" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" width="100%"',
        f' aria-label="{escape(label)}"><style>{_STYLE}</style><defs><pattern id="{name}-hatch" width="7" height="7"',
        ' patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V7"/></pattern>',
        "</defs>",
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
    ]
    y = float(top)
    for panel in panels:
        if isinstance(panel, LinePanel):
            parts += _lines(axis, panel, y, name)
        else:
            parts += _heat(axis, panel, y)
        y += panel.height + 8
    parts += _events(axis, events, lanes, top, y)
    for at, text in ticks:
        parts.append(
            f'<text x="{axis.x(at):.1f}" y="{height - 9}" text-anchor="{"start" if at < 1e-9 else "middle"}">'
            f"{escape(text)}</text>"
        )
    return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class _Across:
    width: int
    days: int

    def x(self, at: float) -> float:
        return LEFT + (self.width - LEFT - RIGHT) * min(max(at / self.days, 0.0), 1.0)

    @property
    def end(self) -> int:
        return self.width - RIGHT


@dataclass(frozen=True, slots=True)
class _Up:
    """The scale of one panel of lines."""

    top: float
    bottom: float
    low: float
    high: float
    tick: float

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return self.bottom - (self.bottom - self.top) * (inside - self.low) / (self.high - self.low)


def _scale(panel: LinePanel, top: float) -> _Up:
    known = [v for line in panel.lines for v in line.values if v is not None and isfinite(v)]
    known += [b for line in panel.lines for band in line.bands if band for b in band if isfinite(b)]
    low, high = panel.bounds or ((min(known), max(known)) if known else (0.0, 1.0))
    steps = [height for _, _, height in panel.limit if isfinite(height)]
    low, high = min([low, *steps]), max([high, *steps])
    spread = (high - low) or abs(high)
    spread = spread if spread > 1e-300 else 1.0  # between the smallest numbers there is no room for ticks
    rough = spread / max(2, panel.height // 55)
    power = 10 ** floor(log10(rough))
    tick = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))
    bottom, upper = floor(low / tick + 1e-9) * tick, ceil(high / tick - 1e-9) * tick
    return _Up(top + _HEAD, top + panel.height - 4, bottom, upper if upper > bottom else bottom + tick, tick)


def _lines(axis: _Across, panel: LinePanel, top: float, name: str) -> list[str]:
    up = _scale(panel, top)
    parts = [f'<text class="t" x="16" y="{top + 15:.1f}">{escape(panel.title)}</text>']
    digits = max(panel.digits, -floor(log10(up.tick) + 1e-9))
    for step in range(round((up.high - up.low) / up.tick) + 1):
        value = up.low + step * up.tick
        y = up.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{axis.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.{digits}f}</text>')
    for shade in panel.shades:
        parts += _shade(axis, up, shade, name)
    for line in panel.lines:
        parts += _line(axis, up, line)
    ends = _ends(axis, up, panel)
    for start, end, height in panel.limit:
        y = up.y(height)
        parts.append(f'<path class="limit" d="M{axis.x(start):.1f} {y:.1f}H{axis.x(end):.1f}"/>')
    for hint in panel.hints:
        left, right = axis.x(hint.start), axis.x(hint.end)
        parts.append(
            f'<rect class="hot" x="{left:.1f}" y="{up.top:.1f}" width="{max(right - left, 1):.1f}" '
            f'height="{up.bottom - up.top:.1f}"><title>{escape(hint.text)}</title></rect>'
        )
    return parts + ends


def _shade(axis: _Across, up: _Up, shade: Shade, name: str) -> list[str]:
    left, right = axis.x(shade.start), axis.x(shade.end)
    return [
        f'<rect fill="url(#{name}-hatch)" x="{left:.1f}" y="{up.top:.1f}" width="{max(right - left, 2):.1f}"',
        f' height="{up.bottom - up.top:.1f}"/>',
        f'<text class="young" x="{right:.1f}" y="{up.top + 12:.1f}" text-anchor="end">{escape(shade.label)}</text>',
    ]


def _line(axis: _Across, up: _Up, line: Line) -> list[str]:
    parts = [_band(axis, up, line, run) for run in _runs(line)]
    path: list[str] = []
    dots: list[str] = []
    joined = False
    for place, value in enumerate(line.values):
        if value is None or not isfinite(value):
            joined = False
            continue
        x, y = f"{axis.x(line.at[place]):.1f}", f"{up.y(value):.1f}"
        joined = joined and line.at[place] - line.at[place - 1] <= line.gap
        alone = not joined and not _goes_on(line, place)
        path.append(f"{'L' if joined else 'M'}{x} {y}")
        joined = True
        if alone or line.style == "dotted":
            dots.append(f'<circle cx="{x}" cy="{y}" r="2.4" fill="{line.colour}"/>')
    look = {"dashed": ' stroke-dasharray="6 4"', "dotted": ' stroke-dasharray="1.5 3.5"'}.get(line.style, "")
    weight = {"bold": 3.0, "dashed": 2.0, "dotted": 2.0}.get(line.style, 1.4)
    parts.append(
        f'<path d="{"".join(path)}" fill="none" stroke="{line.colour}" stroke-width="{weight}" '
        f'stroke-linejoin="round" stroke-linecap="round"{look}/>'
    )
    return parts + dots


def _goes_on(line: Line, place: int) -> bool:
    """Whether the next value is joined to this one."""
    if place + 1 >= len(line.values):
        return False
    value = line.values[place + 1]
    return value is not None and isfinite(value) and line.at[place + 1] - line.at[place] <= line.gap


def _runs(line: Line) -> list[list[tuple[int, tuple[float, float]]]]:
    """The bands in stretches without a gap: a shade over a gap would claim to know what nobody measured."""
    runs: list[list[tuple[int, tuple[float, float]]]] = [[]]
    for place, band in enumerate(line.bands):
        if band is None or not all(map(isfinite, band)):
            runs.append([])
            continue
        if runs[-1] and line.at[place] - line.at[place - 1] > line.gap:
            runs.append([])
        runs[-1].append((place, band))
    return [run for run in runs if run]


def _band(axis: _Across, up: _Up, line: Line, run: Sequence[tuple[int, tuple[float, float]]]) -> str:
    if len(run) == 1:
        (place, (lower, upper)) = run[0]
        x = axis.x(line.at[place])
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up.y(lower):.1f}" y2="{up.y(upper):.1f}" '
            f'stroke="{line.colour}" stroke-opacity="0.4" stroke-width="3"/>'
        )
    above = [f"{axis.x(line.at[place]):.1f},{up.y(band[1]):.1f}" for place, band in run]
    below = [f"{axis.x(line.at[place]):.1f},{up.y(band[0]):.1f}" for place, band in reversed(run)]
    return f'<polygon fill="{line.colour}" opacity="0.15" points="{" ".join(above + below)}"/>'


def _ends(axis: _Across, up: _Up, panel: LinePanel) -> list[str]:
    """Names at the right end, in the order of the lines' heights there, pushed apart where they would overlap."""
    ends: list[tuple[float, str, str]] = []
    for line in panel.lines:
        known = [v for v in line.values if v is not None and isfinite(v)]
        if known:
            ends.append((up.y(known[-1]), line.name, f'style="fill:{line.colour}"'))
    if panel.limit:
        ends.append((up.y(panel.limit[-1][2]), panel.limit_name, 'class="lt"'))
    ends.sort()
    lowest = up.bottom - _LABEL_GAP * max(len(ends) - 1, 0)
    parts: list[str] = []
    floor_y = up.top - _LABEL_GAP
    for number, (y, name, look) in enumerate(ends):
        level = min(max(y, floor_y + _LABEL_GAP), lowest + _LABEL_GAP * number)
        floor_y = level
        parts.append(f'<text x="{axis.end + 8}" y="{level + 4:.1f}" {look}>{escape(name)}</text>')
    return parts


def _heat(axis: _Across, panel: HeatPanel, top: float) -> list[str]:
    parts = [f'<text class="t" x="16" y="{top + 15:.1f}">{escape(panel.title)}</text>']
    for number, (name, cells) in enumerate(panel.rows):
        y = top + _HEAD + _ROW * number
        shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 12:.1f}" text-anchor="end">{escape(shown)}'
            f"<title>{escape(name)}</title></text>"
        )
        parts += (_cell(axis, cell, y, panel.full) for cell in cells)
    y = top + _HEAD + _ROW * len(panel.rows) + 8
    left = axis.end - 5 * 26 - 30
    for step in range(5):
        opacity = _FAINTEST + (1 - _FAINTEST) * step / 4
        parts.append(
            f'<rect x="{left + 26 * step}" y="{y:.1f}" width="25" height="9" rx="1.5" fill="{_COLOUR}" '
            f'fill-opacity="{opacity:.2f}"/>'
        )
    parts.append(
        f'<text x="{left - 8}" y="{y + 9:.1f}" text-anchor="end">● moved: more than noise and than the reference '
        f"varies · {escape(panel.unit)} 0</text>"
        f'<text x="{left + 26 * 5 + 4}" y="{y + 9:.1f}">≥ {panel.full:g}</text>'
    )
    return parts


def _cell(axis: _Across, cell: Cell, y: float, full: float) -> str:
    left, right = axis.x(cell.start), axis.x(cell.end)
    width = max(right - left - 1, 0.5)
    place = f'x="{left + 0.5:.1f}" y="{y + 1:.1f}" width="{width:.1f}" height="{_ROW - 1}" rx="1.5"'
    said = f"<title>{escape(cell.hint)}</title>"
    if cell.value is None or not isfinite(cell.value):
        return f'<rect class="none" {place}>{said}</rect>'
    opacity = _FAINTEST + (1 - _FAINTEST) * min(max(cell.value / full, 0.0), 1.0)
    drawn = f'<rect {place} fill="{_COLOUR}" fill-opacity="{opacity:.2f}">{said}</rect>'
    if not cell.moved:
        return drawn
    return f'<g>{drawn}<circle class="moved" cx="{(left + right) / 2:.1f}" cy="{y + 9:.1f}" r="2.6">{said}</circle></g>'


def _lanes(axis: _Across, events: Sequence[Event]) -> list[int]:
    """The row of each mark, the lowest with room for it."""
    ends = [float("-inf")] * _LANES
    found: list[int] = []
    for event in events:
        x, half = axis.x(event.at), _MARK / 2 * max(len(event.mark), 1) ** 0.5
        lane = next((at for at in range(_LANES) if ends[at] <= x - half), _LANES - 1)
        ends[lane] = x + half
        found.append(lane)
    return found


def _events(
    axis: _Across, events: Sequence[Event], lanes: Sequence[int], top: float, bottom: float
) -> list[str]:
    parts: list[str] = []
    for event, lane in zip(events, lanes, strict=True):
        x, y = axis.x(event.at), top - 3 - _LANE * lane
        parts.append(
            f'<g><title>{escape(event.label)}</title><line class="ev" style="stroke:{event.colour}" x1="{x:.1f}" '
            f'x2="{x:.1f}" y1="{y + 2:.1f}" y2="{bottom - 4:.1f}"/><text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" '
            f'style="fill:{event.colour}">{escape(event.mark)}</text></g>'
        )
    return parts
