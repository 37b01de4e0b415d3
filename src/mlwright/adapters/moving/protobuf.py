"""The wire format of Protocol Buffers, read field by field without anybody's generated classes.

From protobuf.dev/programming-guides/encoding. Groups (wire types 3 and 4) are refused: nobody here writes them.
"""

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

Value: TypeAlias = int | bytes
"""A varint as it came (unsigned, 64 bits), or the bytes of everything else."""

_FIXED: Final = {1: 8, 5: 4}
_WRONG: Final = "no protobuf: "


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field in the order of the bytes.

    Raises:
        ValueError: the bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        if key < 0x80:
            at += 1
        else:
            key, at = _varint(data, at)
        wire = key & 7
        if wire == 2:
            size, at = _varint(data, at)
            if size > end - at:
                raise ValueError(f"{_WRONG}a field is longer than its message")
            yield key >> 3, data[at : at + size]
            at += size
        elif wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif wire in _FIXED:
            size = _FIXED[wire]
            if size > end - at:
                raise ValueError(f"{_WRONG}a number is cut off")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"{_WRONG}wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError(f"{_WRONG}a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def message(value: Value) -> bytes:
    """An embedded message or bytes.

    Raises:
        ValueError: it is a number.
    """
    if isinstance(value, int):
        raise ValueError(f"{_WRONG}a number where a message should be")
    return value


def text(value: Value) -> str:
    """A string; bytes that are not UTF-8 become U+FFFD.

    Raises:
        ValueError: it is a number.
    """
    return message(value).decode("utf-8", "replace")


def whole(value: Value) -> int:
    """An int32, int64, bool or enum.

    Raises:
        ValueError: it is no varint.
    """
    if not isinstance(value, int):
        raise ValueError(f"{_WRONG}bytes where a number should be")
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: Value) -> int:
    """A sint64.

    Raises:
        ValueError: it is no varint.
    """
    if not isinstance(value, int):
        raise ValueError(f"{_WRONG}bytes where a number should be")
    return (value >> 1) ^ -(value & 1)


def double(value: Value) -> float:
    """A double.

    Raises:
        ValueError: it has not 8 bytes.
    """
    return _number("<d", value)


def single(value: Value) -> float:
    """A float.

    Raises:
        ValueError: it has not 4 bytes.
    """
    return _number("<f", value)


def _number(form: str, value: Value) -> float:
    if isinstance(value, int) or len(value) != struct.calcsize(form):
        raise ValueError(f"{_WRONG}a number of another width")
    found: float = struct.unpack(form, value)[0]
    return found


def instant_ms(value: Value) -> int:
    """A google.protobuf.Timestamp in whole milliseconds since 1970.

    Raises:
        ValueError: it is none.
    """
    seconds = nanos = 0
    for number, each in fields(message(value)):
        if number == 1:
            seconds = whole(each)
        elif number == 2:
            nanos = whole(each)
    if abs(seconds) > 1 << 40 or not 0 <= nanos < 1_000_000_000:
        raise ValueError(f"{_WRONG}an instant out of range")
    return seconds * 1000 + nanos // 1_000_000
