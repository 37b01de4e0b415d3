"""What a verdict rests on: two variants' predictions of the same rows, side by side, and their labels."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One number of each variant."""

    champion: int = 0
    challenger: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.champion + self.challenger


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Everything that is known about a rollout at one instant.

    ``champion_loss``, ``challenger_loss`` and ``clusters`` have shape (pairs,): rows that both variants
    scored with a finite score and whose label is there; the loss is the squared error of the score (Brier
    1950), the cluster the hour of the event since 1970. ``calls``, ``failed`` and ``slow`` count calls of a
    variant (one call scores all rows of a request), not rows: rows of one call fail together. A call whose
    answer holds a score that is not finite has failed.
    """

    champion_loss: NDArray[np.float64]
    challenger_loss: NDArray[np.float64]
    clusters: NDArray[np.int64]
    share: float
    """The part of entities that the challenger is meant to answer in the present step."""
    assigned: Counts
    """Units (entities where they are known, else rows) that each variant answered in the present step."""
    calls: Counts
    failed: Counts
    slow: Counts
    rows: int
    """Predictions that at least one variant answered without failing."""
    unpaired: int
    """Those of them that the other variant did not score at all: the join of the pairs failed."""
    not_finite: Counts
    disagreement: float | None
    """Share of paired rows, labelled or not, on which the variants decide differently at 1/2."""

    @property
    def pairs(self) -> int:
        """Labelled pairs."""
        return int(self.champion_loss.size)

    @property
    def differences(self) -> NDArray[np.float64]:
        """Loss of the challenger − loss of the champion of each pair, in [−1, 1]."""
        return self.challenger_loss - self.champion_loss


def from_frames(
    champion: pl.DataFrame,
    challenger: pl.DataFrame,
    labels: pl.DataFrame,
    share: float,
    slow_us: int,
    *,
    in_step: pl.Expr | None = None,
) -> Evidence:
    """Put the logs of both variants side by side.

    Args:
        champion: the champion's rows since the rollout started, as the prediction log gives them: columns
            ``prediction_id``, ``event_time`` (µs since 1970 in UTC, or a datetime), ``score``, ``served``,
            ``latency_us`` and ``error`` (null or False is none). With a column ``logged_at``, rows of one
            ``logged_at`` and ``latency_us`` are one call, else each row is one. With a column
            ``entity_key``, entities are counted as assigned, else rows.
        challenger: the same of the challenger.
        labels: ``prediction_id, label`` of matured rows.
        share: the challenger's intended share in the present step.
        slow_us: a call that takes longer than this is slow, in microseconds.
        in_step: which rows were assigned under ``share``, such as ``pl.col("generation") >= 7`` with the
            generation of the step's route. Without it no assignment is counted, so that it is not tested:
            rows assigned under another step's share would look like broken assignment.
    """
    ours, theirs = _cleaned(champion), _cleaned(challenger)
    champion_calls, challenger_calls = _calls(ours, slow_us), _calls(theirs, slow_us)
    scored = _scored_by_both(ours, theirs)
    labelled = _with_labels(scored, labels)
    alone = [
        mine.filter(~pl.col("_failed")).join(other, on="prediction_id", how="anti").height
        for mine, other in ((ours, theirs), (theirs, ours))
    ]
    answered = pl.concat(
        [frame.filter(~pl.col("_failed")).select("prediction_id") for frame in (ours, theirs)]
    )
    differ = scored.select(((pl.col("score") >= 0.5) != (pl.col("score_challenger") >= 0.5)).mean()).item()
    return Evidence(
        champion_loss=labelled.select((pl.col("score") - pl.col("label")) ** 2).to_series().to_numpy(),
        challenger_loss=labelled.select((pl.col("score_challenger") - pl.col("label")) ** 2)
        .to_series()
        .to_numpy(),
        clusters=labelled["_hour"].to_numpy(),
        share=share,
        assigned=Counts(champion=_assigned(ours, in_step), challenger=_assigned(theirs, in_step)),
        calls=Counts(champion=champion_calls[0], challenger=challenger_calls[0]),
        failed=Counts(champion=champion_calls[1], challenger=challenger_calls[1]),
        slow=Counts(champion=champion_calls[2], challenger=challenger_calls[2]),
        rows=answered["prediction_id"].n_unique(),
        unpaired=sum(alone),
        not_finite=Counts(champion=_not_finite(ours), challenger=_not_finite(theirs)),
        disagreement=None if differ is None else float(differ),
    )


def _cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a prediction, with the hour of its event and whether it failed and has a usable score."""
    time = pl.col("event_time")
    micros = time.dt.epoch("us") if isinstance(frame.schema["event_time"], pl.Datetime) else time
    error = pl.col("error")
    failed = error.fill_null(False) if frame.schema["error"] == pl.Boolean else error.is_not_null()
    score = pl.col("score").cast(pl.Float64)
    return frame.unique("prediction_id", keep="last", maintain_order=True).with_columns(
        score.alias("score"),
        failed.alias("_failed"),
        (score.is_finite().fill_null(False) & ~failed).alias("_finite"),
        micros.cast(pl.Int64).floordiv(_HOUR_US).alias("_hour"),
    )


def _scored_by_both(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """The rows to which both variants gave a finite score."""
    challenger = theirs.select("prediction_id", "score", "_finite")
    return (
        ours.select("prediction_id", "_hour", "score", "_finite")
        .join(challenger, on="prediction_id", how="inner", suffix="_challenger")
        .filter(pl.col("_finite") & pl.col("_finite_challenger"))
    )


def _with_labels(scored: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Those of them whose label is there, in the order of time."""
    known = labels.select("prediction_id", pl.col("label").cast(pl.Float64))
    known = known.filter(pl.col("label").is_finite()).unique(
        "prediction_id", keep="last", maintain_order=True
    )
    return scored.join(known, on="prediction_id", how="inner").sort("_hour", "prediction_id")


def _calls(frame: pl.DataFrame, slow_us: int) -> tuple[int, int, int]:
    """Calls, failed calls and slow calls."""
    call = ["logged_at", "latency_us"] if "logged_at" in frame.columns else ["prediction_id"]
    calls = frame.group_by(call).agg(
        (~pl.col("_finite")).any().alias("failed"), (pl.col("latency_us").max() > slow_us).alias("slow")
    )
    return calls.height, int(calls["failed"].sum()), int(calls["slow"].sum())


def _assigned(frame: pl.DataFrame, in_step: pl.Expr | None) -> int:
    if in_step is None:
        return 0
    answered = frame.filter(pl.col("served") & in_step)
    return answered["entity_key"].n_unique() if "entity_key" in answered.columns else answered.height


def _not_finite(frame: pl.DataFrame) -> int:
    return frame.filter(~pl.col("_finite") & ~pl.col("_failed")).height
