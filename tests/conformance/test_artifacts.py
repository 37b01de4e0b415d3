import contextlib
import itertools
import json
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from blake3 import blake3

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.fs.manifest import encode
from mlwright.errors import ArtifactCorrupt, ArtifactMissing, Conflict, StorageError, UsageError
from mlwright.model.ids import Digest
from mlwright.testing.conformance.artifact_sweep import Age, ArtifactSweepConformance, Now
from mlwright.testing.conformance.artifacts import (
    FILES,
    ArtifactStoreConformance,
    Damage,
    Fresh,
    lay,
    lying,
)
from mlwright.testing.conformance.gaps import gap
from mlwright.testing.fakes.artifacts import MemoryArtifactStore

_numbers = itertools.count()


class TestMemoryArtifactStore(ArtifactStoreConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return MemoryArtifactStore

    @pytest.fixture
    def damage(self) -> Damage:
        def change(store: MemoryArtifactStore, digest: Digest) -> None:
            data = store.blobs[digest]
            store.blobs[digest] = bytes([data[0] ^ 1]) + data[1:]

        return change

    @pytest.fixture
    def lose(self) -> Damage:
        def delete(store: MemoryArtifactStore, digest: Digest) -> None:
            del store.blobs[digest]

        return delete

    @gap("it is the memory")
    def test_large_files_are_streamed(self, store: MemoryArtifactStore, tmp_path: Path) -> None:
        super().test_large_files_are_streamed(store, tmp_path)


class TestMemoryArtifactSweep(ArtifactSweepConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return MemoryArtifactStore

    @pytest.fixture
    def now(self) -> Now:
        return lambda store: store.now

    @pytest.fixture
    def age(self) -> Age:
        def change(store: MemoryArtifactStore, digest: Digest, instant: datetime) -> None:
            store.stored[digest] = instant

        return change


class FsConformance(ArtifactStoreConformance):
    @pytest.fixture
    def damage(self) -> Damage:
        def change(store: FsArtifactStore, digest: Digest) -> None:
            fs, path = fs_path(store, digest)
            data = fs.cat_file(path)
            fs.pipe_file(path, bytes([data[0] ^ 1]) + data[1:])

        return change

    @pytest.fixture
    def lose(self) -> Damage:
        def delete(store: FsArtifactStore, digest: Digest) -> None:
            fs, path = fs_path(store, digest)
            fs.rm_file(path)

        return delete


urls: dict[int, str] = {}


def fs_path(store: FsArtifactStore, digest: Digest) -> tuple[fsspec.AbstractFileSystem, str]:
    fs, root = fsspec.core.url_to_fs(urls[id(store)])
    text = digest.removeprefix("blake3:")
    return fs, f"{root}/{text[:2]}/{text[2:]}"


def opened(url: str) -> FsArtifactStore:
    store = FsArtifactStore(url)
    urls[id(store)] = url
    return store


class TestDirectory(FsConformance):
    @pytest.fixture
    def fresh(self, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
        return lambda: opened(str(tmp_path_factory.mktemp("store") / "artifacts"))


class TestMemoryUrl(FsConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return lambda: opened(f"memory://artifacts-{next(_numbers)}")

    @gap("the file system is the memory")
    def test_large_files_are_streamed(self, store: FsArtifactStore, tmp_path: Path) -> None:
        super().test_large_files_are_streamed(store, tmp_path)


class FsSweepConformance(ArtifactSweepConformance):
    @pytest.fixture
    def now(self) -> Now:
        return lambda store: SystemClock().now()


class TestDirectorySweep(FsSweepConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return lambda: opened(f"{self.folder}/artifacts-{next(_numbers)}")

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("stores")

    @pytest.fixture
    def age(self) -> Age:
        def change(store: FsArtifactStore, digest: Digest, instant: datetime) -> None:
            os.utime(fs_path(store, digest)[1], (instant.timestamp(), instant.timestamp()))

        return change


class TestMemoryUrlSweep(FsSweepConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return lambda: opened(f"memory://sweep-{next(_numbers)}")

    @pytest.fixture
    def age(self) -> Age:
        def change(store: FsArtifactStore, digest: Digest, instant: datetime) -> None:
            fs, path = fs_path(store, digest)
            fs.store[path].modified = instant

        return change


@pytest.fixture
def store(tmp_path: Path) -> FsArtifactStore:
    return FsArtifactStore(str(tmp_path / "artifacts"))


def test_layout_on_disk(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_bytes(b"abc")
    # the hash of b"abc" in the BLAKE3 reference implementation
    known = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    assert digest == f"blake3:{known}"
    assert (tmp_path / "artifacts" / known[:2] / known[2:]).read_bytes() == b"abc"
    assert list((tmp_path / "artifacts" / ".partial").iterdir()) == []


def test_file_urls_are_directories(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = FsArtifactStore(f"file://{tmp_path}/artifacts/").put_bytes(b"abc")
    assert store.get_bytes(digest) == b"abc"


def test_manifest_is_readable_and_canonical(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "f", {"b": b"2", "a/c": b"1", "ü": b""}))
    blob = store.get_bytes(digest)
    assert list(json.loads(blob)["files"]) == ["a/c", "b", "ü"]
    assert blob == encode(json.loads(blob)["files"])
    assert digest == f"blake3:{blake3(blob).hexdigest()}"


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a/../../out", "..", ".", "", "a//b", "a/./b", "a/", "a\0b"]
)
def test_paths_that_leave_the_folder_are_refused(store: FsArtifactStore, tmp_path: Path, path: str) -> None:
    inside = store.put_bytes(b"x")
    forged = store.put_bytes(encode({"good": inside, path: inside}))
    with pytest.raises(ArtifactCorrupt, match="no path inside it"):
        store.get_folder(forged, tmp_path / "deep" / "target")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["artifacts"]


@pytest.mark.parametrize("files", [[], {"a": "blake3:zz"}, {"a": 3}])
def test_manifests_of_another_form_are_refused(store: FsArtifactStore, tmp_path: Path, files: object) -> None:
    forged = store.put_bytes(json.dumps({"type": "mlwright/folder/1", "files": files}).encode())
    with pytest.raises(ArtifactCorrupt):
        store.get_folder(forged, tmp_path / "target")


def test_a_name_that_is_file_and_folder_is_refused(store: FsArtifactStore, tmp_path: Path) -> None:
    inside = store.put_bytes(b"x")
    forged = store.put_bytes(encode({"a": inside, "a/b": inside}))
    with pytest.raises(ArtifactCorrupt, match="both as file and as folder"):
        store.get_folder(forged, tmp_path / "target")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["artifacts"]


@pytest.mark.parametrize("torn", [b"abd", b"a", b"", b"abcd"])
def test_storing_again_heals_a_damaged_blob(store: FsArtifactStore, tmp_path: Path, torn: bytes) -> None:
    digest = store.put_bytes(b"abc")
    path = tmp_path / "artifacts" / digest[7:9] / digest[9:]
    path.write_bytes(torn)
    with pytest.raises(ArtifactCorrupt):
        store.get_bytes(digest)
    store.put_bytes(b"abc")
    assert store.get_bytes(digest) == b"abc"


def test_a_complete_copy_may_have_other_files_beside_it(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "source", FILES))
    target = store.get_folder(digest, tmp_path / "target")
    (target / "__pycache__").mkdir()
    (target / "__pycache__" / "code.pyc").write_bytes(b"")
    assert store.get_folder(digest, target) == target


def test_a_file_or_a_link_in_the_way_is_not_touched(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "source", FILES))
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "source", target_is_directory=True)
    (tmp_path / "source" / "MLmodel").write_bytes(b"changed")
    for target in (tmp_path / "file", tmp_path / "link"):
        with pytest.raises(Conflict):
            store.get_folder(digest, target)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert (tmp_path / "source" / "MLmodel").read_bytes() == b"changed"


def test_an_empty_folder_is_filled(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "source", FILES))
    (tmp_path / "target").mkdir()
    assert lying(store.get_folder(digest, tmp_path / "target")) == FILES


def test_names_that_other_systems_cannot_have(store: FsArtifactStore, tmp_path: Path) -> None:
    files = {"a:b": b"1", "a\\b": b"2", "C:": b"3"}
    digest = store.put_folder(lay(tmp_path / "source", files))
    assert lying(store.get_folder(digest, tmp_path / "target")) == files


def test_several_that_heal_one_copy_at_once(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "source", FILES))
    target = store.get_folder(digest, tmp_path / "target")

    def heal(_: int) -> None:
        with contextlib.suppress(FileNotFoundError):  # somebody else is healing it just now
            (target / "MLmodel").write_bytes(b"damaged")
        store.get_folder(digest, target)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(heal, range(40)))
    assert lying(store.get_folder(digest, target)) == FILES
    assert sorted(each.name for each in tmp_path.iterdir()) == ["artifacts", "source", "target"]


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FsArtifactStore(str(tmp_path / "file"))
    with pytest.raises(StorageError, match="could not be written"):
        store.put_bytes(b"x")


