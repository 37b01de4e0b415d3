"""Realised quality of an endpoint in a window of served predictions, whole and in parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from mlwright.errors import DataError
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Calibration, Estimate, MaturityCurve, Performance, Worth
from mlwright.model.watch_settings import MonitorSettings, ValueSettings
from mlwright.model.windows import Window
from mlwright.stages.monitoring.clusters import Clusters
from mlwright.stages.monitoring.labels import instants, matured
from mlwright.stages.monitoring.maturity import maturity_of
from mlwright.stages.monitoring.metrics import Labelled, measure
from mlwright.stages.monitoring.slicing import sliced
from mlwright.stages.monitoring.statistics import calibration
from mlwright.stages.monitoring.worth import worth

_DEFAULT: Final = MonitorSettings()


def evaluate(
    joined: pl.DataFrame,
    *,
    endpoint: EndpointName,
    window: Window,
    horizon: timedelta,
    now: datetime,
    level: float,
    settings: MonitorSettings = _DEFAULT,
    value: ValueSettings | None = None,
    curve: MaturityCurve | None = None,
    expected: Mapping[str, Estimate] | None = None,
    monitored_only: bool = False,
) -> Performance:
    """Measure what an endpoint answered to events of one window.

    Intervals take the values of ``settings.cluster`` as clusters, else UTC days; with labels from fewer than two days
    they take hours, and say so. ``mean_score`` and ``positive_rate`` are over the labelled rows, so that their
    difference is the bias. Every row counts by its ``weight``, which is 1 where none is logged.

    Args:
        joined: predictions that were served (not shadowed) with their labels, as ``join_labels`` gives them: columns
            event_time, score, label (null where unknown) and model_version; weight, and the columns that the settings
            name, may be there. Of the task ``classes`` the score is the number of the class. Rows outside the window
            are ignored, those whose score or label is not finite are not labelled.
        endpoint: whose answers they are.
        window: half-open, over event times.
        horizon: how long after the event its label can be trusted.
        now: the instant of the evaluation.
        level: the coverage of the intervals, such as 0.9.
        settings: task, threshold, cluster and group.
        value: what outcomes are worth.
        curve: how soon labels arrive; without it maturity is only what has arrived.
        expected: what was to be expected before labels came, to be shown beside what is measured.
        monitored_only: measure only ``settings.metric``, and neither calibration nor worth.

    Raises:
        DataError: a label of a binary task is neither 0 nor 1, or a column that the settings name is missing.
    """
    rows = joined.filter(instants(joined, "event_time").is_between(window.start, window.end, closed="left"))
    known = _known(rows, settings, value, endpoint)
    binary, numeric = settings.task == "binary", settings.task in ("binary", "regression")
    _require_labels(known["label"], settings.task, endpoint, window)
    labelled = _labelled(known, settings)
    return Performance(
        endpoint=endpoint,
        window=window,
        predictions=rows.height,
        labelled=known.height,
        matured=matured(window, horizon, now),
        task=settings.task,
        positive_rate=_mean(labelled.labels, labelled) if binary else None,
        mean_score=_mean(labelled.scores, labelled) if numeric else None,
        metrics=_metrics(labelled, settings, level, monitored_only=monitored_only),
        expected=expected or {},
        calibration=None if monitored_only else _calibration(labelled, settings.task),
        maturity=maturity_of(rows, curve, now) if rows.height else None,
        worth=None if monitored_only else _worth(known, value, settings, labelled.clusters, level),
        versions=tuple(rows["model_version"].cast(pl.String).drop_nulls().unique().sort()),
    )


def evaluate_parts(
    joined: pl.DataFrame,
    *,
    endpoint: EndpointName,
    window: Window,
    horizon: timedelta,
    now: datetime,
    level: float,
    settings: MonitorSettings,
    value: ValueSettings | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Performance, ...]:
    """Measure each slice of what was served, and each variant on all that it scored.

    Each interval holds for itself: among forty slices a few lie outside of theirs by chance.

    Args:
        joined: as for :func:`evaluate`, of all variants: columns served and variant, and those of ``settings.slices``.
        endpoint: as there, like all that follow.
        window: as there.
        horizon: as there.
        now: as there.
        level: as there.
        settings: as there; ``slices`` names the columns.
        value: as there.
        edges: where numbers are cut, by column; see ``slicing.py``.

    Returns:
        Slices in the order of their columns, then variants where there is more than one.
    """
    found: list[Performance] = []
    for name, rows in _parts(joined, settings, edges or {}):
        part = evaluate(
            rows,
            endpoint=endpoint,
            window=window,
            horizon=horizon,
            now=now,
            level=level,
            settings=settings,
            value=value,
        )
        if part.predictions:
            found.append(replace(part, part=name))
    return tuple(found)


def predicted_classes(outputs: pl.DataFrame) -> pl.DataFrame:
    """The number of the class that each row was answered with, from the outputs of a model.

    Args:
        outputs: as ``PredictionLog.outputs`` gives them. Columns of numbers that add up to 1 in every row are
            probabilities: the most probable class wins, the first of several. Columns whose names are all numbers are
            classes of these numbers, others are counted from 0. Else the first column counts: a list is one of
            probabilities, anything else is the class itself, as far as it is a number.

    Returns:
        Columns prediction_id, variant and score; rows of which nothing is known have a null score.
    """
    keys = ["prediction_id", "variant"]
    given = [each for each in outputs.columns if each not in {*keys, "entity_key", "event_time", "served"}]
    numbers = [each for each in given if outputs.schema[each].is_numeric()]
    score: pl.Expr = pl.lit(None, pl.Float64)
    if len(numbers) > 1 and _probabilities(outputs.select(numbers)):
        named = [_number(each) for each in numbers]
        classes = {at: float(at) if None in named else each for at, each in enumerate(named)}
        most = pl.concat_list(numbers).list.arg_max()
        score = most.replace_strict(classes, return_dtype=pl.Float64)
    elif given and isinstance(outputs.schema[given[0]], pl.List | pl.Array):
        score = pl.col(given[0]).cast(pl.List(pl.Float64)).list.arg_max().cast(pl.Float64)
    elif given:
        score = pl.col(given[0]).cast(pl.Float64, strict=False)
    return outputs.select(*keys, score=score)


def _probabilities(columns: pl.DataFrame) -> bool:
    whole = columns.drop_nulls()
    sums, least = whole.sum_horizontal(), whole.min_horizontal()
    return bool(whole.height and (sums - 1).abs().max() <= _NEAR and least.min() >= 0)  # type: ignore[operator]


_NEAR: Final = 1e-3


def _number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None


def _parts(
    joined: pl.DataFrame, settings: MonitorSettings, edges: Mapping[str, Sequence[float]]
) -> Iterator[tuple[str, pl.DataFrame]]:
    served = joined.filter("served") if "served" in joined.columns else joined
    yield from sliced(served, settings.slices, edges)
    if "variant" in joined.columns and joined["variant"].n_unique() > 1:
        for name in joined["variant"].drop_nulls().unique().sort():
            yield f"variant={name}", joined.filter(pl.col("variant") == name)


def _known(
    rows: pl.DataFrame, settings: MonitorSettings, value: ValueSettings | None, endpoint: EndpointName
) -> pl.DataFrame:
    """The labelled rows: score, label, weight, the clusters, the groups, and the amount under its own name."""
    at = instants(rows, "event_time")
    weight = pl.col("weight").cast(pl.Float64) if "weight" in rows.columns else pl.lit(1.0)
    amount = value.amount if value else None
    for key, name in (("cluster", settings.cluster), ("group", settings.group)):
        if name is not None and name not in rows.columns and rows.height:
            raise DataError(
                f"the answers of endpoint {endpoint} have no column {name!r}",
                where=f"mlwright.toml, endpoint {endpoint}, monitor.{key}",
                why="logged are " + ", ".join(sorted(rows.columns)),
                next_command="mlwright doctor",
            )
    more = [pl.col(amount)] if amount in rows.columns and amount not in ("score", "label", "weight") else []
    score = pl.col("score").cast(pl.Float64)
    label = pl.col("label").cast(pl.Float64)
    frame = rows.select(
        pl.when(score.is_finite()).then(score).alias("score"),
        pl.when(label.is_finite()).then(label).alias("label"),
        pl.when(weight > 0).then(weight).fill_nan(None).fill_null(1.0).alias("weight"),
        at.dt.truncate("1d").dt.epoch("us").alias(_DAY),
        at.dt.truncate("1h").dt.epoch("us").alias(_HOUR),
        _codes(settings.cluster, rows).alias(_CLUSTER),
        _codes(settings.group, rows).alias(_GROUP),
        *more,
    ).filter(pl.col("score").is_not_null() & pl.col("label").is_not_null())
    return frame.filter(pl.col(_GROUP).is_not_null()) if settings.group else frame


_DAY, _HOUR, _CLUSTER, _GROUP = "·day", "·hour", "·cluster", "·group"


def _codes(name: str | None, rows: pl.DataFrame) -> pl.Expr:
    """The values of a column as numbers; null is one value of clusters, and none of groups."""
    if name is None or name not in rows.columns:
        return pl.lit(None, pl.UInt32)
    codes = pl.col(name).cast(pl.String).rank("dense")
    return codes.cast(pl.UInt32)


def _labelled(known: pl.DataFrame, settings: MonitorSettings) -> Labelled:
    if settings.cluster is not None:
        names = known[_CLUSTER].fill_null(0).to_numpy()
        clusters = Clusters.of(names, settings.cluster)
    else:
        by = "day" if known[_DAY].n_unique() >= 2 else "hour"
        clusters = Clusters.of(known[_DAY if by == "day" else _HOUR].to_numpy(), by)
    return Labelled(
        labels=known["label"].to_numpy(),
        scores=known["score"].to_numpy(),
        weights=known["weight"].to_numpy(),
        clusters=clusters,
        groups=known[_GROUP].to_numpy().astype(np.intp) if settings.group else None,
    )


def _metrics(
    rows: Labelled, settings: MonitorSettings, level: float, *, monitored_only: bool
) -> Mapping[str, Estimate]:
    return measure(
        rows,
        task=settings.task,
        metric=settings.metric,
        threshold=settings.threshold,
        level=level,
        only=settings.metric if monitored_only else None,
    )


def _worth(
    known: pl.DataFrame,
    value: ValueSettings | None,
    settings: MonitorSettings,
    clusters: Clusters,
    level: float,
) -> Worth | None:
    if value is None:
        return None
    return worth(known, value, settings.task, settings.threshold, clusters=clusters, level=level)


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rows: Labelled) -> float | None:
    return float((values * rows.weights).sum() / rows.weights.sum()) if len(rows) else None


def _calibration(rows: Labelled, task: str) -> Calibration | None:
    if task not in ("binary", "regression"):
        return None
    return calibration(rows.labels, rows.scores, rows.weights, logit=task == "binary")


def _require_labels(labels: pl.Series, task: str, endpoint: EndpointName, window: Window) -> None:
    strange = labels.filter((labels != 0) & (labels != 1))
    if task == "binary" and len(strange):
        raise DataError(
            f"{len(strange)} labels are neither 0 nor 1, such as {strange[0]:g}",
            where=f"labels of endpoint {endpoint}, {window}",
            why="the task is binary: AUC and Brier score are defined for a yes-or-no label",
            next_command=f"mlwright feedback {endpoint} --help",
        )
