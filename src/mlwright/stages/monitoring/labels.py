"""The truth that arrives later: which label belongs to which prediction, and when a window can be trusted."""

from datetime import datetime, timedelta

import polars as pl

from mlwright.model.windows import Window


def join_labels(predictions: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Give every prediction its label, or null while none is known.

    A label that names a prediction belongs to it. A label that names an entity and an instant belongs to the
    predictions of that entity as of that instant. A label that names only an entity belongs to all
    predictions of that entity with ``event_time <= observed_at``. Of several labels for one prediction the
    last received wins; of those received at one instant, the later row. Labels without a value say nothing
    and are ignored.

    Args:
        predictions: columns prediction_id and entity_key (text), event_time, and any others.
        labels: columns prediction_id and entity_key (text, null or empty where unknown), label (number),
            observed_at and received_at; event_time (null where none is named) may be there. All instants of both
            frames are of one type: aware datetimes, or
            microseconds since 1970 as integers.

    Returns:
        The predictions in their order, one row each, with the columns label (float64) and observed_at added
        (and replaced, where the predictions had them). The time taken is that of sorting.
    """
    label, instant = pl.col("label"), predictions.schema["event_time"]
    ranked = (
        labels.with_columns(
            label.cast(pl.Float64).fill_nan(None),
            pl.col("observed_at").cast(instant),
            pl.col("prediction_id").cast(pl.String).replace("", None),
            pl.col("entity_key").cast(pl.String).replace("", None),
            (pl.col("event_time") if "event_time" in labels.columns else pl.lit(None))
            .cast(instant)
            .alias("event_time"),
        )
        .filter(label.is_not_null())
        .sort("received_at", maintain_order=True)
        .with_row_index("_rank")
    )
    asked = predictions.drop("label", "observed_at", strict=False).with_row_index("_row")
    by_id = (
        ranked.filter(pl.col("prediction_id").is_not_null())
        .group_by("prediction_id")
        .agg(pl.col("_rank").max().alias("_by_id"))
    )
    found = (
        asked.select("_row", pl.col("prediction_id").cast(pl.String))
        .join(by_id, on="prediction_id", how="left")
        .join(_by_entity(asked, ranked), on="_row", how="left")
        .join(_by_instant(asked, ranked), on="_row", how="left")
        .select("_row", pl.max_horizontal("_by_id", "_by_entity", "_by_instant").alias("_rank"))
        .join(ranked.select("_rank", "label", "observed_at"), on="_rank", how="left")
    )
    return asked.join(
        found.select("_row", "label", "observed_at"), on="_row", how="left", maintain_order="left"
    ).drop("_row")


def _by_entity(asked: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """For each row the last received label among those of its entity that were observed at or after it.

    Per entity, the best rank from an observation onwards is a running maximum from the end, so one forward
    as-of join replaces the pairing of all predictions with all labels of an entity.
    """
    best = (
        ranked.filter(
            pl.col("prediction_id").is_null() & pl.col("entity_key").is_not_null(),
            pl.col("event_time").is_null(),
        )
        .sort("observed_at")
        .select(
            "entity_key",
            "observed_at",
            pl.col("_rank").cum_max(reverse=True).over("entity_key").alias("_by_entity"),
        )
    )
    return (
        asked.select("_row", "event_time", pl.col("entity_key").cast(pl.String))
        .filter(pl.col("entity_key").is_not_null())
        .sort("event_time")
        .join_asof(
            best,
            left_on="event_time",
            right_on="observed_at",
            by="entity_key",
            strategy="forward",
            check_sortedness=False,
        )
        .select("_row", "_by_entity")
    )


def _by_instant(asked: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
    """For each row the last received label that names its entity and its instant."""
    named = ranked.filter(
        pl.col("prediction_id").is_null(),
        pl.col("entity_key").is_not_null(),
        pl.col("event_time").is_not_null(),
    )
    best = named.group_by("entity_key", "event_time").agg(pl.col("_rank").max().alias("_by_instant"))
    return (
        asked.select("_row", "event_time", pl.col("entity_key").cast(pl.String))
        .join(best, on=["entity_key", "event_time"], how="inner")
        .select("_row", "_by_instant")
    )


def label_delays(joined: pl.DataFrame) -> tuple[timedelta, timedelta, timedelta] | None:
    """Median, 90th and 99th percentile of the time from event to observed label; None without labels.

    Args:
        joined: the answer of ``join_labels``.
    """
    delays = joined.filter(pl.col("label").is_not_null()).select(
        (instants(joined, "observed_at") - instants(joined, "event_time")).dt.total_microseconds().alias("us")
    )["us"]
    if len(delays) == 0:
        return None
    median, p90, p99 = (
        timedelta(microseconds=float(delays.quantile(q, "linear") or 0.0)) for q in (0.5, 0.9, 0.99)
    )
    return median, p90, p99


def matured(window: Window, horizon: timedelta, now: datetime) -> bool:
    """Whether the window closed at least one label horizon ago.

    Labels that arrive early are not a fair sample (a flight on time is known sooner than a late one), so a
    younger window is biased, not only noisy.
    """
    return now >= window.end + horizon


def instants(frame: pl.DataFrame, column: str) -> pl.Expr:
    """The column as aware datetimes in UTC with microseconds, from these or from integer microseconds."""
    dtype = frame.schema[column]
    if dtype.is_integer():
        return pl.from_epoch(pl.col(column), time_unit="us").dt.replace_time_zone("UTC")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.col(column).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    raise ValueError(f"column {column!r} must hold aware datetimes or integer microseconds, not {dtype}")
