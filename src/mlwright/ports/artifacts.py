"""Bytes by content digest. Open wire: any fsspec URL, one object ``ab/cdef…`` a blob."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from mlwright.model.artifacts import StoredBlob
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

    def put_file(self, file: Path, *, consume: bool = False) -> Digest:
        """Store a file of any size, read in pieces.

        Args:
            file: a regular file; its digest is that of the same bytes given to ``put_bytes``.
            consume: give the file up: afterwards it is gone, and it may have been moved instead of copied.
                Nobody may write to it any more. When storing fails it stays.

        Raises:
            DataError: there is no such file.
        """
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """A blob of any size to read in pieces; the caller closes it.

        Whoever reads from the first byte to the last is protected: instead of the last bytes of a damaged blob
        comes ``ArtifactCorrupt``. Bytes that were reached by ``seek`` are not verified, as most were never read.

        Raises:
            ArtifactMissing: no blob has this digest.
            ArtifactCorrupt: from a read: the stored bytes have another digest.
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


@runtime_checkable
class ArtifactSweep(Protocol):
    """What a store offers beside :class:`ArtifactStore` so that what nobody refers to can be removed."""

    def blobs_before(self, instant: datetime) -> Iterator[StoredBlob]:
        """All blobs that were last stored before an instant, in no order. Storing a blob again counts."""
        ...

    def files_of(self, digest: Digest) -> frozenset[Digest]:
        """The blobs that a stored folder consists of; none where the digest is that of a plain blob or missing.

        Raises:
            ArtifactCorrupt: the stored bytes have another digest, so that nobody knows what belongs to the folder.
        """
        ...

    def remove(self, digest: Digest, *, before: datetime) -> bool:
        """Remove a blob, unless somebody stored it again since ``before``; whether it was removed."""
        ...

    def tidy(self, before: datetime) -> int:
        """Remove what writers that were killed before an instant left unfinished; how many files it was."""
        ...
