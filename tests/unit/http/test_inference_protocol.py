"""HTTP on one connection, without a socket: every way a request may come in, and every way it should not."""

import asyncio
import gzip
import json
import zlib
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.doors.http.inference.connections import Connections, Limits
from mlwright.doors.http.inference.exchange import Reply, Request, Response
from mlwright.doors.http.inference.incoming import SLICE
from mlwright.doors.http.inference.rendering import as_json
from mlwright.doors.http.inference.routing import Router, Target
from mlwright.errors import BadRequest, ModelError, NotFound, Overloaded, TooManyRequests

HOST = b"Host: 127.0.0.1:8501\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and what was done to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.9", 5)})
        self.written: list[bytes] = []
        self.done: list[str] = []
        self.unread = 0

    def write(self, data) -> None:
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.done or "abort" in self.done

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def get_write_buffer_size(self) -> int:
        return self.unread

    def answers(self) -> list[tuple[int, dict[str, str], bytes]]:
        """Status, headers and body of every answer; interim ones are left out."""
        data, found = b"".join(self.written), []
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            status = int(first.split()[1])
            if status == 100:
                continue
            headers = dict(line.split(": ", 1) for line in lines)
            size = int(headers["content-length"])
            found.append((status, headers, data[:size]))
            data = data[size:]
        return found


class Asked:
    """A connection to a server with some calls; ``held`` are the replies that ``/later`` owes."""

    def __init__(self, **limits: object) -> None:
        self.held: list[tuple[Request, Reply]] = []
        self.seen: list[Request] = []
        router = Router()
        calls = {
            "/echo": lambda request, reply: reply(Response(request.body, 200, "text/plain")),
            "/later": lambda request, reply: self.held.append((request, reply)),
            "/about": lambda request, reply: reply(
                as_json(
                    [
                        request.method,
                        request.path,
                        request.query,
                        request.client,
                        request.body.decode("latin-1"),
                    ]
                )
            ),
            "/bad": self._raising(BadRequest("no")),
            "/gone": self._raising(NotFound("no")),
            "/broken": self._raising(ModelError("the model failed", why="KeyError: 'secret'")),
            "/bug": self._raising(ZeroDivisionError("secret")),
            "/busy": self._raising(TooManyRequests("slower", retry_after_s=1.2)),
            "/full": self._raising(Overloaded("later", retry_after_s=0.1)),
            "/nonsense": lambda request, reply: reply(Response("text")),  # type: ignore[arg-type]
            "/twice": lambda request, reply: (reply(Response(b"1")), reply(Response(b"2"))),
            "/inject": lambda request, reply: reply(
                Response(b"", 200, "text/plain", (("x-id", request.headers["x-id"] + "\r\nset-cookie: a"),))
            ),
        }
        for path, call in calls.items():
            router.add("POST", path, Target(self._watched(call), 1000))
            if path == "/about":
                router.add("GET", path, Target(self._watched(call), 1000))
        self.house = Connections(router.find, limits=Limits(**limits))  # type: ignore[arg-type]
        self.wire = Wire()
        self.connection = self.house.connect()
        self.connection.connection_made(self.wire)

    def send(self, *pieces: bytes) -> list[tuple[int, dict[str, str], bytes]]:
        for piece in pieces:
            self.connection.data_received(piece)
        return self.wire.answers()

    def statuses(self, *pieces: bytes) -> list[int]:
        return [status for status, _, _ in self.send(*pieces)]

    @staticmethod
    def _raising(error: Exception):
        def call(request: Request, reply: Reply) -> None:
            raise error

        return call

    def _watched(self, call):
        def handler(request: Request, reply: Reply) -> None:
            self.seen.append(request)
            call(request, reply)

        return handler


