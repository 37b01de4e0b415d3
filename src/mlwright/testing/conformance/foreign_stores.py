"""The exam of :class:`mlwright.ports.foreign_store.ForeignStore`.

::

    class TestMyStore(ForeignStoreConformance):
        @pytest.fixture
        def store(self) -> ForeignStore: ...     # two runs or more, one of them as below

        @pytest.fixture
        def again(self) -> ForeignStore: ...     # the same source, opened another time

        @pytest.fixture
        def damaged(self) -> ForeignStore: ...   # the same source with one run's file cut in half

        @pytest.fixture
        def broken(self) -> ForeignStore: ...    # nothing of this kind is there

One run, and one only, has the param ``depth`` of 3, the metric ``loss`` with the values of LOSS at the steps 0, 1, 2,
and, where the tool has files at all, one file.
"""

from collections import Counter

import numpy as np
import pytest

from mlwright.errors import DataError, ServerUnavailable
from mlwright.model.moving import ForeignRun
from mlwright.model.tracking import History
from mlwright.ports.foreign_store import ForeignStore
from mlwright.testing.conformance.gaps import Conformance

_KINDS = ["int64", "int64", "float64"]
LOSS = (1.0, 0.5, float("nan"))


def _points(history: History) -> tuple[object, ...]:
    """Equal for equal histories; NaN is like NaN."""
    return (history.key, history.steps.tobytes(), history.at_ms.tobytes(), history.values.tobytes())


def _everything(store: ForeignStore) -> list[object]:
    """All that a store tells, with every byte."""
    told: list[object] = []
    for run in store.runs():
        told.append(run)
        told += [_points(each) for each in store.histories(run.id)]
        for file in store.files(run.id):
            with store.open(run.id, file.path) as stream:
                told.append((file, stream.read()))
    return [*told, *store.models()]


def _first(store: ForeignStore) -> ForeignRun:
    met = [run for run in store.runs() if run.params.get("depth") == "3"]
    assert len(met) == 1
    return met[0]


class ForeignStoreConformance(Conformance):
    """What every foreign store promises. Subclasses supply ``store``, ``again``, ``damaged`` and ``broken``."""

    def test_tells_what_it_is(self, store: ForeignStore) -> None:
        """A report begins with it."""
        about = store.about()
        assert about.tool
        assert about.tool == about.tool.lower()
        assert about.source
        runs = list(store.runs())
        assert len(runs) >= 2
        assert about.runs in (None, len(runs))
        names = [each.name for each in about.experiments]
        assert names == sorted(set(names))
        assert {run.experiment for run in runs} <= set(names)

    def test_says_the_same_twice(self, store: ForeignStore) -> None:
        """An import that was interrupted goes on."""
        first = _everything(store)
        noted = store.left_out()
        assert _everything(store) == first
        assert store.left_out() == noted

    def test_opened_again_says_the_same(self, store: ForeignStore, again: ForeignStore) -> None:
        """An import that is repeated adds nothing."""
        assert _everything(again) == _everything(store)
        assert again.left_out() == store.left_out()

    def test_a_run_has_one_id(self, store: ForeignStore) -> None:
        """No two runs share one, and it is a text that every database keeps."""
        ids = Counter(run.id for run in store.runs())
        assert max(ids.values()) == 1
        assert all(id.strip() and "\0" not in id and id.encode() for id in ids)

    def test_parents_come_first(self, store: ForeignStore) -> None:
        """A child can name the run that its parent has become."""
        met: set[str] = set()
        for run in store.runs():
            assert run.parent is None or run.parent in met
            met.add(run.id)

    def test_instants_are_in_order(self, store: ForeignStore) -> None:
        """A run does not end before it begins."""
        for run in store.runs():
            assert run.started_ms >= 0
            assert run.ended_ms is None or run.ended_ms >= run.started_ms

    def test_a_run_is_what_was_logged(self, store: ForeignStore) -> None:
        """Its param, and every point of its metric."""
        loss = {each.key: each for each in store.histories(_first(store).id)}["loss"]
        assert loss.steps.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(loss.values, LOSS)

    def test_histories_are_sorted_arrays(self, store: ForeignStore) -> None:
        """Keys in order, points by step and instant, three arrays of one length."""
        for run in store.runs():
            histories = list(store.histories(run.id))
            keys = [each.key for each in histories]
            assert keys == sorted(set(keys))
            for each in histories:
                assert [str(kept.dtype) for kept in (each.steps, each.at_ms, each.values)] == _KINDS
                assert len(each.steps) == len(each.at_ms) == len(each.values) > 0
                order = np.lexsort((each.at_ms, each.steps))
                assert (order == np.arange(len(order))).all()

    def test_files_can_be_opened(self, store: ForeignStore) -> None:
        """Each that is listed, with the bytes that were promised, below the run and nowhere else."""
        for run in store.runs():
            files = list(store.files(run.id))
            paths = [each.path for each in files]
            assert paths == sorted(set(paths))
            for file in files:
                assert not {"", ".", ".."} & set(file.path.split("/"))
                with store.open(run.id, file.path) as stream:
                    size = len(stream.read())
                assert file.size in (None, size)

    def test_what_is_not_there_cannot_be_opened(self, store: ForeignStore) -> None:
        """Neither a file that is not listed nor one outside of the source."""
        run = _first(store).id
        for path in ("no/such/file", "../../../../../../etc/hosts", "/etc/hosts", "", "a\0b"):
            with pytest.raises(DataError) as caught:
                store.open(run, path)
            assert caught.value.next_command
        with pytest.raises(DataError):
            store.open("no such run", "a")

    def test_an_unknown_run_has_nothing(self, store: ForeignStore) -> None:
        """No points, no files."""
        assert list(store.histories("no such run")) == []
        assert list(store.files("no such run")) == []

    def test_models_are_sorted(self, store: ForeignStore) -> None:
        """By name; their versions by number; aliases name one of them."""
        names = []
        for model in store.models():
            names.append(model.name)
            versions = [each.version for each in model.versions]
            assert versions == sorted(set(versions))
            assert set(model.aliases.values()) <= set(versions)
        assert names == sorted(set(names))

    def test_damage_is_noted_and_passed_over(self, store: ForeignStore, damaged: ForeignStore) -> None:
        """What is whole is read, and what is not is named, each time in the same words."""
        told = _everything(damaged)
        assert any(isinstance(each, ForeignRun) for each in told)
        assert set(damaged.left_out()) - set(store.left_out())
        assert all(note.what and note.why for note in damaged.left_out())
        assert _everything(damaged) == told

    def test_a_broken_source_says_so(self, broken: ForeignStore) -> None:
        """With its name and the next command, and each time."""
        for _ in range(2):
            with pytest.raises(ServerUnavailable) as caught:
                broken.about()
            assert caught.value.where
            assert caught.value.next_command
        with pytest.raises(ServerUnavailable):
            list(broken.runs())
