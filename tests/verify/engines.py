"""A Docker engine of its own for a test, and a base image out of this machine's Python: no registry is asked.

The base holds what ``python:3.11-slim`` has and a build of ours needs: an interpreter with its standard library and
pip, the C library and that of C++, and nothing else, not even a shell. It is imported as it lies here, under the same
paths.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BASE = f"local/python:{sys.version_info.major}.{sys.version_info.minor}-slim"
_LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "__pycache__",
}  # fmt: skip


class Missing(Exception):
    """The engine cannot be had here; the text says why."""


class Engine:
    """A running dockerd and the words that ask it."""

    def __init__(self, socket: Path) -> None:
        self.words = ("docker", "--host", f"unix://{socket}")

    def __call__(self, *words: str, data: bytes | None = None, code: int | None = 0) -> str:
        done = subprocess.run([*self.words, *words], input=data, capture_output=True, timeout=300)
        assert code is None or done.returncode == code, (
            f"{words}: {(done.stdout + done.stderr).decode()[-3000:]}"
        )
        return (done.stdout + done.stderr).decode()


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Start dockerd with everything in a folder of its own; both are gone with the block.

    Raises:
        Missing: it is not installed, or does not run here.
    """
    program = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or shutil.which("docker") is None:
        raise Missing("dockerd and docker are not installed (Debian: docker.io)")
    if os.geteuid() != 0:
        raise Missing("dockerd needs root")
    # Not pytest's: the path of a socket may have 107 bytes, and what dockerd leaves mounted could not be removed.
    folder = Path(tempfile.mkdtemp(prefix="mlwright-docker-"))
    try:
        with _running(program, folder) as engine:
            yield engine
    finally:
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in sorted((each for each in mounted if each.startswith(f"{folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: str, folder: Path) -> Iterator[Engine]:
    words = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    command = [program, *words, "-H", f"unix://{folder / 'socket'}", "--bridge=none", "--iptables=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        engine = Engine(folder / "socket")
        for _ in range(150):
            if subprocess.run([*engine.words, "info"], capture_output=True).returncode == 0:
                break
            if process.poll() is not None:
                raise Missing(f"dockerd ended: {(folder / 'log').read_text(errors='replace').strip()[-400:]}")
            time.sleep(0.1)
        else:
            raise Missing("dockerd does not answer")
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def import_base(engine: Engine) -> None:
    """Make the base image.

    Raises:
        Missing: this Python's libraries cannot be told (no ldd).
    """
    told = engine("import", "--change", 'ENV PATH="/usr/local/bin"', "-", BASE, data=_rootfs())
    assert "sha256:" in told, told


def _rootfs() -> bytes:
    prefix, stdlib = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix}))
    python = Path(os.path.realpath(sys.executable))
    files = {path for path in stdlib.rglob("*") if not _left_out(path.parts[len(stdlib.parts) :])}
    pip = next(prefix.glob("lib/python3*/site-packages/pip"), None) or next(
        prefix.glob("lib/python3*/dist-packages/pip"), None
    )
    if pip is None:
        raise Missing(f"the Python at {prefix} has no pip")
    files |= {path for path in pip.rglob("*") if "__pycache__" not in path.parts}
    linked = [python, *(path for path in files if path.suffix == ".so" and "lib-dynload" in path.parts)]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted({python, *files, *_libraries(linked)}):
            if not path.is_dir():
                archive.add(os.path.realpath(path), str(path), recursive=False)
        for name in ("python", f"python{sys.version_info.major}"):
            _link(archive, f"/usr/local/bin/{name}", str(python))
        for name, mode in (("tmp", 0o1777), ("var", 0o755), ("opt", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
    return stream.getvalue()


def _left_out(parts: Sequence[str]) -> bool:
    return bool(_LEFT_OUT & set(parts)) or parts[0].startswith("config-")  # a static library of 60 MB


def _libraries(linked: Sequence[Path]) -> set[Path]:
    """The shared libraries of some files, and those of C++ that wheels expect."""
    if shutil.which("ldd") is None:
        raise Missing("ldd is not installed")
    said = subprocess.run(["ldd", *linked], capture_output=True, text=True).stdout
    found = {Path(each) for each in re.findall(r"(?:=> |^\s)(/\S+) \(0x", said, re.MULTILINE)}
    near = [each.parent for each in found if each.name.startswith("libc.so")]
    more = (
        "libstdc++.so.6",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "libutil.so.1",
    )
    for folder in near:
        for name in more:
            path = next(
                (each for each in (folder / name, Path("/usr") / str(folder / name)[1:]) if each.exists()),
                None,
            )
            found |= {path} if path else set()
    return found


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name.lstrip("/"))
    link.type, link.linkname = tarfile.SYMTYPE, target
    archive.addfile(link)
