"""Evaluation of a window of served predictions."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from mlwright.errors import DataError
from mlwright.model.watch_settings import MonitorSettings, ValueSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring.performance import evaluate, evaluate_parts, predicted_classes
from mlwright.stages.monitoring.slicing import slice_edges

START = datetime(2013, 4, 1, tzinfo=UTC)
HORIZON = timedelta(hours=12)


def served(days=14, rows=200, seed=0, label=True):
    rng = np.random.default_rng(seed)
    n = days * rows
    truth = (rng.random(n) < 0.3).astype(float)
    return pl.DataFrame(
        {
            "event_time": [START + timedelta(days=days) * (k / n) for k in range(n)],
            "score": 1 / (1 + np.exp(1 - rng.normal(truth, 1.0))),
            "label": truth if label else [None] * n,
            "model_version": "flight-delay/1",
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC"), "label": pl.Float64},
    )


def measure(frame, days=14, now=None, level=0.9, **more):
    window = Window(start=START, end=START + timedelta(days=days))
    at = now or window.end + HORIZON
    return evaluate(frame, endpoint="delay", window=window, horizon=HORIZON, now=at, level=level, **more)


def parts(frame, edges=None, **settings):
    window = Window(start=START, end=START + timedelta(days=14))
    found = evaluate_parts(
        frame,
        endpoint="delay",
        window=window,
        horizon=HORIZON,
        now=window.end + HORIZON,
        level=0.9,
        settings=MonitorSettings(**settings),
        edges=edges,
    )
    return {each.part: each for each in found}


def test_numbers_are_those_of_sklearn():
    frame = served()
    result = measure(frame)
    assert (result.predictions, result.labelled, result.matured) == (2800, 2800, True)
    assert result.auc.value == pytest.approx(roc_auc_score(frame["label"], frame["score"]))
    assert result.brier.value == pytest.approx(brier_score_loss(frame["label"], frame["score"]))
    assert result.positive_rate == pytest.approx(frame["label"].mean())
    assert result.mean_score == pytest.approx(frame["score"].mean())
    assert result.auc.lower < result.auc.value < result.auc.upper
    assert result.auc.level == 0.9
    assert "14 days with 13 degrees of freedom" in result.auc.assumption
    assert result.versions == ("flight-delay/1",)


def test_rows_outside_the_window_and_without_a_label_do_not_count_as_labelled():
    frame = served(days=20)
    part = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then("label"),
        pl.when(pl.int_range(pl.len()) == 1).then(float("nan")).otherwise("score").alias("score"),
    )
    result = measure(part)
    assert (result.predictions, result.labelled) == (2800, 1400)
    even = frame.head(2800)[::2]
    assert result.auc.value == pytest.approx(roc_auc_score(even["label"], even["score"]))


def test_integer_microseconds_give_the_same():
    frame = served(days=3)
    assert measure(frame.with_columns(pl.col("event_time").dt.epoch("us")), 3) == measure(frame, 3)


def test_one_day_uses_hours_and_says_so():
    result = measure(served(days=1, rows=600), days=1)
    assert "hours are independent" in result.auc.assumption
    assert "24 hours with 23 degrees of freedom" in result.brier.assumption
    assert "fewer than two days" in result.auc.assumption


def test_a_single_hour_has_no_interval():
    one_hour = served(days=1, rows=2400).head(90)
    result = measure(one_hour, days=1)
    assert (result.auc.lower, result.auc.upper) == (0.0, 1.0)
    assert "too few hours" in result.auc.assumption


def test_without_labels_nothing_is_claimed():
    result = measure(served(label=False))
    assert (result.predictions, result.labelled) == (2800, 0)
    assert (result.auc, result.brier, result.calibration_error, result.positive_rate, result.mean_score) == (
        (None,) * 5
    )
    assert measure(served().clear()).predictions == 0


def test_one_class_has_a_brier_score_and_no_auc():
    result = measure(served().with_columns(label=pl.lit(0.0)))
    assert result.auc is None
    assert result.brier is not None


def test_a_young_window_is_not_matured():
    window_end = START + timedelta(days=14)
    assert not measure(served(), now=window_end + timedelta(hours=11)).matured


def test_labels_must_be_zero_or_one():
    with pytest.raises(DataError, match=r"neither 0 nor 1, such as 7"):
        measure(served().with_columns(label=pl.lit(7)))


def test_clusters_by_a_column_are_said_and_are_wider_where_its_rows_are_alike():
    frame = served()
    random = np.random.default_rng(1)
    person = np.arange(frame.height) // 100
    luck = random.normal(size=28)
    label = (random.random(frame.height) < 1 / (1 + np.exp(-2 * luck[person]))).astype(float)
    score = 1 / (1 + np.exp(-random.normal(size=28)[person]))
    told = frame.with_columns(
        person=pl.Series(person).cast(pl.String), label=pl.Series(label), score=pl.Series(score)
    )
    by_row = measure(
        told.with_columns(person=pl.int_range(pl.len())), settings=MonitorSettings(cluster="person")
    )
    by_person = measure(told, settings=MonitorSettings(cluster="person"))
    for name in ("auc", "brier", "accuracy", "log_loss"):
        narrow, wide = by_row.metrics[name], by_person.metrics[name]
        assert wide.value == pytest.approx(narrow.value)
        assert wide.upper - wide.lower > 1.5 * (narrow.upper - narrow.lower)
        assert "values of person are independent" in wide.assumption
    assert "500 draws of values of person" in by_person.metrics["accuracy"].assumption
    assert "Student's t over 28" in by_person.auc.assumption
    with pytest.raises(DataError, match="no column 'peron'"):
        measure(told, settings=MonitorSettings(cluster="peron"))


def test_weights_of_sampled_rows_undo_the_sampling():
    """A tenth of the easy rows is logged, each for ten: the metrics are those of all rows."""
    frame = served(rows=2000)
    random = np.random.default_rng(2)
    easy = (frame["score"] < 0.3).to_numpy()
    kept = ~easy | (random.random(frame.height) < 0.1)
    sampled = frame.with_columns(weight=pl.Series(np.where(easy, 10.0, 1.0))).filter(pl.Series(kept))
    whole, part = measure(frame), measure(sampled)
    plain = measure(sampled.drop("weight"))
    for name in ("auc", "brier", "accuracy"):
        assert part.metrics[name].value == pytest.approx(whole.metrics[name].value, abs=0.015)
        assert abs(plain.metrics[name].value - whole.metrics[name].value) > 0.03
    assert part.positive_rate == pytest.approx(whole.positive_rate, abs=0.01)
    odd = sampled.with_columns(weight=pl.lit(None, pl.Float64))
    assert measure(odd).auc.value == plain.auc.value


def test_calibration_is_a_line_and_bins():
    random = np.random.default_rng(3)
    n = 20_000
    truth = random.normal(-0.5, 1.0, n)
    label = (random.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    bold = 1 / (1 + np.exp(-(2 * truth + 0.4)))  # twice as sure as it may be
    frame = pl.DataFrame(
        {
            "event_time": [START + timedelta(minutes=k) for k in range(n)],
            "score": bold,
            "label": label,
            "model_version": "m/1",
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC")},
    )
    found = measure(frame).calibration
    assert (found.slope, found.intercept) == pytest.approx((0.5, -0.2), abs=0.04)
    assert [each.rows for each in found.bins] == [2000] * 10
    assert [each.score for each in found.bins] == sorted(each.score for each in found.bins)
    off = sum(each.rows * abs(each.score - each.label) for each in found.bins) / n
    assert found.error == pytest.approx(off)
    assert measure(frame.with_columns(label=pl.lit(1.0))).calibration.slope is None
    near = frame.with_columns(label=pl.col("score") * 3 - 1)
    line = measure(near, settings=MonitorSettings(task="regression", metric="mae")).calibration
    assert (line.slope, line.intercept) == pytest.approx((3.0, -1.0))


def test_slices_and_variants_are_parts_of_the_whole():
    frame = served().with_columns(
        carrier=pl.Series(["AA", "BB", None, "AA"] * 700),
        distance=pl.Series(np.random.default_rng(4).exponential(500, 2800)),
        variant=pl.lit("champion"),
        served=pl.lit(True),
    )
    reference = pl.DataFrame({"distance": np.random.default_rng(5).exponential(500, 5000), "carrier": "AA"})
    edges = slice_edges(reference, ["distance", "carrier", "gone"])
    assert list(edges) == ["distance"]
    found = parts(frame, edges, slices=("carrier", "distance", "hour"))
    assert list(found)[:3] == ["carrier=AA", "carrier=BB", "carrier=missing"]
    low, *_, high = [name for name in found if name.startswith("distance")]
    assert (low[:12], high[:11], len(found)) == ("distance=≤ 1", "distance=> ", 3 + 4 + 24)
    for column in ("carrier", "distance", "hour"):
        some = [each for name, each in found.items() if name.startswith(f"{column}=")]
        assert sum(each.predictions for each in some) == 2800
        right = sum(each.metrics["accuracy"].value * each.labelled for each in some) / 2800
        assert right == pytest.approx(measure(frame).metrics["accuracy"].value)
    wild = parts(frame.with_columns(distance=pl.col("distance") * 1e6), edges, slices=("distance",))
    assert list(wild)[-1] == high  # where ranges end does not depend on the window
    shadow = frame.with_columns(variant=pl.lit("challenger"), served=pl.lit(False), score=1 - pl.col("score"))
    both = parts(pl.concat([frame, shadow]), slices=("carrier",))
    assert [each for each in both if "variant" in each] == ["variant=challenger", "variant=champion"]
    assert both["carrier=AA"].predictions == 1400  # of what was served
    mirrored = both["variant=challenger"].auc.value
    assert mirrored == pytest.approx(1 - both["variant=champion"].auc.value)
    assert parts(frame.clear(), slices=("carrier",)) == {}


def test_classes_are_read_from_outputs():
    keys = {"prediction_id": ["a", "b", "c"], "variant": ["champion"] * 3}
    columns = pl.DataFrame({**keys, "0": [0.5, 0.1, 0.2], "2": [0.2, 0.8, 0.2], "7": [0.3, 0.1, 0.6]})
    assert predicted_classes(columns)["score"].to_list() == [0.0, 2.0, 7.0]
    named = columns.rename({"0": "cat", "2": "dog", "7": "cow"})
    assert predicted_classes(named)["score"].to_list() == [0.0, 1.0, 2.0]
    lists = pl.DataFrame({**keys, "probabilities": [[0.9, 0.1], [0.2, 0.8], None]})
    assert predicted_classes(lists)["score"].to_list() == [0.0, 1.0, None]
    label = pl.DataFrame({**keys, "label": [3, 1, 2], "sure": [0.9, 0.5, 0.4]})
    assert predicted_classes(label)["score"].to_list() == [3.0, 1.0, 2.0]
    text = pl.DataFrame({**keys, "label": ["3", "x", None]})
    assert predicted_classes(text)["score"].to_list() == [3.0, None, None]


def test_a_ranking_leaves_out_answers_without_a_group_and_money_is_counted():
    frame = served(days=2).with_columns(query=pl.Series(["q1", "q2", None, "q1"] * 100))
    task = MonitorSettings(task="ranking", metric="mrr", group="query")
    value = ValueSettings(currency="EUR", outcomes={"right": 1.0})
    found = measure(frame, 2, settings=task, value=value)
    assert (found.predictions, found.labelled, found.positive_rate) == (400, 300, None)
    known = frame.filter(pl.col("query").is_not_null())
    assert found.worth.total.value == known["label"].sum()
    assert 0 < found.metrics["mrr"].value <= 1


def test_scores_that_are_not_finite_are_not_measured():
    frame = served()
    wild = frame.with_columns(
        score=pl.when(pl.int_range(pl.len()) == 5).then(float("inf")).otherwise("score"),
        label=pl.when(pl.int_range(pl.len()) == 6).then(float("-inf")).otherwise("label"),
    )
    result = measure(wild)
    assert (result.predictions, result.labelled) == (2800, 2798)
    assert all(np.isfinite([each.value, each.lower, each.upper]).all() for each in result.metrics.values())
