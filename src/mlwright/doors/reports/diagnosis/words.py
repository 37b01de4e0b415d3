"""How the parts of a diagnosis are told, the same in every form of the report."""

from datetime import datetime
from math import isfinite
from typing import Final

from mlwright.doors.web.words import free
from mlwright.model.diagnosis import Cause, Diagnosis, Outcome, Sureness, Test
from mlwright.model.monitoring import Estimate

MARKS: Final = {Outcome.FOUND: "●", Outcome.CLEAR: "○", Outcome.UNKNOWN: "?"}
"""What stands before a test, for whom colours say nothing."""

_TONES: Final = {Sureness.SURE: "bad", Sureness.LIKELY: "warn", Sureness.OPEN: "busy"}


def tone(found: Diagnosis) -> str:
    """The colour of the verdict."""
    return "ok" if found.verdict is Cause.NO_EVIDENCE else _TONES[found.sureness]


def share(estimate: Estimate | None) -> str:
    """A share of the drop with its interval: ``96 % (91 to 100 %)``; an en dash where it is not known.

    Where no drop is proven the interval has no ends, and a share of nothing is not known.
    """
    if estimate is None or not all(map(isfinite, (estimate.value, estimate.lower, estimate.upper))):
        return "–"
    return f"{estimate.value * 100:.0f} % ({estimate.lower * 100:.0f} to {estimate.upper * 100:.0f} %)"


def points(estimate: Estimate) -> str:
    """A drop with its sign and interval: ``+0.0960 (+0.0811 to +0.1109)``."""
    return f"{estimate.value:+.4f} ({estimate.lower:+.4f} to {estimate.upper:+.4f})"


def instant(at: datetime) -> str:
    """``2026-11-03 14:00 UTC``."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def numbers(test: Test) -> str:
    """The figures of a test: ``rows compared 44,866, AUC 0.52``."""
    return ", ".join(f"{name.replace('_', ' ')} {free(value)}" for name, value in test.numbers.items())
