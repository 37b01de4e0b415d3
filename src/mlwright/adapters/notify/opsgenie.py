"""Alerts of the API that Opsgenie made known and others (Jira Service Management, ilert, …) speak.

Source: https://docs.opsgenie.com/docs/alert-api (limits: 130 characters of a message, 512 of an alias, 15000 of a
description, 8000 of all details, 20 tags of 50).
"""

from datetime import timedelta
from typing import Final
from urllib.parse import quote

from mlwright.adapters.notify.payload import key_within, to_json
from mlwright.adapters.notify.posting import Receiver
from mlwright.adapters.notify.wording import body, cut, facts, title, whole
from mlwright.model.alerting import Notice
from mlwright.model.monitoring import AlertLevel, AlertState

API: Final = "https://api.opsgenie.com"
_PRIORITIES = {AlertLevel.PAGE: "P1", AlertLevel.TICKET: "P3", AlertLevel.INFO: "P5"}
_MESSAGE, _ALIAS, _DESCRIPTION, _DETAILS, _TAG, _TAGS = 130, 512, 15_000, 8_000, 50, 20


class OpsgenieNotifier:
    """Creates, acknowledges and closes by alias: one that arrives twice is counted, not doubled.

    Args:
        key: the API key of an integration.
        url: of the service; without it Opsgenie's own. The EU region has another.
        name: the channel's name.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    resend: timedelta | None = None
    keeps = True

    def __init__(
        self, key: str, *, url: str | None = None, name: str = "opsgenie", timeout_s: float = 5.0
    ) -> None:
        self._receiver = Receiver(url or API, what="opsgenie", timeout_s=timeout_s)
        self._key = key
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Send the request; see ``Notifier.send``."""
        path, request = opsgenie_request(notice)
        posted = self._receiver.post(
            to_json(request), path=path, headers={"authorization": f"GenieKey {self._key}"}
        )
        return f"answered {posted.status}: {posted.named('result') or 'taken'}"


def opsgenie_request(notice: Notice) -> tuple[str, dict[str, object]]:
    """The path and the body."""
    alias = key_within(notice.group, _ALIAS)
    by = {"source": "mlwright", "note": cut(body(notice), _DESCRIPTION)}
    if notice.state is not AlertState.FIRING:
        verb = "close" if notice.state is AlertState.RESOLVED else "acknowledge"
        who = next((each.acknowledged_by for each in notice.alerts if each.acknowledged_by), None)
        user = {"user": cut(whole(who), 100)} if who and verb == "acknowledge" else {}
        return f"/v2/alerts/{quote(alias, safe='')}/{verb}?identifierType=alias", {**by, **user}
    first = notice.open[0]
    details: dict[str, str] = {}
    for name, value in (*facts(first), ("rule", first.rule), ("level", notice.level.value)):
        if sum(map(len, (*details, *details.values(), name, value))) <= _DETAILS:
            details[name] = whole(value)
    tags = ["mlwright", notice.level.value, *dict.fromkeys(each.rule for each in notice.open)]
    return "/v2/alerts", {
        "message": title(notice, _MESSAGE),
        "alias": alias,
        "description": cut(whole(body(notice)), _DESCRIPTION),
        "entity": cut(whole(str(notice.endpoint)), _ALIAS),
        "source": "mlwright",
        "priority": _PRIORITIES[notice.level],
        "tags": [cut(whole(each), _TAG) for each in tags[:_TAGS]],
        "details": details,
    }
