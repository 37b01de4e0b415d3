"""What a server and the process of a model say to each other over their socket: heads of 32 bytes, and JSON.

The values themselves lie in memory that both have mapped; its descriptor travels with a MEMORY message (SCM_RIGHTS).
The server makes all memory and sends CALL; the process answers each with ANSWER or FAULT, before which it may WANT
more memory for its answer. It is the server's first message (JOB) that says what to load; READY or FAULT answers it.

This file runs on both sides: the standard library alone, in the syntax of Python 3.8.
"""

from __future__ import annotations

import array
import json
import socket
import struct
from typing import Any

HEAD = struct.Struct("<IIQQQ")
"""Kind, number of the layout, rows, offset or size in bytes, bytes of JSON that follow; little endian."""

JOB, CALL, MEMORY, READY, ANSWER, FAULT, WANT = range(1, 8)

_MOST_TEXT = 1 << 28
_DESCRIPTOR = array.array("i").itemsize


class Gone(Exception):
    """The other side has closed its end, or says what it cannot say."""


def send(connection: socket.socket, kind: int, layout: int, rows: int, where: int, text: bytes = b"") -> None:
    """Send one message; ``text`` is JSON."""
    connection.sendall(HEAD.pack(kind, layout, rows, where, len(text)) + text)


def send_plain(connection: socket.socket, kind: int, value: Any) -> None:
    """Send a message that is nothing but JSON."""
    send(connection, kind, 0, 0, 0, json.dumps(value).encode())


def send_memory(connection: socket.socket, descriptor: int, size: int) -> None:
    """Hand over the memory that the next messages speak of."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    connection.sendmsg([HEAD.pack(MEMORY, 0, 0, size, 0)], rights)


def receive(connection: socket.socket) -> tuple[int, int, int, int, bytes]:
    """The next message, with its JSON as bytes.

    Raises:
        Gone: there is none.
        socket.timeout: it does not come in time.
    """
    head = _exactly(connection, HEAD.size)
    kind, layout, rows, where, more = HEAD.unpack(head)
    if more > _MOST_TEXT:
        raise Gone("a message is too large")
    return kind, layout, rows, where, _exactly(connection, more) if more else b""


def receive_any(connection: socket.socket) -> tuple[int, int, int, int, bytes, int]:
    """The next message, with its JSON as bytes, and the descriptor that came with it; -1: none.

    Raises:
        Gone: there is none.
    """
    head, extra, _, _ = connection.recvmsg(HEAD.size, socket.CMSG_SPACE(_DESCRIPTOR))
    if not head:
        raise Gone("the other side has closed its end")
    if len(head) < HEAD.size:
        head += _exactly(connection, HEAD.size - len(head))
    kind, layout, rows, where, more = HEAD.unpack(head)
    descriptor = -1
    for level, sort, data in extra:
        if level == socket.SOL_SOCKET and sort == socket.SCM_RIGHTS:
            held = array.array("i")
            held.frombytes(data[:_DESCRIPTOR])
            descriptor = held[0]
    return kind, layout, rows, where, _exactly(connection, more) if more else b"", descriptor


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = connection.recv(size)
    if len(found) == size:
        return found
    parts = [found]
    left = size - len(found)
    while left:
        if not parts[-1]:
            raise Gone("the other side has closed its end")
        parts.append(connection.recv(min(left, 1 << 20)))
        left -= len(parts[-1])
    return b"".join(parts)
