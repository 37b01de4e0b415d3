"""Heat maps as SVG text: rows × columns of one number, darker where it is larger."""

from collections.abc import Sequence
from html import escape
from math import isfinite

_STYLE = """
.h{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}.h text{fill:#5b6270}
.h .t{font-size:13px;font-weight:600;fill:#1b1e24}.h .bg{fill:#ffffff}.h .none{fill:#f1f2f4}
@media (prefers-color-scheme:dark){.h text{fill:#9aa1ad}.h .t{fill:#e8eaee}.h .bg{fill:#181a1f}.h .none{fill:#21242b}}
"""
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 128, 16, 40, 17, 46
_COLOUR = "#4f6bed"
_FAINTEST = 0.05


def heat_map(
    *,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    ticks: Sequence[tuple[int, str]],
    full: float,
    unit: str,
    width: int = 860,
) -> str:
    """Draw one cell a value; what it is exactly is said on hover.

    Args:
        title: said above.
        rows: a name a row.
        columns: a name a column, used on hover.
        values: a value a row and column; None is drawn empty.
        ticks: which columns are written below, and how.
        full: the value from which on a cell has the full colour.
        unit: what the numbers are, for the legend.
        width: of the whole drawing, in pixels.

    Returns:
        A complete ``<svg>`` element.
    """
    cell = (width - _LEFT - _RIGHT) / max(len(columns), 1)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    parts = [
        f'<svg class="h" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" width="100%"',
        f' aria-label="{escape(title)}"><style>{_STYLE}</style>',
        f'<rect class="bg" width="{width}" height="{height}" rx="8"/>',
        f'<text class="t" x="16" y="22">{escape(title)}</text>',
    ]
    for at, name in enumerate(rows):
        y = _TOP + _ROW * at
        shown = name if len(name) <= 18 else f"{name[:17]}…"
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(shown)}<title>{escape(name)}</title></text>'
        )
        for column, value in enumerate(values[at]):
            parts.append(_cell(_LEFT + cell * column, y, cell, value, full, f"{name}, {columns[column]}"))
    for column, name in ticks:
        x = _LEFT + cell * (column + 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{_TOP + _ROW * len(rows) + 15}" text-anchor="middle">{escape(name)}</text>'
        )
    return "".join(parts) + _legend(width, height, full, unit) + "</svg>"


def _cell(x: float, y: float, width: float, value: float | None, full: float, where: str) -> str:
    place = f'x="{x + 0.5:.1f}" y="{y + 1}" width="{max(width - 1, 0.5):.1f}" height="{_ROW - 1}" rx="1.5"'
    if value is None or not isfinite(value):
        return f'<rect class="none" {place}><title>{escape(where)}: nothing served</title></rect>'
    opacity = _FAINTEST + (1 - _FAINTEST) * min(max(value / full, 0.0), 1.0)
    return (
        f'<rect {place} fill="{_COLOUR}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape(where)}: {value:.3f}</title></rect>"
    )


def _legend(width: int, height: int, full: float, unit: str) -> str:
    parts: list[str] = []
    left = width - _RIGHT - 5 * 26 - 44
    for step in range(5):
        opacity = _FAINTEST + (1 - _FAINTEST) * step / 4
        parts.append(
            f'<rect x="{left + 26 * step}" y="{height - 20}" width="25" height="9" rx="1.5" fill="{_COLOUR}" '
            f'fill-opacity="{opacity:.2f}"/>'
        )
    text = (
        f'<text x="{left - 8}" y="{height - 12}" text-anchor="end">{escape(unit)} 0</text>'
        f'<text x="{left + 26 * 5 + 6}" y="{height - 12}">≥ {full:g}</text>'
    )
    return "".join(parts) + text
