"""Blocks of the log as frames: the columns of a segment, and how rows are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from mlwright.model.predictions import LabelBlock

INSTANT: Final = pl.Datetime("us", "UTC")
FEATURE: Final = "f."
"""Prefix of feature columns inside a segment, so that none collides with the columns of the log."""

PREDICTION_SCHEMA: Final = pl.Schema(
    {
        "endpoint": pl.String(),
        "prediction_id": pl.String(),
        "entity_key": pl.String(),
        "event_time": INSTANT,
        "logged_at": INSTANT,
        "variant": pl.String(),
        "model_version": pl.String(),
        "generation": pl.Int64(),
        "served": pl.Boolean(),
        "score": pl.Float64(),
        "latency_us": pl.Int64(),
        "block_rows": pl.Int64(),
        "error": pl.String(),
        "has_features": pl.Boolean(),
    }
)
LABEL_SCHEMA: Final = pl.Schema(
    {
        "endpoint": pl.String(),
        "prediction_id": pl.String(),
        "entity_key": pl.String(),
        "label": pl.Float64(),
        "observed_at": INSTANT,
        "received_at": INSTANT,
    }
)
PREDICTION_COLUMNS: Final = tuple(
    name for name in PREDICTION_SCHEMA if name not in ("endpoint", "has_features")
)
LABEL_COLUMNS: Final = tuple(name for name in LABEL_SCHEMA if name != "endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBlock:
    """A PredictionBlock without its features: half the time to decode when only scores are asked for."""

    endpoint: str
    variant: str
    model_version: str
    generation: int
    logged_at: int
    latency_us: int
    prediction_ids: list[str]
    entity_keys: list[str]
    event_times: list[int]
    served: list[bool]
    scores: list[float | None]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedBlock(ScoredBlock):
    """A PredictionBlock as the journal gives it back: a score that is not a number is missing."""

    features: dict[str, list[object]] = field(default_factory=dict)


def prediction_frame(blocks: Sequence[ScoredBlock | LoggedBlock]) -> pl.DataFrame:
    """One row a scored row; feature columns carry the prefix and are missing where the blocks hold none."""
    if not blocks:
        return PREDICTION_SCHEMA.to_frame()
    lengths = [len(block.prediction_ids) for block in blocks]
    per_block = pl.DataFrame(
        {
            "endpoint": [block.endpoint for block in blocks],
            "logged_at": [block.logged_at for block in blocks],
            "variant": [block.variant for block in blocks],
            "model_version": [block.model_version for block in blocks],
            "generation": [block.generation for block in blocks],
            "latency_us": [block.latency_us for block in blocks],
            "block_rows": lengths,
            "error": pl.Series([block.error for block in blocks], dtype=pl.String),
            "has_features": [bool(isinstance(block, LoggedBlock) and block.features) for block in blocks],
        }
    )
    per_row: dict[str, pl.Series | list[str] | list[int] | list[bool]] = {
        "prediction_id": [each for block in blocks for each in block.prediction_ids],
        "entity_key": [each for block in blocks for each in block.entity_keys],
        "event_time": [each for block in blocks for each in block.event_times],
        "served": [each for block in blocks for each in block.served],
        "score": pl.Series(
            [each for block in blocks for each in block.scores], dtype=pl.Float64, strict=False
        ).fill_nan(None),
    }
    frame = per_block[np.repeat(np.arange(len(blocks)), lengths)].with_columns(
        **{name: pl.Series(name, values) for name, values in per_row.items()}
    )
    base = frame.select(pl.col(name).cast(dtype) for name, dtype in PREDICTION_SCHEMA.items())
    return base.with_columns(_feature_columns(blocks))


def label_frame(blocks: Sequence[LabelBlock]) -> pl.DataFrame:
    """One row a label."""
    if not blocks:
        return LABEL_SCHEMA.to_frame()
    columns: dict[str, list[object]] = {name: [] for name in LABEL_SCHEMA}
    for block in blocks:
        rows = len(block.labels)
        missing: list[object] = [None] * rows
        columns["endpoint"] += [block.endpoint] * rows
        columns["prediction_id"] += block.prediction_ids or missing
        columns["entity_key"] += block.entity_keys or missing
        columns["label"] += block.labels
        columns["observed_at"] += block.observed_at
        columns["received_at"] += [block.received_at] * rows
    return pl.DataFrame(
        [
            pl.Series(name, columns[name], dtype=pl.Int64 if dtype == INSTANT else dtype).cast(dtype)
            for name, dtype in LABEL_SCHEMA.items()
        ]
    )


def last_predictions(frame: pl.DataFrame) -> pl.DataFrame:
    """Of several rows for one prediction and variant, the one that was logged last."""
    return frame.sort("logged_at", maintain_order=True).unique(
        ["endpoint", "prediction_id", "variant"], keep="last", maintain_order=True
    )


def last_labels(frame: pl.DataFrame) -> pl.DataFrame:
    """Of several labels for one prediction, or for one entity where none is named, the last received."""
    by_id = pl.col("prediction_id").is_not_null()
    return (
        frame.sort("received_at", maintain_order=True)
        .with_columns(_by_id=by_id, _key=pl.coalesce("prediction_id", "entity_key"))
        .unique(["endpoint", "_by_id", "_key"], keep="last", maintain_order=True)
        .drop("_by_id", "_key")
    )


def _feature_columns(blocks: Sequence[ScoredBlock]) -> list[pl.Series]:
    names: dict[str, None] = {}
    for block in blocks:
        if isinstance(block, LoggedBlock):
            names.update(dict.fromkeys(block.features))
    columns: dict[str, list[object]] = {name: [] for name in names}
    for block in blocks:
        features = block.features if isinstance(block, LoggedBlock) else {}
        missing: list[object] = [None] * len(block.prediction_ids)
        for name, column in columns.items():
            column += features.get(name, missing)
    return [pl.Series(FEATURE + name, column, strict=False) for name, column in columns.items()]
