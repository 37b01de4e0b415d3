"""Event files: TFRecord framing around ``Event`` messages, of which the parts that are carried are read.

Each record is a length (64 bits), its checksum, the data, its checksum; checksums are CRC-32C, masked as
``tsl/lib/hash/crc32c.h`` does. Fields by number from ``event.proto``, ``summary.proto``, ``tensor.proto`` and the
hparams plugin's ``plugin_data.proto``; file version ``brain.Event:2``.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np

from mlwright.adapters.moving import protobuf
from mlwright.adapters.moving.texts import clean

_HEAD: Final = struct.Struct("<QI")
_FOOT: Final = struct.Struct("<I")
_MOST_RECORD: Final = 4 * 1024 * 1024
_MOST_LENGTH: Final = 1 << 40
_KINDS: Final = {3: "histogram", 4: "image", 5: "histogram", 6: "audio"}
_STRING: Final = 7
_CONTENT: Final = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 9, 10, 17, 19, 22, 23),
        "<f4 <f8 <i4 u1 <i2 i1 <i8 ? <u2 <f2 <u4 <u8".split(),
        strict=True,
    )
)
"""The kinds of numbers in a tensor, as numpy calls them."""
_FLOATS: Final = {5: "<f4", 6: "<f8"}
_VARINTS: Final = (7, 10, 11, 16, 17)


def _table() -> tuple[int, ...]:
    made = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        made.append(crc)
    return tuple(made)


_TABLE: Final = _table()


def masked_crc(data: bytes) -> int:
    """The checksum as TFRecord files carry it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(stream: BinaryIO, on_damage: Callable[[str], None]) -> Iterator[tuple[bytes, int]]:
    """The data of each record with the checksum it claims, which the reader of the data has to hold against it.

    Not checked here, since most bytes of a log are pictures that nobody carries. A damaged length ends the file: where
    the next record begins is then unknown, and TensorBoard stops there, too.

    Args:
        stream: the file, at its beginning; it can seek.
        on_damage: is told what is wrong and where.
    """
    while head := stream.read(_HEAD.size):
        at = stream.tell() - len(head)
        if len(head) < _HEAD.size:
            on_damage(f"the last record is cut off at byte {at}")
            return
        length, crc = _HEAD.unpack(head)
        if masked_crc(head[:8]) != crc or length > _MOST_LENGTH:
            on_damage(f"a wrong checksum of a length at byte {at}")
            return
        if length > _MOST_RECORD:
            on_damage(
                f"a record of {length >> 20} MiB at byte {at}: more than {_MOST_RECORD >> 20} are not read"
            )
            stream.seek(length + _FOOT.size, 1)
            continue
        data, foot = stream.read(length), stream.read(_FOOT.size)
        if len(data) < length or len(foot) < _FOOT.size:
            on_damage(f"the last record is cut off at byte {at}")
            return
        yield data, _FOOT.unpack(foot)[0]


@dataclass(slots=True)
class Value:
    """One value of a summary: a number, texts, the hparams plugin's bytes, or else the word for what it is."""

    tag: str = ""
    plugin: str = ""
    number: float | None = None
    texts: list[str] = field(default_factory=list)
    content: bytes = b""
    other: str = ""


@dataclass(slots=True)
class Event:
    """An event with its step, its instant in seconds since 1970, and its values."""

    seconds: float = 0.0
    step: int = 0
    values: list[Value] = field(default_factory=list)
    other: str = ""


def seconds_of(data: bytes) -> float:
    """When an event was written: only its first field is looked at.

    Raises:
        ValueError: it is no event.
    """
    for number, value in protobuf.fields(data):
        if number == 1:
            return protobuf.double(value)
    return 0.0


def event_of(data: bytes, plugins: dict[str, str]) -> Event:
    """An event.

    Args:
        data: the record.
        plugins: the plugin of each tag met so far; only a tag's first value names it.

    Raises:
        ValueError: it is none.
    """
    event = Event()
    for number, value in protobuf.fields(data):
        if number == 1:
            event.seconds = protobuf.double(value)
        elif number == 2:
            event.step = protobuf.whole(value)
        elif number in (4, 9):
            event.other = "graph"
        elif number == 5:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1:
                    event.values.append(_value_of(protobuf.message(each), plugins))
    return event


