"""Line charts as SVG text, for pages, reports and the README.

One drawing serves the browser, a file that is sent around, and a code host's page: no script, no fonts to load, and
colours that follow the reader's light or dark scheme.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

_STYLE = """
.c{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.c text{fill:#5b6270}.c .t{font-size:13px;font-weight:600;fill:#1b1e24}.c .grid{stroke:#e7e8ea}
.c .ev{stroke-opacity:.55;stroke-dasharray:2 3}.c .evt{font-size:10px}.c .bg{fill:#ffffff}
@media (prefers-color-scheme:dark){.c text{fill:#9aa1ad}.c .t{fill:#e8eaee}.c .grid{stroke:#2c3038}.c .bg{fill:#181a1f}}
"""
COLOURS = ("#94a3b8", "#f59e0b", "#10b981", "#4f6bed", "#e5484d", "#06b6d4", "#a855f7", "#84cc16")
_LEFT, _TOP, _BOTTOM = 48, 40, 34
_LABEL_GAP = 15.0
_LETTER = 6.7
"""Width of an average letter of the labels, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: a value for each place on the x axis, None where there is none.

    ``bands`` are lower and upper bounds, drawn as a shade around the line.
    """

    name: str
    values: Sequence[float | None]
    colour: str
    bold: bool = False
    dashed: bool = False
    bands: Sequence[tuple[float, float] | None] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A moment on the x axis that the reader should see, such as a promotion. ``at`` may lie between two places.

    With a ``mark`` of one character the label is shown on hover only, for axes with many events.
    """

    at: float
    label: str
    colour: str = "#9ca3af"
    mark: str = ""


def line_chart(
    *,
    title: str,
    places: Sequence[str],
    series: Sequence[Series],
    events: Sequence[Event] = (),
    width: int = 860,
    height: int = 300,
    digits: int = 2,
    markers: bool = True,
    ticks: Sequence[tuple[float, str]] | None = None,
    bounds: tuple[float, float] | None = None,
) -> str:
    """Draw lines over named places.

    Args:
        title: said above the chart.
        places: names along the x axis; at most about twelve of them are written.
        series: at least one with a finite value.
        events: dashed verticals with a short label or mark.
        width: of the whole drawing, in pixels.
        height: of the whole drawing, in pixels.
        digits: after the point, in the labels of the y axis.
        markers: whether each value gets a dot with its number on hover.
        ticks: where the x axis is written instead of at the places' names, such as the first day of each month.
        bounds: lowest and highest value to show; bands are cut off there. Without it all values and bands fit.

    Returns:
        A complete ``<svg>`` element.
    """
    right = ceil(24 + _LETTER * max((len(each.name) for each in series), default=0))
    frame = _Frame(width, height, right, max(len(places), 2), *_range(series, bounds))
    parts = [
        f'<svg class="c" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" width="100%"',
        f' aria-label="{escape(title)}"><style>{_STYLE}</style>',
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
        f'<text class="t" x="16" y="22">{escape(title)}</text>',
        *_axes(frame, ticks if ticks is not None else _sparse(places), digits),
        *(_event(frame, each) for each in events),
    ]
    for each in series:
        parts += _line(frame, each, places, digits, markers=markers)
    parts += _end_labels(frame, series)
    return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    right: int
    count: int
    low: float
    high: float
    tick: float

    def x(self, place: float) -> float:
        return _LEFT + (self.width - _LEFT - self.right) * place / (self.count - 1)

    def y(self, value: float) -> float:
        """The height of a value; what lies outside is drawn at the edge."""
        inside = min(max(value, self.low), self.high)
        part = (inside - self.low) / (self.high - self.low)
        return self.height - _BOTTOM - (self.height - _TOP - _BOTTOM) * part


def _range(series: Sequence[Series], bounds: tuple[float, float] | None) -> tuple[float, float, float]:
    values = [v for each in series for v in each.values if v is not None and isfinite(v)]
    values += [b for each in series for band in each.bands if band for b in band if isfinite(b)]
    low, high = bounds or ((min(values), max(values)) if values else (0.0, 1.0))
    spread = (high - low) or abs(high)
    # Between the smallest numbers there is no room for ticks.
    spread = spread if spread > 1e-300 else 1.0
    rough = spread / 4
    power = 10 ** floor(log10(rough))
    tick = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))
    bottom, top = floor(low / tick + 1e-9) * tick, ceil(high / tick - 1e-9) * tick
    return bottom, top if top > bottom else bottom + tick, tick


def _sparse(places: Sequence[str]) -> list[tuple[float, str]]:
    every = max(1, ceil(len(places) / 12))
    return [(float(at), places[at]) for at in range(0, len(places), every)]


def _axes(frame: _Frame, ticks: Sequence[tuple[float, str]], digits: int) -> list[str]:
    parts: list[str] = []
    for step in range(round((frame.high - frame.low) / frame.tick) + 1):
        value = frame.low + step * frame.tick
        y = frame.y(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{frame.width - frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.{digits}f}</text>')
    for at, name in ticks:
        parts.append(
            f'<text x="{frame.x(at):.1f}" y="{frame.height - 12}" text-anchor="middle">{escape(name)}</text>'
        )
    return parts


def _event(frame: _Frame, event: Event) -> str:
    x = frame.x(event.at)
    if event.mark:
        text = (
            f'<text x="{x:.1f}" y="{_TOP - 3}" text-anchor="middle" style="fill:{event.colour}">'
            f"{escape(event.mark)}</text>"
        )
    else:
        text = f'<text class="evt" x="{x + 3:.1f}" y="{_TOP + 8}">{escape(event.label)}</text>'
    return (
        f'<g><title>{escape(event.label)}</title><line class="ev" style="stroke:{event.colour}" x1="{x:.1f}" '
        f'x2="{x:.1f}" y1="{_TOP}" y2="{frame.height - _BOTTOM}"/>{text}</g>'
    )


def _line(frame: _Frame, series: Series, places: Sequence[str], digits: int, *, markers: bool) -> list[str]:
    parts = [_band(frame, series.colour, run) for run in _runs(series.bands)]
    path: list[str] = []
    pen = "M"
    for at, value in enumerate(series.values):
        if value is None or not isfinite(value):
            pen = "M"
            continue
        x, y = f"{frame.x(at):.1f}", f"{frame.y(value):.1f}"
        path.append(f"{pen}{x} {y}")
        pen = "L"
        if markers:
            where = escape(f"{series.name}, {places[at]}: {value:.{digits + 1}f}")
            parts.append(
                f'<circle cx="{x}" cy="{y}" r="{3.5 if series.bold else 2.5}" '
                f'fill="{series.colour}"><title>{where}</title></circle>'
            )
    dashes = ' stroke-dasharray="5 4"' if series.dashed else ""
    weight = 3 if series.bold else 1.8 if markers else 1.4
    parts.append(
        f'<path d="{"".join(path)}" fill="none" stroke="{series.colour}" stroke-width="{weight}" '
        f'stroke-linejoin="round"{dashes}/>'
    )
    return parts


def _runs(bands: Sequence[tuple[float, float] | None]) -> list[list[tuple[int, tuple[float, float]]]]:
    """The bands in stretches without a gap: a shade over a gap would claim to know what nobody measured."""
    runs: list[list[tuple[int, tuple[float, float]]]] = [[]]
    for at, band in enumerate(bands):
        if band is None:
            runs.append([])
        else:
            runs[-1].append((at, band))
    return [run for run in runs if run]


def _band(frame: _Frame, colour: str, run: Sequence[tuple[int, tuple[float, float]]]) -> str:
    upper = [f"{frame.x(at):.1f},{frame.y(band[1]):.1f}" for at, band in run]
    lower = [f"{frame.x(at):.1f},{frame.y(band[0]):.1f}" for at, band in reversed(run)]
    return f'<polygon fill="{colour}" opacity="0.15" points="{" ".join(upper + lower)}"/>'


def _end_labels(frame: _Frame, series: Sequence[Series]) -> list[str]:
    """Names at the right end of their lines, pushed apart where they would overlap."""
    ends: list[tuple[float, float, Series]] = []
    for each in series:
        known = [(at, v) for at, v in enumerate(each.values) if v is not None and isfinite(v)]
        if known:
            ends.append((frame.y(known[-1][1]), frame.x(known[-1][0]), each))
    ends.sort(key=lambda end: end[0])
    parts: list[str] = []
    floor_y = -1.0
    for y, x, each in ends:
        level = max(y, floor_y + _LABEL_GAP)
        floor_y = level
        weight = ' font-weight="700"' if each.bold else ""
        parts.append(
            f'<text x="{x + 10:.1f}" y="{level + 4:.1f}" style="fill:{each.colour}"{weight}>{escape(each.name)}</text>'
        )
    return parts
