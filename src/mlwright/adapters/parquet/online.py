"""The online store over Parquet files."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl

from mlwright.adapters.parquet import files
from mlwright.adapters.parquet.index import AsOfIndex
from mlwright.errors import DataError, StorageError, UsageError, near_match
from mlwright.model.features import FeatureView
from mlwright.ports.online_store import FeatureRows

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MICROS = pl.Datetime("us", "UTC")


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """What is in memory of one view's file."""

    layout: tuple[str, ...]
    stamp: files.Stamp | None
    index: AsOfIndex | None
    looked: float


class ParquetOnlineStore:
    """Keeps ``<folder>/<view>.parquet`` (keys as text, timestamp, features) and answers from memory.

    A write rewrites the view's file, so write in batches. Every process that reads looks at the file's
    modification time, size and inode at most every ``look_every_s`` seconds, and loads it anew if it is
    another one; :meth:`refresh` looks at once. Of the process's own writes the next read knows.

    Args:
        folder: made if it is not there.
        look_every_s: how long another process's write may go unseen, in seconds.
    """

    def __init__(self, folder: Path, *, look_every_s: float = 0.2) -> None:
        self._folder = folder
        self._look_every_s = look_every_s
        self._loaded: dict[str, _Loaded] = {}
        self._lock = Lock()

    def write(self, view: FeatureView, rows: FeatureRows) -> int:
        """Add rows; see ``OnlineStore.write``. They are on the disk when this returns."""
        added = _frame(view, rows)
        path = self._path(view)
        self._folder.mkdir(parents=True, exist_ok=True)
        with files.locked(path.with_name(f".{view.name}.lock")):
            found = files.read(path)
            held = added if found is None else _joined(view, found[0], added, path)
            identity = [*view.entity, view.timestamp]
            held = held.unique(subset=identity, keep="last", maintain_order=True).sort(identity)
            files.replace(path, held)
        with self._lock:
            self._loaded.pop(view.name, None)
        return len(added)

    def read(
        self, view: FeatureView, keys: Sequence[tuple[str, ...]], at: Sequence[int]
    ) -> dict[str, list[object]]:
        """What was known; see ``OnlineStore.read``."""
        if len(keys) != len(at):
            raise DataError(f"{len(keys)} keys were asked for at {len(at)} instants", where=view.name)
        index = self._index(view)
        if index is None:
            return {name: [None] * len(keys) for name in view.features}
        ttl = min(view.ttl // timedelta(microseconds=1), 2**63 - 1)
        return index.read(keys, at, ttl, view.features)

    def refresh(self) -> None:
        """Look at every file again before the next answer."""
        with self._lock:
            for loaded in self._loaded.values():
                loaded.looked = float("-inf")

    def _index(self, view: FeatureView) -> AsOfIndex | None:
        loaded = self._loaded.get(view.name)
        present = time.monotonic()
        layout = (*view.entity, view.timestamp)
        if loaded and loaded.layout == layout and present - loaded.looked < self._look_every_s:
            return loaded.index
        with self._lock:
            path = self._path(view)
            if loaded and loaded.layout == layout and files.stamp_of(path) == loaded.stamp:
                loaded.looked = present
                self._loaded.setdefault(view.name, loaded)
                return loaded.index
            found = files.read(path)
            index = None if found is None else AsOfIndex(_checked(view, found[0], path), view)
            stamp = None if found is None else found[1]
            self._loaded[view.name] = _Loaded(layout=layout, stamp=stamp, index=index, looked=present)
            return index

    def _path(self, view: FeatureView) -> Path:
        if not _NAME.fullmatch(view.name):
            raise UsageError(
                f"{view.name!r} cannot name a feature view",
                why="letters, digits, _ . and - only: the name is also a file's name",
                next_command="mlwright doctor",
            )
        return self._folder / f"{view.name}.parquet"


def _frame(view: FeatureView, rows: FeatureRows) -> pl.DataFrame:
    many = len(rows.keys)
    uneven = [name for name, values in rows.columns.items() if len(values) != many]
    if uneven or len(rows.times) != many:
        raise DataError(
            f"{many} keys come with {len(rows.times)} instants and other lengths in {uneven}", where=view.name
        )
    for name in {*rows.columns} ^ {*view.features}:
        near = near_match(name, {*rows.columns} & {*view.features})
        word = "missing" if name in view.features else f"not one of the view's features (near: {near})"
        raise DataError(f"feature {name!r} is {word}", where=view.name, next_command="mlwright doctor")
    if any(len(key) != len(view.entity) for key in rows.keys):
        raise DataError(f"a key does not have the parts {view.entity}", where=view.name)
    parts = list(zip(*rows.keys, strict=True)) if many else [()] * len(view.entity)
    columns = [
        *(pl.Series(name, part, dtype=pl.String) for name, part in zip(view.entity, parts, strict=True)),
        pl.Series(view.timestamp, rows.times, dtype=pl.Int64).cast(_MICROS),
        *(_series(name, rows.columns[name], view) for name in view.features),
    ]
    return pl.DataFrame(columns)


def _series(name: str, values: Sequence[object], view: FeatureView) -> pl.Series:
    plain = [each.item() if isinstance(each, np.generic) else each for each in values]
    kinds = {type(each) for each in plain if each is not None}
    try:
        if kinds == {int, float}:  # JSON writes 5.0 as 5
            return pl.Series(name, plain, dtype=pl.Float64, strict=False)
        column = pl.Series(name, plain, dtype=pl.Int64() if kinds == {int} else None, strict=True)
        if column.dtype == pl.Object:
            raise TypeError("Parquet cannot hold Python objects")
        return column
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as fault:
        shown = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DataError(
            f"feature {name!r} has values of types {shown}", where=view.name, why=str(fault)
        ) from fault


def _joined(view: FeatureView, held: pl.DataFrame, added: pl.DataFrame, path: Path) -> pl.DataFrame:
    held = _checked(view, held, path)
    for name in view.features:
        old, new = held.schema.get(name, pl.Null()), added.schema[name]
        if old != new and pl.Null not in (old, new) and not (old.is_numeric() and new.is_numeric()):
            raise DataError(f"feature {name!r} is {new}, and was {old} before", where=view.name)
    return pl.concat([held, added], how="diagonal_relaxed")


def _checked(view: FeatureView, frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    wanted = {**dict.fromkeys(view.entity, pl.String()), view.timestamp: _MICROS}
    if any(frame.schema.get(name) != kind for name, kind in wanted.items()):
        raise StorageError(
            f"the file's columns {frame.columns} are not laid out as view {view.name!r} says",
            where=str(path),
            why="entity or timestamp of the view were changed after its values were written",
            next_command=f"rm {path}  # and materialize the view again",
        )
    return frame
