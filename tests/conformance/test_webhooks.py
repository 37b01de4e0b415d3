import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlwright.adapters.webhooks.addresses import check_address, parse_hosts, split_url
from mlwright.adapters.webhooks.sender import HttpWebhookSender
from mlwright.errors import UsageError
from mlwright.testing.conformance.webhooks import BODY, Received, WebhookSenderConformance
from mlwright.testing.fakes.webhooks import RecordingWebhookSender


class TestRecordingWebhookSender(WebhookSenderConformance):
    @pytest.fixture
    def sender(self) -> RecordingWebhookSender:
        return RecordingWebhookSender()

    @pytest.fixture
    def url(self) -> str:
        return "https://example.org/hook"

    @pytest.fixture
    def received(self, sender: RecordingWebhookSender) -> Received:
        return lambda: [(headers, body) for _, headers, body in sender.sent]

    @pytest.fixture
    def broken(self) -> tuple[RecordingWebhookSender, str]:
        return RecordingWebhookSender(OSError("nobody answers")), "https://example.org/hook"


class Receiver(ThreadingHTTPServer):
    """What somebody else runs at the end of a webhook."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook/t0ken?a=b"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        assert self.path == "/hook/t0ken?a=b"
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class TestHttpWebhookSender(WebhookSenderConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with Receiver() as receiver:
            thread = threading.Thread(target=lambda: receiver.serve_forever(poll_interval=0.01))
            thread.start()
            yield receiver
            receiver.shutdown()
            thread.join()

    @pytest.fixture
    def sender(self) -> HttpWebhookSender:
        return HttpWebhookSender(allowed="127.0.0.1", timeout_s=5)

    @pytest.fixture
    def url(self, receiver: Receiver) -> str:
        return receiver.url

    @pytest.fixture
    def received(self, receiver: Receiver) -> Received:
        return lambda: receiver.got

    @pytest.fixture
    def broken(self) -> Iterator[tuple[HttpWebhookSender, str]]:
        with socket.socket() as unheard:  # bound, and nobody listens
            unheard.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unheard.getsockname()[1]}/s3cret"
            yield HttpWebhookSender(allowed="127.0.0.1"), url

    def test_the_answer_is_given_back_and_no_redirect_is_followed(
        self, receiver: Receiver, sender: HttpWebhookSender
    ) -> None:
        receiver.status = 302
        receiver.headers = {"Location": receiver.url, "Retry-After": "7"}
        answer = sender.send(receiver.url, {}, BODY)
        assert (answer.status, answer.body, answer.retry_after) == (302, "ok", 7.0)
        assert len(receiver.got) == 1

    def test_faults_name_the_host_only(self, broken: tuple[HttpWebhookSender, str]) -> None:
        sender, url = broken
        with pytest.raises(OSError, match=r"127\.0\.0\.1") as caught:
            sender.send(url, {}, BODY)
        assert "s3cret" not in str(caught.value)

    def test_a_silent_receiver_is_given_up(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            sender = HttpWebhookSender(allowed="127.0.0.1", timeout_s=0.1)
            with pytest.raises(OSError, match="too long"):
                sender.send(f"http://127.0.0.1:{silent.getsockname()[1]}/", {}, BODY)

    def test_this_machine_is_not_called_unless_it_was_named(self, receiver: Receiver) -> None:
        sender = HttpWebhookSender()
        for url in (receiver.url, receiver.url.replace("http", "https")):
            with pytest.raises(UsageError):
                sender.check(url)
            with pytest.raises(UsageError):
                sender.send(url, {}, BODY)
        assert receiver.got == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
        "224.0.0.1",
    ],
)
def test_addresses_inside_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="non-public"):
        check_address("hooks.example.org", address, allowed=frozenset())


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "100.100.100.200"])
def test_what_hands_out_credentials_stays_refused_whoever_is_named(address: str) -> None:
    with pytest.raises(UsageError):
        check_address("inside", address, allowed=frozenset({"inside", address}))


def test_hosts_that_were_named_may_be_called() -> None:
    allowed = parse_hosts(" Inside , 10.0.0.1,")
    assert allowed == {"inside", "10.0.0.1"}
    check_address("inside", "10.9.9.9", allowed=allowed)
    check_address("other.example.org", "10.0.0.1", allowed=allowed)
    check_address("example.org", "93.184.215.14", allowed=frozenset())
    assert split_url("http://INSIDE/x", allowed=allowed).hostname == "inside"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://me:secret@example.org/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://example.org\\@inside/",
        "https://example.org/\r\nHost: inside",
        "https://example.org:99999/",
        "https://[::1",
    ],
)
def test_addresses_that_hide_something_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_url(url, allowed=frozenset())
    assert "secret" not in str(caught.value)
