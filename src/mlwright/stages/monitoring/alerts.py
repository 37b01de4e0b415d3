"""When measured quality becomes an alert: pure rules, each with its numbers in plain words.

Only realised performance on matured labels pages somebody. Missing labels, missing features and lost records open a
ticket.
Drift never fires: with enough rows every season drifts, so it travels with an alert as context.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import polars as pl

from mlwright.errors import UsageError, near_match
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.metrics import METRICS, higher_is_better, is_metric
from mlwright.model.monitoring import Alert, AlertLevel, AlertState, DriftReport, Estimate, Performance
from mlwright.model.watch_settings import MonitorSettings
from mlwright.model.windows import Window

MIN_PER_CLASS = 20
"""Labels of each class below which no performance alert fires: cluster-robust errors need some data."""
MIN_ROWS = 50
"""Rows below which no share of missing labels or features is judged."""
MISSING_LIMIT = 0.2
"""How far the share of missing labels or features may rise above its usual value."""

_QUIET = timedelta(days=1)
"""After so long without a loss the alert about lost records closes."""

_WORDS = {"auc": "AUC", "brier": "Brier score"}


class AlertAction(StrEnum):
    """What a rule asks for."""

    FIRE = "fire"
    RESOLVE = "resolve"
    STAY = "stay"
    UNKNOWN = "unknown"
    """There is nothing to judge by. It changes nothing, and it is no all-clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDecision:
    """What a rule says about one window; STAY leaves things as they are, firing or not."""

    endpoint: EndpointName
    rule: str
    action: AlertAction
    level: AlertLevel
    summary: str
    evidence: dict[str, object] = field(default_factory=dict)
    next_command: str = ""


def decide_alert(
    performance: Performance, *, reference: float | None, reference_of: str, settings: MonitorSettings
) -> AlertDecision:
    """Decide whether realised quality has decayed.

    Fires if the window has matured and the whole interval of the metric is worse than the reference by more
    than the tolerance. Resolves as soon as a matured point estimate is within the tolerance again. Everything
    between is too close to call and changes nothing. Of the bias, distances from 0 are compared. What was expected
    before labels came plays no part.

    Args:
        performance: the window, measured with intervals of ``settings.level``.
        reference: the metric's value that the champion was released with; None: nobody knows, and neither does the
            rule.
        reference_of: what the reference is, in words, such as ``flight-delay/1 at its release``, or why there is none.
        settings: task, metric and tolerance, which is in the metric's unit.

    Raises:
        UsageError: the metric is not one of the task.
    """
    metric, window = settings.metric, performance.window
    measured = _metric(performance, settings)
    sign = 1.0 if higher_is_better(metric) else -1.0
    word, show = _WORDS.get(metric, metric.replace("_", " ")), _form(settings.task)
    limit: float | None = None
    summary = f"{word} of {performance.endpoint} in {_span(window)}: {_shown(measured, performance, show)}; "
    if reference is None:
        action, said = AlertAction.UNKNOWN, f"UNKNOWN whether that is a decay: {reference_of}."
    else:
        near = abs(reference) if metric == "bias" else reference
        limit = near - sign * settings.tolerance
        action, verdict = _judge(
            performance, _distance(measured) if metric == "bias" else measured, limit, sign
        )
        said = (
            f"{verdict}. Limit {show(limit)} = {show(near)} ({reference_of}) "
            f"{'-' if sign > 0 else '+'} {show(settings.tolerance)} tolerance."
        )
    evidence: dict[str, object] = {
        "metric": metric,
        **_estimate_evidence(measured),
        "reference": reference,
        "reference_of": reference_of,
        "tolerance": settings.tolerance,
        "limit": limit,
        "predictions": performance.predictions,
        "labelled": performance.labelled,
        "matured": performance.matured,
        "versions": list(performance.versions),
        **_window_evidence(window),
    }
    return AlertDecision(
        endpoint=performance.endpoint,
        rule=metric,
        action=action,
        level=AlertLevel.PAGE,
        summary=summary + said,
        evidence=evidence,
        next_command=f"mlwright retrain {performance.endpoint}",
    )


def decide_missing_labels(
    performance: Performance, *, usual: float = 0.0, limit: float = MISSING_LIMIT
) -> AlertDecision:
    """Decide whether labels have stopped arriving.

    Fires if, after the label horizon, the share of predictions without a label is more than ``limit`` above
    the ``usual`` share (of flights, 3 % never arrive). Give it the last matured day, not a long window: a
    source that broke yesterday is a small part of a fortnight.
    """
    missing = performance.predictions - performance.labelled
    return _decide_share(
        performance.endpoint,
        "labels",
        f"predictions in {_span(performance.window)} without a label after the horizon",
        missing,
        performance.predictions,
        usual=usual,
        limit=limit,
        waits=None if performance.matured else "labels of this window are not due yet",
        evidence={"matured": performance.matured, **_window_evidence(performance.window)},
    )


