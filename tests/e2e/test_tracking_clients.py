"""Clients that break the rules of HTTP, or keep to them very slowly: the server's memory is bounded, others go on."""

import json
import runpy
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

OWN = runpy.run_path(str(Path(__file__).with_name("tracking_server.py")))
API, FILES, serving = OWN["API"], OWN["FILES"], OWN["serving"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

HOST = b"host: localhost\r\n"
CREATE = f"POST {API}experiments/create HTTP/1.1\r\n".encode() + HOST


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[object]:
    """One server for all; after each test it is well."""
    with serving(tmp_path_factory.mktemp("troubled")) as running:
        yield running


@pytest.fixture(autouse=True)
def still_well(server) -> Iterator[None]:
    yield
    assert server.process.poll() is None
    assert server.client().raw("GET", "/health").body == b"OK"
    assert "Traceback" not in server.said


def connect(server, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def everything(sock: socket.socket) -> bytes:
    """What comes until the server closes, or nothing more does."""
    got = b""
    with suppress(TimeoutError, ConnectionError):
        while piece := sock.recv(1 << 16):
            got += piece
    return got


def said(server, data: bytes, timeout: float = 2) -> bytes:
    with connect(server, timeout) as sock:
        with suppress(ConnectionError):
            sock.sendall(data)
        return everything(sock)


def has(server, name: str) -> bool:
    return bool(server.client().ask("GET", "experiments/get-by-name", experiment_name=name).status == 200)


def body(name: str) -> bytes:
    return json.dumps({"name": name}).encode()


def test_hundreds_of_connections_that_say_little_delay_nobody(server) -> None:
    before = server.memory()
    with ExitStack() as stack:
        socks = [stack.enter_context(connect(server)) for _ in range(400)]
        halves = [
            b"",
            CREATE,
            CREATE + b"content-length: 100\r\n\r\n",
            CREATE + b'content-length: 9\r\n\r\n{"na',
        ]
        for number, sock in enumerate(socks):
            sock.sendall(halves[number % 4])
        slowest = 0.0
        for number in range(50):
            socks[number].sendall(b"x")
            begun = time.monotonic()
            assert has(server, "Default")
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2
        assert server.memory() < before + 40
    assert has(server, "Default")


def test_many_large_bodies_at_once_are_bounded(server) -> None:
    """Each of 30 clients sends 60 MB, which a call takes, and waits before the last one: 1.8 GB in all."""
    before = server.memory()
    answers: list[bytes] = []
    hold = threading.Event()

    def send() -> None:
        with connect(server, 60) as sock:
            with suppress(OSError):
                sock.sendall(CREATE + b"content-length: %d\r\n\r\n" % (60 << 20))
                for _ in range(59):
                    sock.sendall(b" " * (1 << 20))
                hold.wait(30)
                sock.sendall(b" " * (1 << 20))
            with suppress(ConnectionError):
                answers.append(sock.recv(12))

    threads = [threading.Thread(target=send) for _ in range(30)]
    for each in threads:
        each.start()
    time.sleep(3)
    assert has(server, "Default")
    most = server.memory()
    hold.set()
    for each in threads:
        each.join()
    assert most < before + 800, most
    assert set(answers) == {b"HTTP/1.1 503", b"HTTP/1.1 400"}  # spaces are no JSON
    assert answers.count(b"HTTP/1.1 503") >= 15


def test_requests_in_one_go_are_answered_in_order(server) -> None:
    names = [f"piped-{number}" for number in range(30)]
    requests = b"".join(
        CREATE + b"content-length: %d\r\n\r\n" % len(body(name)) + body(name) for name in [*names, names[0]]
    )
    got = said(
        server, requests + b"GET /health HTTP/1.1\r\nconnection: close\r\n" + HOST + b"\r\n", timeout=10
    )
    heads = [each[:3] for each in got.split(b"HTTP/1.1 ")[1:]]
    assert heads == [b"200"] * 30 + [b"400", b"200"]
    ids = [int(each.partition(b'"')[0]) for each in got.split(b'{"experiment_id":"')[1:]]
    assert ids == sorted(ids)
    assert got.endswith(b"OK")


def test_the_first_version_of_http_is_spoken(server) -> None:
    got = said(server, b"GET /health HTTP/1.0\r\n" + HOST + b"\r\n", timeout=10)
    assert got.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    assert got.endswith(b"OK")
    text = body("old")
    head = f"POST {API}experiments/create HTTP/1.0\r\n".encode() + HOST
    got = said(server, head + b"content-length: %d\r\n\r\n" % len(text) + text, timeout=10)
    assert b'{"experiment_id"' in got
    assert has(server, "old")


@pytest.mark.parametrize(
    "length", [b"abc", b"-1", b"1e3", b"0x10", b"5, 6", b"", b"99999999999999999999", b"+5"]
)
def test_lengths_that_are_none_are_refused(server, length) -> None:
    got = said(
        server, CREATE + b"connection: close\r\ncontent-length: " + length + b"\r\n\r\n" + body("length")
    )
    assert got == b"" or got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), got
    assert not has(server, "length")


def test_a_body_that_is_shorter_than_announced_changes_nothing(server) -> None:
    text = body("short")
    with connect(server) as sock:
        sock.sendall(CREATE + b"content-length: %d\r\n\r\n" % (len(text) + 1) + text)
        sock.shutdown(socket.SHUT_WR)
        everything(sock)
    assert not has(server, "short")


def test_what_follows_a_body_is_another_request_and_not_part_of_it(server) -> None:
    text = body("first")
    got = said(server, CREATE + b"content-length: %d\r\n\r\n" % len(text) + text + b"rubbish\r\n\r\n")
    assert b"HTTP/1.1 400" in got
    assert got.count(b"HTTP/1.1 ") <= 2
    smuggled = b"POST / HTTP/1.1\r\n" + HOST + b"\r\n"
    got = said(server, CREATE + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n" + smuggled)
    assert got.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in got


@pytest.mark.parametrize("size", [b"xyz", b"-1", b"FFFFFFFFFFFFFFFFF", b"10"])
def test_chunks_that_are_none_are_refused(server, size) -> None:
    head = CREATE + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    got = said(server, head + size + b"\r\n" + body("chunk") + b"\r\n0\r\n\r\n")
    assert b" 200 " not in got
    assert not has(server, "chunk")


def test_leave_to_send_is_given_only_where_the_body_is_wanted(server) -> None:
    text = body("leave")
    with connect(server) as sock:
        sock.sendall(CREATE + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(text))
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(text)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    with connect(server) as sock:
        sock.sendall(CREATE + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % (1 << 30))
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")
    with connect(server) as sock:
        head = f"PUT {FILES}0/x/artifacts/%2e%2e/%2e%2e/x HTTP/1.1\r\n".encode() + HOST
        sock.sendall(head + b"expect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_heads_and_options(server) -> None:
    for path in ("/health", "/version", f"{API}experiments/get?experiment_id=0"):
        got = said(server, f"HEAD {path} HTTP/1.1\r\nconnection: close\r\n".encode() + HOST + b"\r\n")
        head, _, rest = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), got
        assert rest == b""
    got = said(
        server, f"OPTIONS {API}runs/create HTTP/1.1\r\nconnection: close\r\n".encode() + HOST + b"\r\n"
    )
    assert b"allow: OPTIONS, POST" in got
    for method in (b"TRACE", b"CONNECT", b"BREW", b"PROPFIND"):
        got = said(
            server, method + f" {API}runs/create HTTP/1.1\r\nconnection: close\r\n".encode() + HOST + b"\r\n"
        )
        assert got == b"" or got.startswith(b"HTTP/1.1 4"), got


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\n" + HOST + b"x: " + b"a" * (10 << 20),
        b"GET /" + b"a" * (10 << 20) + b" HTTP/1.1\r\n" + HOST,
        b"GET /health HTTP/1.1\r\n" + HOST + b"a: b\r\n" * (1 << 20),
        b"G" * (10 << 20),
    ],
)
def test_a_head_of_ten_megabytes_is_refused_and_not_held(server, head) -> None:
    before = server.memory()
    got = said(server, head + b"\r\n\r\n")
    assert got == b"" or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), got[:100]
    assert server.memory() < before + 40


def test_a_reader_that_stops_reading_holds_little(server) -> None:
    """Twenty clients ask for 8 MB each and take nothing of it."""
    client = server.client()
    assert client.raw("PUT", f"{FILES}0/slow/artifacts/file", b"x" * (8 << 20)).status == 200
    before = server.memory()
    with ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(connect(server))
            sock.sendall(f"GET {FILES}0/slow/artifacts/file HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        time.sleep(1)
        assert has(server, "Default")
        assert server.memory() < before + 100
    assert len(client.raw("GET", f"{FILES}0/slow/artifacts/file").body) == 8 << 20
