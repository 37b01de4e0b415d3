from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from mlwright.stages.rollouts.evidence import Counts, from_frames

HOUR = 3_600_000_000
BASE = {"served": True, "latency_us": 900, "error": None}


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    schema = {
        "prediction_id": pl.String,
        "event_time": pl.Int64,
        "score": pl.Float64,
        "served": pl.Boolean,
        "latency_us": pl.Int64,
        "error": pl.String,
    }
    extra = {name: pl.Int64 for row in rows for name in row if name in ("logged_at", "generation")}
    extra |= {name: pl.String for row in rows for name in row if name == "entity_key"}
    return pl.DataFrame([BASE | row for row in rows], schema=schema | extra)


def row(id: str, score: float, hour: int = 0, **more: object) -> dict[str, object]:
    return {"prediction_id": id, "event_time": hour * HOUR + 5, "score": score, **more}


LABELS = pl.DataFrame({"prediction_id": ["a", "b", "c"], "label": [1, 0, 1]})
NO_LABELS = LABELS.clear()


def test_losses_are_paired_by_prediction_and_clustered_by_hour() -> None:
    champion = frame(row("b", 0.5, 1), row("a", 0.75), row("c", 0.1, 9), row("d", 0.3, 2))
    challenger = frame(row("a", 0.5), row("b", 0.25, 1), row("d", 0.9, 2))
    evidence = from_frames(champion, challenger, LABELS, 0.0, 1000)
    np.testing.assert_allclose(evidence.champion_loss, [0.0625, 0.25])
    np.testing.assert_allclose(evidence.challenger_loss, [0.25, 0.0625])
    np.testing.assert_array_equal(evidence.clusters, [0, 1])
    np.testing.assert_allclose(evidence.differences, [0.1875, -0.1875])
    assert (evidence.rows, evidence.unpaired, evidence.pairs) == (4, 1, 2)
    assert evidence.disagreement == pytest.approx(2 / 3)


def test_event_times_may_be_datetimes() -> None:
    numbers = frame(row("a", 0.5, 7))
    times = numbers.with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))
    assert times["event_time"].item() == datetime(1970, 1, 1, 7, 0, 0, 5, tzinfo=UTC)
    assert from_frames(times, times, LABELS, 0.0, 1000).clusters.tolist() == [7]


def test_a_call_counts_once_however_many_rows_it_scored() -> None:
    champion = frame(*[row(f"p{i}", 0.5, logged_at=i // 3, latency_us=2000 + i // 3) for i in range(9)])
    challenger = frame(
        *[
            row(f"p{i}", 0.5, logged_at=i // 3, latency_us=10, error="boom" if i < 3 else None)
            for i in range(9)
        ]
    )
    evidence = from_frames(champion, challenger, NO_LABELS, 0.0, 2000)
    assert evidence.calls == Counts(champion=3, challenger=3)
    assert evidence.slow == Counts(champion=2, challenger=0)
    assert evidence.failed == Counts(champion=0, challenger=1)
    # What failed is a failure, not a pair that went missing.
    assert evidence.unpaired == 0


def test_a_score_that_is_not_a_number_is_a_failed_call_and_no_pair() -> None:
    challenger = frame(row("a", float("nan")), row("b", 0.2), row("c", float("inf")))
    evidence = from_frames(frame(row("a", 0.5), row("b", 0.5), row("c", 0.5)), challenger, LABELS, 0.0, 1000)
    assert evidence.pairs == 1
    assert evidence.not_finite == Counts(challenger=2)
    assert evidence.failed == Counts(challenger=2)


def test_assignment_counts_entities_of_the_present_step_only() -> None:
    champion = frame(
        row("a", 0.5, entity_key="x", generation=1),
        row("b", 0.5, entity_key="x", generation=2),
        row("c", 0.5, entity_key="x", generation=2),
        row("d", 0.5, entity_key="y", generation=2),
        row("e", 0.5, entity_key="z", generation=2, served=False),
    )
    challenger = frame(
        row("e", 0.5, entity_key="z", generation=2), row("a", 0.5, entity_key="x", generation=1)
    )
    here = from_frames(champion, challenger, NO_LABELS, 0.3, 1000, in_step=pl.col("generation") >= 2)
    assert here.assigned == Counts(champion=2, challenger=1)
    assert from_frames(champion, challenger, NO_LABELS, 0.3, 1000).assigned == Counts()


def test_nothing_logged_is_evidence_of_nothing() -> None:
    evidence = from_frames(frame(), frame(), NO_LABELS, 0.1, 1000)
    assert (evidence.pairs, evidence.rows, evidence.calls.total) == (0, 0, 0)
    assert evidence.disagreement is None
