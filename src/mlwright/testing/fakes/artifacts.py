"""Artifacts in two dictionaries."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from blake3 import blake3

from mlwright.errors import ArtifactCorrupt, ArtifactMissing, Conflict, DataError
from mlwright.model.artifacts import StoredBlob
from mlwright.model.ids import Digest


class MemoryArtifactStore:
    """The reference. Its dictionaries are open, so that a test can damage them and choose what time it is."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.folders: dict[str, dict[str, str]] = {}
        self.stored: dict[str, datetime] = {}
        self.now = datetime(2000, 1, 1, tzinfo=UTC)

    def put_bytes(self, data: bytes) -> Digest:
        """Store a blob; see ``ArtifactStore.put_bytes``."""
        digest = _digest(data)
        self.blobs[digest] = bytes(data)
        self.stored[digest] = self.now
        return digest

    def put_file(self, file: Path, *, consume: bool = False) -> Digest:
        """Store a file; see ``ArtifactStore.put_file``."""
        if not file.is_file():
            raise DataError("there is no such file to store", where=str(file))
        digest = self.put_bytes(file.read_bytes())
        if consume:
            file.unlink()
        return digest

    def get_bytes(self, digest: Digest) -> bytes:
        """Read and verify a blob; see ``ArtifactStore.get_bytes``."""
        if digest not in self.blobs:
            raise ArtifactMissing("no artifact has this digest", where=digest)
        if _digest(self.blobs[digest]) != digest:
            raise ArtifactCorrupt("the stored bytes are not those that were put there", where=digest)
        return self.blobs[digest]

    def open(self, digest: Digest) -> BinaryIO:
        """Read a blob; see ``ArtifactStore.open``."""
        if digest in self.blobs and _digest(self.blobs[digest]) != digest:
            return _Corrupt(self.blobs[digest])
        return io.BytesIO(self.get_bytes(digest))

    def put_folder(self, folder: Path) -> Digest:
        """Store a folder; see ``ArtifactStore.put_folder``."""
        paths = sorted(folder.rglob("*"))
        if not folder.is_dir() or any(path.is_symlink() for path in paths):
            raise DataError("no folder, or one with symbolic links", where=str(folder))
        files = {
            path.relative_to(folder).as_posix(): self.put_bytes(path.read_bytes())
            for path in paths
            if path.is_file()
        }
        digest = self.put_bytes(repr(sorted(files.items())).encode())
        self.folders[digest] = dict(files)
        return digest

    def get_folder(self, digest: Digest, target: Path) -> Path:
        """Restore a folder; see ``ArtifactStore.get_folder``."""
        self.get_bytes(digest)
        if digest not in self.folders:
            raise ArtifactCorrupt("the artifact is a blob, not a folder", where=digest)
        files = {name: self.get_bytes(Digest(each)) for name, each in self.folders[digest].items()}
        if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in files):
            raise ArtifactCorrupt("a path leaves the folder", where=digest)
        there = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
        if all(name in there and there[name].read_bytes() == data for name, data in files.items()):
            target.mkdir(parents=True, exist_ok=True)
            return target
        if target.is_file() or there.keys() - files.keys():
            raise Conflict("other files are in the way", where=str(target))
        for name, data in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
        return target

    def exists(self, digest: Digest) -> bool:
        """Whether the blob or folder is there."""
        return digest in self.blobs

    def blobs_before(self, instant: datetime) -> Iterator[StoredBlob]:
        """List old blobs; see ``ArtifactSweep.blobs_before``."""
        for digest, data in list(self.blobs.items()):
            if self.stored[digest] < instant:
                yield StoredBlob(digest=Digest(digest), size=len(data), stored=self.stored[digest])

    def files_of(self, digest: Digest) -> frozenset[Digest]:
        """List a folder's blobs; see ``ArtifactSweep.files_of``."""
        if digest in self.blobs:
            self.get_bytes(digest)
        return frozenset(Digest(each) for each in self.folders.get(digest, {}).values())

    def remove(self, digest: Digest, *, before: datetime) -> bool:
        """Remove an old blob; see ``ArtifactSweep.remove``."""
        if digest not in self.blobs or self.stored[digest] >= before:
            return False
        del self.blobs[digest]
        return True

    def tidy(self, before: datetime) -> int:
        """Nothing is ever left unfinished."""
        return 0


class _Corrupt(io.BytesIO):
    """A damaged blob: reading up to its end fails."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() >= len(self.getbuffer()):
            raise ArtifactCorrupt("the stored bytes are not those that were put there")
        return data


def _digest(data: bytes) -> Digest:
    return Digest(f"blake3:{blake3(data).hexdigest()}")
