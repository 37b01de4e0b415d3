"""Alerts as messages of Slack's incoming webhooks, with blocks; chat servers that speak the same take them, too.

Source: https://api.slack.com/messaging/webhooks and https://api.slack.com/reference/block-kit/blocks (limits: 50
blocks, 150 characters of a header, 3000 of a section's text, 10 elements of a context).
"""

from typing import Final

from mlwright.adapters.notify.payload import to_json
from mlwright.adapters.notify.posting import Receiver
from mlwright.adapters.notify.wording import cut, evidence, facts, title, whole
from mlwright.model.alerting import Notice
from mlwright.model.monitoring import Alert, AlertState

_HEADER, _SECTION, _CONTEXT = 150, 3000, 2000
_MOST_ALERTS: Final = 12
"""Three blocks each and four around them stay below Slack's 50."""
_SIGNS = {
    AlertState.FIRING: ":red_circle:",
    AlertState.ACKNOWLEDGED: ":large_yellow_circle:",
    AlertState.RESOLVED: ":large_green_circle:",
}


class SlackNotifier:
    """Posts one message for each change.

    Args:
        url: the webhook's; it is the key, and messages name its host only.
        name: the channel's name.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    resend = None
    keeps = False

    def __init__(self, url: str, *, name: str = "slack", timeout_s: float = 5.0) -> None:
        self._receiver = Receiver(url, what="slack", timeout_s=timeout_s)
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Post the message; see ``Notifier.send``."""
        posted = self._receiver.post(to_json(slack_message(notice)))
        return f"answered {posted.status} {posted.text}"[:80]


def slack_message(notice: Notice) -> dict[str, object]:
    """The body: ``text`` for notifications and screen readers, ``blocks`` for the eye."""
    line = title(notice)
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(line, _HEADER), "emoji": True}}
    ]
    for alert in notice.alerts[:_MOST_ALERTS]:
        blocks += _blocks(alert)
    more = len(notice.alerts) - _MOST_ALERTS
    if more > 0:
        blocks.append(
            _context(f"and {more} more: `mlwright alerts --endpoint {escape(str(notice.endpoint))}`")
        )
    return {"text": escape(line), "blocks": blocks}


def _blocks(alert: Alert) -> list[dict[str, object]]:
    told = f"{_SIGNS[alert.state]} *{escape(alert.rule)}* ({alert.level.value})\n{escape(alert.summary)}"
    names = "\n".join(f"*{escape(name)}*: {escape(value)}" for name, value in facts(alert))
    blocks: list[dict[str, object]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": cut(told, _SECTION)}},
        {"type": "section", "text": {"type": "mrkdwn", "text": cut(names, _SECTION)}},
    ]
    shown = ", ".join(f"{escape(name)} {escape(value)}" for name, value in evidence(alert))
    if shown:
        blocks.append(_context(f"evidence: {shown}"))
    return blocks


def _context(text: str) -> dict[str, object]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, _CONTEXT)}]}


def escape(text: str) -> str:
    """The three characters that Slack's markup gives a meaning: a summary must not mention ``<!channel>``."""
    return whole(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
