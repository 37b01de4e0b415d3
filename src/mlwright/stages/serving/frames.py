"""Blocks of the log as frames: the columns of a segment, and how rows are told apart."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import StorageError
from mlwright.model.predictions import LabelBlock
from mlwright.stages.serving.blocks import LoggedBlock, ScoredBlock

INSTANT: Final = pl.Datetime("us", "UTC")
FEATURE: Final = "f."
"""Prefix of feature columns inside a segment, so that none collides with the columns of the log."""
OUTPUT: Final = "o."
"""Prefix of columns of outputs other than one number a row."""

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
        "flags": pl.String(),
        "degraded": pl.String(),
        "weight": pl.Float64(),
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
        "event_time": INSTANT,
    }
)
PREDICTION_COLUMNS: Final = tuple(
    name for name in PREDICTION_SCHEMA if name not in ("endpoint", "has_features")
)
LABEL_COLUMNS: Final = tuple(name for name in LABEL_SCHEMA if name != "endpoint")


def prediction_frame(blocks: Sequence[ScoredBlock | LoggedBlock]) -> pl.DataFrame:
    """One row a scored row; columns of features and outputs carry their prefix and are missing where there are none.

    Args:
        blocks: blocks that are :func:`sound`.
    """
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
            "degraded": pl.Series([block.degraded for block in blocks], dtype=pl.String),
            "weight": pl.Series([block.weight for block in blocks], dtype=pl.Float64),
            "has_features": [
                isinstance(block, LoggedBlock) and bool(block.features or block.matrix) for block in blocks
            ],
        }
    )
    per_row: dict[str, pl.Series | list[str] | list[int] | list[bool]] = {
        "prediction_id": [each for block in blocks for each in block.prediction_ids],
        "entity_key": [each for block in blocks for each in block.entity_keys or block.prediction_ids],
        "event_time": [
            each for block in blocks for each in block.event_times or [block.logged_at] * _rows(block)
        ],
        "served": [each for block in blocks for each in block.served or [True] * _rows(block)],
        "score": pl.Series(
            [each for block in blocks for each in block.scores or [None] * _rows(block)],
            dtype=pl.Float64,
            strict=False,
        ).fill_nan(None),
        "flags": _flags(blocks),
    }
    frame = per_block[np.repeat(np.arange(len(blocks)), lengths)]
    frame = frame.with_columns(**{name: pl.Series(name, values) for name, values in per_row.items()})
    base = frame.select(pl.col(name).cast(dtype) for name, dtype in PREDICTION_SCHEMA.items())
    logged = [block for block in blocks if isinstance(block, LoggedBlock)]
    if not logged:
        return base
    return base.with_columns(*_feature_columns(logged), *_output_columns(logged))


def label_frame(blocks: Sequence[LabelBlock]) -> pl.DataFrame:
    """One row a label."""
    if not blocks:
        return LABEL_SCHEMA.to_frame()
    columns: dict[str, list[object]] = {name: [] for name in LABEL_SCHEMA}
    for block in blocks:
        rows = len(block.labels)
        missing: list[object] = [None] * rows
        columns["endpoint"] += [block.endpoint] * rows
        columns["prediction_id"] += [each or None for each in block.prediction_ids] or missing
        columns["entity_key"] += [each or None for each in block.entity_keys] or missing
        columns["label"] += block.labels
        columns["observed_at"] += block.observed_at
        columns["received_at"] += [block.received_at] * rows
        columns["event_time"] += block.event_times or missing
    return pl.DataFrame(
        [
            pl.Series(name, columns[name], dtype=pl.Int64 if dtype == INSTANT else dtype).cast(dtype)
            for name, dtype in LABEL_SCHEMA.items()
        ]
    )


def scan(path: Path, schema: pl.Schema) -> pl.LazyFrame:
    """A segment with all columns of the schema, then its own; those that an older version did not write are missing.

    Raises:
        StorageError: the file is no Parquet file.
    """
    try:
        frame = pl.scan_parquet(path)
        there = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            "a segment of the prediction log cannot be read",
            where=str(path),
            why=str(error).splitlines()[0],
            next_command="mlwright doctor",
        ) from error
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in there]
    usual = [pl.col(name).fill_null(value) for name, value in _BEFORE.items() if name in schema]
    others = [name for name in there if name not in schema]
    return frame.with_columns(absent).with_columns(usual).select(*schema, *others)


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames one below the other; a column that was a number once and a text at another time is text."""
    types: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            types.setdefault(name, set()).add(dtype)
    mixed = [
        name for name, found in types.items() if pl.String() in found and found - {pl.String(), pl.Null()}
    ]
    if mixed:
        frames = [_as_texts(frame, mixed) for frame in frames]
    return pl.concat(frames, how="diagonal_relaxed")


