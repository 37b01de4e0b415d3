"""Realised quality of an endpoint in a window of served predictions."""

from datetime import datetime, timedelta
from math import isinf

import polars as pl

from mlwright.errors import DataError
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Estimate, Performance
from mlwright.model.windows import Window
from mlwright.stages.monitoring.labels import instants, matured
from mlwright.stages.monitoring.statistics import (
    auc_clustered,
    brier_clustered,
    calibration_error,
    normal_interval,
)


def evaluate(
    joined: pl.DataFrame,
    *,
    endpoint: EndpointName,
    window: Window,
    horizon: timedelta,
    now: datetime,
    level: float,
) -> Performance:
    """Measure what an endpoint answered to events of one window.

    Intervals take UTC days as clusters; with labels from fewer than two days they take hours, and say so.
    ``mean_score`` and ``positive_rate`` are over the labelled rows, so that their difference is the bias.

    Args:
        joined: predictions that were served (not shadowed) with their labels, as ``join_labels`` gives them:
            columns event_time, score, label (0, 1 or null) and model_version. Rows outside the window are
            ignored.
        endpoint: whose answers they are.
        window: half-open, over event times.
        horizon: how long after the event its label can be trusted.
        now: the instant of the evaluation.
        level: the coverage of the intervals, such as 0.9.

    Raises:
        DataError: a label in the window is neither 0 nor 1.
    """
    at = instants(joined, "event_time")
    rows = joined.filter((at >= window.start) & (at < window.end))
    score = pl.col("score").cast(pl.Float64)
    known = rows.select(
        score.fill_nan(None).alias("score"),
        pl.col("label").cast(pl.Float64).fill_nan(None).alias("label"),
        at.dt.truncate("1d").alias("day"),
        at.dt.truncate("1h").alias("hour"),
    ).drop_nulls()
    _require_binary(known["label"], endpoint, window)
    by, clusters = _clusters(known)
    labels, scores = known["label"].to_numpy(), known["score"].to_numpy()
    groups = known[by].dt.epoch("us").to_numpy()
    return Performance(
        endpoint=endpoint,
        window=window,
        predictions=rows.height,
        labelled=known.height,
        matured=matured(window, horizon, now),
        positive_rate=float(labels.mean()) if len(labels) else None,
        mean_score=float(scores.mean()) if len(scores) else None,
        auc=_estimate(auc_clustered(labels, scores, groups), level, by, clusters),
        brier=_estimate(brier_clustered(labels, scores, groups), level, by, clusters),
        calibration_error=calibration_error(labels, scores),
        versions=tuple(rows["model_version"].cast(pl.String).drop_nulls().unique().sort()),
    )


def _clusters(known: pl.DataFrame) -> tuple[str, int]:
    days = known["day"].n_unique()
    return ("day", days) if days >= 2 else ("hour", known["hour"].n_unique())


def _estimate(measured: tuple[float, float] | None, level: float, by: str, clusters: int) -> Estimate | None:
    if measured is None:
        return None
    value, error = measured
    lower, upper = normal_interval(value, error, level, clusters=clusters)
    if isinf(error) or clusters < 2:
        assumption = f"too few {by}s with labels of both classes to say: the interval is the whole range"
    else:
        assumption = (
            f"{by}s are independent; rows within one need not be; "
            f"Student's t over {clusters} {by}s with {clusters - 1} degrees of freedom"
        )
        if by == "hour":
            assumption += "; hours are used because labels come from fewer than two days"
    return Estimate(value=value, lower=lower, upper=upper, level=level, assumption=assumption)


def _require_binary(labels: pl.Series, endpoint: EndpointName, window: Window) -> None:
    strange = labels.filter((labels != 0) & (labels != 1))
    if len(strange):
        raise DataError(
            f"{len(strange)} labels are neither 0 nor 1, such as {strange[0]:g}",
            where=f"labels of endpoint {endpoint}, {window}",
            why="AUC and Brier score are defined for a yes-or-no label",
            next_command=f"mlwright feedback {endpoint} --help",
        )
