"""Alerts as calls of Alertmanager's webhook."""

import httpx

from mlwright.adapters.notify.payload import to_json, webhook_payload
from mlwright.errors import UsageError
from mlwright.model.monitoring import Alert


class WebhookNotifier:
    """Posts each change of an alert to one URL.

    The URL may hold a secret (chat services put a token in its path): messages name its host only.

    Args:
        url: ``http`` or ``https``.
        name: the channel's name; also the payload's ``receiver``.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    def __init__(self, url: str, *, name: str = "webhook", timeout_s: float = 5.0) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL as fault:
            raise UsageError(
                f"the webhook's URL is not one: {fault}", next_command="mlwright doctor"
            ) from fault
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise UsageError(
                "a webhook's URL starts with http:// or https:// and names a host",
                next_command="mlwright doctor",
            )
        self._name = name
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, alert: Alert) -> None:
        """Post the change; see ``Notifier.send``. Any answer but 2xx counts as not taken."""
        body = to_json(webhook_payload(alert, receiver=self._name)).encode("utf-8", errors="backslashreplace")
        headers = {"content-type": "application/json", "user-agent": "mlwright"}
        try:
            answer = httpx.post(self._url, content=body, headers=headers, timeout=self._timeout_s)
        except httpx.HTTPError as fault:
            raise OSError(f"webhook at {self._url.host}: {type(fault).__name__}") from fault
        if not answer.is_success:
            raise OSError(f"webhook at {self._url.host} answered {answer.status_code}")
