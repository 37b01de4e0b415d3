"""What nobody should send: malformed heads, bodies and protobuf messages, and a client that sends them as they are."""

import json
import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

POST = b"POST /v2/models/rules/infer HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n"
HEADS: dict[str, bytes] = {
    "garbage": b"\x00\x01\x02\xff" * 100,
    "tls": bytes.fromhex("1603010200010001fc0303") + b"\x17" * 500,
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/9": b"GET /v2 HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "length and chunks": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + GET
    + b"\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "space before colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "folded": POST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "folded length": POST + b"Content-Length:\r\n 2\r\n\r\n{}",
    "bare LF": b"POST /v2 HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}",
    "bare CR": POST + b"X: a\rContent-Length: 2\r\n\r\n{}",
    "NUL in value": POST + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "NUL in name": POST + b"X\x00: b\r\nContent-Length: 2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "length of 2^63-1": POST + b"Content-Length: 9223372036854775807\r\n\r\n{}",
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "chunk beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunk with a wrong end": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
    "extension without end": POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 400_000,
    "trailer without end": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 400_000,
    "100,000 headers": POST + b"X: y\r\n" * 100_000 + b"\r\n",
    "header of 1 MB": POST + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "name of 1 MB": POST + b"y" * (1 << 20) + b": x\r\n\r\n",
    "address of 1 MB": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method of 1 MB": b"A" * (1 << 20) + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /v2 HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: localhost\r\n\r\n",
    "another host": b"GET /v2 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a path that is none": b"GET /v2/models/%00%0d%0a%ff/ready HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half a surrogate": b"GET /v2/models/%ed%a0%80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TRACE": b"TRACE /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PROPFIND": b"PROPFIND /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "expectation": POST + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}",
    "no gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "gzip in gzip": POST + b"Content-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\n{}",
    "header length": POST + b"inference-header-content-length: -1\r\nContent-Length: 2\r\n\r\n{}",
}

DEPTH = 100_000
VALUES: dict[str, bytes] = {
    "deep lists": b"[" * DEPTH + b"]" * DEPTH,
    "deep objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "deep and NaN": b"[" * DEPTH + b"NaN" + b"]" * DEPTH,
    "a million digits": b"[" + b"9" * 1_000_000 + b"]",
    "4301 digits": b"[" + b"9" * 4301 + b"]",
    "1e999": b"[1e999]",
    "-1e999": b"[-1e999]",
    "exponent of 1 MB": b"[1e" + b"9" * 1_000_000 + b"]",
    "NaN": b"[NaN]",
    "Infinity": b"[-Infinity]",
    "no UTF-8": b'["\xff\xfe"]',
    "half a surrogate": b'["\\ud800"]',
    "NUL": b'["\\u0000"]',
    "text of 4 MB": b'["' + b"x" * 4_000_000 + b'"]',
    "list of 2^22": b"[" + b"1," * (1 << 21) + b"1]",
    "300,000 empty objects": b"[" + b"{}," * 300_000 + b"{}]",
    "300,000 empty lists": b"[" + b"[]," * 300_000 + b"[]]",
    "a name a row": b"[" + b",".join(b'{"c%d":1}' % at for at in range(100_000)) + b"]",
    "100,000 names": b"[{" + b",".join(b'"c%d":1' % at for at in range(100_000)) + b"}]",
    "the same name": b"[{" + b",".join([b'"name":1'] * 100_000) + b"}]",
    "nothing": b"[]",
    "null": b"null",
    "a text": b'"x"',
}
PLACES: dict[str, tuple[str, bytes]] = {
    "body": ("/v2/models/rules/infer", b"%b"),
    "inputs": ("/v2/models/rules/infer", b'{"inputs":%b}'),
    "shape": (
        "/v2/models/rules/infer",
        b'{"inputs":[{"name":"name","shape":%b,"datatype":"BYTES","data":["a"]}]}',
    ),
    "data": (
        "/v2/models/rules/infer",
        b'{"inputs":[{"name":"name","shape":[1],"datatype":"BYTES","data":%b}]}',
    ),
    "outputs": ("/v2/models/rules/infer", b'{"inputs":[],"outputs":%b}'),
    "parameters": ("/v2/models/rules/infer", b'{"inputs":[],"parameters":{"entity":%b,"timeout":%b}}'),
    "split": ("/invocations", b'{"dataframe_split":{"columns":["name"],"data":%b}}'),
    "columns": ("/invocations", b'{"dataframe_split":{"columns":%b,"data":[[1]]}}'),
    "records": ("/invocations", b'{"dataframe_records":%b}'),
    "instances": ("/v1/models/rules:predict", b'{"instances":%b}'),
    "by column": ("/v1/models/rules:predict", b'{"inputs":{"name":%b}}'),
    "examples": ("/v1/models/rules:classify", b'{"examples":%b,"context":{"name":"a"}}'),
    "context": ("/v1/models/rules:classify", b'{"examples":[{}],"context":{"name":%b}}'),
    "labels": ("/v1/feedback", b"%b"),
    "label": ("/v1/feedback", b'{"endpoint":"rules","prediction_id":"a","label":%b}'),
    "version": ("/v2/repository/models/rules/load", b'{"parameters":{"version":%b}}'),
}
CONTEXT = (
    b'{"context":{'
    + b",".join(b'"c%d":1' % at for at in range(1000))
    + b'},"examples":['
    + b",".join([b"{}"] * 300_000)
    + b"]}"
)
"""A megabyte that would be 300 million values, were it filled out."""


