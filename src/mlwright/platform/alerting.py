"""The journey of alerts: opened and closed by rules, told to people, taken by somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert
from mlwright.platform.parts import Parts
from mlwright.ports.notifier import Notifier
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.alerts import AlertAction, AlertDecision, alert_of


class AlertJourney:
    """Keeps alerts and tells people of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def alerts(self, endpoint: str | None = None, *, limit: int = 100) -> tuple[Alert, ...]:
        """The latest alerts first."""
        with self._parts.read() as tx:
            name = EndpointName(endpoint) if endpoint else None
            return tuple(monitoring.list_alerts(tx, name, limit=limit))

    def acknowledge(self, alert: str, who: str) -> Alert:
        """Say that somebody looks after an alert.

        Raises:
            NotFound: there is no such alert; the nearest id is suggested.
        """
        with self._parts.write() as tx:
            changed = monitoring.acknowledge(tx, AlertId(alert), who, self._parts.clock.now())
            self._parts.audit(tx, "acknowledge", f"alert:{alert}", by=who)
            self._enqueue(tx, changed)
        return changed

    def deliver(self) -> int:
        """Send what is due in the outbox; returns how many were delivered. What fails is tried again later."""
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            due = monitoring.pending_deliveries(tx, now)
        channels = {each.name: each for each in self._parts.notifiers}
        delivered = 0
        for item in due:
            failure = _send(channels.get(item.channel), item.alert)
            with self._parts.write() as tx:
                if failure is None:
                    monitoring.mark_delivered(tx, item.id, now)
                    delivered += 1
                else:
                    monitoring.mark_failed(tx, item.id, now, failure)
        return delivered

    def act(
        self,
        tx: Connection,
        decisions: Sequence[AlertDecision],
        context: Mapping[str, object],
        now: datetime,
    ) -> tuple[Alert, ...]:
        """Open and close alerts as the rules say; returns those whose state changed."""
        changed: list[Alert] = []
        for decision in decisions:
            is_open = {each.rule: each for each in monitoring.firing(tx, decision.endpoint)}
            if decision.action is AlertAction.FIRE and decision.rule not in is_open:
                # An open alert keeps saying what opened it; later windows are in the monitoring tables.
                saved = monitoring.save_alert(tx, alert_of(decision, at=now, context=context))
                if saved.new:
                    changed.append(saved.alert)
            elif decision.action is AlertAction.RESOLVE and decision.rule in is_open:
                closed = monitoring.resolve(tx, is_open[decision.rule].id, now)
                changed.append(replace(closed, summary=decision.summary))
        for alert in changed:
            self._parts.audit(tx, f"alert {alert.state}", f"alert:{alert.id}", rule=alert.rule)
            self._enqueue(tx, alert)
        return tuple(changed)

    def _enqueue(self, tx: Connection, alert: Alert) -> None:
        for channel in self._parts.notifiers:
            monitoring.enqueue_delivery(tx, alert, channel.name, self._parts.clock.now())


def _send(channel: Notifier | None, alert: Alert) -> str | None:
    """Send one message; returns why it failed, or None."""
    if channel is None:
        return "the channel is not in mlwright.toml any more"
    try:
        channel.send(alert)
    except OSError as error:
        return str(error) or type(error).__name__
    return None
