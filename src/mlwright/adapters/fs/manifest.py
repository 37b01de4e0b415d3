"""A stored folder: a small JSON blob that lists the folder's files and their digests.

The bytes are canonical (sorted paths, no spaces, ASCII), so that equal folders have equal digests on every
machine. File modes, times and empty folders are not kept.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlwright.errors import ArtifactCorrupt, DataError
from mlwright.model.ids import Digest

_TAG = "mlwright/folder/1"
DIGEST = re.compile(r"blake3:[0-9a-f]{64}")


def files_below(folder: Path) -> dict[str, Path]:
    """The regular files of a folder by relative path with slashes, in order.

    Raises:
        DataError: there is no such folder, or it holds something that is neither a file nor a folder. A
            symbolic link is refused rather than left out: the restored folder would lack what it points to.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder to store", where=str(folder))
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError(
                f"{path.relative_to(folder).as_posix()!r} is a link or a device; only files can be stored",
                where=str(folder),
                next_command=f"cp -rL {folder} COPY  # follows links",
            )
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path
    return found


def encode(files: Mapping[str, Digest]) -> bytes:
    """The blob for these files."""
    manifest = {"type": _TAG, "files": dict(sorted(files.items()))}
    return json.dumps(manifest, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def begins_manifest(head: bytes) -> bool:
    """Whether a blob that begins like this may be a folder."""
    return head.startswith(b'{"type":"' + _TAG.encode("ascii") + b'"')


def decode(blob: bytes, digest: Digest) -> dict[str, Digest]:
    """The files that a blob lists.

    Raises:
        ArtifactCorrupt: the blob is no folder, or one of its paths would leave the folder.
    """
    try:
        manifest = json.loads(blob)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("type") != _TAG:
        raise ArtifactCorrupt("the artifact is a blob, not a folder", where=digest)
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ArtifactCorrupt("the folder's list of files is not one", where=digest)
    for path, each in files.items():
        if not _confined(path) or not isinstance(each, str) or not DIGEST.fullmatch(each):
            raise ArtifactCorrupt(
                f"the folder lists {path!r}, which is no path inside it or has no digest", where=digest
            )
    return {path: Digest(each) for path, each in files.items()}


def _confined(path: str) -> bool:
    """Whether a path stays in its folder. ``C:`` and backslashes are ordinary names except on Windows."""
    signs = {"\0"} | ({"\\", ":"} if os.name == "nt" else set())
    return not signs & set(path) and not {"", ".", ".."} & set(path.split("/"))
