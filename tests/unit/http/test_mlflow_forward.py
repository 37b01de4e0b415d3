"""Passing requests on to the control process: whole, in pieces, cut off, and when nobody is there."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvicorn

from mlwright.doors.http.mlflow.errors import Refused
from mlwright.doors.http.mlflow.forward import Forward


class Client:
    """One request as an ASGI server would give it."""

    def __init__(self, method="GET", path="/", query=b"", headers=(), pieces=(b"",)) -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"host", b"127.0.0.1:8500"), *headers],
        }
        self.pieces = list(pieces)
        self.sent: list[dict] = []
        self.leave = asyncio.Event()

    async def receive(self):
        if self.pieces:
            body = self.pieces.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.pieces)}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        assert not self.sent[-1]["more_body"]
        return b"".join(each["body"] for each in self.sent[1:])


async def echo(scope, receive, send) -> None:
    """Says what it got, in two pieces."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    given = dict(scope["headers"])
    headers = [(b"x-host", given[b"host"]), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 203, "headers": headers})
    text = b"%s %s?%s %d " % (
        scope["method"].encode(),
        scope["raw_path"],
        scope["query_string"],
        len(body),
    )
    await send({"type": "http.response.body", "body": text, "more_body": True})
    await send({"type": "http.response.body", "body": body[-10:]})


def with_app(folder, app, work: Callable) -> None:
    """Run ``work(forward)`` while uvicorn serves the application on a Unix socket."""

    async def run() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "s"))
            config = uvicorn.Config(
                app, http="httptools", lifespan="off", log_config=None, proxy_headers=False
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve([listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                await work(Forward(f"unix:{folder / 's'}"))
            finally:
                server.should_exit = True
                await serving

    asyncio.run(run())


def with_raw(answer: bytes, work: Callable) -> None:
    """Run ``work(forward)`` while a port answers everything with these bytes, and closes."""

    async def talk(reader, writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            await work(Forward(f"127.0.0.1:{server.sockets[0].getsockname()[1]}"))

    asyncio.run(run())


def test_requests_and_answers_pass_whole(tmp_path) -> None:
    async def work(forward) -> None:
        got = Client(path="/runs/a%2Fb", query=b"a=1&b=%20")
        await forward(got.scope, got.receive, got.send)
        assert (got.status, got.body) == (203, b"GET /runs/a%2Fb?a=1&b=%20 0 ")
        assert got.headers[b"x-host"] == b"127.0.0.1:8500"  # the guard behind looks at it too
        assert [value for name, value in got.sent[0]["headers"] if name == b"set-cookie"] == [b"a=1", b"b=2"]
        assert not {b"date", b"connection", b"transfer-encoding"} & got.headers.keys()

        pieces = [b"x" * 100_000, b"", b"y" * 100_000]
        for headers in ([(b"content-length", b"200000")], [(b"transfer-encoding", b"chunked")]):
            put = Client("POST", "/api/x", headers=[*headers, (b"connection", b"keep-alive")], pieces=pieces)
            await forward(put.scope, put.receive, put.send)
            assert put.body == b"POST /api/x? 200000 " + b"y" * 10

    with_app(tmp_path, echo, work)


def test_a_head_has_a_length_and_no_body(tmp_path) -> None:
    async def app(scope, receive, send) -> None:
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    async def work(forward) -> None:
        got = Client("HEAD", "/")
        await forward(got.scope, got.receive, got.send)
        assert (got.status, got.headers[b"content-length"], got.body) == (200, b"5", b"")

    with_app(tmp_path, app, work)


def test_what_comes_in_pieces_is_passed_on_in_pieces(tmp_path) -> None:
    seen = asyncio.Event()

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.wait_for(seen.wait(), 10)
        await send({"type": "http.response.body", "body": b"second"})

    class Watching(Client):
        async def send(self, message) -> None:
            await super().send(message)
            if message.get("body") == b"first":
                seen.set()

    async def work(forward) -> None:
        got = Watching()
        await forward(got.scope, got.receive, got.send)
        assert got.body == b"firstsecond"

    with_app(tmp_path, app, work)


def test_a_client_that_leaves_is_gone_behind_as_well(tmp_path) -> None:
    left = asyncio.Event()

    async def app(scope, receive, send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async def work(forward) -> None:
        got = Client()
        asking = asyncio.create_task(forward(got.scope, got.receive, got.send))
        await asyncio.sleep(0.05)
        got.leave.set()
        await asyncio.wait_for(left.wait(), 10)
        with pytest.raises((Refused, ConnectionError)):
            await asking

    with_app(tmp_path, app, work)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
    ],
)
def test_every_way_to_end_an_answer(answer, body) -> None:
    async def work(forward) -> None:
        got = Client()
        await forward(got.scope, got.receive, got.send)
        assert got.body == body

    with_raw(answer, work)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", b"HTTP/1.1 200 OK\r\ncontent-le"]
)
def test_an_answer_that_is_cut_off_is_not_taken_for_whole(answer) -> None:
    async def work(forward) -> None:
        got = Client()
        with pytest.raises(Refused) as caught:
            await forward(got.scope, got.receive, got.send)
        assert caught.value.status == 502
        assert not got.sent or got.sent[-1].get("more_body", True)

    with_raw(answer, work)


@pytest.mark.parametrize("address", ["unix:/nowhere/at/all", "127.0.0.1:1"])
def test_nobody_there_is_told(address) -> None:
    async def work() -> None:
        got = Client(path="/runs")
        with pytest.raises(Refused, match="/runs does not answer") as caught:
            await Forward(address)(got.scope, got.receive, got.send)
        assert (caught.value.status, got.sent) == (503, [])

    asyncio.run(work())
