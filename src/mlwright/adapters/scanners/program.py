"""Running a scanner that is a program of its own, on copies of the files, so that no setting of theirs counts.

The copies lie in a fresh folder that holds nothing else: a repository's own configuration (which may switch
rules off or, for checkov, name Python to run) is not among them. There is no shell and no inherited environment, and a
limit on the time of the whole process group and on what it says.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mlwright.adapters.scanners.reading import Folder

TIME_LIMIT_S: Final = 60.0
OUTPUT_LIMIT: Final = 32_000_000
FILES_LIMIT: Final = 2_000
BATCH_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Copies of files: ``paths`` maps each copy to its path in the repository; ``empty`` is a folder to run in."""

    folder: Path
    empty: Path
    paths: Mapping[Path, str]
    left_out: tuple[str, ...]

    def original(self, named: str) -> str | None:
        """The path in the repository of a copy that a program names, or None for any other file."""
        return self.paths.get(Path(os.path.normpath(named)))


@dataclass(slots=True)
class Said:
    """What a program said about files: the outputs that could be used, the files about which it said nothing."""

    outputs: list[bytes] = field(default_factory=list)
    failed: list[Path] = field(default_factory=list)


def find_program(name: str, root: Path) -> Path | None:
    """Look for a program next to this interpreter, then on PATH; never in the repository that is looked at."""
    folders = [str(Path(sys.executable).parent)] if sys.executable else []
    real = root.resolve()
    for folder in os.get_exec_path():
        path = Path(folder)
        if path.is_absolute() and real != path.resolve() and real not in path.resolve().parents:
            folders.append(folder)
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


@contextmanager
def copied(root: Path, paths: Sequence[str], limit: int, *, text: bool = True) -> Iterator[Copies]:
    """Copy files, each below ``limit`` bytes and, where ``text`` is asked for, UTF-8, for the time of the block."""
    with TemporaryDirectory(prefix="mlwright-scan-") as name:
        folder, empty = Path(name).resolve() / "files", Path(name).resolve() / "empty"
        folder.mkdir()
        empty.mkdir()
        copies: dict[Path, str] = {}
        left_out = []
        original = Folder(root)
        for path in sorted(set(paths)):
            data = original.read(path, limit)
            if data is None:
                continue
            if len(data) > limit or len(copies) >= FILES_LIMIT or (text and not _is_text(data)):
                left_out.append(path)
                continue
            copy = Path(os.path.normpath(folder / path))
            try:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
            except OSError:
                left_out.append(path)
                continue
            copies[copy] = path
        yield Copies(folder=folder, empty=empty, paths=copies, left_out=tuple(left_out))


def ask(copies: Copies, command: Callable[[Sequence[Path]], list[str]], limit_s: float) -> Said:
    """Ask a program about all copies at once; where that fails, one by one, so that a bad file hides no other one."""
    deadline = time.monotonic() + limit_s
    files = sorted(copies.paths)
    said = Said()
    if not files:
        return said
    output = run(command(files), copies.empty, limit_s * (BATCH_SHARE if len(files) > 1 else 1.0))
    if output is not None:
        said.outputs.append(output)
        return said
    each_s = max(limit_s / 12, 0.1)
    if len(files) == 1:
        said.failed.extend(files)
        return said
    for file in files:
        left = deadline - time.monotonic()
        output = run(command([file]), copies.empty, min(left, each_s)) if left > 0 else None
        if output is None:
            said.failed.append(file)
        else:
            said.outputs.append(output)
    return said


def run(command: Sequence[str], folder: Path, limit_s: float) -> bytes | None:
    """Run a program and return what it said; None where it failed, said too much or took longer than ``limit_s``."""
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return None
    stop = threading.Timer(limit_s, _end, (process,))
    stop.start()
    try:
        assert process.stdout is not None
        with process.stdout as stream:
            said = stream.read(OUTPUT_LIMIT + 1)
            if len(said) > OUTPUT_LIMIT:
                _end(process)
        code = process.wait()
    finally:
        stop.cancel()
        _end(process)
        process.wait()
    return said if code == 0 and len(said) <= OUTPUT_LIMIT else None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program that has not been waited for, and everything that it started and that may hold its output."""
    if process.returncode is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _environment(folder: Path) -> dict[str, str]:
    """What a scanner needs and no more: no token, no proxy, no setting, an empty folder as its home."""
    home = str(folder)
    given = {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "TMPDIR": home,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    if sys.platform == "win32":
        given |= {"USERPROFILE": home, "TEMP": home, "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
    return given


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False
