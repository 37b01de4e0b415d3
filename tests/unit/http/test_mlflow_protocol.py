"""What leaves the server in one write, and how long a head may be."""

import asyncio
import socket

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from mlwright.doors.http.mlflow.protocol import MAX_HEAD, OneWrite, OneWriteProtocol


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, sock=None) -> None:
        super().__init__({"socket": sock, "sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data) -> None:
        self.writes.append(bytes(data))

    def writelines(self, parts) -> None:
        self.writes.append(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def answering(body: bytes, pieces: int = 1):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        for left in range(pieces, 0, -1):
            await send({"type": "http.response.body", "body": body, "more_body": left > 1})

    return app


async def ask(app, request: bytes, wire: Wire) -> Wire:
    config = uvicorn.Config(app, http=OneWriteProtocol, ws="none", lifespan="off", log_config=None)
    protocol = OneWriteProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    protocol.data_received(request)
    await asyncio.sleep(0.01)
    protocol.connection_lost(None)
    return wire


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def run(app, request: bytes = GET, wire: Wire | None = None) -> Wire:
    with asyncio.Runner() as runner:
        return runner.run(ask(app, request, wire or Wire()))


def test_head_and_body_leave_in_one_write() -> None:
    (only,) = run(answering(b"hello")).writes
    assert only.startswith(b"HTTP/1.1 200 OK\r\n")
    assert only.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


def test_a_long_body_is_not_copied_and_still_leaves_with_its_head() -> None:
    writes = run(answering(b"x" * 200_000, pieces=3)).writes
    assert len(writes) <= 4
    assert writes[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(writes[0]) > 200_000
    assert b"".join(writes).count(b"x" * 200_000) == 3


def test_an_answer_that_ends_the_connection_leaves_before_the_end() -> None:
    wire = run(answering(b"bye"), b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert wire.closed
    assert len(wire.writes) == 1


def test_two_requests_at_once_get_two_answers_in_order() -> None:
    assert b"".join(run(answering(b"hello"), GET + GET).writes).count(b"HTTP/1.1 200 OK") == 2


def test_nodelay_is_set() -> None:
    with socket.socket() as sock:
        run(answering(b""), wire=Wire(sock))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("request_", [b"GET /" + b"a" * MAX_HEAD, b"GET / HTTP/1.1\r\nx: " + b"a" * MAX_HEAD])
def test_a_head_without_end_is_cut(request_) -> None:
    wire = run(answering(b"never"), request_)
    assert wire.closed
    assert wire.writes[0].startswith(b"HTTP/1.1 431 ")


def test_a_long_body_is_no_long_head() -> None:
    length = 3 * MAX_HEAD
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % length + b"a" * length
    assert run(answering(b"well"), request + GET).writes[0].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_one_segment_arrives(loop) -> None:
    """The peer's socket has the whole answer after one wake-up, on every event loop."""

    async def arrive() -> list[bytes]:
        here, there = socket.socketpair()
        there.setblocking(False)
        running = asyncio.get_running_loop()
        transport, _ = await running.create_connection(asyncio.Protocol, sock=here)
        joined = OneWrite(transport, running)
        joined.write(b"head")
        joined.write(b"body")
        got = [await running.sock_recv(there, 100)]
        joined.write(b"more")
        joined.close()
        got.append(await running.sock_recv(there, 100))
        there.close()
        return got

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(arrive()) == [b"headbody", b"more"]


class Hasty(OneWriteProtocol):
    head_s = 0.05


async def pause(*pieces: bytes, seconds: float = 0.1) -> Wire:
    """Pieces of requests with pauses between them, of somebody who may take 0.05 s for a head."""
    wire = Wire()
    config = uvicorn.Config(answering(b"well"), http=Hasty, ws="none", lifespan="off", log_config=None)
    protocol = Hasty(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    for piece in pieces:
        protocol.data_received(piece)
        await asyncio.sleep(seconds)
    await asyncio.sleep(0.1 - seconds)
    ended = wire.closed
    protocol.connection_lost(None)
    wire.closed = ended
    return wire


@pytest.mark.parametrize(
    ("pieces", "seconds", "end"),
    [
        ([], 0.0, None),
        ([GET[:10]], 0.1, b"HTTP/1.1 408 "),
        ([bytes([each]) for each in GET[:20]], 0.01, b"HTTP/1.1 408 "),
        ([GET, GET[:10]], 0.1, b"HTTP/1.1 408 "),
    ],
)
def test_half_a_head_is_not_waited_for(pieces, seconds, end) -> None:
    wire = asyncio.run(pause(*pieces, seconds=seconds))
    assert wire.closed
    assert (wire.writes[-1][:13] if wire.writes else None) == end


def test_whoever_has_said_what_it_wants_may_take_its_time() -> None:
    wire = asyncio.run(pause(GET, GET))
    assert (len(wire.writes), wire.closed) == (2, False)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
    wire = asyncio.run(pause(head, b"a", b"b"))
    assert [each[:12] for each in wire.writes] == [b"HTTP/1.1 200"]
