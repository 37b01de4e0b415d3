"""How measured values, durations and sizes are written, and long texts cut."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from mlwright.doors.web.words import NOTHING

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_CUT: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def measured(value: float | None) -> str:
    """Six significant digits; NaN and the infinities by their names.

    >>> measured(0.123456789), measured(1234567.0), measured(float("-inf")), measured(None)
    ('0.123457', '1.23457e+06', '−∞', '–')
    """
    if value is None:
        return NOTHING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.6g}"


def lasted(milliseconds: float | None) -> str:
    """A duration in at most two units.

    >>> lasted(350), lasted(4_230), lasted(200_000), lasted(7_500_000), lasted(360_000_000)
    ('350 ms', '4.2 s', '3 min 20 s', '2 h 5 min', '4 d 4 h')
    """
    if milliseconds is None:
        return NOTHING
    sign, ms = ("−" if milliseconds < 0 else ""), abs(milliseconds)
    if ms < 1000:
        return f"{sign}{ms:.0f} ms"
    if ms < 59_950:
        return f"{sign}{ms / 1000:.1f} s"
    whole = round(ms / 1000)
    for large, small, size, part in (("min", "s", 60, 1), ("h", "min", 3600, 60), ("d", "h", 86_400, 3600)):
        if whole < size * (60 if large != "h" else 24) or large == "d":
            rest = whole % size // part
            return f"{sign}{whole // size:,} {large}" + (f" {rest} {small}" if rest else "")
    return NOTHING


def since(milliseconds: int | None) -> str:
    """Milliseconds since 1970 as ``31 Dec 2013 12:00:05`` in UTC; as they are where they are no such instant."""
    if milliseconds is None:
        return NOTHING
    try:
        return f"{_EPOCH + timedelta(milliseconds=milliseconds):%-d %b %Y %H:%M:%S}"
    except OverflowError:
        return f"{milliseconds:,}"


def bytes_of(size: int | None) -> str:
    """A number of bytes in decimal units.

    >>> bytes_of(0), bytes_of(999), bytes_of(1500), bytes_of(200_000_000)
    ('0 B', '999 B', '1.5 kB', '200 MB')
    """
    if size is None:
        return NOTHING
    power = 0
    value = float(size)
    while value >= 999.5 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.0f} {_UNITS[power]}" if power == 0 or value >= 99.5 else f"{value:.2g} {_UNITS[power]}"


def cut(text: object, most: int = _CUT) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(str(text)[: most * 4].split())
    whole = len(line) <= most and len(str(text)) <= most * 4
    return line if whole else f"{line[: most - 1]}…"


def is_cut(text: object, most: int = _CUT) -> bool:
    """Whether :func:`cut` would leave something out."""
    return cut(text, most) != str(text)


FILTERS: Final = {
    "measured": measured,
    "lasted": lasted,
    "since": since,
    "bytes": bytes_of,
    "cut": cut,
    "is_cut": is_cut,
}