def decide_missing_features(
    features: pl.DataFrame,
    *,
    endpoint: EndpointName,
    view: str,
    columns: Sequence[str],
    window: Window,
    usual: float = 0.0,
    limit: float = MISSING_LIMIT,
) -> AlertDecision:
    """Decide whether a feature view has stopped giving values.

    Fires if the share of rows in which every column of the view is missing (null, NaN, or not there at all)
    is more than ``limit`` above the ``usual`` share.

    Args:
        features: the features of the window's predictions, one row each.
        endpoint: the endpoint that served them.
        view: the feature view's name.
        columns: the view's columns.
        window: when they were served.
        usual: the share that is normal, in [0, 1].
        limit: how far above it is too much.
    """
    held = [column for column in columns if column in features.columns]
    if held:
        absent = [
            pl.col(column).is_null() | pl.col(column).is_nan()
            if features.schema[column].is_float()
            else pl.col(column).is_null()
            for column in held
        ]
        missing = int(features.select(pl.all_horizontal(absent).sum()).item())
    else:
        missing = features.height
    return _decide_share(
        endpoint,
        f"features.{view}",
        f"predictions in {_span(window)} with no value from feature view {view}",
        missing,
        features.height,
        usual=usual,
        limit=limit,
        waits=None,
        evidence={"view": view, "columns": list(columns), **_window_evidence(window)},
    )


def decide_lost_records(
    endpoint: EndpointName, *, lost: int, before: int, since: datetime, now: datetime, why: str | None = None
) -> AlertDecision:
    """Decide whether predictions are answered without being logged.

    Fires when more were lost than at the look before, and resolves once none was for a day.

    Args:
        endpoint: the endpoint that answered them.
        lost: predictions lost ever.
        before: the same, at the look before.
        since: when it last rose.
        now: the instant of this look.
        why: what keeps the log from being written now, if anything does.
    """
    if lost > before:
        action, verdict = AlertAction.FIRE, f"{lost - before:,} since the look before"
    elif now - since >= _QUIET:
        action, verdict = AlertAction.RESOLVE, "none for a day"
    else:
        action, verdict = AlertAction.STAY, f"none since {since:%Y-%m-%d %H:%M} UTC"
    return AlertDecision(
        endpoint=endpoint,
        rule="records",
        action=action,
        level=AlertLevel.TICKET,
        summary=f"Prediction records of {endpoint} were lost, because the ring of its log was full: {verdict}"
        f" ({lost:,} ever)." + (f" It cannot be emptied: {why}." if why else ""),
        evidence={"lost": lost, "before": before, "since": since.isoformat(), "why": why},
        next_command="mlwright doctor",
    )


def context_of(drift: DriftReport, top: int = 3) -> dict[str, object]:
    """The features that moved most, by PSI, as context for an alert and never as a reason for one."""
    most = sorted(drift.features, key=lambda feature: (-feature.psi, feature.column))[:top]
    return {
        "note": "drift is context: it shows what changed, not that it did harm",
        "drift": [
            {
                "column": feature.column,
                "psi": feature.psi,
                "js": feature.js,
                "null_rate": feature.null_rate,
                "reference_null_rate": feature.reference_null_rate,
                "unseen_rate": feature.unseen_rate,
            }
            for feature in most
        ],
        **_window_evidence(drift.window),
    }


def alert_id(endpoint: EndpointName, rule: str, fired: datetime) -> AlertId:
    """The alert's id, the same whenever a rule fires again on one UTC day: ``delay-auc-2013-05-02``."""
    return AlertId(f"{endpoint}-{rule}-{fired.astimezone(UTC):%Y-%m-%d}")


def alert_of(decision: AlertDecision, *, at: datetime, context: Mapping[str, object] | None = None) -> Alert:
    """The firing alert that a decision asks for.

    Args:
        decision: a decision to fire.
        at: the instant of firing.
        context: what else changed, from ``context_of``; kept under ``context`` in the evidence.

    Raises:
        ValueError: the decision is not to fire.
    """
    if decision.action is not AlertAction.FIRE:
        raise ValueError(f"a decision to {decision.action} makes no alert")
    return Alert(
        id=alert_id(decision.endpoint, decision.rule, at),
        rule=decision.rule,
        endpoint=decision.endpoint,
        level=decision.level,
        state=AlertState.FIRING,
        fired=at,
        summary=decision.summary,
        evidence={**decision.evidence, "context": dict(context)} if context else dict(decision.evidence),
        next_command=decision.next_command,
    )


