"""What others run at the end of a channel: each refuses what its published rules refuse, with the real status."""

import base64
import json
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, str]


def _instant(text: object) -> datetime:
    assert isinstance(text, str)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text), text
    return datetime.fromisoformat(text)


class Receiver(ThreadingHTTPServer):
    """An HTTP receiver: ``judge`` validates a body and answers; what it takes stands in ``taken``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.forced: Answer | None = None
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.taken.append(json.loads(body))
        return 200, ""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers, body))
        if self.server.forced is not None:
            status, text = self.server.forced
        else:
            try:
                status, text = self.server.judge(self.path, headers, body)
            except (AssertionError, KeyError, TypeError, ValueError) as fault:
                status, text = 400, f"bad request: {fault}"
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text.encode())))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(text.encode())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class WebhookReceiver(Receiver):
    """What Alertmanager's webhook sends, version 4."""

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        assert headers["content-type"] == "application/json"
        said = json.loads(body)
        assert set(said) == {
            "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
            "commonAnnotations", "externalURL", "alerts",
        }  # fmt: skip
        assert said["version"] == "4"
        states = {each["status"] for each in said["alerts"]}
        assert said["status"] == ("firing" if "firing" in states else "resolved")
        for each in said["alerts"]:
            assert said["commonLabels"].items() <= each["labels"].items()
            assert said["commonAnnotations"].items() <= each["annotations"].items()
            _instant(each["startsAt"])
        self.taken.append(said)
        return 200, ""


class Alertmanager(Receiver):
    """POST /api/v2/alerts of Alertmanager's openapi.yaml: postableAlerts, its checks in ``types.Alert.Validate``."""

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path != "/am/api/v2/alerts":
            return 404, "404 page not found"
        alerts = json.loads(body)
        assert isinstance(alerts, list)
        for each in alerts:
            assert set(each) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
            assert each["labels"]["alertname"]
            for kind in ("labels", "annotations"):
                for name, value in each.get(kind, {}).items():
                    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name), name
                    assert isinstance(value, str)
                    assert value, "empty values are no labels"
            assert _instant(each["startsAt"]) <= _instant(each["endsAt"])
        self.taken.append(alerts)
        return 200, ""


class Slack(Receiver):
    """An incoming webhook: ``invalid_payload`` for blocks that break the published limits."""

    token = "/services/T000/B000/XXXXsecretXXXX"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path != self.token:
            return 404, "no_service"
        said = json.loads(body)
        try:
            self._check(said)
        except (AssertionError, KeyError) as fault:
            return 400, f"invalid_blocks {fault}"
        self.taken.append(said)
        return 200, "ok"

    def _check(self, said: dict) -> None:
        assert said["text"]
        assert 1 <= len(said["blocks"]) <= 50
        for block in said["blocks"]:
            if block["type"] == "header":
                assert block["text"]["type"] == "plain_text"
                assert 1 <= len(block["text"]["text"]) <= 150
            elif block["type"] == "section":
                assert block["text"]["type"] == "mrkdwn"
                assert 1 <= len(block["text"]["text"]) <= 3000
            else:
                assert block["type"] == "context"
                assert 1 <= len(block["elements"]) <= 10
                assert all(each["type"] == "mrkdwn" and each["text"] for each in block["elements"])
        assert not re.search(r"<[!@#]", json.dumps(said)), "a mention that nobody meant"


class PagerDuty(Receiver):
    """POST /v2/enqueue of the Events API v2, and the incidents that come of it."""

    key = "0123456789abcdef0123456789abcdef"

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, str] = {}

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path != "/v2/enqueue":
            return 404, "Not Found"
        assert len(body) <= 512 * 1024
        event = json.loads(body)
        errors = []
        if event.get("routing_key") != self.key:
            errors.append("'routing_key' is invalid")
        if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            errors.append("'event_action' is invalid")
        if not 0 < len(event.get("dedup_key", "")) <= 255:
            errors.append("'dedup_key' is invalid")
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            if not 0 < len(payload.get("summary", "")) <= 1024:
                errors.append("'payload.summary' is invalid")
            if payload.get("severity") not in ("critical", "error", "warning", "info"):
                errors.append("'payload.severity' is invalid")
            if not payload.get("source"):
                errors.append("'payload.source' is missing")
            _instant(payload["timestamp"])
        if errors:
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
            return 400, json.dumps(said)
        known = self.incidents.get(event["dedup_key"])
        if event["event_action"] == "trigger" and known in (None, "resolve"):
            self.incidents[event["dedup_key"]] = "trigger"
        elif event["event_action"] != "trigger" and known is not None:
            self.incidents[event["dedup_key"]] = event["event_action"]
        self.taken.append(event)
        said = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return 202, json.dumps(said)


