"""Figures as sentences say them."""

from math import isfinite

from mlwright.model.monitoring import Estimate


def percent(part: float) -> str:
    """A share in whole percent; what rounds to nothing has no sign."""
    return f"{round(100 * part):d}%" if isfinite(part) else "an unknown share"


def portion(part: Estimate) -> str:
    """A share of the drop with its interval: "98% (82% to 116%)".

    Without finite bounds there is no figure above 100%, which would only be noise.
    """
    if isfinite(part.lower) and isfinite(part.upper):
        return f"{percent(part.value)} ({percent(part.lower)} to {percent(part.upper)})"
    return f"{percent(min(part.value, 1.0))} (without bounds)"
