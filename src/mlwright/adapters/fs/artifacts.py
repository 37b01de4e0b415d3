"""The artifact store over fsspec: a directory, an object store, or memory, by URL."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import fsspec
from blake3 import blake3
from fsspec.implementations.local import LocalFileSystem

from mlwright.adapters.fs.manifest import DIGEST, begins_manifest, decode, encode, files_below
from mlwright.adapters.fs.placing import (
    is_complete,
    move_into_place,
    put_in_place,
    refuse_foreign,
    swap,
    unnamed,
)
from mlwright.adapters.fs.reading import PIECE, corrupt, digest_of, open_far, open_near
from mlwright.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    DataError,
    MissingExtra,
    StorageError,
    UsageError,
)
from mlwright.model.artifacts import StoredBlob
from mlwright.model.ids import Digest

_PARTIAL: Final = ".partial"
_REMOVED: Final = ".removed"

_RENEWED_AFTER: Final = 3600
"""Seconds. Older blobs of an object store are written once more when they are stored again: so they become younger."""


class FsArtifactStore:
    """Blobs as files ``<url>/ab/cdef…`` (blake3, split after two digits); folders as manifests of blobs.

    Args:
        url: a directory, or any URL that fsspec knows: ``memory://…``, ``s3://…``, ``gs://…``, ``abfs://…``.

    Raises:
        UsageError: fsspec does not know the URL's protocol.
        MissingExtra: the protocol needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            fs, root = fsspec.core.url_to_fs(url)
        except ImportError as fault:
            extra = {"gs": "gcs", "abfs": "azure", "az": "azure"}.get(url.split("://")[0], "s3")
            raise MissingExtra.needed(f"artifacts at {url}", extra) from fault
        except ValueError as fault:
            raise UsageError(
                f"no store can be reached by this URL: {fault}", where=url, next_command="mlwright doctor"
            ) from fault
        self._fs = fs
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(fs, LocalFileSystem)

    def put_bytes(self, data: bytes) -> Digest:
        """Store a blob; see ``ArtifactStore.put_bytes``. In a directory it is on the disk after this."""
        digest = Digest(f"blake3:{blake3(data).hexdigest()}")
        path = self._path(digest)
        try:
            if self._keeps(digest, len(data)):
                return digest
            if self._is_local:
                with unnamed(self._partial) as (file, place):
                    file.write(data)
                    put_in_place(file, place, Path(path))
            else:
                # object stores and memory show a blob when its last byte has arrived, and not before
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
                self._fs.pipe_file(path, data)
        except OSError as fault:
            raise _unwritten(path, fault) from fault
        return digest

    def put_file(self, file: Path, *, consume: bool = False) -> Digest:
        """Store a file; see ``ArtifactStore.put_file``. In a directory it is on the disk after this."""
        try:
            digest, size = digest_of(file)
            if not self._keeps(digest, size):
                digest = self._take(file, digest, consume=consume)
            if consume:
                file.unlink(missing_ok=True)
        except OSError as fault:
            raise _unwritten(str(file), fault) from fault
        return digest

    def get_bytes(self, digest: Digest) -> bytes:
        """Read and verify a blob; see ``ArtifactStore.get_bytes``."""
        path = self._known(digest)
        try:
            data: bytes = self._fs.cat_file(path)
        except FileNotFoundError as fault:
            raise self._missing(digest) from fault
        except OSError as fault:
            raise StorageError("the artifact could not be read", where=path, why=str(fault)) from fault
        if f"blake3:{blake3(data).hexdigest()}" != digest:
            raise corrupt(path)
        return data

    def open(self, digest: Digest) -> BinaryIO:
        """Read a blob in pieces; see ``ArtifactStore.open``."""
        path = self._known(digest)
        try:
            size = self._size(path)
            if size is None:
                raise self._missing(digest)
            if self._is_local:
                return open_near(Path(path), digest, size)
            return open_far(self._fs, path, digest, size)
        except FileNotFoundError as fault:
            raise self._missing(digest) from fault
        except OSError as fault:
            raise StorageError("the artifact could not be read", where=path, why=str(fault)) from fault

    def put_folder(self, folder: Path) -> Digest:
        """Store a folder; see ``ArtifactStore.put_folder``. The manifest comes last.

        Raises:
            DataError: there is no such folder, or it holds a symbolic link.
        """
        files = {name: self.put_file(path) for name, path in files_below(folder).items()}
        return self.put_bytes(encode(files))

    def get_folder(self, digest: Digest, target: Path) -> Path:
        """Restore a folder; see ``ArtifactStore.get_folder``.

        The folder appears at ``target`` complete or not at all. What is there already is read and verified:
        a complete copy stays (other files beside it too), a damaged copy is replaced.

        Raises:
            Conflict: ``target`` holds other files, or is no folder; nothing of it was touched.
        """
        files = decode(self.get_bytes(digest), digest)
        if is_complete(target, files):
            return target
        refuse_foreign(target, files)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        fresh.mkdir()
        try:
            self._fill(fresh, files, digest)
            swap(fresh, target, files)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return target

    def exists(self, digest: Digest) -> bool:
        """Whether the blob or folder is there; its bytes are not verified."""
        return bool(DIGEST.fullmatch(digest)) and self._size(self._path(digest)) is not None

    def blobs_before(self, instant: datetime) -> Iterator[StoredBlob]:
        """List old blobs; see ``ArtifactSweep.blobs_before``."""
        for path, found in self._fs.find(self._root, detail=True).items():
            place = str(path)[len(self._root) :].strip("/").split("/")
            digest = Digest("blake3:" + "".join(place))
            if len(place) == 2 and len(place[0]) == 2 and DIGEST.fullmatch(digest):
                stored = self._stored(path)
                if stored is not None and stored < instant:
                    yield StoredBlob(digest=digest, size=int(found["size"]), stored=stored)

    def files_of(self, digest: Digest) -> frozenset[Digest]:
        """List a folder's blobs; see ``ArtifactSweep.files_of``."""
        if not self.exists(digest):
            return frozenset()
        with self.open(digest) as file:
            if not begins_manifest(file.read(64)):
                return frozenset()
        blob = self.get_bytes(digest)
        try:
            return frozenset(decode(blob, digest).values())
        except ArtifactCorrupt:  # its bytes are as they were put: somebody's file that looks like a folder
            return frozenset()

    def remove(self, digest: Digest, *, before: datetime) -> bool:
        """Remove an old blob; see ``ArtifactSweep.remove``."""
        path = self._known(digest)
        try:
            stored = self._stored(path)
            if stored is None or stored >= before:
                return False
            if not self._is_local:
                self._fs.rm_file(path)
                return True
            return self._remove_here(Path(path), before)
        except FileNotFoundError:
            return False
        except OSError as fault:
            raise StorageError("the artifact could not be removed", where=path, why=str(fault)) from fault

    def tidy(self, before: datetime) -> int:
        """Remove what killed writers left; see ``ArtifactSweep.tidy``."""
        if not self._is_local:
            return 0  # there a blob shows whole or not at all
        left = [each for name in (_PARTIAL, _REMOVED) for each in (Path(self._root) / name).glob("*")]
        old = [each for each in left if (stored := self._stored(str(each))) and stored < before]
        for each in old:
            each.unlink(missing_ok=True)
        return len(old)

    def _take(self, file: Path, digest: Digest, *, consume: bool) -> Digest:
        target = self._path(digest)
        if self._is_local:
            if consume and move_into_place(file, Path(target)):
                return digest
            with unnamed(self._partial) as (copy, place):
                digest, _ = digest_of(file, copy)  # what was copied: the file may have changed since
                put_in_place(copy, place, Path(self._path(digest)))
            return digest
        self._fs.makedirs(self._fs._parent(target), exist_ok=True)
        if file.stat().st_size <= PIECE:
            self._fs.pipe_file(target, file.read_bytes())
        else:
            self._fs.put_file(str(file), target)
        return digest

    def _remove_here(self, path: Path, before: datetime) -> bool:
        """Take the blob aside first: whoever stores it from now on writes it anew, and sees no half of this."""
        aside = Path(self._root) / _REMOVED / path.name
        aside.parent.mkdir(exist_ok=True)
        os.rename(path, aside)
        stored = self._stored(str(aside))
        if stored is not None and stored >= before:  # stored again since it was asked for
            os.replace(aside, path)
            return False
        aside.unlink(missing_ok=True)
        return True

    def _fill(self, folder: Path, files: Mapping[str, Digest], digest: Digest) -> None:
        for name, each in files.items():
            path = folder / name
            with self.open(each) as source:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    sink = path.open("wb")
                except (FileExistsError, NotADirectoryError, IsADirectoryError) as fault:
                    raise ArtifactCorrupt(
                        f"the folder lists {name!r} both as file and as folder", where=digest
                    ) from fault
                with sink:
                    shutil.copyfileobj(source, sink, PIECE)

    @property
    def _partial(self) -> Path:
        return Path(self._root) / _PARTIAL

    def _known(self, digest: Digest) -> str:
        if not DIGEST.fullmatch(digest):
            raise ArtifactMissing(f"{digest!r} is no digest: blake3: and 64 hexadecimal digits")
        return self._path(digest)

    def _path(self, digest: Digest) -> str:
        text = digest.removeprefix("blake3:")
        return f"{self._root}/{text[:2]}/{text[2:]}"

    def _keeps(self, digest: Digest, size: int) -> bool:
        """Whether these bytes are there, and young from now on. A damaged copy is not; far away the size has to do."""
        path = self._path(digest)
        if self._size(path) != size:
            return False
        if not self._is_local:
            stored = self._stored(path)
            return stored is not None and time.time() - stored.timestamp() < _RENEWED_AFTER
        try:
            if digest_of(Path(path))[0] != digest:
                return False
            os.utime(path)
        except (OSError, DataError):
            return False  # removed just now
        return True

    def _size(self, path: str) -> int | None:
        try:
            found = self._fs.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return int(found["size"])

    def _stored(self, path: str) -> datetime | None:
        """When a blob was last stored, by the clock of its file system."""
        try:
            found: datetime = self._fs.modified(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _missing(self, digest: Digest) -> ArtifactMissing:
        return ArtifactMissing(
            "no artifact has this digest", where=f"{self._root}: {digest}", next_command="mlwright doctor"
        )


def _unwritten(path: str, fault: OSError) -> StorageError:
    return StorageError("the artifact could not be written", where=path, why=str(fault))
