"""Durations as people write them: ``90s``, ``15m``, ``6h``, ``14d``, ``2w``."""

import re
from datetime import timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")


def parse_duration(text: str) -> timedelta:
    """Parse one duration.

    Args:
        text: a number and a unit out of ms, s, m, h, d, w.

    Raises:
        ValueError: the text has another form.

    >>> parse_duration("6h")
    datetime.timedelta(seconds=21600)
    >>> parse_duration("14d").days
    14
    """
    found = _FORM.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a duration: write a number and ms, s, m, h, d or w, as in '14d'")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def format_duration(span: timedelta) -> str:
    """Write a duration in the largest unit that keeps it whole.

    >>> format_duration(timedelta(hours=12)), format_duration(timedelta(days=14))
    ('12h', '14d')
    """
    seconds = span.total_seconds()
    for unit in ("d", "h", "m", "s"):
        amount = seconds / _UNITS[unit]
        if amount >= 1 and amount == int(amount):
            return f"{int(amount)}{unit}"
    return f"{round(seconds * 1000)}ms"
