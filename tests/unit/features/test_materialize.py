from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlwright.errors import DataError, NotFound, UsageError
from mlwright.model.features import FeatureView
from mlwright.stages.features.materialize import read_view, to_feature_rows, write_view

NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)
MICROS = 1_362_916_800_000_000
US = timedelta(microseconds=1)


def view(name: str = "weather", **changes: object) -> FeatureView:
    given = {"dataset": "weather", "entity": ("origin",), "timestamp": "seen", "features": ("wind",)}
    return FeatureView(name=name, **{**given, "ttl": timedelta(hours=6), **changes})


def held() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "note": ["not the view's", "x", "y"],
            "wind": [2.0, None, 1.0],
            "seen": [NOON, NOON, NOON - US],
            "origin": ["LGA", "JFK", "LGA"],
        }
    )


def test_rows_are_ordered_text_keys_with_micros() -> None:
    got = to_feature_rows(view(), held())
    assert got.keys == [("JFK",), ("LGA",), ("LGA",)]
    assert got.times == [MICROS, MICROS - 1, MICROS]
    assert got.columns == {"wind": [None, 1.0, 2.0]}


def test_the_later_created_is_written_last() -> None:
    frame = pl.DataFrame(
        {"origin": ["JFK"] * 3, "seen": [NOON] * 3, "made": [NOON, None, NOON - US], "wind": [3.0, 1.0, 2.0]}
    )
    got = to_feature_rows(view(created="made"), frame)
    assert got.columns["wind"] == [1.0, 2.0, 3.0]


def test_keys_of_other_kinds_and_null_keys() -> None:
    frame = pl.DataFrame({"gate": [7, None], "open": [True, False], "seen": [NOON, NOON], "wind": [1.0, 2.0]})
    got = to_feature_rows(view(entity=("gate", "open")), frame)
    assert (got.keys, got.times) == ([("7", "true")], [MICROS])


def test_nanoseconds_round_up() -> None:
    shifted = pl.col("seen").dt.cast_time_unit("ns") + pl.duration(nanoseconds=1)
    got = to_feature_rows(view(), held().with_columns(shifted))
    assert got.times == [MICROS + 1, MICROS, MICROS + 1]


def test_nothing_held() -> None:
    got = to_feature_rows(view(), held().clear())
    assert (list(got.keys), list(got.times), got.columns) == ([], [], {"wind": []})


def test_file_round_trip_keeps_types_and_the_views_columns_only(tmp_path: Path) -> None:
    frame = held().with_columns(
        pl.col("seen").dt.convert_time_zone("America/New_York"), pl.col("wind").cast(pl.Float32)
    )
    path = write_view(tmp_path / "features", view(), frame)
    assert path == tmp_path / "features" / "weather.parquet"
    got = read_view(tmp_path / "features", view())
    assert got.schema == frame.select("origin", "seen", "wind").schema
    assert got["wind"].to_list() == [None, 1.0, 2.0]
    assert [each.name for each in path.parent.iterdir()] == ["weather.parquet"]


def test_same_values_in_another_order_are_the_same_bytes(tmp_path: Path) -> None:
    one = write_view(tmp_path / "1", view(), held()).read_bytes()
    assert write_view(tmp_path / "2", view(), held().reverse()).read_bytes() == one


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_view(tmp_path, view(), held())
    before = path.read_bytes()
    unwritable = held().with_columns(wind=pl.Series([object()] * 3, dtype=pl.Object))
    with pytest.raises(Exception):  # noqa: B017, PT011 - polars' own, of whatever kind
        write_view(tmp_path, view(), unwritable)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_missing_torn_and_foreign_files(tmp_path: Path) -> None:
    path = write_view(tmp_path, view(), held())
    with pytest.raises(NotFound, match="did you mean 'weather'"):
        read_view(tmp_path, view("wether"))
    with pytest.raises(DataError, match="no column 'gust'"):
        read_view(tmp_path, view(features=("gust",)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"weather\.parquet is not a readable Parquet file"):
        read_view(tmp_path, view())


@pytest.mark.parametrize("name", ["../weather", "a/b", "", ".hidden", "a b"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        write_view(tmp_path, view(name), held())
