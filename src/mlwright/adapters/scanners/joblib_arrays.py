"""Pickles that joblib wrote, without the arrays in between, so that a reader of opcodes reaches their end.

joblib writes a ``NumpyArrayWrapper`` and behind its BUILD opcode the array's bytes, raw, in the midst of the pickle
(joblib/numpy_pickle.py, ``NumpyArrayWrapper.read_array``). A reader of opcodes stops there and sees nothing of what
follows. Here the opcodes are followed with a stack of plain values (nothing is built, imported or called) just far
enough to know how many bytes to leave out.
"""

import io
import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MARKER: Final = b"NumpyArrayWrapper"
DEPTH_LIMIT: Final = 3
_WRAPPERS: Final = (
    "joblib.numpy_pickle NumpyArrayWrapper",
    "sklearn.externals.joblib.numpy_pickle NumpyArrayWrapper",
)
_DTYPE: Final = "numpy dtype"
_HAS_OBJECTS: Final = 1  # numpy's NPY_ITEM_REFCOUNT

_MARK: Final = object()


@dataclass(slots=True)
class _Name:
    """A global: module and name with a space between, as GLOBAL has it."""

    text: str


@dataclass(slots=True)
class _Dtype:
    """A numpy dtype: bytes of one item, and whether it holds Python objects."""

    size: int
    objects: bool


@dataclass(slots=True)
class _Wrapper:
    """What joblib puts where an array was."""


class _Lost(Exception):
    """The opcodes cannot be followed."""


@dataclass(slots=True)
class _Machine:
    """The stack and memo of an unpickler, with everything that does not matter here as None."""

    stack: list[object] = field(default_factory=list)
    memo: dict[object, object] = field(default_factory=dict)

    def pop(self) -> object:
        if not self.stack:
            raise _Lost
        return self.stack.pop()

    def to_mark(self) -> list[object]:
        items = []
        while (item := self.pop()) is not _MARK:
            items.append(item)
        return items[::-1]


def without_arrays(stream: io.BytesIO, depth: int = 0) -> list[bytes] | None:
    """Read one pickle from where the stream stands and return it with its arrays left out.

    An array of Python objects is a pickle of its own: it comes after the one in which it stood. The stream is left
    behind the pickle. None where the opcodes cannot be followed to the end.
    """
    if depth > DEPTH_LIMIT:
        return None
    machine, parts, inner = _Machine(), [], list[bytes]()
    data = stream.getbuffer()
    start = stream.tell()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name != "BUILD":
                _step(machine, opcode, argument)
                continue
            state = machine.pop()
            built = machine.stack[-1] if machine.stack else None
            if isinstance(built, _Dtype):
                _shape_dtype(built, state)
            elif isinstance(built, _Wrapper):
                parts.append(bytes(data[start : stream.tell()]))
                inner += _skip(stream, state, len(data), depth)
                start = stream.tell()
        parts.append(bytes(data[start : stream.tell()]))
    except Exception:  # noqa: BLE001 - pickletools raises whatever decoding raises
        return None
    finally:
        data.release()
    return [b"".join(parts), *inner]


def _skip(stream: io.BytesIO, state: object, size: int, depth: int) -> list[bytes]:
    """Go behind the array that a wrapper's state describes; return the pickles in it."""
    if not isinstance(state, dict):
        raise _Lost
    shape, dtype = state.get("shape"), state.get("dtype")
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
        raise _Lost
    if dtype.objects:
        inner = without_arrays(stream, depth + 1)
        if inner is None:
            raise _Lost
        return inner
    lengths = [each for each in shape if isinstance(each, int) and 0 <= each <= size]
    if len(lengths) != len(shape) or len(shape) > 64:
        raise _Lost
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.seek(int.from_bytes(stream.read(1)), io.SEEK_CUR)
    end = stream.tell() + math.prod(lengths) * dtype.size
    if end > size:
        raise _Lost
    stream.seek(end)
    return []


def _shape_dtype(dtype: _Dtype, state: object) -> None:
    """Take over what numpy keeps in a dtype's state: version, order, subtype, names, fields, size, alignment, flags."""
    if not isinstance(state, tuple) or len(state) < 6:
        return
    if isinstance(state[5], int) and state[5] > 0:
        dtype.size = state[5]
    if len(state) > 7 and isinstance(state[7], int) and state[7] & _HAS_OBJECTS:
        dtype.objects = True


def _step(machine: _Machine, opcode: pickletools.OpcodeInfo, argument: object) -> None:
    special = _STEPS.get(opcode.name)
    if special is not None:
        special(machine, argument)
        return
    before, after = opcode.stack_before, opcode.stack_after
    if pickletools.markobject in before:
        machine.to_mark()
        before = before[: before.index(pickletools.markobject)]
    for _ in before:
        machine.pop()
    machine.stack += [_MARK if each is pickletools.markobject else None for each in after]


def _push(machine: _Machine, argument: object) -> None:
    machine.stack.append(argument)


def _put(machine: _Machine, argument: object) -> None:
    machine.memo[argument] = machine.stack[-1]


def _memoize(machine: _Machine, _: object) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(machine: _Machine, argument: object) -> None:
    machine.stack.append(machine.memo[argument])


def _global(machine: _Machine, argument: object) -> None:
    machine.stack.append(_Name(str(argument)))


def _stack_global(machine: _Machine, _: object) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(_Name(f"{module} {name}"))


def _tuple(count: int | None) -> Callable[[_Machine, object], None]:
    def step(machine: _Machine, _: object) -> None:
        items = machine.to_mark() if count is None else [machine.pop() for _ in range(count)][::-1]
        machine.stack.append(tuple(items))

    return step


def _set_items(machine: _Machine, _: object) -> None:
    items = machine.to_mark()
    _fill(machine, items)


def _set_item(machine: _Machine, _: object) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine, [key, value])


def _fill(machine: _Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if isinstance(target, dict):
        target.update(
            (key, value) for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, str)
        )


def _reduce(machine: _Machine, _: object) -> None:
    arguments, called = machine.pop(), machine.pop()
    made = None
    if isinstance(called, _Name) and called.text == _DTYPE and isinstance(arguments, tuple) and arguments:
        made = _dtype(arguments[0])
    machine.stack.append(made)


def _dtype(code: object) -> _Dtype | None:
    """The dtype of a code such as ``f8``, ``U12`` (four bytes a character) or ``O8``."""
    found = re.fullmatch(r"[<>|=]?([a-zA-Z?])(\d{0,9})", code) if isinstance(code, str) else None
    if found is None:
        return None
    size = int(found[2] or 1) * (4 if found[1] == "U" else 1)
    return _Dtype(size, found[1] == "O")


def _new(machine: _Machine, _: object) -> None:
    _arguments, made = machine.pop(), machine.pop()
    wrapper = isinstance(made, _Name) and made.text in _WRAPPERS
    machine.stack.append(_Wrapper() if wrapper else None)


_STEPS: Final[dict[str, Callable[[_Machine, object], None]]] = {
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _push),
    **dict.fromkeys(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _push),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _push),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "POP": lambda machine, _: machine.stack and machine.stack.pop(),  # type: ignore[dict-item]
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "MEMOIZE": _memoize,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "EMPTY_TUPLE": _tuple(0),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": _tuple(None),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "REDUCE": _reduce,
    "NEWOBJ": _new,
}
