"""The process of one model: ``python -I child.py DESCRIPTOR``, the descriptor being its end of a socket.

It runs in the model's own environment, with the standard library and NumPy, in the syntax of Python 3.8. It ends when
the other side closes the socket, when its parent is gone, and when the model takes it down.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import shutil
import signal
import socket
import sys
import threading
import time
import types
import warnings
from typing import Any

_LOOK_S = 1.0


def main(descriptor: int) -> None:
    """Load what the first message says, and answer calls until the other side is gone."""
    messages = _beside("messages")
    connection = socket.socket(fileno=descriptor)
    try:
        _, _, _, _, text, _ = messages.receive_any(connection)
        job = json.loads(text)
    except (messages.Gone, OSError, ValueError):
        return
    signal.signal(signal.SIGTERM, lambda *_: _end(job["home"]))
    threading.Thread(target=_watch, args=(job["parent"], job["home"]), daemon=True).start()
    try:
        _serve(messages, connection, job)
    except (messages.Gone, OSError):
        pass  # nobody is there to be told
    finally:
        _end(job["home"])


def _serve(messages: Any, connection: socket.socket, job: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")  # nobody reads them, and each costs
    began = time.time()
    try:
        if job["memory"]:
            resource = importlib.import_module("resource")
            resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
        arrays, answering = _beside("arrays"), _beside("answering")
        answer = answering.load(job)
    except BaseException as error:  # noqa: BLE001 - whatever the model raises is the answer
        messages.send_plain(connection, messages.FAULT, _described(error))
        return
    told = {"inputs": job["inputs"], "outputs": job["outputs"], "seconds": time.time() - began}
    messages.send_plain(connection, messages.READY, told)
    sent, learned = arrays.Layouts(), arrays.Layouts()
    memory: Any = b""
    while True:
        kind, number, rows, end, text, given = messages.receive_any(connection)
        if kind == messages.MEMORY:
            memory = _mapped(given, end)
            continue
        refusals: Any = ()
        try:
            names, entries = learned.learn(number, text)
            taken = answering.Rows(rows, names, arrays.read(memory, 0, rows, entries, copy=False))
            refusals = (answering.Refused, ValueError, TypeError)
            found = answer(taken)
            refusals = ()
            layout, parts, size = arrays.pack(answering.named(found, rows, job["outputs"]))
            del taken, found
        except Exception as error:  # noqa: BLE001 - it is told, and the next call may be fine
            refused = isinstance(error, refusals)
            messages.send_plain(connection, messages.FAULT, dict(_described(error), refused=refused))
            continue
        if end + size > len(memory):
            end = 0
            messages.send(connection, messages.WANT, 0, 0, size)
            kind, _, _, room, _, given = messages.receive_any(connection)
            if kind != messages.MEMORY:
                raise messages.Gone("memory was asked for, and something else came")
            memory = _mapped(given, room)
        arrays.write(memory, end, parts)
        number, text = sent.number((None, layout))
        messages.send(connection, messages.ANSWER, number, rows, end, text)


def _mapped(descriptor: int, size: int) -> mmap.mmap:
    try:
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _described(error: BaseException) -> dict[str, Any]:
    chain: list[str] = []
    each: Any = error.__cause__ or error.__context__
    while each is not None and len(chain) < 8:
        chain.append(f"{type(each).__name__}: {str(each)[:500]}")
        each = each.__cause__ or each.__context__
    return {"type": type(error).__name__, "message": str(error)[:2000], "causes": chain}


def _watch(parent: int, home: str) -> None:
    """End when the parent is gone while the model computes: then nobody reads the socket."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    _end(home)


def _end(home: str) -> None:
    """Leave nothing behind: neither files nor processes that the model started."""
    shutil.rmtree(home, ignore_errors=True)
    if os.getsid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _beside(name: str) -> Any:
    """A file of this folder as a module of a package that is no more than the folder: ``mlwright`` is not there."""
    package = "mlwright_isolated"
    if package not in sys.modules:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [os.path.dirname(os.path.abspath(__file__))]
    return importlib.import_module(f"{package}.{name}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
