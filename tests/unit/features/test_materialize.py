from datetime import UTC, datetime, timedelta

import polars as pl

from mlwright.model.features import FeatureView
from mlwright.stages.features.materialize import to_feature_rows

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
