"""Webhooks over HTTP/1.1, by the standard library alone: the tracking process stays light."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import SplitResult

from mlwright.adapters.webhooks.addresses import check_address, parse_hosts, split_url
from mlwright.errors import UsageError
from mlwright.model.webhooks import ReceiverAnswer

_BODY_BYTES: Final = 64 * 1024
_RESOLVE_S: Final = 5.0

Connect = Callable[[str, int, float], socket.socket]


class HttpWebhookSender:
    """Posts to public machines over https, and to those that whoever runs the server named.

    The address is looked at again on the connected socket, before anything is sent: a name that leads elsewhere the
    second time it is asked for gets nothing. No proxy of the environment is used, which would hide the address.

    Args:
        allowed: hosts between commas that may be called though they are not public, and over http too.
        timeout_s: for connecting and for each wait on the receiver, in seconds.
    """

    def __init__(self, *, allowed: str = "", timeout_s: float = 10.0) -> None:
        self._allowed = parse_hosts(allowed)
        self._timeout_s = timeout_s
        self._resolving = ThreadPoolExecutor(4, thread_name_prefix="webhook-names")

    def check(self, url: str) -> None:
        """See whether an address may be called; see ``WebhookSender.check``."""
        parts = split_url(url, allowed=self._allowed)
        try:
            self._addresses(parts)
        except OSError as fault:
            raise UsageError(f"Cannot resolve Webhook URL hostname {parts.hostname!r}: {fault}") from fault

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> ReceiverAnswer:
        """Post once; see ``WebhookSender.send``."""
        parts = split_url(url, allowed=self._allowed)
        host = parts.hostname or ""
        connection = HTTPConnection(host, parts.port or (443 if parts.scheme == "https" else 80))
        try:
            connection.sock = self._connect(parts)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=body, headers={"User-Agent": "mlwright", **headers})
            return _read(connection.getresponse(), deadline=time.monotonic() + self._timeout_s)
        except (OSError, HTTPException) as fault:
            raise OSError(f"webhook at {host}: {_words(fault)}") from fault
        finally:
            connection.close()

    def _connect(self, parts: SplitResult) -> socket.socket:
        host = parts.hostname or ""
        fault: OSError | None = None
        for family, address in self._addresses(parts):
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.settimeout(self._timeout_s)
                made.connect(address)
                check_address(host, made.getpeername()[0], allowed=self._allowed)
                if parts.scheme == "https":
                    return ssl.create_default_context().wrap_socket(made, server_hostname=host)
                return made
            except OSError as error:
                made.close()
                fault = error
            except BaseException:
                made.close()
                raise
        raise fault or OSError("its name leads to no address")

    def _addresses(self, parts: SplitResult) -> list[tuple[int, tuple[object, ...]]]:
        """Where the host's name leads; all of it must be allowed."""
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        asked = self._resolving.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = asked.result(timeout=_RESOLVE_S)
        except TookTooLong:
            asked.cancel()
            raise OSError("its name was not resolved in time") from None
        except UnicodeError as fault:
            raise OSError("its name is not one") from fault
        for *_, address in found:
            check_address(host, str(address[0]), allowed=self._allowed)
        return [(family, address) for family, _, _, _, address in found]


def _read(answer: HTTPResponse, *, deadline: float) -> ReceiverAnswer:
    # A receiver that answers a byte a second must not hold the sender: what it said is enough.
    parts: list[bytes] = []
    size = 0
    while size < _BODY_BYTES and time.monotonic() < deadline:
        part = answer.read1(_BODY_BYTES - size)
        if not part:
            break
        parts.append(part)
        size += len(part)
    body = b"".join(parts).decode("utf-8", errors="replace")
    return ReceiverAnswer(
        status=answer.status, body=body, retry_after=_seconds(answer.getheader("Retry-After"))
    )


def _seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _words(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "took too long"
    return (getattr(fault, "strerror", None) or str(fault) or type(fault).__name__).splitlines()[0]
