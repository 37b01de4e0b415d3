"""Alerts as calls of Alertmanager's webhook."""

from mlwright.adapters.notify.payload import to_json, webhook_payload
from mlwright.adapters.notify.posting import Receiver
from mlwright.model.alerting import Notice


class WebhookNotifier:
    """Posts each message to one URL.

    The URL may hold a secret (chat services put a token in its path): messages name its host only. A message that is
    sent again has the same ``Idempotency-Key``.

    Args:
        url: ``http`` or ``https``.
        name: the channel's name; also the payload's ``receiver``.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    resend = None
    keeps = False

    def __init__(self, url: str, *, name: str = "webhook", timeout_s: float = 5.0) -> None:
        self._receiver = Receiver(url, what="webhook", timeout_s=timeout_s)
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Post the message; see ``Notifier.send``. Any answer but 2xx counts as not taken."""
        body = to_json(webhook_payload(notice, receiver=self._name))
        # A quoted string as in RFC 8941; keys are made of ids, which may hold anything.
        key = notice.key.encode("ascii", "backslashreplace").decode().replace("\\", "/").replace('"', "'")
        posted = self._receiver.post(body, headers={"idempotency-key": f'"{key}"'})
        return f"answered {posted.status}"
