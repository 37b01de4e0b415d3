"""Environments made by uv, kept below one folder: one for each list of requirements and minor version of Python.

An environment is complete when its stamp is there, which is written last. uv keeps the packages themselves in a cache
of its own and links them, so that a second environment with the same packages costs little.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from mlwright.adapters.uv.failures import failure
from mlwright.adapters.uv.program import Uv, find_uv
from mlwright.adapters.uv.running import run_limited
from mlwright.errors import EnvironmentUndecided, Fault
from mlwright.ports.environments import Built, Ran

_STAMP: Final = "mlwright.json"
_KEPT: Final = 12
"""Environments that stay; the one that was used longest ago goes."""
_FORMAT: Final = 1
# Lines that name a place of their own, or an option: following them would fetch, or run, what a stranger chose.
_ELSEWHERE: Final = re.compile(r"^\s*-|://|^\s*(?:[A-Za-z]:)?[./\\~]|@\s*(?:file:|[./\\])|\s--[a-z]")
_MINOR: Final = re.compile(r"(\d+)\.(\d+)")


class UvEnvironments:
    """See ``Environments``.

    Args:
        folder: where they are kept.
        uv: the program; found when first needed unless given.
    """

    def __init__(self, folder: Path, uv: Uv | None = None) -> None:
        self._folder = folder
        self._uv = uv

    def build(self, requirements: Sequence[str], python: str) -> Built:
        """Make or find an environment; see ``Environments.build``."""
        began = time.monotonic()
        wanted = sorted({line.strip() for line in requirements if line.strip()})
        strange = [line for line in wanted if _ELSEWHERE.search(line)]
        if strange:
            shown = [re.sub(r"//[^/@\s]+@", "//…@", line)[:120] for line in strange]
            raise EnvironmentUndecided(
                f"{shown[0]!r} names a place of its own, which is not followed",
                faults=[Fault(where=each, what="names a place of its own") for each in shown],
            )
        uv = self._uv = self._uv or find_uv()
        interpreter = _interpreter(python)
        key = sha256("\n".join([str(_FORMAT), sys.platform, _minor(python), interpreter, *wanted]).encode())
        place = self._folder / key.hexdigest()[:24]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _alone(place.with_suffix(".lock")):
                stamp = _read_stamp(place)
                if stamp is None:
                    self._make(uv, place, wanted, interpreter)
                    stamp = _write_stamp(uv, place)
                    cached = False
                else:
                    os.utime(place / _STAMP)
                    cached = True
            self._forget(place)
        except OSError as error:
            raise EnvironmentUndecided(
                "the environment cannot be written", where=str(place), why=error.strerror
            ) from error
        return Built(
            interpreter=_python_of(place),
            python=str(stamp["python"]),
            packages=_texts(stamp["packages"]),
            cached=cached,
            seconds=time.monotonic() - began,
        )

    def run(
        self,
        environment: Built,
        script: Path,
        arguments: Sequence[str],
        *,
        folder: Path,
        seconds: float,
        memory: int,
    ) -> Ran:
        """Run a script; see ``Environments.run``."""
        command = [str(environment.interpreter), "-I", "-X", "utf8", str(script.resolve()), *arguments]
        return run_limited(command, folder=folder, seconds=seconds, memory=memory)

    def _make(self, uv: Uv, place: Path, wanted: Sequence[str], interpreter: str) -> None:
        shutil.rmtree(place, ignore_errors=True)
        made = uv.run("venv", "--quiet", "--no-project", "--no-config", "--python", interpreter, str(place))
        if made.code:
            raise EnvironmentUndecided(
                f"no environment can be made with {interpreter}", why=" ".join(made.err.split())[:500]
            )
        if not wanted:
            return
        lines = place / "requirements.txt"
        lines.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        # --no-build: building a source distribution runs code of strangers.
        install = ["pip", "install", "--no-build", "--python", str(_python_of(place)), "-r", str(lines)]
        done = uv.run(*install)
        if done.code:
            shutil.rmtree(place, ignore_errors=True)
            raise failure(done.err.replace(str(place), "."), wanted)

    def _forget(self, kept: Path) -> None:
        """Remove what was used longest ago, and no longer by anybody."""
        stamps = sorted(self._folder.glob(f"*/{_STAMP}"), key=lambda each: each.stat().st_mtime, reverse=True)
        for stamp in stamps[_KEPT:]:
            if stamp.parent == kept or time.time() - stamp.stat().st_mtime < 24 * 3600:
                continue
            stamp.unlink(missing_ok=True)
            shutil.rmtree(stamp.parent, ignore_errors=True)


def _interpreter(python: str) -> str:
    """The Python to make an environment with: this one, another of the wanted minor version, or again this one."""
    minor = _minor(python)
    if not minor or minor == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    uv = find_uv()
    found = uv.run("python", "find", "--no-project", "--no-config", minor, seconds=120)
    path = found.out.strip()
    if found.code == 0 and path and _is_minor(path, minor):
        return path
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for each in sorted(versions.glob(f"{minor}.*/bin/python"), reverse=True):
        if _is_minor(str(each), minor):
            return str(each)
    return sys.executable


def _is_minor(path: str, minor: str) -> bool:
    """Whether a Python runs and is of this version: a shim may do neither."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = run_limited([path, "-I", "-c", code], folder=Path(sys.prefix), seconds=20, memory=1 << 30)
    return done.code == 0 and done.said.strip() == minor


def _minor(python: str) -> str:
    found = _MINOR.match(python.strip())
    return f"{found[1]}.{found[2]}" if found else ""


def _python_of(place: Path) -> Path:
    return place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _read_stamp(place: Path) -> dict[str, object] | None:
    try:
        stamp = json.loads((place / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and stamp.get("format") == _FORMAT else None


def _write_stamp(uv: Uv, place: Path) -> dict[str, object]:
    listed = uv.run("pip", "list", "--format", "json", "--python", str(_python_of(place)), seconds=120)
    packages = json.loads(listed.out) if listed.code == 0 and listed.out.strip() else []
    config = (place / "pyvenv.cfg").read_text(encoding="utf-8")
    found = re.search(r"^version(?:_info)?\s*=\s*(\S+)", config, re.MULTILINE)
    stamp: dict[str, object] = {
        "format": _FORMAT,
        "python": found[1] if found else "",
        "packages": {re.sub(r"[-_.]+", "-", each["name"]).lower(): str(each["version"]) for each in packages},
    }
    beside = place / f"{_STAMP}.{os.getpid()}"
    beside.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(beside, place / _STAMP)
    return stamp


def _texts(value: object) -> Mapping[str, str]:
    return {str(name): str(each) for name, each in value.items()} if isinstance(value, dict) else {}


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time make an environment; the next finds it made."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # only there

    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
