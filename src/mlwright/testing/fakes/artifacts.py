"""Artifacts in two dictionaries."""

from pathlib import Path, PurePosixPath

from blake3 import blake3

from mlwright.errors import ArtifactCorrupt, ArtifactMissing, Conflict, DataError
from mlwright.model.ids import Digest


class MemoryArtifactStore:
    """The reference. Its two dictionaries are open, so that a test can damage them."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.folders: dict[str, dict[str, str]] = {}

    def put_bytes(self, data: bytes) -> Digest:
        """Store a blob; see ``ArtifactStore.put_bytes``."""
        digest = _digest(data)
        self.blobs[digest] = bytes(data)
        return digest

    def get_bytes(self, digest: Digest) -> bytes:
        """Read and verify a blob; see ``ArtifactStore.get_bytes``."""
        if digest not in self.blobs:
            raise ArtifactMissing("no artifact has this digest", where=digest)
        if _digest(self.blobs[digest]) != digest:
            raise ArtifactCorrupt("the stored bytes are not those that were put there", where=digest)
        return self.blobs[digest]

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


def _digest(data: bytes) -> Digest:
    return Digest(f"blake3:{blake3(data).hexdigest()}")
