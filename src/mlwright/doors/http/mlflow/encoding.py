"""Answers as JSON, in which numbers that JSON lacks are the words of protocol buffers."""

import math
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


def encode(value: object) -> bytes:
    """JSON of an answer; bytes are JSON already.

    Not-a-number and the infinities become ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which every client of
    protocol buffers reads back as numbers.
    """
    if isinstance(value, bytes):
        return value
    written = _encode(value)
    # The encoder writes such numbers as null. Few answers hold the word at all, so few are looked through.
    if b"null" in written:
        written = _encode(_worded(msgspec.to_builtins(value, str_keys=True)))
    return written


def _worded(value: object) -> object:
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _worded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_worded(each) for each in value]
    return value
