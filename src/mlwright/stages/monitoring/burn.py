"""Error budgets and how fast they burn: plain arithmetic, and when a burn becomes an alert.

Source: Beyer et al., The Site Reliability Workbook (2018), chapter 5. What is ours is the guard for low traffic: a
window whose bad events could be chance is not a burn, by the Chernoff bound of the Poisson distribution (Mitzenmacher
and Upfal, Probability and Computing, theorem 5.4), which Prometheus can compute as well.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, inf, log

from mlwright.model.monitoring import AlertLevel
from mlwright.model.slos import BURN_RULES, Burn, BurnRule, Objective, ObjectiveKind, ObjectiveStatus, Tally
from mlwright.stages.monitoring.alerts import AlertAction, AlertDecision

_SETTLE = timedelta(hours=6)
"""Over how long a time the burn rate is taken that says when the budget is used up, where it is known so long."""
_GRAVITY = (AlertLevel.PAGE, AlertLevel.TICKET)


def burn_rate(tally: Tally, objective: Objective) -> float | None:
    """How many times faster than allowed the budget burned while these events happened; None without events."""
    if tally.total <= 0:
        return None
    bad = tally.bad / tally.total
    if objective.allowed <= 0:
        return inf if bad > 0 else 0.0
    return bad / objective.allowed


def budget_left(tally: Tally, objective: Objective) -> float | None:
    """The part of the budget that the events of the whole window have left: 1 - bad / (allowed · total)."""
    rate = burn_rate(tally, objective)
    return None if rate is None else 1.0 - rate


def chance_bound(tally: Tally, allowed: float) -> float:
    """An upper bound on the chance of so many bad events if each were bad with probability ``allowed``.

    P(X ≥ b) ≤ exp(-(b·ln(b/e) - b + e)) for a Poisson X with mean e = allowed · total and b > e; 1 where b ≤ e. The
    same bound holds for the binomial.
    """
    bad, expected = tally.bad, allowed * tally.total
    if bad <= expected:
        return 1.0
    if expected <= 0:
        return 0.0
    return exp(-(bad * log(bad / expected) - bad + expected))


def status_of(
    objective: Objective,
    whole: Tally,
    spans: Mapping[timedelta, Tally],
    *,
    at: datetime,
    seen_since: datetime | None = None,
) -> ObjectiveStatus:
    """How an objective stands.

    Args:
        objective: what was promised.
        whole: the events of its window.
        spans: the events of each span of ``SPANS``; empty where events are too rare for burn rates.
        at: now.
        seen_since: when counting began.
    """
    burns = tuple(
        Burn(span=span, tally=tally, rate=burn_rate(tally, objective))
        for span, tally in sorted(spans.items())
    )
    left = budget_left(whole, objective)
    over, gone = _exhaustion(objective, left, burns, at, seen_since)
    holding = [rule.level for rule in BURN_RULES if spans and holds(rule, objective, spans)]
    return ObjectiveStatus(
        objective=objective,
        at=at,
        tally=whole,
        budget_left=left,
        burns=burns,
        exhausted_in=gone,
        over=over,
        level=min(holding, key=_GRAVITY.index) if holding else None,
        seen_since=seen_since,
        words=_words(objective, whole, left, over, gone),
    )


def holds(rule: BurnRule, objective: Objective, spans: Mapping[timedelta, Tally]) -> bool:
    """Whether the budget burns too fast over both windows, and more than chance would explain over the long one."""
    if not rule.reachable(objective):
        return False
    factor = rule.factor(objective.window)
    rates = [burn_rate(spans[span], objective) for span in (rule.long, rule.short)]
    fast = all(rate is not None and rate >= factor for rate in rates)
    return fast and chance_bound(spans[rule.long], objective.allowed) < rule.chance


def decide_burn(status: ObjectiveStatus) -> tuple[AlertDecision, ...]:
    """Decide about the page and the ticket of one objective.

    Each fires while one of its rules holds, and resolves when over all of its short windows that had any events the
    budget burned slower than the rule's limit. Where no event came in the short windows it resolves once the long
    ones are below the limit too. Quality has one event a day and no burn rates: a ticket says that its budget is used
    up; the decay itself is another rule's.
    """
    if status.objective.kind is ObjectiveKind.QUALITY:
        return (_decide_used_up(status),)
    return tuple(_decide_level(status, level) for level in _GRAVITY)


def _decide_level(status: ObjectiveStatus, level: AlertLevel) -> AlertDecision:
    objective = status.objective
    spans = {burn.span: burn.tally for burn in status.burns}
    rates = {burn.span: burn.rate for burn in status.burns}
    rules = [rule for rule in BURN_RULES if rule.level is level and rule.reachable(objective)]
    holding = [rule for rule in rules if holds(rule, objective, spans)]
    if holding:
        action = AlertAction.FIRE
    elif all(_calm(rule, objective, rates) for rule in rules):
        action = AlertAction.RESOLVE
    else:
        action = AlertAction.STAY
    return _decision(status, level, action, holding)


def _calm(rule: BurnRule, objective: Objective, rates: Mapping[timedelta, float | None]) -> bool:
    factor, short, long = rule.factor(objective.window), rates[rule.short], rates[rule.long]
    if short is not None:
        return short < factor
    return long is None or long < factor


def _decide_used_up(status: ObjectiveStatus) -> AlertDecision:
    action = {None: AlertAction.STAY, True: AlertAction.RESOLVE, False: AlertAction.FIRE}[status.kept]
    return _decision(status, AlertLevel.TICKET, action, ())


def _decision(
    status: ObjectiveStatus, level: AlertLevel, action: AlertAction, holding: Sequence[BurnRule]
) -> AlertDecision:
    objective = status.objective
    verdict = "the budget does not burn too fast"
    if holding:
        rule = holding[0]
        rate = next(burn.rate for burn in status.burns if burn.span == rule.long)
        verdict = (
            f"over the last {_span(rule.long)} its budget burned {rate:.3g} times as fast as it may"
            f" (limit {rule.factor(objective.window):.3g}), and still does over the last {_span(rule.short)}"
        )
    elif objective.kind is ObjectiveKind.QUALITY:
        verdict = "its budget is used up" if action is AlertAction.FIRE else "its budget is not used up"
    return AlertDecision(
        endpoint=objective.endpoint,
        rule=f"slo.{objective.kind}.{level}",
        action=action,
        level=level,
        summary=f"{objective.endpoint} promises {objective.promise}: {verdict}. {status.words}",
        evidence={
            "objective": objective.kind.value,
            "promise": objective.promise,
            "target": objective.target,
            "limit": objective.limit,
            "unit": objective.unit,
            "window_s": objective.window.total_seconds(),
            "good": status.tally.good,
            "total": status.tally.total,
            "budget_left": status.budget_left,
            "exhausted_in_s": status.exhausted_in.total_seconds()
            if status.exhausted_in is not None
            else None,
            "burn": {_span(burn.span): burn.rate for burn in status.burns},
            "rules": [_rule_evidence(rule, status) for rule in holding],
        },
        next_command=f"mlwright slo {objective.endpoint}",
    )


def _rule_evidence(rule: BurnRule, status: ObjectiveStatus) -> dict[str, object]:
    tally = next(burn.tally for burn in status.burns if burn.span == rule.long)
    return {
        "long": _span(rule.long),
        "short": _span(rule.short),
        "factor": rule.factor(status.objective.window),
        "bad": tally.bad,
        "total": tally.total,
        "chance_at_most": chance_bound(tally, status.objective.allowed),
    }


def _exhaustion(
    objective: Objective,
    left: float | None,
    burns: Sequence[Burn],
    at: datetime,
    seen_since: datetime | None,
) -> tuple[timedelta | None, timedelta | None]:
    """Over which span, and the time until nothing is left at its rate: left · window / rate, where the rate is over 1.

    At a rate of 1 or less a rolling window gives back at least what is used, so the budget lasts.
    """
    if left is None:
        return None, None
    if left <= 0:
        return None, timedelta(0)
    known = [each for each in burns if each.span <= _SETTLE and each.rate is not None]
    if not known:
        return None, None
    longest = known[-1]
    rate = longest.rate or 0.0
    if rate <= 1.0:
        return longest.span, None
    # A window that is not full yet has a smaller budget than the one it will have; what is left is of the full one.
    return longest.span, objective.window * (left / rate)


def _words(
    objective: Objective, whole: Tally, left: float | None, over: timedelta | None, gone: timedelta | None
) -> str:
    if left is None:
        return "Nothing was counted yet."
    text = f"{whole.share:.4%} of {whole.total:,.0f} {_events(objective)} in {_span(objective.window)} were good; "
    if left < 0:
        return f"{text}the budget is used {1 - left:.1f} times over."
    text += f"{left:.0%} of the budget is left"
    if gone is None or over is None:
        return f"{text}."
    return f"{text}, for {_span(gone)} more at the rate of the last {_span(over)}."


def _events(objective: Objective) -> str:
    return {
        ObjectiveKind.LATENCY: "answers",
        ObjectiveKind.AVAILABILITY: "requests",
        ObjectiveKind.THROUGHPUT: "requests within the promised rate",
        ObjectiveKind.FRESHNESS: "minutes",
        ObjectiveKind.QUALITY: "matured days",
    }[objective.kind]


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for name, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.0f} s"
