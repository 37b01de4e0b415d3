"""Arrays in memory that two processes share.

Each array begins at a multiple of 64 bytes, one after the other. Numbers, booleans and instants lie there as NumPy
holds them, little endian, rows first. Texts and bytes lie as one int64 a value (its length in bytes, -1 for None)
behind the number of bytes of all of them, and before the values themselves (UTF-8); other objects as JSON behind its
length. What the arrays are called and what they hold is their *layout*, which is sent once, as JSON, and from then on
goes by its number.

This file runs on both sides: the standard library and NumPy, in the syntax of Python 3.8.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Iterable, List, Optional, Sequence, Tuple  # noqa: UP035 - runs in an older Python as well

import numpy as np

Entry = Tuple[str, str, Tuple[int, ...]]  # noqa: UP006
"""Name, NumPy's code of the type (or ``text``, ``bytes``, ``json``), shape of one row."""
Layout = Tuple[Optional[Tuple[str, ...]], Tuple[Entry, ...]]  # noqa: UP006, UP045
"""The names of a matrix's columns, where the one array is the matrix of all inputs; and the arrays."""
Parts = List[Tuple[int, Any]]  # noqa: UP006
"""What is written, each at its offset from the first: bytes, or an array."""

_ALIGN = 64
_SMALL = 1 << 16
_LENGTH = struct.Struct("<Q")
_MOST_LAYOUTS = 256
_OBJECTS = ("text", "bytes", "json")


class Layouts:
    """Layouts by number: those that one side has sent, or the other has learned."""

    def __init__(self) -> None:
        self._numbers: dict[Layout, int] = {}
        self._known: dict[int, Layout] = {}

    def number(self, layout: Layout) -> tuple[int, bytes]:
        """Its number, and the JSON that goes with it the first time."""
        number = self._numbers.get(layout)
        if number is not None:
            return number, b""
        if len(self._numbers) >= _MOST_LAYOUTS:
            self._numbers.clear()
        number = len(self._numbers) + 1
        self._numbers[layout] = number
        return number, json.dumps(layout).encode()

    def learn(self, number: int, text: bytes) -> Layout:
        """The layout of this number, which ``text`` describes unless it is empty.

        Raises:
            ValueError: it is no layout, or none has this number.
        """
        if text:
            if number == 1:
                self._known.clear()
            try:
                names, entries = json.loads(text)
                self._known[number] = (
                    None if names is None else tuple(names),
                    tuple((str(name), str(code), tuple(map(int, shape))) for name, code, shape in entries),
                )
            except TypeError as error:
                raise ValueError(f"a layout cannot be read: {error}") from error
        if number not in self._known:
            raise ValueError(f"no layout has the number {number}")
        return self._known[number]


def pack(arrays: Iterable[tuple[str, Any]]) -> tuple[tuple[Entry, ...], Parts, int]:
    """How arrays are to lie: their entries, what to write, and how many bytes that takes.

    Raises:
        ValueError: an array has no rows, or holds what has no form (records).
    """
    entries: list[Entry] = []
    parts: Parts = []
    at = 0
    for name, each in arrays:
        if not each.ndim:
            raise ValueError(f"{name!r} is a single value")
        code, held, size = _coded(name, each)
        entries.append((name, code, each.shape[1:]))
        if size:
            parts.append((at, held))
        at += -(-size // _ALIGN) * _ALIGN
    return tuple(entries), parts, at


def write(memory: Any, start: int, parts: Parts) -> None:
    """Write what :func:`pack` gave into a buffer, from an offset that is a multiple of 64."""
    for at, held in parts:
        at += start
        if isinstance(held, bytes):
            memory[at : at + len(held)] = held
        else:
            np.frombuffer(memory, held.dtype, held.size, at).reshape(held.shape)[...] = held


def read(
    memory: Any, start: int, rows: int, entries: Sequence[Entry], *, copy: bool
) -> list[tuple[str, Any]]:
    """The arrays that lie from an offset on; with ``copy`` they outlive what is written there next.

    Raises:
        ValueError: the memory does not hold such arrays.
    """
    found = []
    at = start
    for name, code, shape in entries:
        whole = (rows, *shape)
        count = 1
        for size in whole:
            if size < 0:
                raise ValueError("a shape is negative")
            count *= size
        if code in _OBJECTS:
            size, values = _objects(memory, at, code, count)
            array = np.empty(count, dtype=object)
            array[:] = values
            array = array.reshape(whole)
        else:
            dtype = np.dtype(code)
            if dtype.hasobject:
                raise ValueError(f"{name!r} would hold objects of the other process")
            size = count * dtype.itemsize
            if count:
                array = np.frombuffer(memory, dtype, count, at).reshape(whole)
                array = array.copy() if copy else array
            else:
                array = np.empty(whole, dtype)
        found.append((name, array))
        at += -(-size // _ALIGN) * _ALIGN
    return found


def _coded(name: str, each: Any) -> tuple[str, Any, int]:
    kind = each.dtype.kind
    if kind in "USOT":
        code, data = _object_bytes(each.ravel().tolist())
        return code, data, len(data)
    if kind == "V":
        raise ValueError(f"{name!r} holds values of {each.dtype}, which have no form here")
    if each.dtype.byteorder == ">":
        each = each.astype(each.dtype.newbyteorder("<"))
    size = each.nbytes
    return each.dtype.str, each.tobytes() if size <= _SMALL else each, size


def _object_bytes(values: Sequence[Any]) -> tuple[str, bytes]:
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        code = "text"
        encoded = [None if value is None else value.encode("utf-8", "surrogatepass") for value in values]
    elif kinds == {bytes}:
        code, encoded = "bytes", list(values)
    else:
        data = json.dumps(values, default=_plain).encode()
        return "json", _LENGTH.pack(len(data)) + data
    lengths = np.array([-1 if value is None else len(value) for value in encoded], dtype="<i8")
    data = b"".join(value for value in encoded if value is not None)
    return code, b"".join((_LENGTH.pack(len(data)), lengths.tobytes(), data))


def _objects(memory: Any, at: int, code: str, count: int) -> tuple[int, list[Any]]:
    room = len(memory)
    if at + _LENGTH.size > room:
        if count or at > room:
            raise ValueError("an array lies outside of the memory")
        return 0, []
    (size,) = _LENGTH.unpack_from(memory, at)
    at += _LENGTH.size
    whole = _LENGTH.size + size + (0 if code == "json" else 8 * count)
    if at + whole - _LENGTH.size > room:
        raise ValueError("an array lies outside of the memory")
    if code == "json":
        values = json.loads(bytes(memory[at : at + size]))
        if not isinstance(values, list) or len(values) != count:
            raise ValueError("an array of objects has another length")
        return whole, values
    lengths = np.frombuffer(memory, "<i8", count, at).tolist() if count else []
    at += 8 * count
    if sum(each for each in lengths if each > 0) != size:
        raise ValueError("the lengths of texts are wrong")
    data = bytes(memory[at : at + size])
    values = []
    start = 0
    for length in lengths:
        if length < 0:
            values.append(None)
            continue
        value = data[start : start + length]
        values.append(value.decode("utf-8", "surrogatepass") if code == "text" else value)
        start += length
    return whole, values


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)
