"""Bytes by content digest. Open wire: any fsspec URL, one object ``ab/cdef…`` a blob."""

from pathlib import Path
from typing import Protocol

from mlwright.model.ids import Digest


class ArtifactStore(Protocol):
    """Keeps blobs and folders under the digest of their content, and never gives back other bytes."""

    def put_bytes(self, data: bytes) -> Digest:
        """Store a blob. The write is atomic, and storing it twice stores it once."""
        ...

    def get_bytes(self, digest: Digest) -> bytes:
        """Read a blob and verify it.

        Raises:
            ArtifactMissing: no blob has this digest.
            ArtifactCorrupt: the stored bytes have another digest.
        """
        ...

    def put_folder(self, folder: Path) -> Digest:
        """Store all regular files below a folder; the digest covers their relative paths and contents.

        Raises:
            DataError: there is no such folder, or it holds a symbolic link, whose target would be lost.
        """
        ...

    def get_folder(self, digest: Digest, target: Path) -> Path:
        """Restore a stored folder at ``target``, verified, and return ``target``.

        An existing complete copy is used as it is. Paths that would leave ``target`` are refused as corrupt.

        Raises:
            ArtifactMissing: the folder or one of its files is not in the store.
            ArtifactCorrupt: stored bytes have another digest, or a path would escape.
            Conflict: ``target`` holds other files than a damaged copy would; they are not touched.
        """
        ...

    def exists(self, digest: Digest) -> bool:
        """Whether the store holds this digest."""
        ...
