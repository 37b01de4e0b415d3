"""Starting the processes that parse, hearing what they say, and going on without the file that killed one."""

import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

import mlwright
from mlwright.engineer.collect.child import HELLO, LENGTH
from mlwright.engineer.collect.expressions import RawFile

_CRASHED: Final = "the parser gave up on it"
_CRASHES: Final = 20
_BOOT: Final = (
    "import sys; sys.path += sys.argv[1:]; from mlwright.engineer.collect.child import main; main()"
)


class Child:
    """One process with its share of the files; ``work`` holds a number, a path and a limit of bytes for each.

    It writes to a file and not to a pipe, so that it never waits for us.
    """

    def __init__(self, root: str, work: Sequence[tuple[int, str, int]]) -> None:
        self._root = root
        self._work = list(work)
        self._crashes = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._greeted, self._heard = False, 0
        self._start()

    @property
    def left(self) -> tuple[int, ...]:
        """What it will not do any more, because no process starts."""
        return tuple(number for number, _, _ in self._work) if self.ended else ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._process is None

    def news(self) -> Iterator[tuple[int, RawFile]]:
        """What it has found out since it was asked last."""
        over = self._process is None or self._process.poll() is not None
        for content in self._unheard():
            if not self._greeted:
                self._greeted = marshal.loads(content) == HELLO
                continue
            yield self._work.pop(0)[0], marshal.loads(content)
        if not over or self._process is None:
            return
        greeted = self._greeted
        self.close()
        if not greeted:
            return
        self._crashes += 1
        while self._work:
            yield self._work.pop(0)[0], {"fault": _CRASHED}
            if self._work and self._crashes < _CRASHES:
                self._start()
                return

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def _start(self) -> None:
        self._greeted, self._heard = False, 0
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives until close()
        with tempfile.TemporaryFile() as request:
            request.write(marshal.dumps((self._root, [(path, limit) for _, path, limit in self._work])))
            request.seek(0)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, *_places()],
                    stdin=request,
                    stdout=self._output,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                )
            except OSError:
                self.close()

    def _unheard(self) -> Iterator[bytes]:
        if self._output is None:
            return
        handle = self._output.fileno()
        while True:
            head = os.pread(handle, LENGTH.size, self._heard)
            if len(head) < LENGTH.size:
                return
            (length,) = LENGTH.unpack(head)
            content = os.pread(handle, length, self._heard + LENGTH.size)
            if len(content) < length:
                return
            self._heard += LENGTH.size + length
            yield content


def _places() -> list[str]:
    """The folders of the two packages that a child needs; the working directory is in none of them."""
    found = [Path(mlwright.__file__).parents[1], Path(msgspec.__file__).parents[1]]
    return list(dict.fromkeys(str(each.resolve()) for each in found))
