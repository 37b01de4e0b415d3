import multiprocessing
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlwright.adapters.parquet.online import ParquetOnlineStore
from mlwright.errors import DataError, StorageError, UsageError
from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows
from mlwright.testing.conformance.online_stores import JFK, LGA, VIEW, Fresh, OnlineStoreConformance, rows
from mlwright.testing.fakes.online_store import MemoryOnlineStore


class TestMemoryOnlineStore(OnlineStoreConformance):
    @pytest.fixture
    def fresh(self) -> Fresh:
        return MemoryOnlineStore


class TestParquetOnlineStore(OnlineStoreConformance):
    @pytest.fixture
    def fresh(self, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
        return lambda: ParquetOnlineStore(tmp_path_factory.mktemp("online") / "features")


def one(**columns: list[object]) -> tuple[FeatureView, FeatureRows]:
    """Rows at instants 10, 11, ... of one key, and their view."""
    many = len(next(iter(columns.values())))
    view = replace(VIEW, features=tuple(columns))
    return view, FeatureRows(keys=[JFK] * many, times=list(range(10, 10 + many)), columns=columns)


def test_another_store_on_the_same_folder_sees_writes_in_time(tmp_path: Path) -> None:
    writer, reader = ParquetOnlineStore(tmp_path), ParquetOnlineStore(tmp_path, look_every_s=0.05)
    assert reader.read(VIEW, [JFK], [10])["wind"] == [None]
    for wind in (1.0, 2.0):
        writer.write(VIEW, rows((JFK, 10, wind)))
        assert writer.read(VIEW, [JFK], [10])["wind"] == [wind]
        until = time.monotonic() + 10
        while reader.read(VIEW, [JFK], [10])["wind"] != [wind]:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_refresh_looks_at_once(tmp_path: Path) -> None:
    writer, reader = ParquetOnlineStore(tmp_path), ParquetOnlineStore(tmp_path, look_every_s=3600)
    for wind in (1.0, 2.0):
        before = reader.read(VIEW, [JFK], [10])["wind"]
        writer.write(VIEW, rows((JFK, 10, wind)))
        assert reader.read(VIEW, [JFK], [10])["wind"] == before
        reader.refresh()
        assert reader.read(VIEW, [JFK], [10])["wind"] == [wind]


def _write_some(folder: Path, name: str) -> None:
    store = ParquetOnlineStore(folder)
    for time_us in range(5):
        store.write(VIEW, rows(((name, "1"), time_us, float(time_us))))


def test_processes_that_write_at_once_lose_no_row(tmp_path: Path) -> None:
    other = multiprocessing.get_context("spawn").Process(target=_write_some, args=(tmp_path, "other"))
    other.start()
    mine = 0
    while other.is_alive():
        _write_some(tmp_path, f"mine {mine}")
        mine += 1
    assert other.exitcode == 0
    keys = [(name, "1") for name in ["other", *(f"mine {number}" for number in range(mine))]]
    got = ParquetOnlineStore(tmp_path).read(VIEW, keys, [4] * len(keys))
    assert got["wind"] == [4.0] * len(keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".weather.lock", "weather.parquet"]


def test_the_file_is_plain_parquet(tmp_path: Path) -> None:
    ParquetOnlineStore(tmp_path).write(VIEW, rows((LGA, 10, 1.0), (JFK, 0, None), (JFK, 2_000_000, 7.5)))
    frame = pl.read_parquet(tmp_path / "weather.parquet")
    assert frame.columns == ["origin", "gate", "seen", "wind", "count", "sky", "wet"]
    assert frame.select("origin", "seen", "wind").rows() == [
        ("JFK", datetime(1970, 1, 1, tzinfo=UTC), None),
        ("JFK", datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 7.5),
        ("LGA", datetime(1970, 1, 1, 0, 0, 0, 10, tzinfo=UTC), 1.0),
    ]


def test_a_feature_that_is_added_later_is_null_before(tmp_path: Path) -> None:
    store = ParquetOnlineStore(tmp_path)
    small, held = one(wind=[1.0])
    store.write(small, held)
    wide, more = one(wind=[2.0], gust=[3.0])
    assert store.read(wide, [JFK], [10]) == {"wind": [1.0], "gust": [None]}
    store.write(wide, replace(more, times=[12]))
    assert store.read(wide, [JFK, JFK], [11, 12]) == {"wind": [1.0, 2.0], "gust": [None, 3.0]}


def test_whole_numbers_and_fractions_meet(tmp_path: Path) -> None:
    store = ParquetOnlineStore(tmp_path)
    view, held = one(wind=[1, 2.5, None])
    store.write(view, held)
    assert store.read(view, [JFK] * 3, [10, 11, 12])["wind"] == [1.0, 2.5, None]
    store.write(view, replace(held, columns={"wind": [7, 8, 9]}))
    assert store.read(view, [JFK], [12])["wind"] == [9.0]


@pytest.mark.parametrize("values", [[1.0, "text"], [True, 2], [2**70, 1], [object(), None]])
def test_values_without_a_common_type_are_refused(tmp_path: Path, values: list[object]) -> None:
    store = ParquetOnlineStore(tmp_path)
    with pytest.raises(DataError, match="feature 'wind'"):
        store.write(*one(wind=values))
    assert list(tmp_path.iterdir()) == []


def test_a_feature_does_not_change_its_type(tmp_path: Path) -> None:
    store = ParquetOnlineStore(tmp_path)
    view, held = one(wind=[None, None])
    store.write(view, held)
    store.write(view, replace(held, columns={"wind": ["calm", None]}))
    with pytest.raises(DataError, match="feature 'wind' is Float64, and was String before"):
        store.write(view, replace(held, columns={"wind": [1.0, 2.0]}))
    assert store.read(view, [JFK, JFK], [10, 11])["wind"] == ["calm", None]


def test_a_torn_file_is_named_and_not_overwritten(tmp_path: Path) -> None:
    store, path = ParquetOnlineStore(tmp_path), tmp_path / "weather.parquet"
    store.write(VIEW, rows((JFK, 10, 1.0)))
    path.write_bytes(path.read_bytes()[:100])
    for action in (lambda: store.read(VIEW, [JFK], [10]), lambda: store.write(VIEW, rows((LGA, 10, 1.0)))):
        with pytest.raises(StorageError, match=r"weather\.parquet is not a readable Parquet file"):
            action()
    assert path.stat().st_size == 100


def test_a_view_whose_entity_was_changed_is_refused(tmp_path: Path) -> None:
    store = ParquetOnlineStore(tmp_path)
    store.write(VIEW, rows((JFK, 10, 1.0)))
    store.read(VIEW, [JFK], [10])
    changed = replace(VIEW, entity=("airport", "gate"))
    with pytest.raises(StorageError, match="not laid out as view 'weather' says"):
        store.read(changed, [JFK], [10])


@pytest.mark.parametrize("name", ["../weather", "", "a/b", ".hidden"])
def test_a_view_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    store = ParquetOnlineStore(tmp_path / "features")
    with pytest.raises(UsageError):
        store.write(replace(VIEW, name=name), rows((JFK, 10, 1.0)))
    with pytest.raises(UsageError):
        store.read(replace(VIEW, name=name), [JFK], [10])
    assert list(tmp_path.iterdir()) == []


def test_a_view_without_entity(tmp_path: Path) -> None:
    store, view = ParquetOnlineStore(tmp_path), replace(VIEW, entity=(), features=("rate",))
    store.write(view, FeatureRows(keys=[(), ()], times=[10, 12], columns={"rate": [1.0, 2.0]}))
    assert store.read(view, [(), (), ()], [9, 11, 12])["rate"] == [None, 1.0, 2.0]
