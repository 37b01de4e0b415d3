"""Which formats the files of a model have, told by their first bytes; which of them run code when they are loaded."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.model.contracts import Severity
from mlwright.model.evidence import Check, EvidenceKind, Outcome
from mlwright.model.scans import Scan

UNSAFE: Final = ("pickle", "joblib", "cloudpickle", "torch archive", "numpy objects", "keras with code")
_PICKLED_SUFFIXES: Final = (".pkl", ".pickle", ".p", ".sav", ".dill")
_TORCH: Final = (".pt", ".pth", ".ckpt", ".bin")
_FILES: Final = 10_000
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """One file of a model. ``size`` is in bytes."""

    path: str
    size: int
    format: str

    @property
    def is_unsafe(self) -> bool:
        """Whether loading it runs what is in it."""
        return self.format in UNSAFE


def formats(folder: Path) -> tuple[FileFormat, ...]:
    """The format of every file below a folder, links not followed, by path; at most 10,000."""
    found: list[FileFormat] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(place, name)
            if file.is_symlink() or len(found) >= _FILES:
                continue
            size = file.stat().st_size
            path = file.relative_to(folder).as_posix()
            found.append(FileFormat(path=path, size=size, format=_format(file, name.lower(), size)))
    return tuple(found)


def check_formats(found: Sequence[FileFormat], scan: Scan | None) -> Check:
    """What loading the files could do, by their formats and by what a scanner of pickles says of them.

    A dangerous import fails. A pickle that brings code of its own, and one that no scanner could read, is unknown:
    somebody has to look. Other pickles pass, and are named.
    """
    unsafe = [each for each in found if each.is_unsafe]
    details: dict[str, object] = {
        "files": len(found),
        "bytes": sum(each.size for each in found),
        "formats": {each.path: each.format for each in found if each.format}
        if len(found) <= 100
        else sorted({each.format for each in found if each.format}),
        "unsafe": [{"path": each.path, "format": each.format} for each in unsafe[:_SHOWN]],
    }
    hits = scan.hits if scan else ()
    details["hits"] = [
        {"path": each.location.path, "rule": each.rule, "severity": str(each.severity), "said": each.message}
        for each in hits[:_SHOWN]
    ]
    bad = [each for each in hits if each.severity == Severity.ERROR]
    doubtful = [each for each in hits if each.severity == Severity.WARNING]
    if bad:
        said = f"{bad[0].location.path} {bad[0].message}: loading it would run that"
        return Check(kind=EvidenceKind.SCAN, outcome=Outcome.FAILED, summary=said, details=details)
    if not unsafe:
        said = "no file runs code when it is loaded"
        return Check(kind=EvidenceKind.SCAN, outcome=Outcome.PASSED, summary=said, details=details)
    named = f"{unsafe[0].path} is a {unsafe[0].format}" + (
        f" ({len(unsafe) - 1} more)" if len(unsafe) > 1 else ""
    )
    advice = "prefer skops, ONNX, safetensors or the booster's own format"
    outcome = Outcome.PASSED
    why = f"its imports look harmless, but loading it runs code: {advice}"
    if scan is None or scan.missing:
        outcome, why = Outcome.UNKNOWN, scan.missing if scan and scan.missing else "nothing scanned it"
    elif doubtful:
        outcome, why = Outcome.UNKNOWN, f"{doubtful[0].message}; somebody has to look, or {advice}"
    return Check(kind=EvidenceKind.SCAN, outcome=outcome, summary=f"{named}: {why}", details=details)


def _format(file: Path, name: str, size: int) -> str:
    with file.open("rb") as opened:
        head = opened.read(16)
        if len(head) > 1 and head[0] == 0x80 and head[1] in range(2, 6):
            return _kind_of_pickle(name, head + opened.read(65_536))
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_archive(file, name)
    if head.startswith(b"\x93NUMPY"):
        return "numpy objects" if _holds_objects(file) else "numpy"
    if name.endswith((*_PICKLED_SUFFIXES, ".joblib")) and size:
        return "joblib" if name.endswith(".joblib") else "pickle"
    return "HDF5" if head.startswith(b"\x89HDF") else _by_suffix(name, head)


def _kind_of_pickle(name: str, head: bytes) -> str:
    if b"cloudpickle" in head:
        return "cloudpickle"
    if name.endswith(_TORCH):
        return "torch archive"
    return "joblib" if name.endswith(".joblib") or b"joblib" in head else "pickle"


def _kind_of_archive(file: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()[:_FILES]
    except (zipfile.BadZipFile, OSError, ValueError):
        return "torch archive" if name.endswith(_TORCH) else "damaged archive"
    bases = {each.rpartition("/")[2] for each in members}
    if "schema.json" in bases and name.endswith(".skops"):
        return "skops"
    if "data.pkl" in bases or any(each.endswith(_PICKLED_SUFFIXES) for each in bases):
        return "torch archive"
    if name.endswith(".keras"):
        return "keras with code" if _keras_brings_code(file) else "keras"
    if name.endswith(".npz"):
        return "numpy"
    return "torch archive" if name.endswith(_TORCH) else "zip"


def _keras_brings_code(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive, archive.open("config.json") as config:
            return b'"Lambda"' in config.read(16 << 20)
    except (KeyError, zipfile.BadZipFile, OSError, RuntimeError):
        return True


def _holds_objects(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(4_096)
    return b"'|O'" in head or b"'O'" in head


def _by_suffix(name: str, head: bytes) -> str:
    known = {
        ".safetensors": "safetensors",
        ".onnx": "ONNX",
        ".ubj": "booster",
        ".cbm": "booster",
        ".lgb": "booster",
        ".skops": "skops",
        ".py": "Python source",
    }
    for suffix, format_ in known.items():
        if name.endswith(suffix):
            return format_
    return "booster" if head.startswith((b"tree\nversion=", b"binf")) else ""
