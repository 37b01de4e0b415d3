"""``alerts``: what needs somebody, who is told of it, and what is kept from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, OrShow, command
from mlwright.doors.cli.show import pairs, table
from mlwright.model.alerting import ChannelAnswer, ChannelState, Silence
from mlwright.model.durations import parse_duration
from mlwright.model.monitoring import Alert


class _Span(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs of newer versions only
    """A duration such as ``2h``."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        try:
            return parse_duration(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What ``alerts`` lists for a person: the alerts, and the channels that do not take their messages."""

    alerts: tuple[Alert, ...]
    troubles: tuple[ChannelState, ...]


@click.group("alerts", cls=OrShow)
def alerts() -> None:
    """List alerts, take one, silence some, try a channel.

    ``mlwright alerts`` and ``mlwright alerts ID`` are short for ``mlwright alerts show``.
    """


@command("show", group=alerts, example="mlwright alerts\nmlwright alerts --endpoint churn --json")
@click.argument("alert", required=False)
@click.option("--endpoint", help="Only this endpoint's.")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, latest first."
)
def show(door: Door, alert: str | None, endpoint: str | None, limit: int) -> None:
    """List alerts, latest first, or look at one."""
    platform = door.platform
    alerting = platform.alerting
    if alert is not None:
        door.show(alerting.find(alert), _alert)
        return
    named = platform.parts.endpoint(endpoint).name if endpoint else None
    found = alerting.alerts(named, limit=limit)
    door.show(found, lambda listed: _inbox(Inbox(alerts=listed, troubles=alerting.troubles())))


@command("ack", group=alerts, example="mlwright alerts ack ALERT --by ada")
@click.argument("alert")
@click.option("--by", "who", required=True, help="Who looks after it.")
def ack(door: Door, alert: str, who: str) -> None:
    """Say that somebody looks after an alert: its escalation ends."""
    door.show(door.platform.alerting.acknowledge(alert, who), _alert)


@command(
    "silence",
    group=alerts,
    example='mlwright alerts silence --endpoint churn --for 2h --by ada --why "the source moves"\n'
    'mlwright alerts silence --endpoint churn --rule "features.*" --for 1d --by ada --why "known, fixed on Monday"',
)
@click.option("--endpoint", required=True, help="Whose alerts.")
@click.option("--rule", help="Only this rule's; * stands for anything.")
@click.option("--for", "span", required=True, type=_Span(), help="For how long: 90m, 2h, 3d.")
@click.option("--by", "who", required=True, help="Who wants it.")
@click.option("--why", required=True, help="Why; it is shown beside the alerts.")
def silence(door: Door, endpoint: str, rule: str | None, span: timedelta, who: str, why: str) -> None:
    """Tell nobody of an endpoint's alerts for a while; they are kept and shown."""
    made = door.platform.alerting.silence(endpoint, span=span, by=who, why=why, rule=rule)
    door.show(made, _silence)


@command("silences", group=alerts, example="mlwright alerts silences\nmlwright alerts silences --all --json")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
def silences(door: Door, everything: bool) -> None:
    """List the silences that hold now."""
    door.show(door.platform.alerting.silences(everything=everything), _silences)


@command("unsilence", group=alerts, example="mlwright alerts unsilence SILENCE --by ada")
@click.argument("silence")
@click.option("--by", "who", help="Who wants it; the user without it.")
def unsilence(door: Door, silence: str, who: str | None) -> None:
    """End a silence now: what it held back and still fires is told."""
    platform = door.platform
    door.show(platform.alerting.unsilence(silence, who or platform.parts.actor), _silence)


@command("test", group=alerts, example="mlwright alerts test oncall")
@click.argument("channel")
def test(door: Door, channel: str) -> None:
    """Send a test message by a channel and show what came back; exit code 1 where it was not taken."""
    with door.working(f"trying {channel}"):
        answer = door.platform.alerting.try_channel(channel)
    door.show(answer, _answer)
    door.finish(well=answer.delivered)


def _inbox(found: Inbox) -> RenderableType:
    rows = [
        (
            each.id,
            f"{each.state.value}, silenced" if each.silenced and not each.resolved else each.state.value,
            each.level.value,
            each.endpoint,
            each.fired,
            each.resolved,
            each.summary,
        )
        for each in found.alerts
    ]
    columns = ["alert", "state", "level", "endpoint", "fired", "resolved", "what"]
    shown = table(columns, rows, empty="no alerts")
    if not found.troubles:
        return shown
    stuck = [
        (each.channel, each.waiting, each.since, "refused" if each.refused else "not reached", each.error)
        for each in found.troubles
    ]
    said = table(
        ["channel", "waiting#", "since", "state", "it said"], stuck, title="messages that do not leave"
    )
    return Group(shown, said)


def _alert(one: Alert) -> RenderableType:
    change = one.suspected
    about: Mapping[str, object] = {
        "alert": one.id,
        "rule": one.rule,
        "endpoint": one.endpoint,
        "state": one.state.value,
        "level": one.level.value,
        "fired": one.fired,
        "resolved": one.resolved,
        "came back": f"{one.flaps} times" if one.flaps else None,
        "looked after by": one.acknowledged_by,
        "silenced by": one.silenced,
        "told last": ", ".join(one.escalated_to) or None,
        "told together with": one.group if one.group != one.id else None,
        "owner": one.owner,
        "what": one.summary,
        "suspected change": f"{change.what}, {change.at:%Y-%m-%d %H:%M} UTC by {change.by}"
        if change
        else None,
        "runbook": one.runbook,
        "next": one.next_command,
    }
    rows = [(key, str(value)) for key, value in one.evidence.items()]
    return Group(pairs(about), table(["evidence", "value"], rows)) if rows else pairs(about)


def _silence(one: Silence) -> RenderableType:
    about: Mapping[str, object] = {
        "silence": one.id,
        "endpoint": one.endpoint,
        "rule": one.rule or "all",
        "from": one.start,
        "until": one.ended or one.end,
        "by": one.by,
        "why": one.why,
        "next": f"mlwright alerts unsilence {one.id}" if one.ended is None else "mlwright alerts",
    }
    return pairs(about)


def _silences(found: Sequence[Silence]) -> RenderableType:
    rows = [
        (each.id, each.endpoint, each.rule or "all", each.start, each.ended or each.end, each.by, each.why)
        for each in found
    ]
    return table(
        ["silence", "endpoint", "rule", "from", "until", "by", "why"], rows, empty="nothing is silenced"
    )


def _answer(one: ChannelAnswer) -> RenderableType:
    about: Mapping[str, object] = {
        "channel": one.channel,
        "taken": "yes" if one.delivered else "no",
        "it said": one.said,
        "took": f"{one.took_ms:.0f} ms",
    }
    return pairs(about)