def test_unknown_protocols_are_refused() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        FsArtifactStore("nonsense://bucket/x")


def test_missing_says_what_and_where(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = Digest("blake3:" + "a" * 64)
    with pytest.raises(ArtifactMissing, match=f"{tmp_path}/artifacts: {digest}"):
        store.get_bytes(digest)


def aged(store: FsArtifactStore, path: Path, days: int = 10) -> None:
    then = (SystemClock().now() - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))


def test_a_given_up_file_is_moved_and_not_copied(store: FsArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    inode = (tmp_path / "file").stat().st_ino
    digest = store.put_file(tmp_path / "file", consume=True)
    assert (tmp_path / "artifacts" / digest[7:9] / digest[9:]).stat().st_ino == inode


def test_a_given_up_file_stays_when_it_cannot_be_stored(tmp_path: Path) -> None:
    (tmp_path / "artifacts").touch()
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(StorageError, match="could not be written"):
        FsArtifactStore(str(tmp_path / "artifacts")).put_file(tmp_path / "file", consume=True)
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_removing_leaves_no_trace(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_bytes(b"abc")
    place = tmp_path / "artifacts" / digest[7:9] / digest[9:]
    aged(store, place)
    assert store.remove(digest, before=SystemClock().now() - timedelta(days=1))
    assert [each for each in (tmp_path / "artifacts").rglob("*") if each.is_file()] == []


def test_what_killed_writers_left_is_removed_when_it_is_old(store: FsArtifactStore, tmp_path: Path) -> None:
    store.put_bytes(b"abc")
    partial = tmp_path / "artifacts" / ".partial"
    (partial / "killed").write_bytes(b"half")
    (partial / "at-work").write_bytes(b"half")
    aged(store, partial / "killed")
    assert store.tidy(SystemClock().now() - timedelta(days=1)) == 1
    assert [each.name for each in partial.iterdir()] == ["at-work"]
    assert list(store.blobs_before(SystemClock().now() + timedelta(days=1))) != []


def test_storing_and_removing_at_once_never_loses_what_was_stored(
    store: FsArtifactStore, tmp_path: Path
) -> None:
    digest = store.put_bytes(b"contested")
    place = tmp_path / "artifacts" / digest[7:9] / digest[9:]
    limit = SystemClock().now() - timedelta(days=1)
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            store.remove(digest, before=limit)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(150):
            with contextlib.suppress(FileNotFoundError):
                aged(store, place)
            store.put_bytes(b"contested")
            assert until(lambda: store.exists(digest))  # put back within a moment where it was taken aside
    finally:
        stop.set()
        remover.join()
    assert store.get_bytes(digest) == b"contested"


def until(true: Callable[[], bool]) -> bool:
    return any(true() for _ in range(1000))


def test_a_manifest_that_is_damaged_stops_whoever_would_remove(
    store: FsArtifactStore, tmp_path: Path
) -> None:
    digest = store.put_folder(lay(tmp_path / "source", FILES))
    place = tmp_path / "artifacts" / digest[7:9] / digest[9:]
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactCorrupt):
        store.files_of(digest)


def test_a_restored_folder_is_never_written_through_a_link(store: FsArtifactStore, tmp_path: Path) -> None:
    digest = store.put_folder(lay(tmp_path / "source", {"d/a": b"1"}))
    outside = lay(tmp_path / "outside", {})
    target = tmp_path / "target"
    target.mkdir()
    (target / "d").symlink_to(outside, target_is_directory=True)
    with pytest.raises(Conflict):
        store.get_folder(digest, target)
    assert list(outside.iterdir()) == []
    shutil.rmtree(target)
    assert lying(store.get_folder(digest, target)) == {"d/a": b"1"}
