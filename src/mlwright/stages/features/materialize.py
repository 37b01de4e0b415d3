"""From a data set to what serving looks up: rows for the online store, and a Parquet file a view."""

import os
import re
import uuid
from pathlib import Path

import numpy as np
import polars as pl

from mlwright.errors import DataError, NotFound, UsageError
from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows
from mlwright.stages.features.checks import key_codes, require_view, time_unit
from mlwright.stages.features.join import best_last, observed

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def to_feature_rows(view: FeatureView, values: pl.DataFrame) -> FeatureRows:
    """The view's values as an online store takes them.

    Keys are text (as polars writes the value: ``7``, ``true``, ``2013-04-01``). Rows whose key has a null
    are left out: nothing can ask for them. Rows are in the order (key, observed, created), so that of two
    with one key and instant the later created is written last and wins. Nanoseconds are rounded up: a value
    is never there too early.

    Args:
        view: which columns.
        values: the view's data set; instants are aware, of any zone.

    Raises:
        DataError: a column is missing or naive, an observation has no instant, or two values contradict
            each other.
    """
    ordered = _ordered(view, values)
    unit = time_unit([ordered[view.timestamp]])
    seen, _ = observed(view, ordered, unit)
    micros = -(-seen // 1000) if unit == "ns" else seen
    keys = ordered.select(pl.col(name).cast(pl.String) for name in view.entity)
    return FeatureRows(
        keys=keys.rows() if view.entity else [()] * len(ordered),
        times=micros.tolist(),
        columns={name: ordered[name].to_list() for name in view.features},
    )


def write_view(folder: Path, view: FeatureView, values: pl.DataFrame) -> Path:
    """Keep a view's values as ``<folder>/<view>.parquet`` and return its path.

    Holds the view's columns only, ordered by (key, observed, created), in the data set's own types. The
    file is there as a whole or not at all; one that was there before is replaced.

    Raises:
        DataError: as :func:`to_feature_rows`.
        UsageError: the view's name cannot be a file's name.
    """
    ordered = _ordered(view, values)
    path = _path(folder, view)
    folder.mkdir(parents=True, exist_ok=True)
    unnamed = folder / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with unnamed.open("xb") as file:
            ordered.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unnamed, path)
    finally:
        unnamed.unlink(missing_ok=True)
    _sync_folder(folder)
    return path


def read_view(folder: Path, view: FeatureView) -> pl.DataFrame:
    """Read what :func:`write_view` kept.

    Raises:
        NotFound: the view has no file yet.
        DataError: the file cannot be read, or lacks a column of the view.
    """
    path = _path(folder, view)
    if not path.exists():
        known = [each.stem for each in folder.glob("*.parquet")]
        raise NotFound.named("materialized feature view", view.name, known, next_command="mlwright run")
    try:
        values = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise DataError(
            f"{path.name} is not a readable Parquet file",
            where=str(path),
            why=str(fault),
            next_command=f"rm {path}  # it is made anew from the data set {view.dataset!r}",
        ) from fault
    require_view(view, values)
    return values


def _ordered(view: FeatureView, values: pl.DataFrame) -> pl.DataFrame:
    require_view(view, values)
    created = () if view.created is None else (view.created,)
    kept = values.select(*view.entity, view.timestamp, *created, *view.features)
    kept = kept.filter(*(pl.col(name).is_not_null() for name in view.entity))
    stamps = [kept[name] for name in (view.timestamp, *created)]
    seen, known = observed(view, kept, time_unit(stamps))
    codes, _ = key_codes(kept, kept.clear(), view.entity, where=f"feature view {view.name!r}")
    return kept[np.asarray(best_last(view, kept, codes, seen, known))]


def _path(folder: Path, view: FeatureView) -> Path:
    if not _NAME.fullmatch(view.name):
        raise UsageError(
            f"{view.name!r} cannot name a feature view",
            why="letters, digits, _ . and - only: the name is also a file's name",
            next_command="mlwright doctor",
        )
    return folder / f"{view.name}.parquet"


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # only there can a folder be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
