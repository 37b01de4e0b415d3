"""How single values are written on the pages."""

import re
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from markupsafe import Markup, escape

from mlwright.model.durations import format_duration

NOTHING: Final = "–"
_DIGEST: Final = re.compile(r"blake3:([0-9a-f]{12})[0-9a-f]{52}")
_CODE: Final = re.compile(r"`([^`]+)`")
_VERSION: Final = re.compile(r"/(\d+)\b")

_TONES: Final = {
    "FINISHED": "ok",
    "RUNNING": "busy",
    "FAILED": "bad",
    "KILLED": "warn",
    "firing": "bad",
    "acknowledged": "warn",
    "resolved": "ok",
    "running": "busy",
    "promoted": "ok",
    "rolled_back": "bad",
    "inconclusive": "warn",
    "invalid": "bad",
    "aborted": "warn",
    "PROMOTE": "ok",
    "HOLD": "busy",
    "ROLLBACK": "bad",
    "INCONCLUSIVE": "warn",
    "INVALID": "bad",
    "serving": "ok",
    "starting": "busy",
    "stopped": "bad",
    "waiting to start again": "bad",
    "passed": "ok",
    "failed": "bad",
    "unknown": "warn",
    "queued": "busy",
    "READY": "ok",
    "PENDING": "busy",
    "UPLOAD_FAILED": "bad",
    "PENDING_REGISTRATION": "busy",
    "FAILED_REGISTRATION": "bad",
    "SCHEDULED": "busy",
    "page": "bad",
    "ticket": "warn",
    "kept": "ok",
    "broken": "bad",
}

_METRICS: Final = {
    "auc": "AUC",
    "brier": "Brier score",
    "f1": "F1",
    "macro_f1": "macro F1",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "mse": "mean squared error",
    "r2": "R²",
    "ndcg": "NDCG",
    "map": "MAP",
    "mrr": "MRR",
}


def instant(at: datetime | None) -> str:
    """``31 Dec 2013 12:00``, in UTC."""
    return f"{at:%-d %b %Y %H:%M}" if at else NOTHING


def day(at: datetime | None, *, before: bool = False) -> str:
    """``31 Dec 2013``; with ``before`` the last day that ends not after the instant."""
    if at is None:
        return NOTHING
    return f"{at - timedelta(microseconds=1) if before else at:%-d %b %Y}"


def number(value: float | None, digits: int = 3) -> str:
    """A fixed number of digits, or a dash."""
    return f"{value:,.{digits}f}" if value is not None and isfinite(value) else NOTHING


def signed(value: float | None, digits: int = 4) -> str:
    """The same with its sign."""
    return f"{value:+,.{digits}f}" if value is not None and isfinite(value) else NOTHING


def free(value: object) -> str:
    """Anything: numbers with as many digits as they need, None as a dash."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, datetime):
        return instant(value)
    return str(value)


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent, or a dash."""
    return f"{value:.{digits}%}" if value is not None and isfinite(value) else NOTHING


def span(value: timedelta | None) -> str:
    """``14d``, ``50ms``."""
    return format_duration(value) if value is not None else NOTHING


def short(digest: str | None) -> str:
    """A digest's or id's first digits: enough for people."""
    return NOTHING if digest is None else (digest.partition(":")[2] or digest)[:12]


def brief(text: object) -> str:
    """A text with every digest in it cut to twelve digits."""
    return _DIGEST.sub(r"\1…", str(text))


def tone(state: object) -> str:
    """The class that colours a state: ok, busy, warn, bad or none."""
    return _TONES.get(str(state), "none")


def version_of(text: str) -> str | None:
    """The version number in ``… flight-delay/7 …``, or None."""
    found = _VERSION.search(text)
    return found[1] if found else None


def coded(text: object) -> Markup:
    """A text in which what stands between backticks is code: names of columns, and commands."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def metric_name(name: str) -> str:
    """How a metric is called in a sentence: ``AUC``, ``Brier score``, ``log loss``, ``NDCG@10``."""
    plain, at, most = name.partition("@")
    return _METRICS.get(plain, plain.replace("_", " ")) + at + most


FILTERS: Final = {
    "instant": instant,
    "day": day,
    "number": number,
    "signed": signed,
    "free": free,
    "percent": percent,
    "span": span,
    "short": short,
    "brief": brief,
    "tone": tone,
    "coded": coded,
    "metric_name": metric_name,
}