def _metric(performance: Performance, settings: MonitorSettings) -> Estimate | None:
    metric, task = settings.metric, settings.task
    if not is_metric(metric, task):
        known = METRICS.get(task, ())
        near = near_match(metric, known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(
            f"{metric!r} is not measured where the task is {task!r}{hint}",
            where=f"mlwright.toml, endpoint {performance.endpoint}, monitor.metric",
            why=f"measured are {', '.join(known)}",
            next_command="mlwright doctor",
        )
    return performance.metrics.get(metric)


def _distance(bias: Estimate | None) -> Estimate | None:
    """How far a bias is from none: 0 is the least where its interval has both signs."""
    if bias is None:
        return None
    ends = (abs(bias.lower), abs(bias.upper))
    least = 0.0 if bias.lower <= 0 <= bias.upper else min(ends)
    return replace(bias, value=abs(bias.value), lower=least, upper=max(ends))


def _judge(
    performance: Performance, measured: Estimate | None, limit: float, sign: float
) -> tuple[AlertAction, str]:
    """The action and the reason for it in words."""
    if not performance.matured:
        return AlertAction.STAY, "its labels have not matured, so it is not judged"
    if measured is None:
        return AlertAction.STAY, "it cannot be measured"
    if few := _too_few(performance):
        return AlertAction.STAY, few
    if sign * (measured.value - limit) >= 0:
        return AlertAction.RESOLVE, "it is within the limit"
    best = measured.upper if sign > 0 else measured.lower
    if sign * (best - limit) < 0:
        return AlertAction.FIRE, "the whole interval is worse than the limit"
    return AlertAction.STAY, "the estimate is worse than the limit, but the interval still reaches it"


def _too_few(performance: Performance) -> str | None:
    """Why there is too little to judge by, in words."""
    if performance.positive_rate is None:
        few = performance.labelled < MIN_ROWS
        return f"only {performance.labelled} labels, {MIN_ROWS} are needed to judge" if few else None
    positives = round(performance.positive_rate * performance.labelled)
    fewest = min(positives, performance.labelled - positives)
    few = fewest < MIN_PER_CLASS
    return f"only {fewest} labels of one class, {MIN_PER_CLASS} are needed to judge" if few else None


def _decide_share(
    endpoint: EndpointName,
    rule: str,
    what: str,
    missing: int,
    rows: int,
    *,
    usual: float,
    limit: float,
    waits: str | None,
    evidence: Mapping[str, object],
) -> AlertDecision:
    share = missing / rows if rows else 0.0
    if waits:
        action, verdict = AlertAction.STAY, waits
    elif rows < MIN_ROWS:
        action, verdict = AlertAction.STAY, f"{MIN_ROWS} rows are needed to judge"
    elif share > usual + limit:
        action, verdict = AlertAction.FIRE, "more than the limit"
    else:
        action, verdict = AlertAction.RESOLVE, "within the limit"
    summary = (
        f"{share:.1%} of {endpoint}'s {what} ({missing:,} of {rows:,}); {verdict}."
        f" Limit {usual + limit:.1%} = {usual:.1%} usual + {limit:.1%}."
    )
    return AlertDecision(
        endpoint=endpoint,
        rule=rule,
        action=action,
        level=AlertLevel.TICKET,
        summary=summary,
        evidence={
            "share": share,
            "missing": missing,
            "rows": rows,
            "usual": usual,
            "limit": limit,
            **evidence,
        },
        next_command=f"mlwright monitor {endpoint}",
    )


def _shown(measured: Estimate | None, performance: Performance, show: Callable[[float], str]) -> str:
    labelled = f"{performance.labelled:,} labelled of {performance.predictions:,} predictions"
    if measured is None:
        return f"none ({labelled})"
    bounds = f"{measured.level:.0%} interval {show(measured.lower)} to {show(measured.upper)}"
    return f"{show(measured.value)} ({bounds}, {labelled})"


def _form(task: str) -> Callable[[float], str]:
    """Shares have three decimals; errors of numbers have any size."""
    return (lambda value: f"{value:.4g}") if task == "regression" else (lambda value: f"{value:.3f}")


def _span(window: Window) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"


def _estimate_evidence(measured: Estimate | None) -> dict[str, object]:
    names = ("value", "lower", "upper", "level", "assumption")
    return {name: getattr(measured, name) if measured else None for name in names}


def _window_evidence(window: Window) -> dict[str, object]:
    return {"window": [window.start.isoformat(), window.end.isoformat()]}
