"""Somebody else's language model: a local HTTP server that speaks OpenAI's Chat Completions from a script."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler", dict[str, Any]], None]


class Provider(ThreadingHTTPServer):
    """Answers request after request from a script, the last entry for ever; keeps what it was sent."""

    daemon_threads = True

    def __init__(self, script: Sequence[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        """Whoever hangs up has its reasons."""


class Handler(BaseHTTPRequestHandler):
    server: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/chat/completions", self.path
        place = len(self.server.requests)
        self.server.requests.append(body)
        self.server.keys.append(self.headers["authorization"] or "")
        self.server.script[min(place, len(self.server.script) - 1)](self, body)

    def reply(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(*script: Reply) -> Iterator[Provider]:
    with Provider(script) as provider:
        thread = threading.Thread(target=lambda: provider.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield provider
        finally:
            provider.closing.set()
            provider.shutdown()
            thread.join()


def _completion(message: dict[str, Any], finish: str) -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()


def says(text: str) -> Reply:
    return lambda handler, _: handler.reply(200, _completion({"content": text}, "stop"))


def repeats_the_tool() -> Reply:
    """Says what the last tool returned."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.reply(200, _completion({"content": body["messages"][-1]["content"]}, "stop"))

    return reply


def calls(name: str, arguments: str = "{}") -> Reply:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return lambda handler, _: handler.reply(
        200, _completion({"content": None, "tool_calls": [call]}, "tool_calls")
    )


def fails(status: int, text: str = '{"error": {"message": "no"}}') -> Reply:
    return lambda handler, _: handler.reply(status, text.encode())


def garbage(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(200, b"\xff\xfe<html>not json")


def no_choices(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(200, b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}')


def hangs(handler: Handler, _: dict[str, Any]) -> None:
    handler.server.closing.wait(20)


def never_ends(handler: Handler, _: dict[str, Any]) -> None:
    """Sends a space every few milliseconds: each read succeeds, the response never does."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    with suppress(OSError):
        while not handler.server.closing.is_set():
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.005)


def huge(handler: Handler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        while not handler.server.closing.is_set():
            handler.wfile.write(b'{"a":"' + b"a" * 500_000)


def compressed(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(200, b"\x1f\x8b", content_encoding="gzip")


def moved(to: str) -> Reply:
    return lambda handler, _: handler.reply(307, b"", location=to)
