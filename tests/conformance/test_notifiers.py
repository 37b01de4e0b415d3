"""Every channel sits the exam, against a receiver that refuses what the published rules refuse."""

import html
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.notify.receivers import (
    Alertmanager,
    Opsgenie,
    PagerDuty,
    Receiver,
    Slack,
    Smtp,
    WebhookReceiver,
    running,
)

from mlwright.adapters.notify.alertmanager import AlertmanagerNotifier
from mlwright.adapters.notify.log import LogNotifier
from mlwright.adapters.notify.mail import MailNotifier
from mlwright.adapters.notify.opsgenie import OpsgenieNotifier
from mlwright.adapters.notify.pagerduty import PagerDutyNotifier
from mlwright.adapters.notify.payload import fingerprint, webhook_payload
from mlwright.adapters.notify.slack import SlackNotifier
from mlwright.adapters.notify.webhook import WebhookNotifier
from mlwright.errors import UsageError
from mlwright.model.monitoring import AlertState
from mlwright.testing.conformance.notifiers import ALERT, STRANGE, Delivered, NotifierConformance, notice
from mlwright.testing.fakes.notifier import RecordingNotifier

OVER = "2013-07-01T08:00:00Z"


@pytest.fixture
def nobody() -> Iterator[str]:
    with socket.socket() as unheard:  # bound, and nobody listens
        unheard.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unheard.getsockname()[1]}"


def text_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


class TestRecordingNotifier(NotifierConformance):
    @pytest.fixture
    def notifier(self) -> RecordingNotifier:
        return RecordingNotifier()

    @pytest.fixture
    def delivered(self, notifier: RecordingNotifier) -> Delivered:
        return lambda: [(each.state.value, str(each)) for each in notifier.notices]

    @pytest.fixture
    def broken(self) -> RecordingNotifier:
        return RecordingNotifier(broken=True)

    @pytest.fixture
    def refusing(self) -> RecordingNotifier:
        return RecordingNotifier(broken=True, refused=True)


class TestLogNotifier(NotifierConformance):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "log" / "alerts.jsonl"

    @pytest.fixture
    def notifier(self, path: Path) -> LogNotifier:
        return LogNotifier(path)

    @pytest.fixture
    def delivered(self, path: Path) -> Delivered:
        def read() -> list[tuple[str, str]]:
            messages: list[dict[str, dict]] = []
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
                if not messages or record["id"] in messages[-1]:
                    messages.append({})
                messages[-1][record["id"]] = record
            order = ["firing", "acknowledged", "resolved"]
            return [
                (min((each["state"] for each in said.values()), key=order.index), text_of(said))
                for said in messages
            ]

        return read

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LogNotifier:
        (tmp_path / "file").touch()
        return LogNotifier(tmp_path / "file" / "alerts.jsonl")

    @pytest.fixture
    def refusing(self) -> LogNotifier:
        pytest.skip("a file says no to nobody for good: its disk may be mended")

    def test_the_line(self, notifier: LogNotifier, path: Path) -> None:
        notifier.send(notice(replace(ALERT, evidence=STRANGE)))
        record = json.loads(path.read_text(encoding="utf-8"))
        assert record["fired"] == "2013-07-01T06:00:00Z"
        assert (record["level"], record["next_command"]) == ("page", ALERT.next_command)
        assert (record["evidence"]["count"], record["evidence"]["score"]) == (3, 0.5)
        assert record["evidence"]["days"] == ["2013-06-01 00:00:00+00:00", None]


class TestWebhookNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with running(WebhookReceiver) as receiver:
            yield receiver

    @pytest.fixture
    def notifier(self, receiver: Receiver) -> WebhookNotifier:
        return WebhookNotifier(receiver.url + "/hook/s3cret")

    @pytest.fixture
    def delivered(self, receiver: Receiver) -> Delivered:
        return lambda: [(each["status"], text_of(each)) for each in receiver.taken]

    @pytest.fixture
    def broken(self, nobody: str) -> WebhookNotifier:
        return WebhookNotifier(f"http://{nobody}/")

    @pytest.fixture
    def refusing(self, receiver: Receiver, notifier: WebhookNotifier) -> WebhookNotifier:
        receiver.forced = (404, "<html>a page of 404")
        return notifier

    @pytest.mark.parametrize(
        ("status", "refused"),
        [(302, True), (400, True), (401, True), (404, True), (408, False), (429, False), (503, False)],
    )
    def test_an_answer_that_is_not_2xx_is_a_failure_and_hides_the_path(
        self, receiver: Receiver, notifier: WebhookNotifier, status: int, refused: bool
    ) -> None:
        receiver.forced = (status, "no")
        receiver.headers = {"retry-after": "120"}
        with pytest.raises(OSError, match=rf"127\.0\.0\.1 answered {status}: no") as caught:
            notifier.send(notice())
        assert "s3cret" not in str(caught.value)
        assert caught.value.refused is refused
        assert caught.value.after == timedelta(minutes=2)

    def test_the_same_message_has_the_same_key(self, receiver: Receiver, notifier: WebhookNotifier) -> None:
        for _ in range(2):
            notifier.send(notice())
        keys = {headers["idempotency-key"] for _, headers, _ in receiver.requests}
        assert keys == {'"delay-auc-2013-07-01/41"'}

    def test_a_silent_receiver_is_given_up(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/s3cret"
            with pytest.raises(OSError, match=r"127\.0\.0\.1: ReadTimeout"):
                WebhookNotifier(url, timeout_s=0.1).send(notice())

    @pytest.mark.parametrize("url", ["ftp://example.org/", "example.org/hook", "http://", "", "http://[::1"])
    def test_other_urls_are_refused_at_once(self, url: str) -> None:
        with pytest.raises(UsageError):
            WebhookNotifier(url)


class TestAlertmanagerNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with running(Alertmanager) as receiver:
            yield receiver

    @pytest.fixture
    def notifier(self, receiver: Receiver) -> AlertmanagerNotifier:
        return AlertmanagerNotifier(receiver.url + "/am/")

    @pytest.fixture
    def delivered(self, receiver: Receiver) -> Delivered:
        def read() -> list[tuple[str, str]]:
            return [
                ("resolved" if all(each["endsAt"] <= OVER for each in posted) else "firing", text_of(posted))
                for posted in receiver.taken
            ]

        return read

    @pytest.fixture
    def broken(self, nobody: str) -> AlertmanagerNotifier:
        return AlertmanagerNotifier(f"http://{nobody}")

    @pytest.fixture
    def refusing(self, receiver: Receiver) -> AlertmanagerNotifier:
        return AlertmanagerNotifier(receiver.url + "/elsewhere")

    def test_what_is_open_ends_later_each_time(
        self, receiver: Receiver, notifier: AlertmanagerNotifier
    ) -> None:
        for minutes in (0, 2):
            sent = notice()
            notifier.send(replace(sent, at=sent.at + timedelta(minutes=minutes)))
        ends = [datetime.fromisoformat(posted[0]["endsAt"]) for posted in receiver.taken]
        assert ends[1] - ends[0] == timedelta(minutes=2)
        assert receiver.taken[0][0]["labels"] == receiver.taken[1][0]["labels"]
        assert notifier.resend is not None
        assert ends[0] - notice().at > 4 * notifier.resend


class TestSlackNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with running(Slack) as receiver:
            yield receiver

    @pytest.fixture
    def notifier(self, receiver: Receiver) -> SlackNotifier:
        return SlackNotifier(receiver.url + Slack.token)

    @pytest.fixture
    def delivered(self, receiver: Receiver) -> Delivered:
        def read() -> list[tuple[str, str]]:
            states = {"FIRING": "firing", "TAKEN": "acknowledged", "RESOLVED": "resolved"}
            return [
                (states[said["text"].split("]")[0].split()[-1]], html.unescape(text_of(said)))
                for said in receiver.taken
            ]

        return read

    @pytest.fixture
    def broken(self, nobody: str) -> SlackNotifier:
        return SlackNotifier(f"http://{nobody}/")

    @pytest.fixture
    def refusing(self, receiver: Receiver) -> SlackNotifier:
        return SlackNotifier(receiver.url + "/services/T000/B000/gone")


class TestPagerDutyNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[PagerDuty]:
        with running(PagerDuty) as receiver:
            yield receiver

    @pytest.fixture
    def notifier(self, receiver: PagerDuty) -> PagerDutyNotifier:
        return PagerDutyNotifier(PagerDuty.key, url=receiver.url)

    @pytest.fixture
    def delivered(self, receiver: PagerDuty) -> Delivered:
        states = {"trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved"}
        return lambda: [(states[each["event_action"]], text_of(each)) for each in receiver.taken]

    @pytest.fixture
    def broken(self, nobody: str) -> PagerDutyNotifier:
        return PagerDutyNotifier(PagerDuty.key, url=f"http://{nobody}")

    @pytest.fixture
    def refusing(self, receiver: PagerDuty) -> PagerDutyNotifier:
        return PagerDutyNotifier("wrong", url=receiver.url)

    def test_one_incident_is_opened_taken_and_closed(
        self, receiver: PagerDuty, notifier: PagerDutyNotifier
    ) -> None:
        over = replace(ALERT, state=AlertState.RESOLVED, resolved=ALERT.fired)
        seen = []
        for each in (ALERT, ALERT, replace(ALERT, state=AlertState.ACKNOWLEDGED), over):
            notifier.send(notice(each))
            seen.append(dict(receiver.incidents))
        states = [list(each.values()) for each in seen]
        assert states == [["trigger"], ["trigger"], ["acknowledge"], ["resolve"]]
        assert receiver.taken[0]["links"] == [{"href": ALERT.runbook, "text": "runbook"}]


class TestOpsgenieNotifier(NotifierConformance):
    @pytest.fixture
    def receiver(self) -> Iterator[Opsgenie]:
        with running(Opsgenie) as receiver:
            yield receiver

    @pytest.fixture
    def notifier(self, receiver: Opsgenie) -> OpsgenieNotifier:
        return OpsgenieNotifier(Opsgenie.key, url=receiver.url)

    @pytest.fixture
    def delivered(self, receiver: Opsgenie) -> Delivered:
        def state(path: str) -> str:
            return {"close": "resolved", "acknowledge": "acknowledged"}.get(
                path.partition("?")[0].rpartition("/")[2], "firing"
            )

        return lambda: [(state(each["path"]), text_of(each)) for each in receiver.taken]

    @pytest.fixture
    def broken(self, nobody: str) -> OpsgenieNotifier:
        return OpsgenieNotifier(Opsgenie.key, url=f"http://{nobody}")

    @pytest.fixture
    def refusing(self, receiver: Opsgenie) -> OpsgenieNotifier:
        return OpsgenieNotifier("wrong", url=receiver.url)

    def test_an_alias_of_any_letters_is_closed(self, receiver: Opsgenie, notifier: OpsgenieNotifier) -> None:
        over = replace(ALERT, state=AlertState.RESOLVED, resolved=ALERT.fired)
        for each in (ALERT, over):
            notifier.send(replace(notice(each), group="delay/features.a b?ü"))
        assert receiver.open == {"delay/features.a b?ü": "close"}


class TestMailNotifier(NotifierConformance):
    @pytest.fixture
    def server(self) -> Iterator[Smtp]:
        with running(Smtp) as server:
            yield server

    @pytest.fixture
    def notifier(self, server: Smtp) -> MailNotifier:
        return MailNotifier(
            f"smtp://127.0.0.1:{server.port}", to=("a@example.org", "b@example.org"), sender="ml@example.org"
        )

    @pytest.fixture
    def delivered(self, server: Smtp) -> Delivered:
        def read() -> list[tuple[str, str]]:
            states = {"FIRING": "firing", "TAKEN": "acknowledged", "RESOLVED": "resolved"}
            found = []
            for mail in server.taken:
                parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
                assert set(parts) == {"text/plain", "text/html"}
                found.append((states[mail["subject"].split("]")[0].split()[-1]], parts["text/plain"]))
            return found

        return read

    @pytest.fixture
    def broken(self, nobody: str) -> MailNotifier:
        return MailNotifier(f"smtp://{nobody}", to=("a@example.org",), sender="ml@example.org")

    @pytest.fixture
    def refusing(self, server: Smtp) -> MailNotifier:
        server.refused = {"a@example.org": "550 5.1.1 no such user"}
        return MailNotifier(f"smtp://127.0.0.1:{server.port}", to=("a@example.org",), sender="ml@example.org")


def test_webhook_payload_has_every_key_of_version_4() -> None:
    resolved = replace(
        ALERT,
        state=AlertState.RESOLVED,
        resolved=datetime(2013, 7, 1, 8, tzinfo=UTC) + timedelta(milliseconds=5),
        acknowledged_by="ada",
        evidence={"auc": 0.66},
        suspected=None,
    )
    body = webhook_payload(notice(resolved), receiver="oncall")
    labels = {"alertname": "auc-dropped", "endpoint": "delay", "severity": "page", "alert_id": str(ALERT.id)}
    annotations = {
        "summary": ALERT.summary,
        "next_command": ALERT.next_command,
        "acknowledged_by": "ada",
        "owner": ALERT.owner,
        "runbook_url": ALERT.runbook,
        "evidence": '{"auc": 0.66}',
    }
    assert body == {
        "version": "4",
        "groupKey": '{}:{endpoint="delay", group="delay-auc-2013-07-01"}',
        "truncatedAlerts": 0,
        "status": "resolved",
        "receiver": "oncall",
        "groupLabels": {"endpoint": "delay", "group": "delay-auc-2013-07-01"},
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
    body = webhook_payload(notice(replace(ALERT, state=AlertState.ACKNOWLEDGED)), receiver="oncall")
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