def last_predictions(frame: pl.DataFrame) -> pl.DataFrame:
    """Of several rows for one prediction and variant, the one that was logged last."""
    return frame.sort("logged_at", maintain_order=True).unique(
        ["endpoint", "prediction_id", "variant"], keep="last", maintain_order=True
    )


def last_labels(frame: pl.DataFrame) -> pl.DataFrame:
    """Of several labels for one prediction, or for one entity (and instant) where none is named, the last received."""
    named = pl.col("prediction_id").is_not_null()
    return (
        frame.sort("received_at", maintain_order=True)
        .with_columns(
            _named=named,
            _key=pl.coalesce("prediction_id", "entity_key"),
            _instant=pl.when(named).then(None).otherwise(pl.col("event_time")),
        )
        .unique(["endpoint", "_named", "_key", "_instant"], keep="last", maintain_order=True)
        .drop("_named", "_key", "_instant")
    )


_BEFORE: Final = {"weight": 1.0}
"""What stands for the nulls of columns that rows of older versions have not."""


def _rows(block: ScoredBlock) -> int:
    return len(block.prediction_ids)


def _flags(blocks: Sequence[ScoredBlock]) -> pl.Series:
    if not any(block.flags for block in blocks):
        return pl.repeat(None, sum(map(_rows, blocks)), dtype=pl.String, eager=True)
    flags = [each or None for block in blocks for each in block.flags or [""] * _rows(block)]
    return pl.Series(flags, dtype=pl.String)


def _feature_columns(blocks: Sequence[LoggedBlock]) -> list[pl.Series]:
    """Features from lists and from matrices. Blocks of several endpoints and variants come in turns, so each goes to
    its rows of a column, and none is looked at for names that others have.
    """
    columns = _listed(blocks, [block.features for block in blocks])
    for name, numbers in _matrices(blocks).items():
        column = pl.Series(numbers).fill_nan(None)
        columns[name] = _filled(columns[name], column) if name in columns else column
    return [column.alias(FEATURE + name) for name, column in columns.items()]


def _matrices(blocks: Sequence[LoggedBlock]) -> dict[str, NDArray[np.float64]]:
    """The columns of all matrices, NaN in the rows of other blocks."""
    sizes = np.array([_rows(block) for block in blocks], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    groups: dict[tuple[tuple[str, ...], int], list[int]] = {}
    for at, block in enumerate(blocks):
        if block.matrix:
            form = (block.names, len(block.matrix) // (_rows(block) * len(block.names)))
            groups.setdefault(form, []).append(at)
    columns: dict[str, NDArray[np.float64]] = {}
    for (names, width), members in groups.items():
        data = b"".join([blocks[at].matrix for at in members])
        matrix = np.frombuffer(data, dtype=f"<f{width}").reshape(-1, len(names))
        of = sizes[members]
        within = np.arange(len(matrix)) - np.repeat(np.cumsum(of) - of, of)
        place = np.repeat(starts[members], of) + within
        for at, name in enumerate(names):
            if name not in columns:
                columns[name] = np.full(int(sizes.sum()), np.nan)
            columns[name][place] = matrix[:, at]
    return columns


def _output_columns(blocks: Sequence[LoggedBlock]) -> list[pl.Series]:
    columns = _listed(blocks, [block.outputs for block in blocks])
    return [column.alias(OUTPUT + name) for name, column in columns.items()]


def _listed(blocks: Sequence[LoggedBlock], given: Sequence[dict[str, list[object]]]) -> dict[str, pl.Series]:
    """Columns from lists, one mapping a block; missing where a block has none of that name."""
    total = sum(map(_rows, blocks))
    columns: dict[str, list[Any]] = {}
    start = 0
    for block, values in zip(blocks, given, strict=True):
        end = start + _rows(block)
        for name, column in values.items() if values else ():
            if name not in columns:
                columns[name] = [None] * total
            columns[name][start:end] = column
        start = end
    return {name: pl.Series(column, strict=False) for name, column in columns.items()}


def _filled(column: pl.Series, numbers: pl.Series) -> pl.Series:
    """A column from lists with the numbers that matrices have under its name: text, where it is not numbers itself."""
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64).zip_with(column.is_not_null(), numbers)
    texts = _as_texts(pl.DataFrame({"column": column, "numbers": numbers}), ("column", "numbers"))
    return texts["column"].zip_with(texts["column"].is_not_null(), texts["numbers"])


def _as_texts(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    there = [name for name in names if name in frame.columns and frame.schema[name] != pl.Null]
    return frame.with_columns(
        pl.Series(name, [None if each is None else str(each) for each in frame[name]], dtype=pl.String)
        for name in there
        if frame.schema[name] != pl.String
    )
