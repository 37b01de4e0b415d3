"""How the parts of a diagnosis are told, the same in every form of the report."""

from datetime import datetime
from math import isfinite
from typing import Final

from mlwright.model.diagnosis import Cause, Diagnosis, Outcome, Sureness, Suspect, Test
from mlwright.model.monitoring import Estimate

MARKS: Final = {Outcome.FOUND: "●", Outcome.CLEAR: "○", Outcome.UNKNOWN: "?"}
"""What stands before a test, for whom colours say nothing."""

ACTIONS: Final = {
    Cause.NO_EVIDENCE: "Keep watching.",
    Cause.SERVING: "Roll back the image or the model.",
    Cause.SKEW: "Mend the path of the features, fill them in again, and replay.",
    Cause.QUALITY: "Quarantine the source, put a default where values are missing, and add a contract test.",
    Cause.LABELS: "Mend the source of the labels before anything is judged or trained on them.",
    Cause.PRIOR: "Correct the prior, calibrate again, and move the threshold.",
    Cause.HARDER: "Collect labels there; retraining helps only where the model has not seen such cases.",
    Cause.UNSEEN: "Let the model abstain there, or send such cases elsewhere, and gather data.",
    Cause.CONCEPT: "Retrain on the recent window, and retrain more often.",
    Cause.LOST: "Do not retrain: restore the join, the source or the labels that stopped telling anything.",
    Cause.FEEDBACK: "Leave 1–2 % of the answers to chance, weight by propensity, and keep a holdout.",
    Cause.MIXED: "Begin with the cause that carries most of the drop.",
    Cause.OPEN: "Get what the tests lacked, then ask again.",
}
"""What to do first, by verdict."""

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


def where(suspect: Suspect) -> str:
    """A suspect in three words: ``amount: unit × 100``."""
    factor = f" × {suspect.factor:g}" if suspect.factor is not None else ""
    return f"{suspect.column}: {suspect.mechanism}{factor}"


def numbers(test: Test) -> str:
    """The figures of a test: ``rows 4 %, AUC 0.52``."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in test.numbers.items())
