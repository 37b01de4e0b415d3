"""One POST of JSON to a receiver, and what its answer means. Texts name the host only: paths and headers hold keys."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

import httpx

from mlwright.errors import UsageError
from mlwright.model.alerting import ChannelTrouble

_LATER: Final = frozenset({408, 421, 425, 429})
"""Answers of 4xx that are about this moment, not about the message or the key."""
_BODY_BYTES: Final = 16 * 1024
_LONGEST_S: Final = 20.0
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """An answer with a status of 2xx: its status and its body, if that is text."""

    status: int
    text: str

    def named(self, key: str) -> str | None:
        """A text of the JSON object that was answered; None where there is none."""
        with contextlib.suppress(ValueError):
            found = json.loads(self.text)
            if isinstance(found, dict) and isinstance(found.get(key), str):
                return str(found[key])
        return None


class Receiver:
    """Where one channel posts to.

    Args:
        url: ``http`` or ``https``; it may hold a secret.
        what: what it is, for messages: ``webhook``.
        timeout_s: for connecting, for writing and for each read, in seconds.

    Raises:
        UsageError: the URL is of another kind, or has no host.
    """

    def __init__(self, url: str, *, what: str, timeout_s: float = 5.0) -> None:
        next_command = "mlwright doctor"
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise UsageError(f"the {what}'s URL is not one", next_command=next_command) from None
        if self._url.scheme not in ("http", "https") or not self._url.host:
            said = f"a {what}'s URL starts with http:// or https:// and names a host"
            raise UsageError(said, next_command=next_command)
        self._where = f"{what} at {self._url.host}"
        self._timeout_s = timeout_s

    def post(self, body: str, *, path: str = "", headers: Mapping[str, str] | None = None) -> Posted:
        """Post once.

        Args:
            body: JSON.
            path: below the URL, percent-encoded already.
            headers: further ones.

        Raises:
            ChannelTrouble: it cannot be reached, or answers anything but 2xx.
        """
        url = self._url
        if path:
            url = url.copy_with(raw_path=url.raw_path.partition(b"?")[0].rstrip(b"/") + path.encode("ascii"))
        said = {"content-type": "application/json", "user-agent": "mlwright", **(headers or {})}
        content = body.encode("utf-8", errors="backslashreplace")
        end = monotonic() + _LONGEST_S
        try:
            # Loading the certificates takes 20 ms or more, and in the clear there are none to check.
            checked = url.scheme == "https"
            with httpx.stream(
                "POST", url, content=content, headers=said, timeout=self._timeout_s, verify=checked
            ) as answer:
                held = b""
                # A receiver that sends a byte a second must not hold up every other channel.
                for part in answer.iter_bytes():
                    held += part
                    if len(held) > _BODY_BYTES or monotonic() > end:
                        break
        except httpx.HTTPError as fault:
            raise ChannelTrouble(f"{self._where}: {type(fault).__name__}") from None
        text = held[:_BODY_BYTES].decode("utf-8", errors="replace").strip()
        if not answer.is_success:
            raise self._trouble(answer.status_code, text, answer.headers.get("retry-after", ""))
        return Posted(status=answer.status_code, text=text)

    def _trouble(self, status: int, text: str, after: str) -> ChannelTrouble:
        reason = " ".join(text.split())[:_SHOWN] if not text.startswith("<") else ""
        return ChannelTrouble(
            f"{self._where} answered {status}" + (f": {reason}" if reason else ""),
            refused=300 <= status < 500 and status not in _LATER,
            after=timedelta(seconds=int(after)) if after.isdecimal() and len(after) < 7 else None,
        )
