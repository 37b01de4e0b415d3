"""The traps that joins of other tools fall into: shared/design/peers.md, section A2."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mlwright.errors import DataError
from mlwright.model.features import FeatureView
from mlwright.stages.features.join import point_in_time

NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
US = timedelta(microseconds=1)
VIEW = FeatureView(
    name="weather", dataset="weather", entity=("origin",), timestamp="seen", features=("wind",), ttl=WEEK
)
KNOWN = FeatureView(
    name="weather",
    dataset="weather",
    entity=("origin",),
    timestamp="seen",
    features=("wind",),
    ttl=WEEK,
    created="created",
)


def view(**changes: object) -> FeatureView:
    given = {name: getattr(VIEW, name) for name in FeatureView.__slots__}
    return FeatureView(**{**given, **changes})


def rows(*keys_at: tuple[object, object], **more: list) -> pl.DataFrame:
    columns = {"origin": [key for key, _ in keys_at], "at": [at for _, at in keys_at], **more}
    return pl.DataFrame(columns, strict=False)


def values(*records: tuple) -> pl.DataFrame:
    names = ["origin", "seen", "wind", "created"][: len(records[0])]
    return pl.DataFrame(list(records), schema=names, orient="row")


def winds(asked: pl.DataFrame, held: pl.DataFrame, of: FeatureView = VIEW) -> list[object]:
    return point_in_time(asked, of, held, at="at")["wind"].to_list()


def test_tie_on_timestamp_latest_created_wins_in_any_order() -> None:
    held = values(("JFK", NOON, 1.0, NOON), ("JFK", NOON, 2.0, NOON + US))
    asked = rows(("JFK", NOON + US))
    assert winds(asked, held, KNOWN) == winds(asked, held.reverse(), KNOWN) == [2.0]


@pytest.mark.parametrize(("age", "wind"), [(WEEK, 5.0), (WEEK + US, None), (timedelta(0), 5.0), (-US, None)])
def test_both_ends_of_the_ttl_are_included(age: timedelta, wind: float | None) -> None:
    assert winds(rows(("JFK", NOON + age)), values(("JFK", NOON, 5.0))) == [wind]


def test_ttl_zero_takes_the_same_instant_only() -> None:
    held = values(("JFK", NOON, 5.0))
    assert winds(rows(("JFK", NOON), ("JFK", NOON + US)), held, view(ttl=timedelta(0))) == [5.0, None]


def test_ttl_without_end() -> None:
    held = values(("JFK", datetime(1900, 1, 1, tzinfo=UTC), 5.0))
    assert winds(rows(("JFK", NOON)), held, view(ttl=timedelta.max)) == [5.0]


def test_before_1970() -> None:
    moon = datetime(1969, 7, 20, tzinfo=UTC)
    held = values(("JFK", moon, 5.0), ("JFK", moon + US, 6.0))
    assert winds(rows(("JFK", moon), ("JFK", moon - US)), held) == [5.0, None]


def test_unknown_and_null_keys_give_null_and_stay() -> None:
    held = values(("JFK", NOON, 5.0), (None, NOON, 9.0))
    assert winds(rows(("LGA", NOON), (None, NOON), ("JFK", NOON)), held) == [None, None, 5.0]


def test_a_null_latest_value_is_not_filled_from_before() -> None:
    held = values(("JFK", NOON - US, 5.0), ("JFK", NOON, None))
    assert winds(rows(("JFK", NOON)), held) == [None]


def test_a_late_record_does_not_leak() -> None:
    held = values(("JFK", NOON - 2 * US, 8.0, NOON - US), ("JFK", NOON - US, 9.0, NOON + US))
    assert winds(rows(("JFK", NOON), ("JFK", NOON + US)), held, KNOWN) == [8.0, 9.0]
    assert winds(rows(("JFK", NOON)), held.drop("created")) == [9.0]


def test_a_correction_counts_from_when_it_was_made() -> None:
    day = timedelta(days=1)
    held = values(
        ("JFK", NOON, 1.0, NOON), ("JFK", NOON, 2.0, NOON + day), ("JFK", NOON + US, 3.0, NOON + US)
    )
    asked = rows(("JFK", NOON), ("JFK", NOON + day))
    assert winds(asked, held, KNOWN) == [1.0, 3.0]


def test_a_null_created_loses_and_is_known_when_observed() -> None:
    held = values(("JFK", NOON, 1.0, None), ("JFK", NOON, 2.0, NOON + US))
    assert winds(rows(("JFK", NOON), ("JFK", NOON + US)), held, KNOWN) == [1.0, 2.0]


@pytest.mark.parametrize("made", [NOON - US, NOON, None])
def test_a_forecast_counts_from_the_time_it_is_about(made: datetime | None) -> None:
    held = values(("JFK", NOON, 1.0, NOON), ("JFK", NOON + 2 * US, 2.0, made))
    asked = rows(("JFK", NOON), ("JFK", NOON + US), ("JFK", NOON + 2 * US))
    assert winds(asked, held, KNOWN) == [1.0, 1.0, 2.0]


def test_equal_questions_stay_two_rows() -> None:
    asked = rows(("JFK", NOON), ("JFK", NOON), late=[True, False])
    joined = point_in_time(asked, VIEW, values(("JFK", NOON, 5.0)), at="at")
    assert joined.rows() == [("JFK", NOON, True, 5.0), ("JFK", NOON, False, 5.0)]


@pytest.mark.parametrize("of", [VIEW, KNOWN])
def test_a_contradiction_is_an_error_in_any_order(of: FeatureView) -> None:
    held = values(("JFK", NOON, 13.0, NOON), ("JFK", NOON, 14.0, NOON), ("LGA", NOON, 1.0, NOON))
    for order in (held, held.reverse()):
        with pytest.raises(
            DataError, match=r"origin='JFK' has two different values at 2013-03-10T12:00:00\+00:00"
        ):
            point_in_time(rows(("LGA", NOON)), of, order, at="at")


def test_equal_duplicates_are_no_contradiction() -> None:
    nan = float("nan")
    held = values(("JFK", NOON, nan), ("JFK", NOON, nan), ("LGA", NOON, None), ("LGA", NOON, None))
    got = winds(rows(("JFK", NOON), ("LGA", NOON)), held)
    assert str(got) == "[nan, None]"


def test_naive_instants_are_refused_on_both_sides() -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(DataError, match="column 'at' holds datetimes without a time zone"):
        winds(rows(("JFK", naive)), values(("JFK", NOON, 5.0)))
    with pytest.raises(DataError, match="column 'seen' holds datetimes without a time zone"):
        winds(rows(("JFK", NOON)), values(("JFK", naive, 5.0)))
    with pytest.raises(DataError, match="column 'at' holds Date"):
        winds(rows(("JFK", date(2013, 3, 10))), values(("JFK", NOON, 5.0)))


def test_the_callers_zone_is_kept() -> None:
    new_york = ZoneInfo("America/New_York")
    asked = rows(("JFK", NOON)).with_columns(pl.col("at").dt.convert_time_zone("America/New_York"))
    joined = point_in_time(asked, VIEW, values(("JFK", NOON, 5.0)), at="at")
    assert joined["at"].dtype == pl.Datetime("us", "America/New_York")
    assert joined.rows() == [("JFK", NOON.astimezone(new_york), 5.0)]


def test_clocks_set_back_do_not_confuse_two_instants() -> None:
    # 01:30 in New York happened twice on 3 November 2013
    first, second = (datetime(2013, 11, 3, hour, 30, tzinfo=UTC) for hour in (5, 6))
    held = values(("JFK", first, 1.0), ("JFK", second, 2.0)).with_columns(
        pl.col("seen").dt.convert_time_zone("America/New_York")
    )
    assert len(set(held["seen"].dt.strftime("%H:%M"))) == 1
    assert winds(rows(("JFK", first), ("JFK", second)), held) == [1.0, 2.0]


def test_a_null_instant_is_an_error_with_its_row() -> None:
    with pytest.raises(DataError, match=r"'at' is null in row 1 \(of 1 such rows\)"):
        winds(rows(("JFK", NOON), ("JFK", None)), values(("JFK", NOON, 5.0)))
    with pytest.raises(DataError, match="'seen' is null in row 0"):
        winds(rows(("JFK", NOON)), values(("JFK", None, 5.0), ("JFK", NOON, 5.0)))


def test_text_and_number_keys_are_refused_by_name() -> None:
    with pytest.raises(DataError, match="key column 'origin' is String in the rows and Int64"):
        winds(rows(("1", NOON)), values((1, NOON, 5.0)))
    with pytest.raises(DataError, match="key column 'origin' is Float64"):
        winds(rows((1.0, NOON)), values((1.0, NOON, 5.0)))


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int32, pl.UInt64, pl.Int128])
def test_widths_of_whole_number_keys_do_not_matter(kind: pl.DataType) -> None:
    held = values((7, NOON, 5.0), (8, NOON, 6.0))
    asked = rows((8, NOON), (7, NOON)).with_columns(pl.col("origin").cast(kind))
    joined = point_in_time(asked, VIEW, held, at="at")
    assert joined["wind"].to_list() == [6.0, 5.0]
    assert joined["origin"].dtype == kind


def test_a_huge_key_is_not_rounded() -> None:
    held = values((2**63 - 1, NOON, 5.0))
    asked = rows((2**63, NOON), (2**63 - 1, NOON)).with_columns(pl.col("origin").cast(pl.UInt64))
    assert winds(asked, held) == [None, 5.0]


def test_categorical_and_text_keys_meet() -> None:
    asked = rows(("JFK", NOON)).with_columns(pl.col("origin").cast(pl.Categorical))
    assert winds(asked, values(("LGA", NOON, 6.0), ("JFK", NOON, 5.0))) == [5.0]


@pytest.mark.parametrize("asked_in", ["ms", "us", "ns"])
@pytest.mark.parametrize("held_in", ["ms", "us", "ns"])
def test_units_do_not_matter(asked_in: str, held_in: str) -> None:
    held = values(("JFK", NOON, 5.0), ("JFK", NOON + timedelta(milliseconds=1), 6.0))
    held = held.with_columns(pl.col("seen").dt.cast_time_unit(held_in))
    asked = rows(("JFK", NOON), ("JFK", NOON + WEEK + timedelta(milliseconds=2)))
    assert winds(asked.with_columns(pl.col("at").dt.cast_time_unit(asked_in)), held) == [5.0, None]


def test_one_nanosecond_in_the_future_is_the_future() -> None:
    held = values(("JFK", NOON, 5.0)).with_columns(
        pl.col("seen").dt.cast_time_unit("ns") + pl.duration(nanoseconds=1)
    )
    assert winds(rows(("JFK", NOON), ("JFK", NOON + US)), held) == [None, 5.0]


def test_instants_that_nanoseconds_cannot_hold_are_refused() -> None:
    held = values(("JFK", datetime(9999, 12, 31, tzinfo=UTC), 5.0))
    asked = rows(("JFK", NOON)).with_columns(pl.col("at").dt.cast_time_unit("ns"))
    with pytest.raises(DataError, match="'seen' has instants outside"):
        winds(asked, held)


def test_several_keys_go_together() -> None:
    of = view(entity=("origin", "gate"))
    held = pl.DataFrame(
        {"origin": ["JFK", "JFK", "LGA"], "gate": [1, 2, 1], "seen": [NOON] * 3, "wind": [1.0, 2, 3]}
    )
    asked = pl.DataFrame(
        {"gate": [2, 1, 2, None, 1], "origin": ["JFK", "LGA", "LGA", "JFK", "JFK"], "at": [NOON] * 5},
        schema_overrides={"gate": pl.Int16},
    )
    assert winds(asked, held, of) == [2.0, 3.0, None, None, 1.0]


def test_a_view_without_entity_is_one_series() -> None:
    held = pl.DataFrame({"seen": [NOON, NOON + US], "wind": [1.0, 2.0]})
    assert winds(pl.DataFrame({"at": [NOON + US, NOON, NOON - US]}), held, view(entity=())) == [
        2.0,
        1.0,
        None,
    ]


def test_names_that_collide_are_refused() -> None:
    with pytest.raises(DataError, match="already have columns named 'wind'"):
        winds(rows(("JFK", NOON), wind=[1.0]), values(("JFK", NOON, 5.0)))
    with pytest.raises(DataError, match="two roles: origin"):
        winds(rows(("JFK", NOON)), values(("JFK", NOON, 5.0)), view(features=("origin",)))


def test_missing_columns_are_named_with_what_was_meant() -> None:
    held = values(("JFK", NOON, 5.0))
    with pytest.raises(DataError, match=r"has no column 'wnd' \(did you mean 'wind'\?\)"):
        point_in_time(rows(("JFK", NOON)), view(features=("wnd",)), held, at="at")
    with pytest.raises(DataError, match=r"has no column 'att'.*did you mean 'at'"):
        point_in_time(rows(("JFK", NOON)), VIEW, held, at="att")
    with pytest.raises(DataError, match="no column 'origin'"):
        point_in_time(rows(("JFK", NOON)).rename({"origin": "airport"}), VIEW, held, at="at")


def test_empty_sides() -> None:
    held, asked = values(("JFK", NOON, 5.0)), rows(("JFK", NOON))
    assert point_in_time(asked.clear(), VIEW, held, at="at").schema["wind"] == pl.Float64
    joined = point_in_time(asked, VIEW, held.clear(), at="at")
    assert joined.rows() == [("JFK", NOON, None)]
    assert joined.schema["wind"] == pl.Float64


def test_every_type_comes_through() -> None:
    held = pl.DataFrame(
        {"origin": ["JFK"], "seen": [NOON], "i": [2**62], "b": [True], "s": ["x"], "d": [NOON], "l": [[1, 2]]}
    )
    features = ("i", "b", "s", "d", "l")
    joined = point_in_time(rows(("JFK", NOON), ("LGA", NOON)), view(features=features), held, at="at")
    assert joined.select(features).rows() == [(2**62, True, "x", NOON, [1, 2]), (None,) * 5]
