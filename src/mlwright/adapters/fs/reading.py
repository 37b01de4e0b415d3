"""Reading blobs in pieces, verified on the way."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from blake3 import blake3
from fsspec import AbstractFileSystem

from mlwright.errors import ArtifactCorrupt, DataError
from mlwright.model.ids import Digest

PIECE: Final = 1 << 20
"""Bytes read at once from a file."""

_FAR_PIECE: Final = 8 << 20
"""Bytes asked for at once from another machine: each request takes a while, however little it brings."""


def digest_of(file: Path, sink: BinaryIO | None = None) -> tuple[Digest, int]:
    """Digest and size of a file, which is copied to ``sink`` in the same pass where one is given.

    Raises:
        DataError: there is no such file.
    """
    hasher = blake3()
    size = 0
    try:
        source = file.open("rb", buffering=0)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as fault:
        raise DataError("there is no such file to store", where=str(file)) from fault
    with source:
        while piece := source.read(PIECE):
            hasher.update(piece)
            size += len(piece)
            if sink is not None:
                sink.write(piece)
    return Digest(f"blake3:{hasher.hexdigest()}"), size


class VerifiedReader(io.RawIOBase):
    """Hashes what it reads, and raises instead of giving the last bytes of a blob that is not what it should be.

    After a jump it verifies nothing until it is back at the beginning.
    """

    def __init__(self, source: io.RawIOBase, digest: Digest, size: int, where: str) -> None:
        super().__init__()
        self._source = source
        self._digest = digest
        self._size = size
        self._where = where
        self._hasher: blake3 | None = blake3()
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read some bytes.

        Raises:
            ArtifactCorrupt: these would be the last ones, and the whole has another digest.
        """
        view = memoryview(buffer).cast("B")
        number = self._source.readinto(view) or 0
        self._at += number
        if self._hasher is not None:
            self._hasher.update(view[:number])
            if self._at >= self._size or (number == 0 and len(view) > 0):
                self._verify(self._hasher)
        return number

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        place = self._source.seek(offset, whence)
        if place != self._at:
            self._hasher = blake3() if place == 0 else None
            self._at = place
        return place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()
        super().close()

    def _verify(self, hasher: blake3) -> None:
        if self._at != self._size or f"blake3:{hasher.hexdigest()}" != self._digest:
            raise corrupt(self._where)


class RangeReader(io.RawIOBase):
    """Reads a far object by ranges, so that readers share nothing, whatever the file system is."""

    def __init__(self, fs: AbstractFileSystem, path: str, size: int) -> None:
        super().__init__()
        self._read: Callable[[int, int], bytes] = lambda start, end: fs.cat_file(path, start=start, end=end)
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read some bytes."""
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self._size)
        if end <= self._at:
            return 0
        data = self._read(self._at, end)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; before the first byte there is none."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at


def open_far(fs: AbstractFileSystem, path: str, digest: Digest, size: int) -> BinaryIO:
    """A blob of an object store, verified while it is read."""
    raw = VerifiedReader(RangeReader(fs, path, size), digest, size, path)
    return io.BufferedReader(raw, buffer_size=min(_FAR_PIECE, max(size, io.DEFAULT_BUFFER_SIZE)))


def open_near(path: Path, digest: Digest, size: int) -> BinaryIO:
    """A blob of a directory, verified while it is read."""
    raw = VerifiedReader(path.open("rb", buffering=0), digest, size, str(path))
    return io.BufferedReader(raw, buffer_size=min(PIECE, max(size, io.DEFAULT_BUFFER_SIZE)))


def corrupt(path: str) -> ArtifactCorrupt:
    """The error for a blob whose bytes are not those of its digest."""
    return ArtifactCorrupt(
        "the stored bytes are not those that were put there",
        where=path,
        next_command=f"rm {path}  # then store it again from its source",
    )
