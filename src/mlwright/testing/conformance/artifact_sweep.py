"""The exam of :class:`mlwright.ports.artifacts.ArtifactSweep`.

A store from which what nobody refers to can be removed sits that part too::

    class TestMyStoreSweep(ArtifactSweepConformance):
        @pytest.fixture
        def fresh(self) -> Fresh: ...

        @pytest.fixture
        def now(self) -> Now: ...          # (store) -> the present instant by the store's clock

        @pytest.fixture
        def age(self) -> Age: ...          # (store, digest, instant) -> None: it was stored then, and not since
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mlwright.errors import ArtifactMissing
from mlwright.model.ids import Digest
from mlwright.ports.artifacts import ArtifactStore, ArtifactSweep
from mlwright.testing.conformance.artifact_files import FILES, UNKNOWN, Fresh, lay
from mlwright.testing.conformance.gaps import Conformance

Now: TypeAlias = Callable[[Any], datetime]
Age: TypeAlias = Callable[[Any, Digest, datetime], None]


class ArtifactSweepConformance(Conformance):
    """What a store promises to whoever removes what nobody refers to. Subclasses supply the fixtures."""

    @pytest.fixture
    def store(self, fresh: Fresh) -> ArtifactStore:
        """An empty store."""
        return fresh()

    @pytest.fixture
    def sweep(self, store: ArtifactStore) -> ArtifactSweep:
        """The same store, as what removes."""
        assert isinstance(store, ArtifactSweep)
        return store

    @pytest.fixture
    def then(self, store: ArtifactStore, now: Now) -> datetime:
        """An instant ten days ago."""
        return now(store) - timedelta(days=10)

    def test_old_blobs(self, store: ArtifactStore, sweep: ArtifactSweep, age: Age, then: datetime) -> None:
        """Each once, with its size; what was stored since is not old."""
        old, young = store.put_bytes(b"old"), store.put_bytes(b"young")
        age(store, old, then)
        found = list(sweep.blobs_before(then + timedelta(days=1)))
        assert [(each.digest, each.size) for each in found] == [(old, 3)]
        assert abs(found[0].stored - then) < timedelta(seconds=2)
        assert store.exists(young)

    def test_an_empty_store_has_none(self, sweep: ArtifactSweep, then: datetime) -> None:
        """Nor fails."""
        assert list(sweep.blobs_before(then)) == []
        assert sweep.tidy(then) == 0

    @pytest.mark.parametrize("as_file", [False, True])
    def test_storing_again_makes_young(
        self,
        store: ArtifactStore,
        sweep: ArtifactSweep,
        age: Age,
        then: datetime,
        tmp_path: Path,
        as_file: bool,
    ) -> None:
        """Or a blob would go between its being found and its being referred to."""
        digest = store.put_bytes(b"again")
        age(store, digest, then)
        (tmp_path / "file").write_bytes(b"again")
        assert digest == (store.put_file(tmp_path / "file") if as_file else store.put_bytes(b"again"))
        limit = then + timedelta(days=1)
        assert list(sweep.blobs_before(limit)) == []
        assert not sweep.remove(digest, before=limit)
        assert store.get_bytes(digest) == b"again"

    def test_removing(self, store: ArtifactStore, sweep: ArtifactSweep, age: Age, then: datetime) -> None:
        """Once; then it can be stored again."""
        digest = store.put_bytes(b"old")
        age(store, digest, then)
        assert sweep.remove(digest, before=then + timedelta(days=1))
        assert not sweep.remove(digest, before=then + timedelta(days=1))
        assert not store.exists(digest)
        with pytest.raises(ArtifactMissing):
            store.get_bytes(digest)
        store.put_bytes(b"old")
        assert store.get_bytes(digest) == b"old"

    def test_what_a_folder_consists_of(
        self, store: ArtifactStore, sweep: ArtifactSweep, tmp_path: Path
    ) -> None:
        """Its files; a plain blob consists of none, and so does what is missing."""
        digest = store.put_folder(lay(tmp_path / "source", FILES))
        assert sweep.files_of(digest) == {store.put_bytes(data) for data in FILES.values()}
        assert sweep.files_of(store.put_bytes(b"plain")) == frozenset()
        assert sweep.files_of(store.put_bytes(b'{"type":"mlwright/folder/1","files":3}')) == frozenset()
        assert sweep.files_of(UNKNOWN) == frozenset()
