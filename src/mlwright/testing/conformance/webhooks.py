"""The exam of :class:`mlwright.ports.webhooks.WebhookSender`.

::

    class TestMySender(WebhookSenderConformance):
        @pytest.fixture
        def sender(self) -> WebhookSender: ...

        @pytest.fixture
        def url(self) -> str: ...                  # of a receiver that answers 200

        @pytest.fixture
        def received(self) -> Received: ...        # () -> [(headers in small letters, body), …] at the other end

        @pytest.fixture
        def broken(self) -> tuple[WebhookSender, str]: ...     # and a URL where nobody answers
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pytest

from mlwright.errors import UsageError
from mlwright.ports.webhooks import WebhookSender
from mlwright.testing.conformance.gaps import Conformance

Received: TypeAlias = Callable[[], Sequence[tuple[Mapping[str, str], bytes]]]

BODY = '{"entity": "prompt", "text": "\N{GREEK SMALL LETTER ALPHA}"}'.encode()


class WebhookSenderConformance(Conformance):
    """What every sender promises. Subclasses supply ``sender``, ``url``, ``received`` and ``broken``."""

    def test_body_and_headers_arrive_as_they_are(
        self, sender: WebhookSender, url: str, received: Received
    ) -> None:
        """The signature covers the bytes."""
        sender.check(url)
        answer = sender.send(url, {"X-MLflow-Signature": "v1,abc", "Content-Type": "application/json"}, BODY)
        assert answer.status == 200
        [(headers, body)] = received()
        assert body == BODY
        assert {name.lower(): value for name, value in headers.items()}["x-mlflow-signature"] == "v1,abc"

    def test_sending_again_delivers_again(self, sender: WebhookSender, url: str, received: Received) -> None:
        """The caller decides when to repeat."""
        sender.send(url, {}, BODY)
        sender.send(url, {}, BODY)
        assert len(received()) == 2

    @pytest.mark.parametrize(
        "url", ["ftp://example.org/", "file:///etc/passwd", "example.org/hook", "https://", ""]
    )
    def test_what_is_no_receiver_is_refused(self, sender: WebhookSender, url: str) -> None:
        """When it is kept, and when it is called."""
        with pytest.raises(UsageError):
            sender.check(url)
        with pytest.raises(UsageError):
            sender.send(url, {}, BODY)

    def test_silence_is_an_oserror(self, broken: tuple[WebhookSender, str]) -> None:
        """Each time: a sender does not go quiet after a failure."""
        sender, url = broken
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011 - the port promises no more
                sender.send(url, {}, BODY)
