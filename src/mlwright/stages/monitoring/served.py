"""Served data without labels: skew against a second copy, values outside of the contract, volume, and their rules."""

import re
from collections.abc import Sequence
from datetime import timedelta
from math import sqrt
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.checking import Age, ColumnSkew, DataQuality, SkewReport, Violation, Volume
from mlwright.model.durations import format_duration
from mlwright.model.monitoring import AlertLevel
from mlwright.stages.monitoring.alerts import MIN_ROWS, AlertAction, AlertDecision
from mlwright.stages.monitoring.diagnosis.mismatch import differing, hint

BROKEN: Final = 0.05
"""Share of rows with a value outside of the contract from which it counts as broken, and somebody is paged."""
_Z: Final = 1.959963984540054
_DAYS: Final = 7
"""Days before that are needed before a day can be unusual."""
_DAY: Final = timedelta(days=1)
_MANY: Final = 20.0
_FAR: Final = 5.0
"""Robust standard deviations; days are few and not normal."""
_FLAG: Final = re.compile(r"(?P<field>[^\[\];]+)\[(?P<row>\d+)\]: (?P<got>.*?) is (?P<what>[^;]+)")


def skew_of(
    served: pl.DataFrame,
    offline: pl.DataFrame,
    rows: NDArray[np.bool_],
    *,
    at: NDArray[np.int64] | None = None,
    cluster: NDArray[np.int64] | None = None,
) -> tuple[ColumnSkew, ...]:
    """Compare two copies, feature by feature, on the rows that were computed again; the worst first.

    Args:
        served: the features as they were served.
        offline: the same rows computed again, in the same order; columns that only one of them has are left out.
        rows: which rows were computed, shape (n,).
        at: event times in microseconds, for lags.
        cluster: entities, for lags.
    """
    found: list[ColumnSkew] = []
    computed = int(rows.sum())
    kept = pl.Series(rows)
    times, entities = (None if each is None else each[rows] for each in (at, cluster))
    for name in offline.columns:
        if name not in served.columns or not computed:
            continue
        ours, theirs = served[name].filter(kept), offline[name].filter(kept)
        apart = differing(ours, theirs)
        count = int(apart.sum())
        low, high = _wilson(count, computed)
        said = hint(ours, theirs, apart, at=times, cluster=entities) if count else None
        found.append(
            ColumnSkew(
                column=name,
                rows=computed,
                differs=count,
                share=count / computed,
                lower=low,
                upper=high,
                mechanism=said.mechanism if said else "",
                text=said.text if said else "",
                factor=said.factor if said else None,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.share, each.column)))


def violations_of(flags: pl.Series) -> tuple[Violation, ...]:
    """Count what the edge noted of values outside of the contract: ``age[3]: -5 is below 0; …``, a text a row."""
    said = flags.drop_nulls()
    counted: dict[tuple[str, str], int] = {}
    for text in said.to_list():
        for column, what in {(each["field"].strip(), each["what"].strip()) for each in _FLAG.finditer(text)}:
            counted[column, what] = counted.get((column, what), 0) + 1
    return tuple(
        Violation(column=column, what=what, rows=count, share=count / len(flags))
        for (column, what), count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )


def volume_of(rows: int, before: Sequence[int], weekdays: Sequence[int], weekday: int) -> Volume:
    """Whether one day's rows are unusual: against the same weekday where four of them are known, else against all.

    The spread is the median absolute deviation, and at least that of a Poisson count and a tenth of the median, so that
    a quiet endpoint does not cry. Assumption: days of one weekday are alike.

    Args:
        rows: of the day.
        before: rows of earlier days, oldest first.
        weekdays: the weekday of each (0 is Monday).
        weekday: that of the day.
    """
    same = [count for count, each in zip(before, weekdays, strict=True) if each == weekday][-8:]
    known = same if len(same) >= 4 else list(before)[-28:]
    usual = float(np.median(known)) if known else float(rows)
    spread = 1.4826 * float(np.median(np.abs(np.asarray(known) - usual))) if known else 0.0
    spread = max(spread, sqrt(max(usual, 1.0)), 0.1 * usual)
    low, high = max(usual - _FAR * spread, 0.0), usual + _FAR * spread
    unusual = ""
    if len(before) >= _DAYS:
        # Where many rows come, silence is news however much they vary; of a few a day none may come by chance.
        low = max(low, 0.1 * usual) if usual >= _MANY else low
        unusual = "fewer" if rows < low else "more" if rows > high else ""
    return Volume(rows=rows, usual=usual, lower=low, upper=high, days=len(known), unusual=unusual)


