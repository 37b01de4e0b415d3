import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlwright.adapters.notify.log import LogNotifier
from mlwright.adapters.notify.payload import fingerprint, webhook_payload
from mlwright.adapters.notify.webhook import WebhookNotifier
from mlwright.errors import UsageError
from mlwright.model.monitoring import AlertState
from mlwright.testing.conformance.notifiers import ALERT, STRANGE, Delivered, NotifierConformance
from mlwright.testing.fakes.notifier import RecordingNotifier


class TestRecordingNotifier(NotifierConformance):
    @pytest.fixture
    def notifier(self) -> RecordingNotifier:
        return RecordingNotifier()

    @pytest.fixture
    def delivered(self, notifier: RecordingNotifier) -> Delivered:
        return lambda: [(each.id, each.state.value, each.summary) for each in notifier.sent]

    @pytest.fixture
    def broken(self) -> RecordingNotifier:
        return RecordingNotifier(broken=True)


class TestLogNotifier(NotifierConformance):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "log" / "alerts.jsonl"

    @pytest.fixture
    def notifier(self, path: Path) -> LogNotifier:
        return LogNotifier(path)

    @pytest.fixture
    def delivered(self, path: Path) -> Delivered:
        def read() -> list[tuple[str, str, str]]:
            records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            return [(each["id"], each["state"], each["summary"]) for each in records]

        return read

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LogNotifier:
        (tmp_path / "file").touch()
        return LogNotifier(tmp_path / "file" / "alerts.jsonl")

    def test_the_line(self, notifier: LogNotifier, path: Path) -> None:
        notifier.send(replace(ALERT, evidence=STRANGE))
        [line] = path.read_text(encoding="utf-8").splitlines()
        record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        assert record["fired"] == "2013-07-01T06:00:00Z"
        assert (record["level"], record["next_command"]) == ("page", ALERT.next_command)
        assert record["evidence"]["auc"] == "nan"
        assert (record["evidence"]["count"], record["evidence"]["score"]) == (3, 0.5)
        assert record["evidence"]["days"] == ["2013-06-01 00:00:00+00:00", None]


class Receiver(ThreadingHTTPServer):
    """What somebody else runs at the end of a webhook."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook/s3cret"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        assert self.headers["content-type"] == "application/json"
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class TestWebhookNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with Receiver() as receiver:
            thread = threading.Thread(target=lambda: receiver.serve_forever(poll_interval=0.01))
            thread.start()
            yield receiver
            receiver.shutdown()
            thread.join()

    @pytest.fixture
    def notifier(self, receiver: Receiver) -> WebhookNotifier:
        return WebhookNotifier(receiver.url)

    @pytest.fixture
    def delivered(self, receiver: Receiver) -> Delivered:
        def read() -> list[tuple[str, str, str]]:
            alerts = [alert for body in receiver.bodies for alert in body["alerts"]]
            return [
                (each["labels"]["alert_id"], each["status"], each["annotations"]["summary"])
                for each in alerts
            ]

        return read

    @pytest.fixture
    def broken(self) -> Iterator[WebhookNotifier]:
        with socket.socket() as unheard:  # bound, and nobody listens
            unheard.bind(("127.0.0.1", 0))
            yield WebhookNotifier(f"http://127.0.0.1:{unheard.getsockname()[1]}/")

    @pytest.mark.parametrize("status", [302, 400, 404, 503])
    def test_an_answer_that_is_not_2xx_is_a_failure_and_hides_the_path(
        self, receiver: Receiver, notifier: WebhookNotifier, status: int
    ) -> None:
        receiver.status = status
        with pytest.raises(OSError, match=rf"127\.0\.0\.1 answered {status}") as caught:
            notifier.send(ALERT)
        assert "s3cret" not in str(caught.value)

    def test_a_silent_receiver_is_given_up(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            notifier = WebhookNotifier(f"http://127.0.0.1:{silent.getsockname()[1]}/s3cret", timeout_s=0.1)
            with pytest.raises(OSError, match=r"127\.0\.0\.1: ReadTimeout"):
                notifier.send(ALERT)

    @pytest.mark.parametrize("url", ["ftp://example.org/", "example.org/hook", "http://", "", "http://[::1"])
    def test_other_urls_are_refused_at_once(self, url: str) -> None:
        with pytest.raises(UsageError):
            WebhookNotifier(url)


def test_webhook_payload_has_every_key_of_version_4() -> None:
    resolved = replace(
        ALERT,
        state=AlertState.RESOLVED,
        resolved=datetime(2013, 7, 1, 8, tzinfo=UTC) + timedelta(milliseconds=5),
        acknowledged_by="ada",
        evidence={"auc": 0.66},
    )
    body = webhook_payload(resolved, receiver="oncall")
    labels = {"alertname": "auc-dropped", "endpoint": "delay", "severity": "page", "alert_id": "alert-1"}
    annotations = {
        "summary": ALERT.summary,
        "next_command": ALERT.next_command,
        "acknowledged_by": "ada",
        "evidence": '{"auc": 0.66}',
    }
    assert body == {
        "version": "4",
        "groupKey": '{}:{alert_id="alert-1"}',
        "truncatedAlerts": 0,
        "status": "resolved",
        "receiver": "oncall",
        "groupLabels": {"alert_id": "alert-1"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [
            {
                "status": "resolved",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "2013-07-01T06:00:00Z",
                "endsAt": "2013-07-01T08:00:00.005000Z",
                "generatorURL": "",
                "fingerprint": f"{fingerprint(labels):016x}",
            }
        ],
    }


def test_an_alert_that_still_fires_ends_at_gos_zero_time() -> None:
    body = webhook_payload(replace(ALERT, state=AlertState.ACKNOWLEDGED), receiver="oncall")
    assert (body["status"], body["alerts"][0]["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ({}, 14695981039346656037),
        ({"name": "garland, briggs", "fear": "love is not enough"}, 5799056148416392346),
        ({"first-label": "first-label-value"}, 5146282821936882169),
    ],
)
def test_fingerprints_are_prometheus_own(labels: dict[str, str], known: int) -> None:
    """Values of github.com/prometheus/common, model/signature_test.go."""
    assert fingerprint(labels) == known
