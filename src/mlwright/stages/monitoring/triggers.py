"""When a retraining is due, what holds it up, and whether somebody has to say yes: pure rules, each with its reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mlwright.model.durations import format_duration
from mlwright.model.monitoring import Alert, DriftReport
from mlwright.model.watch_settings import RetrainSettings


class TriggerKind(StrEnum):
    """What asks for a retraining."""

    PERFORMANCE = "performance"
    DATA = "data"
    DRIFT = "drift"
    SCHEDULE = "schedule"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Why a retraining is due."""

    kind: TriggerKind
    key: str
    """The same for as long as the reason is the same one, while its numbers change: ``alert …``, ``schedule …``."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFacts:
    """What triggers look at.

    ``decayed`` is the open alert about the monitored metric, ``drift`` the latest daily reports in order,
    ``labelled`` how many labelled predictions there are since the last retraining (of which ``since`` names the
    instant), ``schedule`` what fell due, in words; empty: nothing.
    """

    decayed: Alert | None = None
    drift: Sequence[DriftReport] = ()
    labelled: int = 0
    since: datetime | None = None
    schedule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What retraining took so far: the last one, and those within the budget's window."""

    last: datetime | None = None
    runs: int = 0
    time: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a retraining that is due is not done now. ``key`` is the same while the reason is."""

    key: str
    why: str


def due_trigger(settings: RetrainSettings, facts: TriggerFacts) -> Trigger | None:
    """The trigger that asks loudest: proven decay, then new data, then drift, then the schedule; None: nobody asks."""
    on = settings.on
    if "performance" in on and facts.decayed is not None:
        alert = facts.decayed
        return Trigger(
            kind=TriggerKind.PERFORMANCE, key=f"alert {alert.id}", reason=f"alert {alert.id}: {alert.summary}"
        )
    if "data" in on and settings.new_rows and facts.labelled >= settings.new_rows:
        since = f"since {facts.since:%Y-%m-%d %H:%M} UTC" if facts.since else "so far"
        return Trigger(
            kind=TriggerKind.DATA,
            key=f"data {facts.since.isoformat() if facts.since else 'first'}",
            reason=f"{facts.labelled:,} labelled predictions {since}; {settings.new_rows:,} were waited for",
        )
    if "drift" in on and (moved := _drifted(settings, facts.drift)) is not None:
        return moved
    if facts.schedule:
        return Trigger(
            kind=TriggerKind.SCHEDULE, key=f"schedule {facts.schedule}", reason=f"the {facts.schedule}"
        )
    return None


def held(
    settings: RetrainSettings, spent: Spent, now: datetime, *, busy: bool, answered: Callable[[], bool]
) -> Hold | None:
    """What keeps a retraining that is due from being done now; None: nothing.

    Args:
        settings: cool-down and budget.
        spent: what was retrained already.
        now: the instant of the look.
        busy: whether a rollout is under way at the endpoint.
        answered: whether it answered anything that a candidate could be compared on; asked only where nothing else
            holds the retraining up.
    """
    if busy:
        return Hold(key="rollout", why="a rollout is under way, and a winner would have to wait for it")
    if spent.last is not None and now - spent.last < settings.cooldown:
        until = spent.last + settings.cooldown
        return Hold(
            key=f"cool-down {until.isoformat()}",
            why=f"the cool-down of {format_duration(settings.cooldown)} lasts until {until:%Y-%m-%d %H:%M} UTC",
        )
    window = format_duration(settings.budget_window)
    if settings.budget_runs and spent.runs >= settings.budget_runs:
        return Hold(
            key=f"budget {spent.runs}",
            why=f"the budget is spent: {spent.runs} of {settings.budget_runs} retrainings in {window}",
        )
    if settings.budget_time and spent.time >= settings.budget_time:
        took, most = format_duration(_whole(spent.time)), format_duration(settings.budget_time)
        return Hold(key="budget time", why=f"the budget is spent: {took} of {most} of training in {window}")
    if not answered():
        return Hold(
            key="no answers", why="nothing was answered lately that a candidate could be compared with it on"
        )
    return None


def needs_approval(settings: RetrainSettings, kind: TriggerKind) -> bool:
    """Whether somebody has to say yes before this trigger retrains: ``manual``, or ``manual:drift,data``."""
    head, _, kinds = settings.approval.partition(":")
    return head == "manual" and (not kinds or kind.value in kinds.split(","))


def _drifted(settings: RetrainSettings, reports: Sequence[DriftReport]) -> Trigger | None:
    latest = list(reports)[-settings.drift_days :]
    if len(latest) < settings.drift_days or any(_moved(each) < settings.drift_share for each in latest):
        return None
    # The day on which it began names it: it is one drift for as long as it lasts.
    began = latest[0]
    for report in reversed(list(reports)):
        if _moved(report) < settings.drift_share:
            break
        began = report
    share = _moved(latest[-1])
    return Trigger(
        kind=TriggerKind.DRIFT,
        key=f"drift {began.window.start:%Y-%m-%d}",
        reason=f"{share:.0%} of the features have moved since {began.window.start:%Y-%m-%d}, on {settings.drift_days} "
        f"days or more one after the other; {settings.drift_share:.0%} were waited for. Drift proves no harm: the gate "
        "compares with the champion",
    )


def _moved(report: DriftReport) -> float:
    """The share of features that moved; features of more importance count for more, where it is known."""
    return report.weighted


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=max(1, round(span.total_seconds())))