def decide_skew(report: SkewReport, *, limit: float) -> AlertDecision:
    """Open a ticket where a feature surely differs in more than ``limit`` of the rows (lower bound of the share)."""
    worst = [each for each in report.columns if each.lower > limit]
    computed = max((each.rows for each in report.columns), default=0)
    if computed < MIN_ROWS:
        action, verdict = AlertAction.STAY, f"{MIN_ROWS} rows computed again are needed to judge"
    elif worst:
        told = ", ".join(
            f"{each.column} in {each.share:.1%} of the rows ({each.mechanism}: {each.text})"
            for each in worst[:3]
        )
        action, verdict = AlertAction.FIRE, f"not what is computed again offline: {told}"
    elif all(each.share <= limit for each in report.columns):
        action, verdict = AlertAction.RESOLVE, "served features are what is computed again offline"
    else:
        action, verdict = AlertAction.STAY, "too close to the limit to say"
    return AlertDecision(
        endpoint=report.endpoint,
        rule="skew",
        action=action,
        level=AlertLevel.TICKET,
        summary=f"Served features of {report.endpoint} in {report.window} ({computed:,} rows): {verdict}."
        f" Limit {limit:.1%}.",
        evidence={
            "columns": [
                {"column": each.column, "share": each.share, "mechanism": each.mechanism, "text": each.text}
                for each in worst
            ],
            "rows": computed,
            "limit": limit,
            "not_done": list(report.not_done),
            "window": [report.window.start.isoformat(), report.window.end.isoformat()],
        },
        next_command=f"mlwright diagnose {report.endpoint}",
    )


def decide_contract(quality: DataQuality, *, limit: float = BROKEN) -> AlertDecision:
    """Page where more than ``limit`` of the served rows have a value outside of the contract: a broken source."""
    low, _ = _wilson(round(quality.flagged * quality.rows), quality.rows)
    if quality.rows < MIN_ROWS:
        action, verdict = AlertAction.STAY, f"{MIN_ROWS} rows are needed to judge"
    elif low > limit:
        told = ", ".join(f"{each.column} {each.what} ({each.share:.1%})" for each in quality.violations[:3])
        action, verdict = AlertAction.FIRE, f"more than the limit: {told}"
    elif quality.flagged <= limit:
        action, verdict = AlertAction.RESOLVE, "within the limit"
    else:
        action, verdict = AlertAction.STAY, "too close to the limit to say"
    return AlertDecision(
        endpoint=quality.endpoint,
        rule="contract",
        action=action,
        level=AlertLevel.PAGE,
        summary=f"{quality.flagged:.1%} of the {quality.rows:,} rows that {quality.endpoint} answered in "
        f"{quality.window} have a value outside of the contract: {verdict}. Limit {limit:.1%}.",
        evidence={
            "share": quality.flagged,
            "rows": quality.rows,
            "limit": limit,
            "violations": [
                {"column": each.column, "what": each.what, "share": each.share}
                for each in quality.violations[:10]
            ],
            "window": [quality.window.start.isoformat(), quality.window.end.isoformat()],
        },
        next_command="mlwright check",
    )


def decide_freshness(quality: DataQuality) -> tuple[AlertDecision, ...]:
    """Open a ticket for each feature view whose newest value is older than its ttl: it is served as missing."""
    return tuple(_aged(quality, each) for each in quality.ages)


def decide_volume(quality: DataQuality) -> AlertDecision | None:
    """Open a ticket where a day had far fewer or far more rows than days like it; None where nothing is known."""
    volume = quality.volume
    if volume is None:
        return None
    action = AlertAction.FIRE if volume.unusual else AlertAction.RESOLVE
    verdict = f"{volume.unusual} than usual" if volume.unusual else "as usual"
    return AlertDecision(
        endpoint=quality.endpoint,
        rule="volume",
        action=action,
        level=AlertLevel.TICKET,
        summary=f"{quality.endpoint} answered {volume.rows:,} rows in {quality.window}: {verdict} "
        f"({volume.usual:,.0f}; {volume.lower:,.0f} to {volume.upper:,.0f} by {volume.days} days like it).",
        evidence={
            "rows": volume.rows,
            "usual": volume.usual,
            "lower": volume.lower,
            "upper": volume.upper,
            "window": [quality.window.start.isoformat(), quality.window.end.isoformat()],
        },
        next_command=f"mlwright monitor {quality.endpoint}",
    )


def _aged(quality: DataQuality, age: Age) -> AlertDecision:
    verdict = "older than its values live" if age.stale else "young enough"
    return AlertDecision(
        endpoint=quality.endpoint,
        rule=f"freshness.{age.view}",
        action=AlertAction.FIRE if age.stale else AlertAction.RESOLVE,
        level=AlertLevel.TICKET,
        summary=f"The newest value of feature view {age.view}, which {quality.endpoint} asks, is {_long(age.age)} old: "
        f"{verdict} (ttl {format_duration(age.limit)}).",
        evidence={"view": age.view, "age_s": age.age.total_seconds(), "ttl_s": age.limit.total_seconds()},
        next_command=f"mlwright features {age.view}",
    )


def _long(span: timedelta) -> str:
    """About how long: ``5.2 days``, ``3.0 h``."""
    return f"{span / _DAY:.1f} days" if span >= 2 * _DAY else f"{span / timedelta(hours=1):.1f} h"


def _wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % (Wilson 1927)."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(middle - half, 0.0), min(middle + half, 1.0)