def _value_of(data: bytes, plugins: dict[str, str]) -> Value:
    met = Value()
    tensor = None
    for number, value in protobuf.fields(data):
        if number == 1:
            met.tag = clean(protobuf.text(value))
        elif number == 2:
            met.number = protobuf.single(value)
        elif number == 8:
            tensor = protobuf.message(value)
        elif number == 9:
            met.plugin, met.content = _plugin_of(protobuf.message(value))
        elif number in _KINDS:
            met.other = _KINDS[number]
    if met.plugin and len(plugins) < 50_000:
        plugins.setdefault(met.tag, met.plugin)
    met.plugin = met.plugin or plugins.get(met.tag, "")
    if tensor is not None and met.plugin in ("scalars", "text", ""):
        _take_tensor(met, tensor)
    elif tensor is not None:
        met.other = {"images": "image", "histograms": "histogram"}.get(met.plugin, met.plugin)
    return met


def _plugin_of(metadata: bytes) -> tuple[str, bytes]:
    name, content = "", b""
    for number, value in protobuf.fields(metadata):
        if number == 1:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1:
                    name = clean(protobuf.text(each))
                elif inner == 2:
                    content = protobuf.message(each)
    return name, content


def _take_tensor(met: Value, data: bytes) -> None:
    kind, size, content = 0, 1, b""
    numbers: list[float] = []
    for number, value in protobuf.fields(data):
        if number == 1:
            kind = protobuf.whole(value)
        elif number == 2:
            size = _size_of(protobuf.message(value))
        elif number == 4:
            content = protobuf.message(value)
        elif number == 8:
            met.texts.append(clean(protobuf.text(value)))
        elif number in _FLOATS:
            numbers.extend(np.frombuffer(protobuf.message(value), dtype=_FLOATS[number]).tolist())
        elif number in _VARINTS:
            numbers.extend(_varints(value))
    if kind != _STRING:
        met.number = _scalar(kind, size, content, numbers)
        met.other = "tensor" if met.number is None else ""


def _scalar(kind: int, size: int, content: bytes, numbers: list[float]) -> float | None:
    """The only number of a tensor; None where it has several, or is of a kind that is not read."""
    if size != 1 or (kind not in _CONTENT and not numbers):
        return None
    if content:
        whole = len(content) == np.dtype(_CONTENT[kind]).itemsize if kind in _CONTENT else False
        return float(np.frombuffer(content, dtype=_CONTENT[kind])[0]) if whole else None
    if not numbers:
        return 0.0  # protobuf leaves a zero out
    return float(numbers[0]) if len(numbers) == 1 else None


def _size_of(shape: bytes) -> int:
    size = 1
    for number, value in protobuf.fields(shape):
        if number == 2:
            dimension = 0
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1:
                    dimension = protobuf.whole(each)
            size *= dimension
    return size


def _varints(value: protobuf.Value) -> list[float]:
    if isinstance(value, int):
        return [float(protobuf.whole(value))]
    # A packed list of varints has the bytes of a message without its keys: give each one.
    if len(value) > 64:
        return [0.0, 0.0]
    found, at = [], 0
    while at < len(value):
        end = at
        while end < len(value) and value[end] >= 0x80:
            end += 1
        found.append(float(protobuf.whole(next(protobuf.fields(b"\x08" + value[at : end + 1]))[1])))
        at = end + 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the hparams plugin says of a run."""

    params: Mapping[str, object]
    group: str = ""
    started_s: float = 0.0
    ended_s: float = 0.0
    status: int = 0
    """0 unknown, 1 success, 2 failure, 3 running."""


def session_of(content: bytes) -> Session:
    """The session in an ``HParamsPluginData``; an empty one where it has none.

    Raises:
        ValueError: it is no such message.
    """
    params: dict[str, object] = {}
    group, started, ended, status = "", 0.0, 0.0, 0
    for number, value in protobuf.fields(content):
        if number == 3:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1 and len(params) < 20_000:
                    params |= _param_of(protobuf.message(each))
                elif inner == 4:
                    group = clean(protobuf.text(each))
                elif inner == 5:
                    started = protobuf.double(each)
        elif number == 4:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1:
                    status = protobuf.whole(each)
                elif inner == 2:
                    ended = protobuf.double(each)
    return Session(params=params, group=group, started_s=started, ended_s=ended, status=status)


def _param_of(entry: bytes) -> dict[str, object]:
    key = ""
    found: object = None
    for number, value in protobuf.fields(entry):
        if number == 1:
            key = clean(protobuf.text(value))
        elif number == 2:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 2:
                    number_found = protobuf.double(each)
                    # The plugin knows one kind of number: a depth of 3 was logged as 3.0.
                    found = (
                        int(number_found)
                        if number_found.is_integer() and abs(number_found) < 2**53
                        else number_found
                    )
                elif inner == 3:
                    found = protobuf.text(each)
                elif inner == 4:
                    found = bool(each)
    return {key: found} if key else {}
