"""A sender of webhooks that remembers."""

from collections.abc import Mapping

from mlwright.errors import UsageError
from mlwright.model.webhooks import ReceiverAnswer


class RecordingWebhookSender:
    """Keeps what was sent in ``sent`` as (url, headers, body), and answers with ``answer``; raises it if it is a fault.

    Addresses other than ``https://`` are refused.
    """

    def __init__(self, answer: ReceiverAnswer | OSError | None = None) -> None:
        self.answer = answer or ReceiverAnswer(status=200, body="")
        self.sent: list[tuple[str, dict[str, str], bytes]] = []

    def check(self, url: str) -> None:
        """See ``WebhookSender.check``."""
        if not url.startswith("https://") or url == "https://":
            raise UsageError("a webhook's URL starts with https:// and names a host")

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Keep it; see ``WebhookSender.send``."""
        self.check(url)
        if isinstance(self.answer, OSError):
            raise self.answer
        self.sent.append((url, dict(headers), body))
        return self.answer
