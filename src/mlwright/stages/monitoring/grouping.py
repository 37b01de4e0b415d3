"""Which alerts are told together, and when: the groups of Alertmanager, one endpoint each.

Everything that one look finds goes out as one message at once (a look decides all rules before anything is told, so
there is nothing to wait for). What opens soon afterwards joins the group and waits, so that a failure that spreads is a
second message and not ten; what is worse than all that was told does not wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from mlwright.model.alerting import SEVERITY
from mlwright.model.monitoring import Alert, AlertLevel

GROUP_WINDOW: Final = timedelta(minutes=10)
"""An alert joins the group of its endpoint that began at most so long before."""
GROUP_INTERVAL: Final = timedelta(minutes=5)
"""So long after the last message about a group a new member waits (Alertmanager's ``group_interval``)."""
STEADY: Final = timedelta(hours=1)
"""An alert that came back once must stay away so long before its end is told."""


def group_of(alert: Alert, is_open: Sequence[Alert]) -> str:
    """The group of a new alert: that of the latest open one of its endpoint that began within ``GROUP_WINDOW``.

    Args:
        alert: the new one.
        is_open: the endpoint's open alerts.
    """
    begun: dict[str, datetime] = {}
    for each in is_open:
        group = each.group or each.id
        begun[group] = min(each.fired, begun.get(group, each.fired))
    near = [(at, group) for group, at in begun.items() if timedelta(0) <= alert.fired - at <= GROUP_WINDOW]
    return max(near)[1] if near else str(alert.id)


def told_at(alert: Alert, now: datetime, *, last: datetime | None, told: Sequence[AlertLevel]) -> datetime:
    """When a new member of a group is told on a channel.

    Args:
        alert: the member.
        now: the present instant.
        last: when the channel was last told of the group; None: never.
        told: the levels of the group's alerts that the channel was told of.
    """
    if last is None or all(SEVERITY[alert.level] > SEVERITY[level] for level in told):
        return now
    return max(now, last + GROUP_INTERVAL)


def end_told_at(alert: Alert, now: datetime) -> datetime:
    """When the end of an alert is told: at once, but for one that came back before."""
    return now + STEADY if alert.flaps else now
