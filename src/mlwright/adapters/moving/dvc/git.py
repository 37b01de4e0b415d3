"""Objects of a git repository, by the git program in a repository of our own that borrows the other's objects.

No configuration, hook or attribute of the source is read: git is started in an empty folder, told where the objects
are, and answers ``cat-file --batch``. References are files that we read ourselves.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.errors import DataError

_ID: Final = re.compile(r"[0-9a-f]{40}\Z")
_REF: Final = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/\s]+)\Z")
_MOST_REFS: Final = 100_000
_PATIENCE_S: Final = 60.0
_TREE: Final = 40000


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A reference that DVC made: the commit it began at, its name, its own commit."""

    baseline: str
    name: str
    commit: str


def experiments(git: Confined, notes: Notes) -> list[Experiment]:
    """The experiments that a ``.git`` folder names, in the order of baseline and name."""
    met: dict[str, str] = {}
    try:
        packed = git.read("packed-refs", 64 * 1024 * 1024).decode("utf-8", "replace")
    except DataError:
        packed = ""
    for line in packed.splitlines():
        commit, _, name = line.partition(" ")
        met[name] = commit
    for path in git.walk("refs/exps") if git.is_folder("refs/exps") else ():
        try:
            met[path] = git.read(path, 1024).decode("ascii", "replace").strip()
        except DataError as error:
            notes.add("an experiment", f".git/{path}", error.why or error.what)
    found = []
    for name in sorted(met)[:_MOST_REFS]:
        parsed = _REF.match(name)
        if parsed and _ID.match(met[name]):
            found.append(Experiment(baseline=parsed[1] + parsed[2], name=parsed[3], commit=met[name]))
    return found


def git_program() -> str | None:
    """The git on PATH."""
    return shutil.which("git")


class Objects:
    """A conversation with ``git cat-file --batch`` about the objects of one ``.git`` folder.

    It begins with the first question, begins anew after a fault, and ends with this object.

    Args:
        program: the git program.
        git: the ``.git`` folder.
        patience_s: for one answer, in seconds.
    """

    def __init__(self, program: str, git: Confined, *, patience_s: float = _PATIENCE_S) -> None:
        self._program, self._git, self._patience_s = program, git, patience_s
        self._running: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., Objects] | None = None

    def read(self, id: str, kind: str, most: int) -> bytes:
        """The content of one object.

        Raises:
            Unreadable: it is missing, damaged, of another kind, or larger than ``most`` bytes.
        """
        process = self._process()
        late = threading.Timer(self._patience_s, process.kill)
        late.daemon = True
        late.start()
        try:
            return _answer(process, id, kind, most)
        except Unreadable:
            self.close()  # what is left of the answer would be taken for the next one
            raise
        finally:
            late.cancel()

    def close(self) -> None:
        """End the conversation."""
        if self._end is not None:
            self._end()
        self._running = self._end = None

    def _process(self) -> "subprocess.Popen[bytes]":
        if self._running is None:
            if not self._git.is_folder("objects"):
                raise Unreadable("its objects lie elsewhere")
            place = tempfile.TemporaryDirectory(prefix="mlwright-")
            try:
                self._running = _start(self._program, Path(place.name), self._git)
            except OSError as error:
                place.cleanup()
                raise Unreadable(f"git does not start: {error.strerror}") from error
            self._end = weakref.finalize(self, _stop, self._running, place)
        return self._running

    def tree(self, id: str, most: int) -> dict[str, str]:
        """The blobs below a tree by their paths, links left aside.

        Raises:
            Unreadable: as :meth:`read`, or there are more than ``most``.
        """
        found: dict[str, str] = {}
        waiting = [("", id, 0)]
        read = 0
        while waiting:
            above, at, depth = waiting.pop()
            read += 1
            if depth > 24 or read > most or len(found) > most:
                raise Unreadable(f"its tree holds more than {most} files, or is deeper than 24 folders")
            for mode, name, each in _entries(self.read(at, "tree", 16 * 1024 * 1024)):
                path = f"{above}{name}"
                if name in ("", ".", "..") or "/" in name:
                    raise Unreadable("its tree holds a name that is no file name")
                if mode == _TREE:
                    waiting.append((f"{path}/", each, depth + 1))
                elif mode // 1000 == 100:
                    found[path] = each
        return found

    def commit(self, id: str) -> tuple[str, int]:
        """The tree of a commit, and when it was made, in milliseconds since 1970.

        Raises:
            Unreadable: as :meth:`read`.
        """
        tree, at_ms = "", 0
        for line in self.read(id, "commit", 4 * 1024 * 1024).split(b"\n\n", 1)[0].split(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"tree":
                tree = rest.decode("ascii", "replace")
            elif word == b"committer":
                seconds = rest.rpartition(b"> ")[2].split(b" ")[0]
                at_ms = int(seconds) * 1000 if seconds.isdigit() and len(seconds) < 13 else 0
        if not _ID.match(tree):
            raise Unreadable(f"commit {id[:12]} names no tree")
        return tree, at_ms


def _entries(data: bytes) -> Iterator[tuple[int, str, str]]:
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        if end < 0 or end + 21 > len(data) or not mode.isdigit() or len(mode) > 6:
            raise Unreadable("a tree of it is damaged")
        yield int(mode), name.decode("utf-8", "replace"), data[end + 1 : end + 21].hex()
        at = end + 21


def _start(program: str, empty: Path, git: Confined) -> "subprocess.Popen[bytes]":
    (empty / "refs").mkdir()
    (empty / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
    settings = {
        "GIT_DIR": str(empty),
        "GIT_OBJECT_DIRECTORY": str((git.root / "objects").resolve()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(empty),
        "LC_ALL": "C",
    }
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "TMPDIR")}
    return subprocess.Popen(
        [program, "-c", "core.bigFileThreshold=1m", "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=empty,
        env=kept | settings,
    )


def _stop(process: "subprocess.Popen[bytes]", place: "tempfile.TemporaryDirectory[str]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()
    place.cleanup()


def _answer(process: "subprocess.Popen[bytes]", id: str, kind: str, most: int) -> bytes:
    asked, answered = process.stdin, process.stdout
    assert asked is not None
    assert answered is not None
    try:
        asked.write(f"{id}\n".encode())
        asked.flush()
        head = answered.readline(200).split()
        if len(head) != 3 or not head[2].isdigit():
            raise Unreadable(f"git has no object {id[:12]}")
        size = int(head[2])
        if size > most:
            raise Unreadable(f"object {id[:12]} is larger than {most >> 10} KiB")
        data = answered.read(size + 1)
    except OSError as error:
        raise Unreadable(f"git ended while it read object {id[:12]}") from error
    if len(data) != size + 1:
        raise Unreadable(f"object {id[:12]} is damaged")
    if head[1].decode("ascii", "replace") != kind:
        raise Unreadable(f"object {id[:12]} is no {kind}")
    return data[:-1]