def post(path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n".encode() + HOST + b"\r\n" + body


def chunked(path: str, *pieces: bytes, trailer: bytes = b"") -> bytes:
    body = b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n".encode()
    return head + HOST + b"\r\n" + body + b"0\r\n" + trailer + b"\r\n"


class TestRequests:
    def test_what_a_handler_sees(self) -> None:
        asked = Asked()
        asked.send(post("/about?a=1&b=%20", b"hi", "X-One: 1", "x-one: 2", "Accept:"))
        [request] = asked.seen
        assert (request.method, request.path, request.query) == ("POST", "/about", "a=1&b=%20")
        assert request.body == b"hi"
        assert request.client == "127.0.0.9"
        assert request.headers["x-one"] == "1, 2"
        assert request.headers["accept"] == ""
        assert abs(request.received - monotonic()) < 60

    def test_head_and_body_are_one_write(self) -> None:
        asked = Asked()
        [(status, headers, body)] = asked.send(post("/echo", b"abc"))
        assert (status, body) == (200, b"abc")
        assert headers == {"content-type": "text/plain", "content-length": "3"}
        assert len(asked.wire.written) == 1
        assert asked.wire.done == []

    def test_paths(self) -> None:
        asked = Asked()
        whole = b"GET http://127.0.0.1:8501/about?q HTTP/1.1\r\n" + HOST + b"\r\n"
        quoted = b"GET /ab%6Fut HTTP/1.1\r\n" + HOST + b"\r\n"
        bodies = [json.loads(body) for _, _, body in asked.send(whole, quoted)]
        assert [each[:3] for each in bodies] == [["GET", "/about", "q"], ["GET", "/about", ""]]

    def test_head(self) -> None:
        asked = Asked()
        asked.send(b"HEAD /about HTTP/1.1\r\n" + HOST + b"\r\n")
        [written] = asked.wire.written
        assert written.endswith(b"\r\n\r\n")
        [(_, headers, _)] = Asked().send(b"GET /about HTTP/1.1\r\n" + HOST + b"\r\n")
        size = int(headers["content-length"]) + len("HEAD") - len("GET")
        assert f"content-length: {size}\r\n".encode() in written
        assert asked.connection.incoming.phase == 0

    @pytest.mark.parametrize(
        ("version", "header", "stays", "says"),
        [
            (b"1.1", b"", True, None),
            (b"1.1", b"Connection: close\r\n", False, "close"),
            (b"1.1", b"Connection: keep-alive\r\n", True, None),
            (b"1.0", b"", False, "close"),
            (b"1.0", b"Connection: Keep-Alive\r\n", True, "keep-alive"),
        ],
    )
    def test_how_long_the_connection_stays(self, version, header, stays, says) -> None:
        asked = Asked()
        [(_, headers, _)] = asked.send(b"GET /about HTTP/" + version + b"\r\n" + HOST + header + b"\r\n")
        assert headers.get("connection") == says
        assert ("eof" not in asked.wire.done) is stays
        again = asked.statuses(b"GET /about HTTP/1.1\r\n" + HOST + b"\r\n")
        assert again == [200, 200] if stays else [200]

    def test_version_one_needs_no_host(self) -> None:
        assert Asked().statuses(b"GET /about HTTP/1.0\r\n\r\n") == [200]

    def test_an_upgrade_is_not_taken_and_the_request_is_answered(self) -> None:
        """Java's client offers HTTP/2 with its first request, body and all."""
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA")
        asked = Asked()
        first = post("/echo", b"body", *offer)
        answers = asked.send(first[:100], first[100:], post("/echo", b"next"))
        assert [(status, body) for status, _, body in answers] == [(200, b"body"), (200, b"next")]
        together = Asked().send(first + post("/echo", b"next"))
        assert [body for _, _, body in together] == [b"body", b"next"]

    def test_expect_continue(self) -> None:
        asked = Asked()
        request = post("/echo", b"abc", "Expect: 100-continue")
        asked.send(request[:-3])
        assert asked.wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        assert [body for _, _, body in asked.send(request[-3:])] == [b"abc"]

    def test_continue_waits_for_the_answers_before_it(self) -> None:
        asked = Asked()
        request = post("/echo", b"abc", "Expect: 100-continue")
        asked.send(post("/later"), request[:-3])
        assert asked.wire.written == []
        asked.held[0][1](Response(b"first"))
        assert asked.wire.written[-1] == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert [body for _, _, body in asked.send(request[-3:])] == [b"first", b"abc"]

    @pytest.mark.parametrize(
        ("coding", "packed"),
        [
            ("gzip", gzip.compress(b"a" * 999, mtime=0)),
            ("GZIP", gzip.compress(b"a" * 999, mtime=0)),
            ("deflate", zlib.compress(b"a" * 999)),
            ("identity", b"a" * 999),
        ],
        ids=["gzip", "upper", "deflate", "identity"],
    )
    def test_compressed_bodies(self, coding, packed) -> None:
        answers = Asked().send(post("/echo", packed, f"Content-Encoding: {coding}"))
        assert [body for _, _, body in answers] == [b"a" * 999]

    def test_trailers_change_nothing(self) -> None:
        asked = Asked()
        assert asked.statuses(chunked("/echo", b"ab", b"c", trailer=b"Host: evil\r\nX: y\r\n")) == [200]
        assert asked.seen[0].headers["host"] == "127.0.0.1:8501"
        assert "x" not in asked.seen[0].headers
        assert asked.seen[0].body == b"abc"


_REQUESTS = st.lists(
    st.one_of(
        st.builds(lambda body: (post("/echo", body), body), st.binary(max_size=60)),
        st.builds(
            lambda parts: (chunked("/echo", *parts), b"".join(parts)), st.lists(st.binary(min_size=1), max_size=3)
        ),
        st.builds(
            lambda body: (post("/echo", gzip.compress(body, mtime=0), "content-encoding: gzip"), body),
            st.binary(max_size=60),
        ),
        st.builds(lambda body: (post("/echo", body, "Expect: 100-continue"), body), st.binary(max_size=9)),
        st.builds(
            lambda body: (post("/echo", body, "Connection: upgrade", "Upgrade: h2c"), body), st.binary(max_size=9)
        ),
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


@settings(max_examples=150)
@given(requests=_REQUESTS, cuts=st.lists(st.integers(0, 2000), max_size=12), every=st.booleans())
def test_bytes_may_come_in_any_pieces(requests, cuts, every) -> None:
    data = b"".join(request for request, _ in requests)
    places = range(len(data)) if every else sorted({min(cut, len(data)) for cut in cuts})
    edges = [0, *places, len(data)]
    asked = Asked()
    answers = asked.send(*(data[a:b] for a, b in pairwise(edges) if a < b))
    assert [(status, body) for status, _, body in answers] == [(200, body) for _, body in requests]
    assert len(asked.house) == 1
    assert asked.connection.incoming.phase == 0


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 90))
def test_any_bytes_are_answered_or_waited_for(noise, at) -> None:
    """Nothing that is sent raises, and what is no HTTP gets 400 and an end."""
    request = post("/about", b"hello", "X-A: b")
    asked = Asked()
    statuses = asked.statuses(request[:at] + noise + request[at:])
    assert set(statuses) <= {200, 400, 403, 404, 405, 413, 415, 417, 501}
    assert statuses.count(400) <= 1
    if 400 in statuses:
        assert asked.connection.incoming.phase == 3


class TestOrder:
    def test_answers_come_in_the_order_of_the_requests(self) -> None:
        asked = Asked()
        asked.send(post("/later", b"0") + post("/later", b"1") + post("/echo", b"2") + post("/later", b"3"))
        assert len(asked.held) == 3
        for place in (2, 1):
            request, reply = asked.held[place]
            reply(Response(request.body))
            assert asked.wire.written == []
        asked.held[0][1](Response(b"0"))
        assert [body for _, _, body in asked.wire.answers()] == [b"0", b"1", b"2", b"3"]

    def test_a_refusal_waits_for_its_turn_and_ends_the_connection(self) -> None:
        asked = Asked()
        asked.send(post("/later", b"0") + b"rubbish\r\n\r\n" + post("/echo", b"2"))
        assert asked.wire.written == []
        asked.held[0][1](Response(b"0"))
        first, second = asked.wire.answers()
        assert (first[0], first[2]) == (200, b"0")
        assert (second[0], second[1]["connection"]) == (400, "close")
        assert asked.wire.done == ["eof"]

    def test_many_unanswered_requests_are_bounded(self) -> None:
        """What came beyond is not parsed until answers leave; none of it is lost."""
        asked = Asked(pipelined=8)
        number = 3000
        asked.send(b"".join(post("/later", b"%d" % each) for each in range(number)))
        assert asked.wire.done == ["pause"]
        assert len(asked.held) < 8 + SLICE // 60
        most, done = 0, 0
        while done < len(asked.held):
            request, reply = asked.held[done]
            reply(Response(request.body))
            done += 1
            most = max(most, len(asked.held) - done)
        assert most < 8 + SLICE // 60
        assert [int(body) for _, _, body in asked.wire.answers()] == list(range(number))
        assert asked.wire.done[-1] == "resume"

    def test_a_large_body_among_unanswered_requests(self) -> None:
        asked = Asked(pipelined=2)
        asked.house.find("POST", "/later")
        body = bytes(900)
        asked.send(*[post("/later", body) * 20, post("/later", b"end")])
        done = 0
        while done < len(asked.held):
            asked.held[done][1](Response(b"%d" % len(asked.held[done][0].body)))
            done += 1
        assert [body for _, _, body in asked.wire.answers()] == [b"900"] * 20 + [b"3"]

    def test_a_client_that_does_not_read_may_not_ask(self) -> None:
        asked = Asked(body_s=30)
        asked.connection.pause_writing()
        assert asked.wire.done == ["pause"]
        asked.send(post("/echo", b"1"))
        asked.connection.resume_writing()
        assert asked.wire.done == ["pause", "resume"]
        asked.connection.pause_writing()
        now = monotonic()
        asked.wire.unread = 500
        for later in (1, 20, 40):
            asked.connection.check(now + later, 75)
            asked.wire.unread -= 1  # it reads, if slowly
        assert "abort" not in asked.wire.done
        asked.wire.unread += 1
        asked.connection.check(now + 80, 75)
        assert asked.wire.done[-1] == "abort"

    def test_answers_after_the_client_left_go_nowhere(self) -> None:
        asked = Asked()
        asked.send(post("/later"))
        asked.connection.connection_lost(None)
        asked.held[0][1](Response(b"late"))
        assert asked.wire.written == []
        assert len(asked.house) == 0

    def test_a_client_that_stopped_sending_gets_its_answers(self) -> None:
        asked = Asked()
        asked.send(post("/later", b"0") + post("/later", b"1"))
        assert asked.connection.eof_received() is True
        for request, reply in asked.held:
            reply(Response(request.body))
        answers = asked.wire.answers()
        assert [body for _, _, body in answers] == [b"0", b"1"]
        assert [headers.get("connection") for _, headers, _ in answers] == [None, "close"]
        assert asked.wire.done == ["eof"]
        assert Asked().connection.eof_received() is False


BOMB = gzip.compress(bytes(5_000_000), mtime=0)
REFUSED = {
    "no http": (b"hello\r\n\r\n", 400),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "lengths that differ": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + HOST + b"\r\na", 400),
    "two ways of ending": (
        b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n0\r\n\r\n",
        400,
    ),
    "space before the colon": (b"GET /about HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "folded header": (b"GET /about HTTP/1.1\r\nX: a\r\n b\r\n" + HOST + b"\r\n", 400),
    "bare newlines": (b"GET /about HTTP/1.1\nHost: a\n\n", 400),
    "negative length": (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n" + HOST + b"\r\n", 400),
    "length beyond 64 bits": (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    "chunk of no size": (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\nzz\r\n", 400),
    "no host": (b"GET /about HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /about HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "another host": (b"GET /about HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
    "another origin": (post("/echo", b"", "Origin: http://evil.example"), 403),
    "connect": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "transfer encoding": (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" + HOST + b"\r\n", 501),
    "url": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "url without end": (b"GET /" + b"a" * 9000, 414),
    "header": (b"GET /about HTTP/1.1\r\nX: " + b"a" * 17_000 + b"\r\n" + HOST + b"\r\n", 431),
    "header without end": (b"GET /about HTTP/1.1\r\nX: " + b"a" * 30_000, 431),
    "headers": (b"GET /about HTTP/1.1\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(120)) + HOST + b"\r\n", 431),
    "headers without end": (b"GET /about HTTP/1.1\r\n" + b"X: 1\r\n" * 5000, 431),
    "trailer without end": (chunked("/echo", b"a", trailer=b"X: " + b"a" * 70_000), 431),
    "extension without end": (chunked("/echo")[:-5] + b"1;" + b"a" * 70_000, 431),
    "declared body": (b"POST /echo HTTP/1.1\r\nContent-Length: 1001\r\n" + HOST + b"\r\n", 413),
    "chunked body": (chunked("/echo", b"a" * 600, b"a" * 600), 413),
    "bomb": (post("/echo", BOMB[:1000], "Content-Encoding: gzip"), 413),
    "half a gzip": (post("/echo", gzip.compress(b"abc", mtime=0)[:-4], "Content-Encoding: gzip"), 400),
    "no gzip": (post("/echo", b"abc", "Content-Encoding: gzip"), 400),
    "more than gzip": (post("/echo", gzip.compress(b"abc", mtime=0) + b"x", "Content-Encoding: gzip"), 400),
    "brotli": (post("/echo", b"abc", "Content-Encoding: br"), 415),
    "expectation": (post("/echo", b"abc", "Expect: miracles"), 417),
    "large body to nobody": (b"POST /nobody HTTP/1.1\r\nContent-Length: 9000000\r\n" + HOST + b"\r\n", 404),
}  # fmt: skip


@pytest.mark.parametrize("step", [1 << 20, 900, 7])
@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals_say_why_and_end_the_connection(data, status, step) -> None:
    """The client may send on for a while, so that it reads the answer; nothing of that is looked at."""
    asked = Asked()
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    [(found, headers, body)] = asked.send(*pieces, post("/echo", b"more") * 3)
    assert found == status
    assert json.loads(body)["error"]
    assert headers["connection"] == "close"
    assert asked.wire.done == ["eof"]
    assert asked.seen == []
    asked.connection.check(monotonic() + 3, 75)
    assert asked.wire.done == ["eof", "abort"]


def test_a_refused_body_is_refused_before_it_comes() -> None:
    asked = Asked()
    asked.send(b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n" + HOST + b"\r\n")
    assert [status for status, _, _ in asked.wire.answers()] == [413]
    assert b"100 Continue" not in asked.wire.written[0]


def test_a_method_that_nobody_offers_is_refused_and_the_connection_goes_on() -> None:
    asked = Asked()
    found = asked.send(b"PURGE /about HTTP/1.1\r\n" + HOST + b"\r\n", post("/echo", b"more"))
    assert [status for status, _, _ in found] == [405, 200]
    assert found[0][1]["allow"] == "GET, HEAD, POST"


def test_chunks_of_one_byte_are_no_trailer() -> None:
    [(status, _, body)] = Asked(head_bytes=100).send(chunked("/echo", *[b"a"] * 900))
    assert (status, body) == (200, b"a" * 900)


def test_bodies_that_are_not_whole_are_bounded_over_all_connections() -> None:
    asked = Asked(unfinished_bytes=1500)
    begun = post("/echo", b"a" * 1000)[:-100]
    other = Asked()
    other.connection = asked.house.connect()
    other.connection.connection_made(other.wire)
    assert asked.send(begun) == []
    [(status, headers, _)] = other.send(begun)
    assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
    assert asked.house.unfinished == 900
    assert [found for found, _, _ in asked.send(b"a" * 100)] == [200]
    assert asked.house.unfinished == 0
    asked.send(begun)
    asked.connection.connection_lost(None)
    assert asked.house.unfinished == 0


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "status", "error", "wait"),
        [
            ("/bad", 400, "no", None),
            ("/gone", 404, "no", None),
            ("/broken", 500, "the model failed (KeyError)", None),
            ("/busy", 429, "slower", "2"),
            ("/full", 503, "later", "1"),
        ],
    )
    def test_errors_have_their_status(self, path, status, error, wait) -> None:
        [(found, headers, body)] = Asked().send(post(path))
        assert (found, headers.get("retry-after")) == (status, wait)
        assert json.loads(body)["error"] == error
        assert json.loads(body)["code"]

    @pytest.mark.parametrize("path", ["/bug", "/nonsense"])
    def test_a_bug_says_nothing_of_the_inside(self, path, caplog) -> None:
        asked = Asked()
        first, second = asked.send(post(path), post("/echo", b"next"))
        assert first[0] == 500
        assert b"secret" not in first[2]
        assert second[2] == b"next"
        assert [record.exc_info is not None for record in caplog.records] == [True]

    def test_many_bugs_are_logged_once_a_second(self, caplog) -> None:
        asked = Asked()
        assert asked.statuses(*[post("/bug")] * 50) == [500] * 50
        assert len(caplog.records) == 1

    def test_a_second_reply_is_ignored(self) -> None:
        answers = Asked().send(post("/twice"), post("/echo", b"x"))
        assert [body for _, _, body in answers] == [b"1", b"x"]

    def test_a_header_ends_where_it_ends(self) -> None:
        [(status, headers, _)] = Asked().send(post("/inject", b"", "X-Id: q7"))
        assert status == 200
        assert headers["x-id"] == "q7set-cookie: a"
        assert "set-cookie" not in headers


class TestTime:
    def late(self, asked: Asked, seconds: float) -> list[int]:
        asked.connection.check(monotonic() + seconds, asked.house.limits.idle_s)
        return [status for status, _, _ in asked.wire.answers()]

    def test_a_head_that_drips(self) -> None:
        asked = Asked()
        asked.send(b"GET /about HTTP/1.1\r\n", b"X: ")
        assert self.late(asked, 9) == []
        asked.send(b"a")
        assert self.late(asked, 11) == [408]
        assert asked.wire.done == ["eof"]

    def test_a_body_that_drips(self) -> None:
        asked = Asked(body_rate=10)
        asked.send(post("/echo", b"a" * 900)[:-600])
        assert self.late(asked, 59) == []
        assert self.late(asked, 61) == [408]

    def test_idle_connections(self) -> None:
        asked = Asked()
        asked.send(post("/later"))
        assert self.late(asked, 1000) == [], "who waits for an answer is not idle"
        asked.held[0][1](Response(b""))
        assert self.late(asked, 74) == [200]
        assert asked.wire.done == []
        self.late(asked, 76)
        assert asked.wire.done == ["close"]

    def test_connections_are_bounded(self) -> None:
        asked = Asked(connections=20)
        wires = [asked.wire]
        for _ in range(30):
            wires.append(Wire())
            asked.house.connect().connection_made(wires[-1])
        refused = [wire for wire in wires if wire.done]
        assert len(refused) == 11
        assert {wire.answers()[0][0] for wire in refused} == {503}
        assert asked.statuses(post("/echo", b"still")) == [200]

    def test_a_crowd_of_idle_connections_is_sent_away_sooner(self) -> None:
        asked = Asked(connections=20)
        wires = [Wire() for _ in range(18)]
        for wire in wires:
            asked.house.connect().connection_made(wire)
        for slot in range(4):
            asked.house.check(monotonic() + 6, slot)
        assert [wire.done for wire in wires] == [["close"]] * 18


class TestDrain:
    def test_answers_say_that_the_connection_ends(self) -> None:
        asked = Asked()
        asked.house.draining = True
        asked.send(post("/later", b"0") + post("/later", b"1"))
        for request, reply in asked.held:
            reply(Response(request.body))
        answers = asked.wire.answers()
        assert [body for _, _, body in answers] == [b"0", b"1"]
        assert [headers.get("connection") for _, headers, _ in answers] == [None, "close"]

    def test_it_is_bounded(self) -> None:
        asked = Asked()
        asked.send(post("/later"))
        asyncio.run(asked.house.drain(0.05))
        assert asked.wire.done == ["abort"]


def test_other_addresses_may_be_called_by_any_name() -> None:
    house = Connections(Asked().house.find, names=None)
    assert house.judge("POST", "models.example:8501", "https://elsewhere.example") is None
    assert house.judge("GET", "127.0.0.1", None) is None
