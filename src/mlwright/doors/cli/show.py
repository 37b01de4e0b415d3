"""Drawing values for people: tables, pairs and trees. Nothing here knows a business rule."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlwright.model.monitoring import Estimate

_PIPE_WIDTH = 200
_COLOURS = {
    "FINISHED": "green",
    "FAILED": "red",
    "KILLED": "red",
    "RUNNING": "cyan",
    "firing": "red",
    "acknowledged": "yellow",
    "resolved": "green",
    "promoted": "green",
    "running": "cyan",
    "rolled_back": "red",
    "yes": "green",
    "no": "red",
    "ok": "green",
    "broken": "red",
    "warning": "yellow",
    "passed": "green",
    "failed": "red",
    "unknown": "yellow",
}


def paper() -> Console:
    """Stdout. A pipe gets wide lines instead of 80 columns, so that nothing is cut off for the next program."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, width=wide)


def stderr() -> Console:
    """Stderr, for progress."""
    return Console(stderr=True, highlight=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = ""
) -> RenderableType:
    """A table; a column whose name ends with ``#`` is aligned to the right. ``empty`` is said where no row is there."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        number = name.endswith("#")
        drawn.add_column(name.removesuffix("#"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(cell, row))
    body: RenderableType = drawn if drawn.rows or not empty else Text(empty, style="dim")
    return Group(Text(title, style="bold"), body) if title else body


def pairs(values: Mapping[str, object]) -> RenderableType:
    """Names and values, one a line; what is None or empty is left out."""
    drawn = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value is not None and value != "":
            drawn.add_row(Text(name, style="dim"), cell(value))
    return drawn


def cell(value: object) -> RenderableType:
    """One value as text: instants to the minute, numbers to four digits, None as a dash."""
    for kind, draw in _FORMS:
        if isinstance(value, kind):
            return draw(value)
    return Text(str(value))


def _float(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.4g}"


def _estimate(value: Estimate) -> str:
    return f"{value.value:.3f} [{value.lower:.3f}, {value.upper:.3f}]"


# The first that fits counts: True is an int too.
_FORMS: tuple[tuple[type, Callable[[Any], RenderableType]], ...] = (
    (str, lambda value: Text(value, style=_COLOURS.get(value, ""))),
    (type(None), lambda value: Text("–", style="dim")),
    (bool, lambda value: cell("yes" if value else "no")),
    (float, _float),
    (int, lambda value: f"{value:,}"),
    (datetime, lambda value: f"{value:%Y-%m-%d %H:%M}"),
    (Estimate, _estimate),
    (Text, lambda value: value),
)


def short(digest: str | None) -> str | None:
    """A digest's first twelve digits, enough for people."""
    return None if digest is None else digest.partition(":")[2][:12] or digest[:12]
