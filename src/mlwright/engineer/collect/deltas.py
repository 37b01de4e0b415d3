"""Differences between packed git objects, and git's index; bounded, for files that may have been crafted."""

import struct
import zlib
from collections.abc import Iterator
from mmap import mmap

_ENTRIES = 500_000


class Broken(ValueError):
    """A part of a git repository that is not as its format says; caught inside the collectors."""


def inflated(data: mmap, at: int, size: int) -> bytes:
    """Exactly ``size`` bytes out of the compressed stream that begins at ``at``."""
    stream = zlib.decompressobj()
    found = bytearray()
    while not stream.eof and len(found) <= size:
        chunk = data[at : at + 65_536]
        if not chunk:
            break
        at += len(chunk)
        found += stream.decompress(chunk, size - len(found) + 1)
    if len(found) != size:
        raise Broken("an object of another size than it says")
    return bytes(found)


def _length(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 63:
        byte = delta[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise Broken("a length without an end")


def applied(base: bytes, delta: bytes, limit: int) -> bytes:
    """The object that a difference makes of its base; ``limit`` bytes at most."""
    source, at = _length(delta, 0)
    target, at = _length(delta, at)
    if source != len(base) or target > limit:
        raise Broken(f"an object of {target:,} bytes, or a difference for another base")
    parts: list[bytes] = []
    made = 0
    while at < len(delta):
        code = delta[at]
        at += 1
        if code & 0x80:
            offset = size = 0
            for bit in range(4):
                if code & (1 << bit):
                    offset |= delta[at] << (8 * bit)
                    at += 1
            for bit in range(3):
                if code & (16 << bit):
                    size |= delta[at] << (8 * bit)
                    at += 1
            size = size or 0x10000
            parts.append(base[offset : offset + size])
        else:
            size = code
            parts.append(delta[at : at + size])
            at += size
        made += size
        if made > target or size == 0:
            break
    whole = b"".join(parts)
    if len(whole) != target:
        raise Broken("a difference that makes another size than it says")
    return whole


def index_entries(raw: bytes) -> Iterator[tuple[str, str]]:
    """(path, object name) of each entry of an index of version 2, 3 or 4; raises Broken."""
    try:
        yield from _entries(raw)
    except (struct.error, IndexError, ValueError):
        raise Broken("an index that is not as its format says") from None


def _entries(raw: bytes) -> Iterator[tuple[str, str]]:
    magic, version, count = struct.unpack(">4sII", raw[:12])
    if magic != b"DIRC" or version not in (2, 3, 4) or count > _ENTRIES:
        raise Broken("an index of an unknown version")
    at, before = 12, b""
    for _ in range(count):
        (flags,) = struct.unpack(">H", raw[at + 60 : at + 62])
        start = at + 62 + (2 if flags & 0x4000 else 0)
        sha = raw[at + 40 : at + 60].hex()
        if version == 4:
            cut, start = _cut(raw, start)
            end = raw.index(b"\0", start)
            name = before[: len(before) - cut] + raw[start:end]
            at = end + 1
        else:
            end = raw.index(b"\0", start)
            name = raw[start:end]
            at += (end - at + 8) & ~7
        if len(name) > 8_192:
            raise Broken("a path of more than 8,192 bytes")
        before = name
        yield name.decode("utf-8", "replace"), sha


def _cut(raw: bytes, at: int) -> tuple[int, int]:
    """How many bytes of the path before are not shared (version 4)."""
    byte = raw[at]
    value = byte & 0x7F
    for _ in range(4):
        if not byte & 0x80:
            break
        at += 1
        byte = raw[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
