"""The journey of alerts: opened and closed by rules, told to people, taken by somebody."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mlwright.errors import UsageError
from mlwright.model.alerting import ChannelAnswer, ChannelState, Silence
from mlwright.model.durations import format_duration
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert
from mlwright.platform import telling
from mlwright.platform.escalating import Escalation
from mlwright.platform.parts import Parts
from mlwright.platform.suspecting import note_settings, onset_of, suspected_change
from mlwright.stages.monitoring import inbox, silences
from mlwright.stages.monitoring.alerts import AlertAction, AlertDecision, alert_of
from mlwright.stages.monitoring.grouping import group_of
from mlwright.stages.monitoring.levels import level_within, rule_level

LONGEST_SILENCE = timedelta(days=30)
"""What has to be silent for longer is no alert: its rule or its limit should change."""


class AlertJourney:
    """Keeps alerts and tells people of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._escalation = Escalation(parts)

    def alerts(self, endpoint: str | None = None, *, limit: int = 100) -> tuple[Alert, ...]:
        """The latest alerts first."""
        with self._parts.read() as tx:
            name = EndpointName(endpoint) if endpoint else None
            return tuple(inbox.list_alerts(tx, name, limit=limit))

    def find(self, alert: str) -> Alert:
        """One alert with all that it carries.

        Raises:
            NotFound: there is no such alert; the nearest id is suggested.
        """
        with self._parts.read() as tx:
            return inbox.get_alert(tx, AlertId(alert))

    def acknowledge(self, alert: str, who: str) -> Alert:
        """Say that somebody looks after an alert: nobody else is told of it any more, but that it is taken and its end.

        Raises:
            NotFound: there is no such alert; the nearest id is suggested.
            Conflict: it is over.
        """
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            changed = inbox.acknowledge(tx, AlertId(alert), who, now)
            self._parts.audit(tx, "acknowledge", f"alert:{alert}", by=who)
            self._escalation.taken(tx, changed, now)
        return changed

    def silence(
        self, endpoint: str, *, span: timedelta, by: str, why: str, rule: str | None = None
    ) -> Silence:
        """Keep and show an endpoint's alerts for a while without telling anybody, from now on.

        What fires at its end is told then.

        Args:
            endpoint: whose alerts.
            span: for how long.
            by: who wants it.
            why: why; it is shown beside each alert that it holds back.
            rule: of this rule only; ``*`` stands for anything.

        Raises:
            NotFound: there is no such endpoint.
            UsageError: the span is not positive or too long, or nobody or nothing is named.
        """
        now = self._parts.clock.now()
        made = Silence(
            id=f"silence-{now:%Y%m%d}-{secrets.token_hex(3)}",
            endpoint=EndpointName(self._parts.endpoint(endpoint).name),
            rule=rule or None,
            by=by.strip(),
            why=why.strip(),
            start=now,
            end=now + _allowed(span),
        )
        for name, said in (("by", made.by), ("why", made.why)):
            if not said:
                raise UsageError(
                    f"a silence without {name!r}", why="others have to know whom to ask about it"
                )
        with self._parts.write() as tx:
            silences.add_silence(tx, made)
            details = {"rule": rule, "until": made.end.isoformat(), "by": made.by, "why": made.why}
            self._parts.audit(tx, "silence", f"endpoint:{endpoint}", silence=made.id, **details)
            self._escalation.sweep(tx, now)
        return made

    def silences(self, *, everything: bool = False) -> tuple[Silence, ...]:
        """The silences that hold now; with ``everything`` those that are over, too. The latest first."""
        with self._parts.read() as tx:
            return silences.list_silences(tx, at=None if everything else self._parts.clock.now())

    def unsilence(self, silence: str, by: str) -> Silence:
        """End a silence now: what it held back and still fires is told.

        Raises:
            NotFound: there is no such silence; the nearest id is suggested.
            Conflict: it is over already.
        """
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            ended = silences.end_silence(tx, silence, now)
            self._parts.audit(tx, "unsilence", f"endpoint:{ended.endpoint}", silence=silence, by=by)
            self._escalation.sweep(tx, now)
        return ended

    def escalate(self) -> None:
        """Tell those whose turn it is of what nobody has taken, and of what a silence held back until now."""
        note_settings(self._parts)
        now = self._parts.clock.now()
        with self._parts.read() as tx:
            if not inbox.firing(tx):
                return
        with self._parts.write() as tx:
            self._escalation.sweep(tx, now)

    def deliver(self) -> int:
        """Send what is due in the outbox; returns how many messages were taken. What fails is tried again later."""
        return telling.deliver(self._parts)

    def troubles(self) -> tuple[ChannelState, ...]:
        """The channels that do not take their messages."""
        return telling.troubles(self._parts)

    def try_channel(self, channel: str) -> ChannelAnswer:
        """Send a test message by a channel and say what came back.

        Raises:
            NotFound: there is no such channel; the nearest is suggested.
        """
        return telling.try_channel(self._parts, channel)

    def act(
        self,
        tx: Connection,
        decisions: Sequence[AlertDecision],
        context: Mapping[str, object],
        now: datetime,
    ) -> tuple[Alert, ...]:
        """Open and close alerts as the rules say; returns those whose state changed."""
        opened: list[Alert] = []
        closed: list[Alert] = []
        known: dict[EndpointName, dict[str, Alert]] = {}
        for decision in decisions:
            if decision.endpoint not in known:
                known[decision.endpoint] = {each.rule: each for each in inbox.firing(tx, decision.endpoint)}
            is_open = known[decision.endpoint]
            held = is_open.get(decision.rule)
            if decision.action is AlertAction.FIRE and held is None:
                # An open alert keeps saying what opened it; later windows are in the monitoring tables.
                saved = inbox.save_alert(tx, self._alert(tx, decision, context, tuple(is_open.values()), now))
                del known[decision.endpoint]
                if saved.new:  # on PostgreSQL another process may have been faster
                    opened.append(saved.alert)
            elif decision.action is AlertAction.RESOLVE and held is not None:
                closed.append(replace(inbox.resolve(tx, held.id, now), summary=decision.summary))
                del known[decision.endpoint]
        for alert in (*opened, *closed):
            self._parts.audit(tx, f"alert {alert.state}", f"alert:{alert.id}", rule=alert.rule)
        told = tuple(self._escalation.opened(tx, alert, now) for alert in opened)
        for alert in closed:
            self._escalation.closed(tx, alert, now)
        return (*told, *closed)

    def _alert(
        self,
        tx: Connection,
        decision: AlertDecision,
        context: Mapping[str, object],
        is_open: Sequence[Alert],
        now: datetime,
    ) -> Alert:
        """The alert of a decision, with whom to ask, what to do, and what changed before it."""
        settings = self._parts.settings.endpoint(decision.endpoint)
        made = replace(
            alert_of(decision, at=now, context=context),
            level=level_within(decision.rule, decision.level),
            owner=settings.owner if settings else None,
            runbook=(settings.runbook if settings else None) or rule_level(decision.rule).first_aid,
            suspected=suspected_change(tx, decision.endpoint, onset_of(decision, now)),
        )
        return replace(made, group=group_of(made, is_open))


def _allowed(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= LONGEST_SILENCE:
        raise UsageError(
            f"a silence of {format_duration(span) if span > timedelta(0) else span}",
            why=f"it lasts longer than nothing, and at most {format_duration(LONGEST_SILENCE)}",
            next_command="mlwright alerts silence --help",
        )
    return span
