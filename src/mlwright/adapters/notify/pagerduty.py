"""Alerts as events of PagerDuty's Events API, version 2: one incident a group.

Source: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ (limits: 1024 characters of a summary, 255
of a ``dedup_key``, 512 KB of an event).
"""

from datetime import timedelta
from typing import Final

from mlwright.adapters.notify.payload import iso, key_within, log_record, to_json
from mlwright.adapters.notify.posting import Receiver
from mlwright.adapters.notify.wording import LONGEST, MOST_ALERTS, cut, title
from mlwright.model.alerting import Notice
from mlwright.model.monitoring import AlertLevel, AlertState

EVENTS: Final = "https://events.pagerduty.com"
_ACTIONS = {
    AlertState.FIRING: "trigger",
    AlertState.ACKNOWLEDGED: "acknowledge",
    AlertState.RESOLVED: "resolve",
}
_SEVERITIES = {AlertLevel.PAGE: "critical", AlertLevel.TICKET: "warning", AlertLevel.INFO: "info"}
_SUMMARY, _KEY, _EVENT_BYTES = 1024, 255, 500_000


class PagerDutyNotifier:
    """Triggers, acknowledges and resolves by ``dedup_key``: an event that arrives twice is one.

    Args:
        key: the routing (integration) key of the service.
        url: of the events service; without it PagerDuty's own. The EU region has another.
        name: the channel's name.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    resend: timedelta | None = None
    keeps = True

    def __init__(
        self, key: str, *, url: str | None = None, name: str = "pagerduty", timeout_s: float = 5.0
    ) -> None:
        self._receiver = Receiver(url or EVENTS, what="pagerduty", timeout_s=timeout_s)
        self._key = key
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Send the event; see ``Notifier.send``."""
        body = to_json(pagerduty_event(notice, key=self._key))
        if len(body.encode("utf-8", "backslashreplace")) > _EVENT_BYTES:
            body = to_json(pagerduty_event(notice, key=self._key, evidence=False))
        posted = self._receiver.post(body, path="/v2/enqueue")
        return f"answered {posted.status}: {posted.named('message') or 'taken'}"


def pagerduty_event(notice: Notice, *, key: str, evidence: bool = True) -> dict[str, object]:
    """The event's body; ``evidence`` False leaves out what may be large."""
    event: dict[str, object] = {
        "routing_key": key,
        "event_action": _ACTIONS[notice.state],
        "dedup_key": key_within(notice.group, _KEY),
    }
    if notice.state is not AlertState.FIRING:
        return event
    details = [log_record(each) for each in notice.alerts]
    if not evidence:
        large = {"evidence": "too large: see `mlwright alerts show`"}
        details = [{**each, "summary": cut(str(each["summary"]), LONGEST), **large} for each in details]
        details = details[:MOST_ALERTS]
    runbooks = dict.fromkeys(each.runbook for each in notice.open)
    links = [
        {"href": each, "text": "runbook"} for each in runbooks if each.startswith(("https://", "http://"))
    ]
    return {
        **event,
        "client": "mlwright",
        "payload": {
            "summary": title(notice, _SUMMARY),
            "source": str(notice.endpoint),
            "severity": _SEVERITIES[notice.level],
            "timestamp": iso(notice.fired),
            "component": str(notice.endpoint),
            "group": str(notice.group),
            "class": notice.open[0].rule,
            "custom_details": {"alerts": details},
        },
        **({"links": links} if links else {}),
    }
