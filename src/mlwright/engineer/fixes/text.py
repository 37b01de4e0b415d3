"""A file's bytes as text and back, with nothing lost: encoding, byte order mark, line ends."""

import codecs
import io
import tokenize
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A text as it stands in a file: its codec, and the line end that it uses most (``\\n`` where it has none)."""

    text: str
    encoding: str
    newline: str

    def encode(self, text: str) -> bytes:
        """Another text in this file's encoding."""
        return text.encode(self.encoding)

    def ended(self) -> str:
        """The text, with a line end after its last line."""
        return self.text if not self.text or self.text.endswith(("\n", "\r")) else self.text + self.newline

    def block(self, lines: list[str]) -> str:
        """These lines with this file's line ends."""
        return "".join(line + self.newline for line in lines)


def source_of(path: str, raw: bytes) -> Source | None:
    """The text of a file; None where its bytes are no text of the encoding that it has, or says that it has."""
    encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        if path.endswith(".py"):
            encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
        if text.encode(encoding) != raw:
            return None
    except (SyntaxError, LookupError, UnicodeError):
        return None
    return Source(text, encoding, _newline(text))


def _newline(text: str) -> str:
    windows = text.count("\r\n")
    return "\r\n" if windows * 2 > text.count("\n") else "\n"


def lines_of(text: str) -> list[str]:
    """Its lines with their ends; a line ends at ``\\n`` only, so that a diff shows a ``\\r`` that is added or lost."""
    return text.splitlines(keepends=True) if text.isascii() and _plain(text) else _split(text)


def _plain(text: str) -> bool:
    return not any(each in text for each in "\r\v\f\x1c\x1d\x1e")


def _split(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
