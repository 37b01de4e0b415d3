"""Wheels of what is installed: the files that the installer wrote down, packed again.

An installed package lists its files with their hashes (``RECORD``, PEP 376 and 627), so that what goes into the wheel
is what was installed, or nothing. Times are those of the format's epoch and names are in order: equal packages give
equal bytes.
"""

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from typing import Final

from mlwright.errors import EnvironmentFailed, Fault

_LEFT_OUT: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_OURS: Final = """Wheel-Version: 1.0
Generator: mlwright
Root-Is-Purelib: true
Tag: py3-none-any
"""


def pack_installed(found: Distribution, folder: Path) -> Path:
    """Write the wheel of an installed package.

    Raises:
        EnvironmentFailed: it was not installed from a wheel, or a file was changed or removed since.
    """
    name, version = found.metadata["Name"], found.version
    info = f"{_escaped(name)}-{version}.dist-info"
    told = found.read_text("WHEEL")
    if told is None or found.files is None:
        raise _unpackable(f"{name} was not installed from a wheel", "nobody wrote down what belongs to it")
    # A script that an entry point means is made anew by whoever installs the wheel.
    made = {each.name for each in found.entry_points if each.group in ("console_scripts", "gui_scripts")}
    contents: dict[str, tuple[bytes, bool]] = {}
    faults: list[Fault] = []
    for each in found.files:
        place = _place(PurePosixPath(each), info, f"{_escaped(name)}-{version}.data", made)
        if place is None:
            continue
        path = Path(str(found.locate_file(each)))
        try:
            data = path.read_bytes()
        except OSError as error:
            faults.append(Fault(where=str(each), what=error.strerror or "cannot be read"))
            continue
        if each.hash is not None and _hash(data, each.hash.mode) != each.hash.value.rstrip("="):
            faults.append(Fault(where=str(each), what="was changed since it was installed"))
            continue
        contents[place] = (data, bool(path.stat().st_mode & stat.S_IXUSR))
    if faults:
        raise _unpackable(f"{name} {version} is not as it was installed", None, faults)
    return _write(folder / f"{_escaped(name)}-{version}-{_tag(told)}.whl", contents, info)


def pack_source(name: str, version: str, package: Path, found: Distribution | None, folder: Path) -> Path:
    """Write the wheel of a pure Python package from its folder of sources."""
    info = f"{_escaped(name)}-{version}.dist-info"
    contents = {
        f"{package.name}/{path.relative_to(package).as_posix()}": (path.read_bytes(), False)
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    texts = {"METADATA": described, "WHEEL": _OURS}
    if found is not None:
        texts |= {each: text for each in ("METADATA", "entry_points.txt") if (text := found.read_text(each))}
    contents |= {f"{info}/{each}": (text.encode(), False) for each, text in texts.items()}
    return _write(folder / f"{_escaped(name)}-{version}-py3-none-any.whl", contents, info)


def holds_its_sources(found: Distribution, module: str) -> bool:
    """Whether an installed package lists the files of a module, and does not merely point to them (``--editable``)."""
    return any(str(each) == f"{module}/__init__.py" for each in found.files or ())


def _place(path: PurePosixPath, info: str, data: str, made: Iterable[str]) -> str | None:
    """Where a file belongs in the wheel; None: nowhere."""
    first = path.parts[0]
    if path.suffix in (".pyc", ".pyo") or "__pycache__" in path.parts:
        return None
    if first.endswith(".dist-info"):
        inner = "/".join(path.parts[1:])
        return None if inner in _LEFT_OUT else f"{info}/{inner}"
    if first != ".." and not path.is_absolute():
        return str(path)
    parts = [each for each in path.parts if each not in ("..", "/")]
    if len(parts) < 2:
        return None
    if parts[-2] in ("bin", "Scripts"):
        name = parts[-1].removesuffix(".exe")
        return None if name in made else f"{data}/scripts/{parts[-1]}"
    return f"{data}/data/{'/'.join(parts)}"


def _write(target: Path, contents: dict[str, tuple[bytes, bool]], info: str) -> Path:
    ordered = sorted(contents.items())
    rows = [(name, f"sha256={_hash(data, 'sha256')}", str(len(data))) for name, (data, _) in ordered]
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, (data, runs) in ordered:
            _add(archive, name, data, 0o755 if runs else 0o644)
        _add(archive, f"{info}/RECORD", record.getvalue().encode(), 0o644)
    return target


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, wherever it is written
    entry.external_attr = (stat.S_IFREG | mode) << 16
    archive.writestr(entry, data)


def _hash(data: bytes, mode: str) -> str:
    return base64.urlsafe_b64encode(hashlib.new(mode, data).digest()).decode().rstrip("=")


def _tag(told: str) -> str:
    """The compressed tags of a file name (PEP 425) from those that WHEEL lists one by one."""
    tags = [each.split("-") for each in HeaderParser().parsestr(told).get_all("Tag") or ["py3-none-any"]]
    return "-".join(".".join(dict.fromkeys(each[at] for each in tags)) for at in range(3))


def _escaped(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name)


def _unpackable(what: str, why: str | None, faults: list[Fault] | None = None) -> EnvironmentFailed:
    return EnvironmentFailed(
        what,
        why=why,
        faults=(faults or [])[:20],
        next_command="mlwright build image --packages index …  # takes them from the index instead",
    )
