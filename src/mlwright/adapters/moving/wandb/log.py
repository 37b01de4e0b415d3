"""The record log of a run, ``run-*.wandb``: LevelDB's log format behind seven bytes of W&B.

Blocks of 32 KiB; in them chunks of CRC-32 (of kind and data, not masked), length (16 bits), kind (1 whole, 2 first,
3 middle, 4 last) and data, little-endian. The seven bytes are ``:W&B``, 0xBEE1 and a version, which is 0. As written
by wandb 0.31 (its core is Go; ``datastore.py`` of older versions wrote the same).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from mlwright.adapters.moving.notes import Unreadable

_BLOCK: Final = 32 * 1024
_HEAD: Final = struct.Struct("<4sHB")
_CHUNK: Final = struct.Struct("<IHB")
_MAGIC: Final = 0xBEE1
_MOST_RECORD: Final = 64 * 1024 * 1024
_TORN, _WHOLE, _FIRST, _MIDDLE, _LAST = 0, 1, 2, 3, 4
_KIND_CRC: Final = {kind: zlib.crc32(bytes([kind])) for kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)}


def records(stream: BinaryIO, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """Every record that is whole, in the order of writing.

    Args:
        stream: the file, at its beginning.
        on_damage: is told what is wrong and where; reading goes on with the next block, as W&B's own does.

    Raises:
        Unreadable: it is no such log, or of another version.
    """
    pending: bytearray | None = None
    for kind, data, at in _chunks(stream, on_damage):
        if kind in (_WHOLE, _FIRST) and pending is not None:
            on_damage(f"a record without an end before byte {at}")
        if kind == _WHOLE:
            pending = None
            yield data
        elif kind == _FIRST:
            pending = bytearray(data)
        elif kind == _TORN:
            pending = None
        elif pending is not None:
            pending += data
            if len(pending) > _MOST_RECORD:
                on_damage(f"a record of more than {_MOST_RECORD >> 20} MiB before byte {at}")
                pending = None
            elif kind == _LAST:
                yield bytes(pending)
                pending = None
    if pending is not None:
        on_damage("the last record is cut off")


def _chunks(stream: BinaryIO, on_damage: Callable[[str], None]) -> Iterator[tuple[int, bytes, int]]:
    """Kind, data and place of each chunk; one of kind 0 stands for a block that is damaged from there on."""
    block = stream.read(_BLOCK)
    if len(block) < _HEAD.size:
        raise Unreadable("it is too short for a record log")
    ident, magic, version = _HEAD.unpack_from(block)
    if ident != b":W&B" or magic != _MAGIC:
        raise Unreadable("it is no record log of W&B")
    if version != 0:
        raise Unreadable(f"it is a record log of version {version}; 0 is known")
    at, start = _HEAD.size, 0
    while block:
        while at + _CHUNK.size <= len(block):
            crc, length, kind = _CHUNK.unpack_from(block, at)
            begin, end = at + _CHUNK.size, at + _CHUNK.size + length
            if kind == 0 and length == 0 and crc == 0:
                break  # room that was kept free
            fault = _fault(block, crc, kind, begin, end)
            if fault:
                on_damage(f"{fault} at byte {start + at}")
                yield _TORN, b"", start + at
                break
            yield kind, block[begin:end], start + at
            at = end
        if at < len(block) < _BLOCK and len(block) - at < _CHUNK.size:
            on_damage(f"a chunk is cut off at byte {start + at}")
        start += len(block)
        at = 0
        block = stream.read(_BLOCK)


def _fault(block: bytes, crc: int, kind: int, begin: int, end: int) -> str:
    if kind not in _KIND_CRC:
        return f"a chunk of unknown kind {kind}"
    if end > len(block):
        return "a chunk is cut off"
    return "" if zlib.crc32(memoryview(block)[begin:end], _KIND_CRC[kind]) == crc else "a wrong checksum"
