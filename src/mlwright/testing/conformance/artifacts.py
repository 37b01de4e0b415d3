"""The exam of :class:`mlwright.ports.artifacts.ArtifactStore`.

::

    class TestMyStore(ArtifactStoreConformance):
        @pytest.fixture
        def fresh(self) -> Fresh: ...      # () -> an empty store that shares nothing with the others

        @pytest.fixture
        def damage(self) -> Damage: ...    # (store, digest) -> None: change a stored byte behind the store's back

        @pytest.fixture
        def lose(self) -> Damage: ...      # (store, digest) -> None: delete a blob behind the store's back

A hypothesis state machine compares the engine with
:class:`mlwright.testing.fakes.artifacts.MemoryArtifactStore`.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from mlwright.errors import ArtifactCorrupt, ArtifactMissing, Conflict, DataError
from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore
from mlwright.testing.conformance.artifact_files import (
    EMPTY,
    FILES,
    UNKNOWN,
    ArtifactFilesConformance,
    Damage,
    Fresh,
    lay,
    lying,
)
from mlwright.testing.conformance.stateful import compare
from mlwright.testing.fakes.artifacts import MemoryArtifactStore

__all__ = ["FILES", "ArtifactStoreConformance", "ArtifactStoreMachine", "Damage", "Fresh", "lay", "lying"]


class ArtifactStoreConformance(ArtifactFilesConformance):
    """What every artifact store promises. Subclasses supply ``fresh``, ``damage`` and ``lose``."""

    examples: ClassVar[int] = 15

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        """A folder with a few files."""
        return lay(tmp_path / "source", FILES)

    @pytest.mark.parametrize("data", [b"", b"\0", b"x" * 200_000, bytes(range(256))])
    def test_bytes_come_back(self, store: ArtifactStore, data: bytes) -> None:
        """Any bytes, none too."""
        digest = store.put_bytes(data)
        assert store.get_bytes(digest) == data
        assert store.exists(digest)

    def test_the_digest_is_blake3(self, store: ArtifactStore) -> None:
        """Two stores agree on the name of the same bytes."""
        assert store.put_bytes(b"") == EMPTY

    def test_storing_twice_is_storing_once(self, store: ArtifactStore, source: Path) -> None:
        """Blobs and folders."""
        assert store.put_bytes(b"same") == store.put_bytes(b"same") != store.put_bytes(b"other")
        assert store.put_folder(source) == store.put_folder(source)

    @pytest.mark.parametrize("digest", [UNKNOWN, "", "blake3:", "../../etc/passwd", "sha256:" + "0" * 64])
    def test_unknown_digests(self, store: ArtifactStore, digest: Digest, tmp_path: Path) -> None:
        """Of whatever form."""
        assert not store.exists(digest)
        with pytest.raises(ArtifactMissing):
            store.get_bytes(digest)
        with pytest.raises(ArtifactMissing):
            store.get_folder(digest, tmp_path / "target")
        assert not (tmp_path / "target").exists()

    def test_other_bytes_are_never_given_back(self, store: ArtifactStore, damage: Damage) -> None:
        """A damaged blob is an error."""
        digest = store.put_bytes(b"precious")
        damage(store, digest)
        with pytest.raises(ArtifactCorrupt):
            store.get_bytes(digest)

    def test_folders_come_back(self, store: ArtifactStore, source: Path, tmp_path: Path) -> None:
        """With all files, in a place whose parents need not exist."""
        digest = store.put_folder(source)
        target = tmp_path / "deep" / "cache" / "model"
        assert store.get_folder(digest, target) == target
        assert lying(target) == FILES
        assert store.exists(digest)

    def test_an_empty_folder_comes_back(self, store: ArtifactStore, tmp_path: Path) -> None:
        """As an empty folder."""
        digest = store.put_folder(lay(tmp_path / "empty", {}))
        target = store.get_folder(digest, tmp_path / "target")
        assert target.is_dir()
        assert lying(target) == {}

    def test_a_folders_digest_is_its_content(
        self, store: ArtifactStore, source: Path, tmp_path: Path
    ) -> None:
        """Its place does not count; every name and every byte does."""
        digest = store.put_folder(source)
        assert store.put_folder(lay(tmp_path / "copy", FILES)) == digest
        renamed = {name.replace("MLmodel", "MLModel"): data for name, data in FILES.items()}
        changed = {**FILES, "MLmodel": b"flavors: {} "}
        more = {**FILES, "more": b""}
        others = [
            store.put_folder(lay(tmp_path / str(n), f)) for n, f in enumerate((renamed, changed, more, {}))
        ]
        assert len({digest, *others}) == 5

    def test_a_complete_copy_is_left_alone(self, store: ArtifactStore, source: Path, tmp_path: Path) -> None:
        """It may be in use."""
        digest = store.put_folder(source)
        target = store.get_folder(digest, tmp_path / "target")
        before = (target / "MLmodel").stat()
        store.get_folder(digest, target)
        after = (target / "MLmodel").stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_a_damaged_copy_is_made_whole(self, store: ArtifactStore, source: Path, tmp_path: Path) -> None:
        """A file that was cut short, and one that is gone."""
        digest = store.put_folder(source)
        target = store.get_folder(digest, tmp_path / "target")
        (target / "data/weights.bin").write_bytes(b"cut")
        (target / "MLmodel").unlink()
        store.get_folder(digest, target)
        assert lying(target) == FILES

    def test_a_folder_with_other_files_is_not_touched(
        self, store: ArtifactStore, source: Path, tmp_path: Path
    ) -> None:
        """Somebody's own files are never replaced."""
        digest = store.put_folder(source)
        mine = {"thesis.tex": b"years of work", "MLmodel": b"mine"}
        target = lay(tmp_path / "home", mine)
        with pytest.raises(Conflict):
            store.get_folder(digest, target)
        assert lying(target) == mine

    def test_damage_inside_a_folder(
        self, store: ArtifactStore, source: Path, tmp_path: Path, damage: Damage, lose: Damage
    ) -> None:
        """Nothing is restored rather than a part."""
        digest = store.put_folder(source)
        inside = store.put_bytes(FILES["data/weights.bin"])
        damage(store, inside)
        with pytest.raises(ArtifactCorrupt):
            store.get_folder(digest, tmp_path / "target")
        lose(store, inside)
        with pytest.raises(ArtifactMissing):
            store.get_folder(digest, tmp_path / "target")
        assert [path.name for path in tmp_path.iterdir()] == ["source"]

    def test_a_blob_is_no_folder(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Not even one that is JSON."""
        for data in (b"not json", b"[1, 2]", b'{"files": {}}'):
            with pytest.raises(ArtifactCorrupt):
                store.get_folder(store.put_bytes(data), tmp_path / "target")
        assert not (tmp_path / "target").exists()

    def test_links_are_refused(self, store: ArtifactStore, source: Path) -> None:
        """Rather than left out: the restored folder would lack what they point to."""
        (source / "link").symlink_to("MLmodel")
        with pytest.raises(DataError):
            store.put_folder(source)

    def test_no_such_folder(self, store: ArtifactStore, tmp_path: Path) -> None:
        """A missing folder is not an empty one."""
        with pytest.raises(DataError):
            store.put_folder(tmp_path / "nowhere")

    def test_threads(self, store: ArtifactStore, source: Path, tmp_path: Path) -> None:
        """Equal blobs and folders stored and restored at once."""

        def work(number: int) -> dict[str, bytes]:
            assert store.get_bytes(store.put_bytes(b"shared")) == b"shared"
            return lying(store.get_folder(store.put_folder(source), tmp_path / f"target-{number}"))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(8))) == [FILES] * 8

    def test_answers_as_the_reference_does(self, fresh: Fresh) -> None:
        """Any sequence of stores and restores."""
        compare(lambda: ArtifactStoreMachine(fresh()), examples=self.examples)


_datas = st.sampled_from([b"", b"a", b"b"]) | st.binary(max_size=20)
_folders = st.dictionaries(st.sampled_from(["MLmodel", "d/a", "d/b", "e/f/g"]), _datas, max_size=4)


class ArtifactStoreMachine(RuleBasedStateMachine):
    """Does the same to an engine and to the reference, and compares what comes back."""

    blobs: Bundle[Digest] = Bundle("blobs")
    folders: Bundle[tuple[Digest, Digest]] = Bundle("folders")

    def __init__(self, engine: ArtifactStore) -> None:
        super().__init__()
        self.engine = engine
        self.reference = MemoryArtifactStore()
        self._place = tempfile.TemporaryDirectory()
        self._made = 0

    def teardown(self) -> None:
        """Forget the folders of this run."""
        self._place.cleanup()

    @rule(target=blobs, data=_datas)
    def put_bytes(self, data: bytes) -> Digest:
        """Blobs have the same digest everywhere."""
        digest = self.engine.put_bytes(data)
        assert digest == self.reference.put_bytes(data)
        return digest

    @rule(target=blobs, data=_datas, consume=st.booleans())
    def put_file(self, data: bytes, consume: bool) -> Digest:
        """As bytes, and the file is gone where it was given up."""
        file = lay(self._new_place(), {"file": data}) / "file"
        digest = self.engine.put_file(file, consume=consume)
        assert digest == self.reference.put_bytes(data)
        assert file.exists() is not consume
        return digest

    @rule(digest=blobs)
    def open(self, digest: Digest) -> None:
        """The same bytes come back."""
        with self.engine.open(digest) as mine, self.reference.open(digest) as theirs:
            assert mine.read() == theirs.read()

    @rule(digest=blobs)
    def get_bytes(self, digest: Digest) -> None:
        """The same bytes come back."""
        assert self.engine.get_bytes(digest) == self.reference.get_bytes(digest)

    @rule(data=_datas)
    def ask(self, data: bytes) -> None:
        """What was not stored is not there."""
        digest = MemoryArtifactStore().put_bytes(data)
        assert self.engine.exists(digest) == self.reference.exists(digest)

    @rule(target=folders, files=_folders)
    def put_folder(self, files: dict[str, bytes]) -> tuple[Digest, Digest]:
        """A folder's digest is each store's own."""
        folder = lay(self._new_place(), files)
        return self.engine.put_folder(folder), self.reference.put_folder(folder)

    @rule(one=folders, other=folders)
    def folders_are_equal_together(self, one: tuple[Digest, Digest], other: tuple[Digest, Digest]) -> None:
        """Equal in the engine where they are equal in the reference."""
        assert (one[0] == other[0]) == (one[1] == other[1])

    @rule(folder=folders)
    def get_folder(self, folder: tuple[Digest, Digest]) -> None:
        """The same files come back."""
        mine = self.engine.get_folder(folder[0], self._new_place())
        assert lying(mine) == lying(self.reference.get_folder(folder[1], self._new_place()))

    def _new_place(self) -> Path:
        self._made += 1
        return Path(self._place.name) / str(self._made)
