"""Sending what waits in the outbox: one claimed message after the other."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from mlwright.errors import NotFound
from mlwright.model.alerting import ChannelAnswer, ChannelState, ChannelTrouble, Notice, NoticeKind
from mlwright.model.ids import AlertId, EndpointName
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.model.watch_settings import NotifySettings
from mlwright.platform.parts import Parts
from mlwright.ports.notifier import Notifier
from mlwright.stages.monitoring import inbox, outbox
from mlwright.stages.monitoring.outbox import Delivery, Parcel

_log: Final = logging.getLogger("mlwright.alerts")
_GONE: Final = "the channel is not in mlwright.toml any more"
_LONGEST_ERROR: Final = 400
_SHORTEST_SECRET: Final = 4
"""What is shorter is no secret, and would black out half of every text."""


def deliver(parts: Parts) -> int:
    """Send what is due; returns how many messages were taken. What fails is tried again later.

    A channel that cannot be reached is left alone for the rest of this call: the others are not kept waiting by its
    time-outs.
    """
    channels = {each.name: each for each in parts.notifiers}
    left, taken = dict(channels), 0
    with parts.read() as tx:
        gone = any(each.channel not in channels for each in outbox.waiting(tx, due=parts.clock.now()))
    if gone:
        with parts.write() as tx:
            outbox.give_up_on(tx, tuple(channels), parts.clock.now(), _GONE)
    while left:
        with parts.read() as tx:
            if not outbox.any_due(tx, parts.clock.now(), tuple(left)):
                break  # mostly nothing is: the lock of the writer is not taken for that
        with parts.write() as tx:
            now = parts.clock.now()
            parcel = outbox.claim(tx, now, secrets.token_hex(16), channels=tuple(left))
            notice = compose(tx, parcel, now) if parcel is not None else None
        if parcel is None or notice is None:
            break
        channel = channels[parcel.channel]
        trouble = _send(parts, channel, notice)
        with parts.write() as tx:
            now = parts.clock.now()
            if trouble is None:
                outbox.delivered(tx, parcel, now, channel.resend)
                taken += 1
            else:
                outbox.failed(tx, parcel, now, str(trouble), refused=trouble.refused, after=trouble.after)
        if trouble is not None and not trouble.refused:
            del left[parcel.channel]
    return taken


def compose(tx: Connection, parcel: Parcel, now: datetime) -> Notice:
    """The message of a parcel: its alerts as they stand, and those of the group that the channel believes open."""
    news = {row.alert_id: row for row in parcel.rows}
    told = outbox.told_of_group(tx, parcel.group, parcel.channel)
    shown = [
        _as_told(alert, over=alert.id in news and news[alert.id].state is AlertState.RESOLVED)
        for alert in inbox.group_members(tx, parcel.group)
        if alert.id in news or alert.id in told.open
    ]
    shown.sort(key=lambda each: (each.id not in news, each.fired))
    newest, kind = parcel.rows[-1], _kind(parcel.rows)
    again = f"-{newest.attempts}" if kind is NoticeKind.REFRESH else ""
    return Notice(
        key=f"{parcel.group}/{newest.id}{again}",
        group=parcel.group,
        endpoint=shown[0].endpoint,
        at=now,
        alerts=tuple(shown),
        news=tuple(news),
        kind=kind,
    )


def troubles(parts: Parts) -> tuple[ChannelState, ...]:
    """The channels that do not take their messages, by name."""
    with parts.read() as tx:
        stuck = outbox.stuck(tx)
    found: dict[str, list[Delivery]] = {}
    for each in stuck:
        found.setdefault(each.channel, []).append(each)
    return tuple(
        ChannelState(
            channel=channel,
            waiting=len(rows),
            since=min(each.enqueued for each in rows),
            next_try=min(each.retry for each in rows),
            error=rows[-1].error or "",
            refused=any(each.refused for each in rows),
            next_command=f"mlwright alerts test {channel}",
        )
        for channel, rows in sorted(found.items())
    )


def try_channel(parts: Parts, name: str) -> ChannelAnswer:
    """Send a test message by a channel, outside of the outbox, and say what came back.

    A receiver that keeps incidents open is told that this one is over.

    Raises:
        NotFound: there is no such channel; the nearest is suggested.
    """
    channel = next((each for each in parts.notifiers if each.name == name), None)
    if channel is None:
        raise NotFound.named("channel", name, [each.name for each in parts.notifiers], "mlwright doctor")
    began = perf_counter()
    said: list[str] = []
    trouble: ChannelTrouble | None = None
    for notice in _tests(parts, closing=channel.keeps):
        try:
            said.append(_said(parts, channel, notice))
        except ChannelTrouble as fault:
            trouble = fault
            break
    return ChannelAnswer(
        channel=name,
        delivered=trouble is None,
        said="; then ".join([*said, *([str(trouble)] if trouble else [])]),
        took_ms=(perf_counter() - began) * 1000,
    )


def _tests(parts: Parts, *, closing: bool) -> Iterator[Notice]:
    now = parts.clock.now()
    id = AlertId(f"test-{now:%Y%m%dT%H%M%S%f}")
    alert = Alert(
        id=id,
        rule="test",
        endpoint=EndpointName("test"),
        level=AlertLevel.INFO,
        state=AlertState.FIRING,
        fired=now,
        summary=f"Test message of mlwright for project {parts.settings.name}: nothing is wrong.",
        next_command="mlwright alerts",
        owner=parts.actor,
        runbook="nothing to do",
    )
    states = [alert, replace(alert, state=AlertState.RESOLVED, resolved=now)] if closing else [alert]
    for number, each in enumerate(states):
        yield Notice(
            key=f"{id}/{number}",
            group=str(id),
            endpoint=each.endpoint,
            at=now,
            alerts=(each,),
            news=(id,),
            kind=NoticeKind.TEST,
        )


def _send(parts: Parts, channel: Notifier, notice: Notice) -> ChannelTrouble | None:
    """Send one message; returns why it failed, or None."""
    try:
        _said(parts, channel, notice)
    except ChannelTrouble as trouble:
        _log.warning("channel %s did not take %s: %s", channel.name, notice.key, trouble)
        return trouble
    return None


def _said(parts: Parts, channel: Notifier, notice: Notice) -> str:
    """Send one message; every failure is a ChannelTrouble whose text holds no secret of the settings."""
    hidden = parts.settings.notify
    try:
        return _without_secrets(channel.send(notice), hidden)
    except ChannelTrouble as fault:
        trouble, refused, after = fault, fault.refused, fault.after
        said = str(trouble)
    except OSError as fault:
        said, refused, after = str(fault) or type(fault).__name__, False, None
    except Exception as fault:  # noqa: BLE001 - a fault in one channel keeps nobody else from being told
        said, refused, after = f"{type(fault).__name__} in the channel", False, None
    # Not "from": what is behind it may quote an address with its token.
    raise ChannelTrouble(_without_secrets(said, hidden), refused=refused, after=after) from None


def _without_secrets(text: str, channels: Sequence[NotifySettings]) -> str:
    """The text without what settings keep secret, however it came in: a second wall behind the adapters' own care."""
    for each in channels:
        for secret in (each.key, *((each.key or "").split(":", 1)), each.url, *_parts_of(each.url)):
            if secret and len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
    return text if len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + " …"


def _parts_of(url: str | None) -> tuple[str, ...]:
    """The path, the query and the password of an address: chat services put their token there."""
    if not url:
        return ()
    try:
        found = urlsplit(url)
    except ValueError:
        return ()
    return tuple(each for each in (found.path.strip("/"), found.query, found.password or "") if each)


def _as_told(alert: Alert, *, over: bool) -> Alert:
    """The alert as a message shows it; one whose end is held back for a while still fires."""
    if over or alert.state is not AlertState.RESOLVED:
        return alert
    state = AlertState.ACKNOWLEDGED if alert.acknowledged_by else AlertState.FIRING
    return replace(alert, state=state, resolved=None)


def _kind(rows: Sequence[Delivery]) -> NoticeKind:
    new = [row for row in rows if row.sent is None]
    if not new:
        return NoticeKind.REFRESH
    changes = any(row.kind is NoticeKind.CHANGE for row in new)
    return NoticeKind.CHANGE if changes else NoticeKind.ESCALATION