class Wire:
    """One connection on which anything is sent."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.file = self.socket.makefile("rb")

    def close(self) -> None:
        """Let it go."""
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send as much as the server takes."""
        with suppress(OSError):
            self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body of the next answer; None where the server closed without one."""
        try:
            line = self.file.readline()
            while line.startswith(b"HTTP/1.1 100"):
                self.file.readline()
                line = self.file.readline()
            headers = {}
            while each := self.file.readline().strip():
                name, _, value = each.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = self.file.read(int(headers.get("content-length", 0)))
        except ConnectionError:
            return None
        return (int(line[9:12]), headers, body) if line else None


@contextmanager
def wired(port: int) -> Iterator[Wire]:
    """A connection for a while."""
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()


def posted(path: str, body: bytes, *headers: str) -> bytes:
    """A request as it should be, around a body that may not."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def good(path: str = "/v2/models/rules/infer") -> bytes:
    """A request that has to be answered."""
    tensors = [
        ("name", "BYTES", "Zoë"),
        ("country", "BYTES", "DE"),
        ("amount", "FP64", 10.0),
        ("items", "INT64", 3),
    ]
    inputs = [
        {"name": name, "shape": [1], "datatype": kind, "data": [value]} for name, kind, value in tensors
    ]
    return posted(path, json.dumps({"inputs": inputs}).encode())


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes of it changed, cut off, or twice there."""
    changed = bytearray(data)
    way = chance.random()
    if way < 0.6:
        for _ in range(chance.choice([1, 1, 2, 8])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    elif way < 0.8:
        del changed[chance.randrange(len(changed)) :]
    elif way < 0.9:
        at = chance.randrange(len(changed))
        changed[at:at] = changed[at : at + chance.randrange(40)]
    else:
        changed = bytearray(chance.randbytes(chance.choice([0, 1, 10, 1000])))
    return bytes(changed)


def binary_request(chance: random.Random) -> tuple[bytes, str]:
    """A body of the binary tensor extension that is nearly right, and the length of its JSON."""
    rows = chance.choice([0, 1, 1, 2, 3])
    tensors, blobs = [], b""
    kinds: dict[str, tuple[str, Callable[[], bytes]]] = {
        "name": ("BYTES", lambda: _text(chance)),
        "country": ("BYTES", lambda: _text(chance)),
        "amount": (
            "FP64",
            lambda: struct.pack("<d", chance.choice([0.5, 1e308, float("nan"), float("inf")])),
        ),
        "items": ("INT64", lambda: struct.pack("<q", chance.choice([0, 1, 2**62, -(2**63)]))),
    }
    for name, (kind, value) in kinds.items():
        raw = b"".join(value() for _ in range(rows))
        if chance.random() < 0.1:
            raw = chance.randbytes(chance.choice([0, 1, 3, 4, 8, 9, 100]))
        size: object = len(raw)
        if chance.random() < 0.08:
            size = chance.choice([-1, 0, 2**31, 2**63, 10**30, 1.5, "8", None, True, []])
        shape: object = [rows]
        if chance.random() < 0.1:
            shape = chance.choice(
                [[], [0], [-1], [2**62, 2**62], [2**64], [1] * 10_000, [1, 1], None, [1.5], [65536] * 4]
            )
        kind = (
            kind
            if chance.random() < 0.95
            else chance.choice(["FP16", "BF16", "UINT8", "BOOL", "", "x" * 9999])
        )
        tensors.append(
            {"name": name, "shape": shape, "datatype": kind, "parameters": {"binary_data_size": size}}
        )
        blobs += raw
    body: dict[str, object] = {"inputs": tensors}
    if chance.random() < 0.4:
        body["parameters"] = {"binary_data_output": chance.choice([True, False, 1])}
    if chance.random() < 0.3:
        wanted = chance.choice([{"binary_data": True}, {"classification": chance.choice([1, 3, -1, 2**70])}])
        body["outputs"] = [{"name": chance.choice(["price", "why", "nope"]), "parameters": wanted}]
    head = json.dumps(body).encode()
    length = str(len(head))
    if chance.random() < 0.1:
        length = chance.choice(["0", "-1", "", "1e3", "99999999999", str(len(head) - 1), str(len(head) + 1)])
    data = head + blobs
    return (mutated(data, chance) if chance.random() < 0.2 else data), length


def _text(chance: random.Random) -> bytes:
    raw = chance.choice([b"", b"DE", "Zoë".encode(), b"\xff\xfe", b"\x00", b"x" * 1000])
    return struct.pack("<I", len(raw)) + raw
