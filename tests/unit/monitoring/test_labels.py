"""The label join against a naive one, and maturity."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.model.instants import to_micros
from mlwright.model.windows import Window
from mlwright.stages.monitoring.labels import join_labels, label_delays, matured

START = datetime(2013, 4, 1, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
PREDICTIONS = {"prediction_id": pl.String, "entity_key": pl.String, "event_time": INSTANT}
LABELS = {
    "prediction_id": pl.String,
    "entity_key": pl.String,
    "label": pl.Float64,
    "observed_at": INSTANT,
    "received_at": INSTANT,
    "event_time": INSTANT,
}


def hour(k):
    return START + timedelta(hours=k)


def predictions(*rows):
    return pl.DataFrame([(i, e, hour(t)) for i, e, t in rows], schema=PREDICTIONS, orient="row")


def labels(*rows):
    """Rows of id, entity, label, hours of observation and arrival, and perhaps the hour of the event it is for."""
    told = [
        (i, e, y, hour(o), hour(r), hour(at[0]) if at and at[0] is not None else None)
        for i, e, y, o, r, *at in rows
    ]
    return pl.DataFrame(told, schema=LABELS, orient="row")


def naive(asked, arrived):
    """For each prediction, look at every label in the order of its arrival."""
    order = sorted(range(arrived.height), key=lambda k: (arrived["received_at"][k], k))
    result = []
    for row in asked.iter_rows(named=True):
        answer = (None, None)
        for k in order:
            label = arrived.row(k, named=True)
            if label["label"] is None:
                continue
            if label["prediction_id"]:
                belongs = label["prediction_id"] == row["prediction_id"]
            elif label["event_time"] is not None:
                belongs = (label["entity_key"], label["event_time"]) == (row["entity_key"], row["event_time"])
            else:
                belongs = (
                    label["entity_key"] == row["entity_key"] and row["event_time"] <= label["observed_at"]
                )
            if belongs:
                answer = (label["label"], label["observed_at"])
        result.append(answer)
    return result


asked = st.lists(st.tuples(st.sampled_from("pqrst"), st.sampled_from("abc"), st.integers(0, 6)), max_size=15)
arrived = st.lists(
    st.tuples(
        st.sampled_from([None, "", "p", "q", "z"]),
        st.sampled_from([None, "", "a", "b", "z"]),
        st.sampled_from([0.0, 1.0, None]),
        st.integers(0, 6),
        st.integers(0, 4),
        st.sampled_from([None, None, 0, 1, 2]),
    ),
    max_size=20,
)


@given(asked, arrived)
def test_join_is_the_naive_one(some, truth):
    some, truth = predictions(*some), labels(*truth)
    joined = join_labels(some, truth)
    assert joined.select(some.columns).equals(some)
    assert list(zip(joined["label"], joined["observed_at"], strict=True)) == naive(some, truth)


@settings(max_examples=25)
@given(asked, arrived)
def test_integer_microseconds_give_the_same(some, truth):
    some, truth = predictions(*some), labels(*truth)
    by_number = join_labels(
        some.with_columns(pl.col("event_time").dt.epoch("us")),
        truth.with_columns(pl.col("observed_at", "received_at").dt.epoch("us")),
    )
    assert by_number["label"].equals(join_labels(some, truth)["label"])
    assert label_delays(by_number) == label_delays(join_labels(some, truth))


def test_a_label_by_entity_belongs_to_what_came_before_it():
    joined = join_labels(
        predictions(("p1", "flight-7", 0), ("p2", "flight-7", 5), ("p3", "flight-8", 0)),
        labels((None, "flight-7", 1.0, 3, 4)),
    )
    assert joined["label"].to_list() == [1.0, None, None]
    assert joined["observed_at"].to_list() == [hour(3), None, None]


def test_the_last_received_label_wins_even_if_it_was_observed_earlier():
    joined = join_labels(
        predictions(("p1", "e", 0)), labels(("p1", None, 0.0, 2, 9), ("p1", None, 1.0, 5, 6))
    )
    assert joined["label"].to_list() == [0.0]


def test_a_label_column_that_was_there_is_replaced():
    before = predictions(("p1", "e", 0)).with_columns(label=pl.lit(0.5), observed_at=pl.lit(None))
    joined = join_labels(before, labels(("p1", None, 1.0, 2, 2)))
    assert joined.columns == ["prediction_id", "entity_key", "event_time", "label", "observed_at"]
    assert joined["label"].to_list() == [1.0]


def test_labels_of_one_busy_entity_do_not_multiply():
    n = 20_000
    some = pl.DataFrame(
        {"prediction_id": [str(k) for k in range(n)], "entity_key": "JFK", "event_time": range(n)}
    )
    truth = pl.DataFrame(
        {
            "prediction_id": pl.Series([None] * n, dtype=pl.String),
            "entity_key": "JFK",
            "label": [float(k % 2) for k in range(n)],
            "observed_at": range(n),
            "received_at": range(n),
        }
    )
    # 4e8 pairs if they were formed; the last label belongs to everything that came before it.
    assert join_labels(some, truth)["label"].unique().to_list() == [1.0]


def test_delays_are_quantiles_of_the_time_to_the_observation():
    joined = join_labels(
        predictions(*((str(k), "e", 0) for k in range(102))),
        labels(*((str(k), None, 1.0, k, k) for k in range(101))),
    )
    assert label_delays(joined) == (timedelta(hours=50), timedelta(hours=90), timedelta(hours=99))
    assert label_delays(joined.filter(pl.col("label").is_null())) is None


def test_naive_datetimes_are_refused():
    naive_times = pl.DataFrame(
        {"event_time": [START.replace(tzinfo=None)], "observed_at": [START], "label": [1.0]}
    )
    with pytest.raises(ValueError, match="aware"):
        label_delays(naive_times)


def test_a_window_matures_one_horizon_after_its_end():
    window, horizon = Window(start=hour(0), end=hour(24)), timedelta(hours=12)
    assert not matured(window, horizon, hour(36) - timedelta(microseconds=1))
    assert matured(window, horizon, hour(36))
    assert to_micros(hour(36)) - to_micros(window.end) == 12 * 3600 * 10**6


def test_a_label_for_an_instant_belongs_to_no_other_prediction_of_the_entity():
    joined = join_labels(
        predictions(("p1", "e", 0), ("p2", "e", 1), ("p3", "e", 2)),
        labels((None, "e", 0.0, 5, 6), (None, "e", 1.0, 5, 7, 1), ("p3", None, 1.0, 5, 8)),
    )
    assert joined["label"].to_list() == [0.0, 1.0, 1.0]


def test_labels_without_the_column_of_instants_join_as_ever():
    truth = labels((None, "e", 1.0, 3, 4)).drop("event_time")
    assert join_labels(predictions(("p1", "e", 0)), truth)["label"].to_list() == [1.0]
