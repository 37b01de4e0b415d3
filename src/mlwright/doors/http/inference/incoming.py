"""One connection's bytes to requests.

The parser keeps what it knows of the request that is coming in, refuses it as soon as it is clear that it would be
refused, and hands it on when it is whole. Nothing here writes but the interim ``100 Continue``.
"""

import zlib
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from mlwright.doors.http.inference.exchange import Request, Response
from mlwright.doors.http.inference.rendering import refused

if TYPE_CHECKING:
    from mlwright.doors.http.inference.connections import Connections
    from mlwright.doors.http.inference.protocol import Connection
    from mlwright.doors.http.inference.routing import Target

# Where a connection stands with what it reads.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
DEAF: Final = 3
"""Nothing more is taken from it; what was asked before is still answered."""

SLICE: Final = 4096
"""Bytes that are parsed before the number of unanswered requests is looked at again."""
_MOST_NAMES: Final = 1024
_MOST_FRAMING: Final = 16
"""Bytes that come for each byte of a chunked body: even chunks of one byte are six."""
_METHODS: Final = {
    each.encode(): each for each in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
}
_names: dict[bytes, str] = {}


class Refused(Exception):
    """The request is not read to its end."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Incoming:
    """What is known of the request that is coming in. The parser calls the methods ``on_…``."""

    __slots__ = (
        "_body", "_came", "_chunked", "_connection", "_fed", "_head", "_headers", "_house", "_inflate", "_kept",
        "_left", "_method", "_parser", "_path", "_query", "_target", "_upgrade", "_url", "phase", "since", "size",
    )  # fmt: skip

    _target: "Target"
    _headers: dict[str, str]

    def __init__(self, connection: "Connection", house: "Connections") -> None:
        self._connection = connection
        self._house = house
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self.phase = IDLE
        self.since = monotonic()
        """When the phase began."""
        self.size = 0
        """Bytes of the body so far, decompressed."""
        self._left = 0  # bytes of a body of declared length that did not come yet
        self._head = 0  # bytes of the head so far
        self._url = b""
        self._path = self._query = self._method = ""
        self._body: bytes | bytearray = b""
        self._chunked = False
        self._kept = 0  # bytes of the body that all connections together count
        self._came = 0  # bytes of chunks so far, as they came
        self._fed = 0  # bytes since the head, with all that is around the chunks
        self._inflate: _Inflating | None = None
        self._upgrade = False

    def feed(self, data: bytes | memoryview) -> Response | None:
        """Parse what came, which hands on the requests that are whole now; returns the refusal of one that is not."""
        parser = self._parser
        if parser is None:
            return None
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._without_upgrade(parser, data[upgrade.args[0] :])
        except HttpParserCallbackError as error:
            cause = error.__context__ or error
            if not isinstance(cause, Refused):
                cause = Refused(self._house.complaints.answer(cause, "reading a request"))
            return cause.response
        except HttpParserError as error:
            # More after the last request is no mistake of that request.
            return None if self.phase == DEAF else refused(400, f"this is not HTTP/1.1: {error}")
        return self._overlong(len(data)) if self.phase in (HEAD, BODY) else None

    def step(self) -> int:
        """How many bytes may be parsed at once: inside a body of declared length no other request can begin."""
        return self._left if self.phase == BODY and self._left > SLICE else SLICE

    def stop(self) -> None:
        """Take nothing more."""
        self.phase = DEAF
        self.since = monotonic()
        self._inflate = None
        self._body = b""
        self._give_back()

    def forget(self) -> None:
        """Stop, and give back the parser, which refers to this in a circle."""
        self.stop()
        self._parser = None

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.phase = HEAD
        self.since = monotonic()
        self._head = 0
        self._url = b""
        self._headers = {}

    def on_url(self, url: bytes) -> None:
        """A piece of what stands between method and version."""
        self._url = url = self._url + url if self._url else url
        if len(url) > self._house.limits.url_bytes:
            raise Refused(refused(414, f"the URL is longer than {self._house.limits.url_bytes} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header; those after the body are ignored."""
        self._head += len(name) + len(value) + 4
        if self.phase != HEAD:
            return
        key = _names.get(name) or _lowered(name)
        text = value.decode("latin-1")
        headers = self._headers
        if key in headers:
            if key == "host":
                raise Refused(refused(400, "there is more than one Host header"))
            text = f"{headers[key]}, {text}"
        headers[key] = text

    def on_headers_complete(self) -> None:
        """The head is whole: find who answers, and refuse what would not be, before its body comes."""
        parser, headers, house = self._parser, self._headers, self._house
        assert parser is not None  # it is what calls
        if "upgrade" in headers and parser.should_upgrade():
            self._upgrade = True
            return
        self.phase = BODY
        raw = parser.get_method()
        if raw == b"CONNECT":
            raise Refused(refused(405, "this server is no proxy", (("allow", "GET, HEAD, POST"),)))
        method = _METHODS.get(raw) or raw.decode("latin-1")
        if self._head > house.limits.head_bytes or len(headers) > house.limits.headers:
            raise Refused(_head_too_large(house.limits.head_bytes, house.limits.headers))
        self._method = method
        path, _, self._query = self._url.decode("latin-1").partition("?")
        if not path.startswith("/"):  # RFC 9112 3.2.2: a URL may be whole
            path = "/" + path.partition("://")[2].partition("/")[2]
        self._path = path = unquote(path) if "%" in path else path
        host = headers.get("host")
        if host is None:
            if parser.get_http_version() != "1.0":
                raise Refused(refused(400, "there is no Host header"))
        elif (no := house.judge(method, host, headers.get("origin"))) is not None:
            raise Refused(no)
        self._target = target = house.find(method, path)
        self.size = self._came = self._fed = 0
        self._body = b""
        declared = headers.get("content-length")
        self._chunked = declared is None
        self._left = 0
        if declared is not None:
            self._left = int(declared)
            if self._left > target.body_bytes:
                raise Refused(target.too_large())
        if "transfer-encoding" in headers or "expect" in headers or "content-encoding" in headers:
            self._uncommon(headers)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        self._left -= len(piece)
        most = self._target.body_bytes
        if self._left:
            self._keep(len(piece))
        if self._inflate is not None:
            piece = self._inflate.more(piece, most + 1 - self.size)
        size = self.size + len(piece)
        if size > most:
            raise Refused(self._target.too_large())
        if not self.size:
            self._body = piece
        elif type(self._body) is bytes:
            self._body = bytearray(self._body)
            self._body += piece
        else:
            self._body += piece
        self.size = size

    def on_message_complete(self) -> None:
        """The request is whole: hand it to its handler."""
        if self._upgrade:
            return
        if self._inflate is not None:
            self._inflate.end()
            self._inflate = None
        if self._kept:
            self._give_back()
        headers, parser = self._headers, self._parser
        assert parser is not None  # it is what calls
        keep = parser.should_keep_alive()
        self.phase = IDLE if keep else DEAF
        # Only a client of HTTP/1.0 that asked for it has to be told that the connection stays.
        told = keep and "connection" in headers and parser.get_http_version() == "1.0"
        body = self._body
        if type(body) is not bytes:
            body = bytes(body)
        self._body = b""
        connection = self._connection
        request = Request(
            self._method, self._path, self._query, headers, body, connection.client, monotonic()
        )  # by position: it costs half
        connection.asked(request, self._target, keep, told)

    def _overlong(self, came: int) -> Response | None:
        """Refuse what the parser keeps, or copies with every piece, before it is whole: a header, a trailer."""
        limits = self._house.limits
        if self.phase == HEAD:
            self._head += came
            if self._head > limits.head_bytes + SLICE:
                return _head_too_large(limits.head_bytes, limits.headers)
        elif self._chunked:
            self._fed += came
            if self._fed > _MOST_FRAMING * self._came + 4 * limits.head_bytes:
                return refused(431, "there is more around the chunks of the body than in them")
        return None

    def _keep(self, size: int) -> None:
        """Count a piece of a body that is not whole: all connections together hold no more than is bearable."""
        house = self._house
        self._came += size
        self._kept += size
        house.unfinished += size
        if house.unfinished > house.limits.unfinished_bytes:
            raise Refused(refused(503, "too much is being sent at once", (("retry-after", "1"),)))

    def _give_back(self) -> None:
        self._house.unfinished -= self._kept
        self._kept = 0

    def _uncommon(self, headers: dict[str, str]) -> None:
        """Bodies that are chunked, compressed, or waited for."""
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise Refused(refused(501, "of transfer encodings only chunked is offered here"))
        coding = headers.get("content-encoding", "identity").lower()
        if coding != "identity":
            if coding not in ("gzip", "x-gzip", "deflate"):
                offered = (("accept-encoding", "gzip, deflate"),)
                raise Refused(refused(415, f"a body of content encoding {coding!r:.40} is not read", offered))
            self._inflate = _Inflating()
        expected = headers.get("expect")
        if expected is not None:
            if expected.lower() != "100-continue":
                raise Refused(refused(417, "of expectations only 100-continue is met here"))
            self._connection.go_on()

    def _without_upgrade(self, parser: HttpRequestParser, rest: bytes | memoryview) -> Response | None:
        """Read the request again as if it had not offered to speak another protocol."""
        self._upgrade = False
        method = parser.get_method()
        self._parser = HttpRequestParser(self)
        lines = [b"%b %b HTTP/1.1" % (method, self._url)]
        for name, value in self._headers.items():
            if name == "connection":
                tokens = [each.strip() for each in value.split(",")]
                value = ", ".join(
                    each for each in tokens if each.lower() not in ("upgrade", "http2-settings")
                )
            if name not in ("upgrade", "http2-settings"):
                lines.append(f"{name}: {value}".encode("latin-1"))
        no = self.feed(b"\r\n".join([*lines, b"", b""]))
        return self.feed(rest) if no is None and rest else no


def _lowered(name: bytes) -> str:
    text = name.decode("latin-1").lower()
    if len(_names) < _MOST_NAMES:
        _names[name] = text
    return text


def _head_too_large(head_bytes: int, headers: int) -> Response:
    return refused(431, f"the head has more than {head_bytes} bytes or {headers} headers")


class _Inflating:
    """Decompresses a body of gzip or zlib, by its head, piece by piece."""

    def __init__(self) -> None:
        self._opened = zlib.decompressobj(wbits=47)
        self._begun = False

    def more(self, piece: bytes, most: int) -> bytes:
        """The next piece, and no more than so many bytes of it: one more than the caller takes."""
        self._begun = True
        try:
            plain = self._opened.decompress(piece, most)
        except zlib.error as error:
            raise Refused(refused(400, f"the body cannot be decompressed: {error}")) from error
        if self._opened.unused_data:
            raise Refused(refused(400, "there is more after the end of the compressed body"))
        return plain

    def end(self) -> None:
        """That was all."""
        if self._begun and not self._opened.eof:
            raise Refused(refused(400, "the compressed body ends before its end"))
