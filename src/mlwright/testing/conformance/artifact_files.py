"""The part of the exam of :class:`mlwright.ports.artifacts.ArtifactStore` about files: in and out in pieces."""

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mlwright.errors import ArtifactCorrupt, ArtifactMissing, DataError
from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore
from mlwright.testing.conformance.gaps import Conformance

Fresh: TypeAlias = Callable[[], ArtifactStore]
Damage: TypeAlias = Callable[[Any, Digest], None]

LARGE = 50 << 20
"""Bytes of the file that must not be held in memory as a whole."""

# the empty input's hash, from the BLAKE3 paper's test vectors
EMPTY = Digest("blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
UNKNOWN = Digest("blake3:" + "0" * 64)
FILES = {
    "MLmodel": b"flavors: {}",
    "data/weights.bin": bytes(range(256)),
    "data/deep/empty": b"",
    "ü ñ": b"x",
}


def lay(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write these files below a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def lying(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_large(file: Path) -> Path:
    """Write a file of LARGE bytes, none of whose blocks is like another, and return it."""
    with file.open("wb") as sink:
        for number in range(LARGE >> 20):
            sink.write(number.to_bytes(4, "little") * (1 << 18))
    return file


@contextmanager
def bounded_memory(limit: int) -> Iterator[None]:
    """Fail when the block needs more bytes of memory at once; what numpy and files in memory hold counts."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak:,} bytes were held at once"


class ArtifactFilesConformance(Conformance):
    """What every artifact store promises about files. It is part of ``ArtifactStoreConformance``."""

    @pytest.fixture
    def store(self, fresh: Fresh) -> ArtifactStore:
        """An empty store."""
        return fresh()

    @pytest.mark.parametrize("data", [b"", b"\0", b"x" * 3_000_000, bytes(range(256)) * 4096])
    def test_files_come_back(self, store: ArtifactStore, tmp_path: Path, data: bytes) -> None:
        """Under the digest of their bytes, whole and in pieces; the file stays."""
        (tmp_path / "file").write_bytes(data)
        digest = store.put_file(tmp_path / "file")
        assert digest == store.put_bytes(data)
        assert store.get_bytes(digest) == (tmp_path / "file").read_bytes() == data
        with store.open(digest) as file:
            assert b"".join(iter(lambda: file.read(65_537), b"")) == data
            assert file.read(1) == b""

    @pytest.mark.parametrize("known", [False, True])
    def test_files_that_are_given_up(self, store: ArtifactStore, tmp_path: Path, known: bool) -> None:
        """Are gone afterwards, whether the store had the bytes or not."""
        if known:
            store.put_bytes(b"given up")
        (tmp_path / "file").write_bytes(b"given up")
        digest = store.put_file(tmp_path / "file", consume=True)
        assert store.get_bytes(digest) == b"given up"
        assert list(tmp_path.iterdir()) == []

    def test_a_file_with_two_names_keeps_the_other(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Who writes to the other one must not change the blob."""
        (tmp_path / "file").write_bytes(b"before")
        (tmp_path / "other").hardlink_to(tmp_path / "file")
        digest = store.put_file(tmp_path / "file", consume=True)
        (tmp_path / "other").write_bytes(b"after!")
        assert store.get_bytes(digest) == b"before"

    def test_a_link_that_is_given_up(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Its target is stored and stays."""
        (tmp_path / "file").write_bytes(b"target")
        (tmp_path / "link").symlink_to(tmp_path / "file")
        digest = store.put_file(tmp_path / "link", consume=True)
        assert store.get_bytes(digest) == (tmp_path / "file").read_bytes() == b"target"

    def test_no_such_file(self, store: ArtifactStore, tmp_path: Path) -> None:
        """A missing file is not an empty one, and a folder is none."""
        for place in (tmp_path / "nowhere", tmp_path):
            with pytest.raises(DataError):
                store.put_file(place)

    @pytest.mark.parametrize("digest", [UNKNOWN, "", "../../etc/passwd"])
    def test_opening_what_is_not_there(self, store: ArtifactStore, digest: Digest) -> None:
        """At once, not at the first read."""
        with pytest.raises(ArtifactMissing):
            store.open(digest)

    @pytest.mark.parametrize("size", [1, 5_000, 3 << 20])
    def test_a_damaged_blob_is_never_read_to_its_end(
        self, store: ArtifactStore, damage: Damage, size: int
    ) -> None:
        """Whoever reads all of it is told before the last byte; nobody mistakes it for the whole."""
        digest = store.put_bytes(b"x" * size)
        damage(store, digest)
        got: list[bytes] = []
        with store.open(digest) as file, pytest.raises(ArtifactCorrupt):
            got.extend(iter(lambda: file.read(1_000), b""))
        assert sum(map(len, got)) < size

    def test_jumping_in_a_blob(self, store: ArtifactStore) -> None:
        """Any part can be read, and the whole again after it."""
        data = bytes(range(256)) * 20_000
        with store.open(store.put_bytes(data)) as file:
            assert file.seek(1_000_000) == 1_000_000
            assert file.read(300) == data[1_000_000:1_000_300]
            assert file.seek(-5, 2) == len(data) - 5
            assert file.read() == data[-5:]
            file.seek(0)
            assert file.read() == data

    def test_two_read_one_blob(self, store: ArtifactStore) -> None:
        """Each has a place of its own."""
        digest = store.put_bytes(b"0123456789")
        with store.open(digest) as one, store.open(digest) as other:
            assert (one.read(4), other.read(2), one.read(), other.read()) == (
                b"0123",
                b"01",
                b"456789",
                b"23456789",
            )

    def test_large_files_are_streamed(self, store: ArtifactStore, tmp_path: Path) -> None:
        """In, out, and as part of a folder, in a fraction of their size."""
        folder = tmp_path / "large"
        folder.mkdir()
        file = write_large(folder / "file")
        with bounded_memory(LARGE // 4):
            digest = store.put_file(file)
            with store.open(digest) as source:
                assert sum(len(piece) for piece in iter(lambda: source.read(1 << 20), b"")) == LARGE
            store.get_folder(store.put_folder(folder), tmp_path / "target")
        assert (tmp_path / "target" / "file").stat().st_size == LARGE