class Opsgenie(Receiver):
    """The alert API: create, acknowledge and close by alias."""

    key = "eb243592-faa2-4ba2-a551q-1afdf565c889"

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, str] = {}

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("authorization") != f"GenieKey {self.key}":
            return 401, json.dumps({"message": "Could not authenticate", "requestId": "r"})
        said = json.loads(body)
        parts = urlsplit(path)
        pieces = [unquote(each) for each in parts.path.split("/")[1:]]
        if pieces == ["v2", "alerts"]:
            fault = self._fault(said)
            if fault:
                return 422, json.dumps(
                    {"message": "Request body is not processable", "errors": {fault: "invalid"}}
                )
            self.open[said["alias"]] = "open"
        elif len(pieces) == 4 and pieces[3] in ("close", "acknowledge"):
            if parse_qs(parts.query) != {"identifierType": ["alias"]}:
                return 422, json.dumps({"message": "identifierType"})
            if not set(said) <= {"user", "source", "note"}:
                return 422, json.dumps({"message": "unknown fields"})
            self.open[pieces[2]] = pieces[3]
        else:
            return 404, json.dumps({"message": "not found"})
        self.taken.append({"path": path, **said})
        return 202, json.dumps({"result": "Request will be processed", "took": 0.1, "requestId": "r"})

    def _fault(self, said: dict) -> str | None:
        limits = {"message": 130, "alias": 512, "description": 15000, "entity": 512, "source": 100}
        for name, limit in limits.items():
            if not 0 < len(said[name]) <= limit:
                return name
        if said["priority"] not in ("P1", "P2", "P3", "P4", "P5"):
            return "priority"
        if len(said["tags"]) > 20 or any(not 0 < len(each) <= 50 for each in said["tags"]):
            return "tags"
        details = said["details"]
        if not all(isinstance(each, str) for each in details.values()):
            return "details"
        return "details" if sum(map(len, (*details, *details.values()))) > 8000 else None


class Smtp(socketserver.ThreadingTCPServer):
    """A mail server of RFC 5321 with STARTTLS (RFC 3207), AUTH PLAIN and LOGIN (RFC 4954) and pipelining of none."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, at_once: bool = False, password: str | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls, self.at_once, self.password = tls, at_once, password
        self.taken: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.refused: dict[str, str] = {}
        self.greeting = "220 here ESMTP"

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Session(socketserver.StreamRequestHandler):
    server: Smtp
    timeout = 5

    def handle(self) -> None:
        self._secure = False
        self._known = False
        with_tls: socket.socket | None = None
        try:
            if self.server.at_once:
                with_tls = self._encrypt()
            self._talk()
        except OSError:
            pass
        finally:
            if with_tls is not None:
                with_tls.close()

    def _encrypt(self) -> socket.socket:
        assert self.server.tls is not None
        wrapped = self.server.tls.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = wrapped.makefile("rb"), wrapped.makefile("wb", buffering=0)
        self._secure = True
        return wrapped

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(line + "\r\n" for line in lines).encode())

    def _talk(self) -> None:
        self._say(self.server.greeting)
        sender, to = None, []
        wrapped = None
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            if verb == "EHLO":
                offered = ["STARTTLS"] * bool(self.server.tls and not self._secure)
                offered += ["AUTH PLAIN LOGIN"] * bool(self.server.password)
                said = ["here", "8BITMIME", *offered]
                self._say(*[f"250-{each}" for each in said[:-1]], f"250 {said[-1]}")
            elif verb == "STARTTLS":
                self._say("220 go ahead")
                wrapped = self._encrypt()
            elif verb == "AUTH":
                _, _, given = rest.partition(" ")
                if base64.b64decode(given).decode().split("\0")[-2:] == ["watch", self.server.password]:
                    self._known = True
                    self._say("235 welcome")
                else:
                    self._say(f"535 5.7.8 credentials {given} are invalid")
            elif verb == "MAIL":
                if self.server.password and not self._known:
                    self._say("530 5.7.0 authentication required")
                else:
                    sender, to = rest, []
                    self._say("250 ok")
            elif verb == "RCPT":
                address = re.search(r"<(.*?)>", rest)
                assert address is not None
                if address[1] in self.server.refused:
                    self._say(self.server.refused[address[1]])
                else:
                    to.append(address[1])
                    self._say("250 ok")
            elif verb == "DATA":
                if not to or sender is None:
                    self._say("554 no recipients")
                    continue
                self._say("354 go on")
                held = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    held += part.removeprefix(b".") if part.startswith(b"..") else part
                self.server.taken.append(message_from_bytes(held, policy=policy.default))
                self.server.to.append(to)
                self.server.encrypted.append(self._secure)
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                break
            else:
                self._say("250 ok" if verb in ("RSET", "NOOP") else "502 what?")
        if wrapped is not None:
            wrapped.close()


@contextmanager
def running(make: Callable[[], socketserver.BaseServer]) -> Iterator:
    """A server in a thread, until the end of the block."""
    with make() as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)
