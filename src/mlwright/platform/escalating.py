"""Which channels hear of which alert, and when: the rules of the settings, kept in the transaction of the change."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from mlwright.model.alerting import NoticeKind
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.platform.parts import Parts
from mlwright.stages.monitoring import inbox, outbox, silences
from mlwright.stages.monitoring.escalating import EscalationClock, due_step, plan_for, told_at_once
from mlwright.stages.monitoring.grouping import end_told_at, told_at


class Escalation:
    """Puts messages into the outbox; nothing here waits or sends."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def opened(self, tx: Connection, alert: Alert, now: datetime) -> Alert:
        """Tell of a new alert, or of one that came back, unless it is silenced."""
        held_back = outbox.cancel(tx, alert.id, (AlertState.RESOLVED,), now)
        if alert.flaps and held_back:
            return inbox.carry_on(tx, alert.id)
        if alert.flaps:
            alert = inbox.start_over(tx, alert.id)
        silence = silences.silence_over(tx, alert.endpoint, alert.rule, now)
        if silence is not None:
            return inbox.mark_silenced(tx, alert.id, silence.id)
        return self._begin(tx, alert, now)

    def taken(self, tx: Connection, alert: Alert, now: datetime) -> None:
        """Tell those who were told that somebody has taken it."""
        for channel in outbox.told(tx, alert.id):
            outbox.enqueue(tx, alert, channel, now)

    def closed(self, tx: Connection, alert: Alert, now: datetime) -> None:
        """Tell those who were told that it is over; what nobody has heard of needs no end."""
        told = outbox.told(tx, alert.id)
        outbox.cancel(tx, alert.id, (AlertState.FIRING, AlertState.ACKNOWLEDGED), now)
        for channel in told:
            outbox.enqueue(tx, alert, channel, now, due=end_told_at(alert, now))

    def sweep(self, tx: Connection, now: datetime) -> None:
        """Look at every open alert: begin and end its silence, and take the step of its escalation that is due."""
        for alert in inbox.firing(tx):
            silence = silences.silence_over(tx, alert.endpoint, alert.rule, now)
            name = silence.id if silence else None
            if name is not None:
                if alert.silenced != name:
                    inbox.mark_silenced(tx, alert.id, name)
                    outbox.cancel(tx, alert.id, (AlertState.FIRING,), now)
            elif alert.silenced is not None:
                shown = inbox.mark_silenced(tx, alert.id, None)
                if shown.state is AlertState.FIRING:
                    self._begin(tx, shown, now)
            elif alert.state is AlertState.FIRING:
                self._step(tx, alert, now)

    def _begin(self, tx: Connection, alert: Alert, now: datetime) -> Alert:
        inbox.set_clock(tx, alert.id, EscalationClock(since=now), to=())
        for channel in self._at_once(alert):
            told = outbox.told_of_group(tx, alert.group or alert.id, channel)
            levels = self._levels(tx, told)
            last = told.last if told.open else None
            outbox.enqueue(tx, alert, channel, now, due=told_at(alert, now, last=last, told=levels))
        return self._step(tx, inbox.get_alert(tx, alert.id), now)

    def _step(self, tx: Connection, alert: Alert, now: datetime) -> Alert:
        """Tell the channels of the step that is due, if one is."""
        clock = inbox.get_clock(tx, alert.id)
        plan = plan_for(self._parts.settings.escalations, level=alert.level, endpoint=alert.endpoint)
        index = due_step(plan, clock, now) if plan and clock else None
        if plan is None or clock is None or index is None:
            return alert
        to = plan.steps[index].to
        inbox.set_clock(tx, alert.id, replace(clock, step=index, told=now), to=to)
        kind = NoticeKind.CHANGE if clock.step < 0 and index == 0 else NoticeKind.ESCALATION
        for channel in to:
            outbox.enqueue(tx, alert, channel, now, kind=kind)
        return inbox.get_alert(tx, alert.id)

    def _levels(self, tx: Connection, told: outbox.Told) -> tuple[AlertLevel, ...]:
        return tuple(inbox.get_alert(tx, id).level for id in told.open)

    def _at_once(self, alert: Alert) -> tuple[str, ...]:
        settings = self._parts.settings
        return told_at_once(
            [each.name for each in self._parts.notifiers],
            settings.notify,
            settings.escalations,
            level=alert.level,
            endpoint=alert.endpoint,
        )
