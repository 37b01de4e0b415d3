"""The log of predictions and labels: segments for what is settled, journals for what is being written.

Folder::

    ring/         <started_us>-<pid>-<n>.ring            memory of serving processes (see ringfile.py)
    journal/      <kind>-<started_us>-<pid>-<seq>.mlj    written by serving processes (see journal.py)
    predictions/  <first>-<last>-<rows>-<name>.parquet   (see segments.py)
    labels/       the same
    quarantine/   journals that held corrupt bytes, kept as they were after their sound part was taken over
    dropped.json  rows that were lost because a ring was full, by ring and endpoint, of rings that are no more
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

import msgspec
import polars as pl

from mlwright.model.instants import to_micros
from mlwright.model.predictions import LabelBlock
from mlwright.model.windows import Window
from mlwright.stages.serving.blocks import LoggedBlock, ScoredBlock, sound
from mlwright.stages.serving.filing import commit, locked
from mlwright.stages.serving.frames import (
    FEATURE,
    LABEL_COLUMNS,
    LABEL_SCHEMA,
    OUTPUT,
    PREDICTION_COLUMNS,
    PREDICTION_SCHEMA,
    label_frame,
    last_labels,
    last_predictions,
    prediction_frame,
    scan,
    stacked,
)
from mlwright.stages.serving.journal import LABELS, PREDICTIONS, Damage, iter_frames, writer_pid
from mlwright.stages.serving.rings import RingState, dropped_rows, pending, ring_states, take_over_rings
from mlwright.stages.serving.segments import (
    Segment,
    merge_small,
    read_segments,
    recover,
    stage_segment,
)

T = TypeVar("T")

_ALWAYS: Final = ("endpoint", "prediction_id", "event_time", "logged_at", "variant", "served")
"""What says which rows of the log are one prediction, and whether it is asked for."""
_TIMES: Final = {PREDICTIONS: "event_time", LABELS: "observed_at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport:
    """What one compaction did. ``corrupt`` counts damaged places; their journals are in quarantine."""

    rings: int = 0
    """Rings of processes that are gone, taken over."""
    journals: int = 0
    rows: int = 0
    merged: int = 0
    corrupt: int = 0
    quarantined: tuple[str, ...] = ()


class PredictionLog:
    """Reads and compacts one log folder; any number of processes may do so at once.

    Reading holds a shared file lock, compaction an exclusive one only for the moments in which files appear
    and disappear, so that a reader sees every row once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = folder / "lock"
        self._tails = _Tails()
        self._without: dict[str, set[str]] = {}
        """By endpoint the segments that have nothing of it."""

    def predictions(
        self,
        window: Window | None,
        *,
        served_only: bool = False,
        endpoint: str | None = None,
        columns: Sequence[str] = PREDICTION_COLUMNS,
    ) -> pl.DataFrame:
        """What was predicted, one row a prediction and variant, by event time.

        Of several rows for one prediction and variant the last logged is kept. ``score`` is null where the
        variant raised; ``latency_us`` and ``block_rows`` belong to the whole block that the row was scored
        in.

        Args:
            window: half-open, on event time; None is all of it.
            served_only: leave out rows that a variant scored without answering.
            endpoint: only this endpoint's rows; None where the folder holds one endpoint.
            columns: those that are asked for, of :data:`PREDICTION_COLUMNS`; fewer are read faster.
        """
        names = [each for each in PREDICTION_SCHEMA if each in columns or each in _ALWAYS]
        with locked(self._lock, exclusive=False):
            sources = [each.select(names) for each in self._sources(window, ScoredBlock)]
            if not sources:
                return PREDICTION_SCHEMA.to_frame().select(columns)
            frame = pl.concat(sources).filter(*_inside(window, "event_time", endpoint)).collect()
        frame = last_predictions(frame)
        if served_only:
            frame = frame.filter("served")
        return frame.sort("event_time", maintain_order=True).select(columns)

    def first(self, endpoint: str) -> datetime | None:
        """The instant of the first event that the endpoint answered; None while there is none.

        Segments never change, so that none is searched twice for an endpoint that is not in it.
        """
        without = self._without.setdefault(endpoint, set())
        at, test = pl.col("event_time"), pl.col("served") & (pl.col("endpoint") == endpoint)
        with locked(self._lock, exclusive=False):
            there = self._overlapping(PREDICTIONS, None)
            segments = [each for each in there if each.path.name not in without]
            sources = [scan(each.path, PREDICTION_SCHEMA) for each in segments] + self._unsettled(ScoredBlock)
            starts = pl.collect_all([each.filter(test).select(at.min()) for each in sources])
        found = [each.item() for each in starts]
        nothing = (each for each, start in zip(segments, found, strict=False) if start is None)
        without.update(each.path.name for each in nothing)
        return min((start for start in found if start is not None), default=None)

    def features(self, window: Window | None, *, endpoint: str | None = None) -> pl.DataFrame:
        """What the model saw: ``prediction_id, entity_key, event_time``, a column a feature, by event time.

        A feature that only some model versions take is null in the rows of the others. A feature with the
        name of one of the three columns is left out, because it is that column. What was masked is a digest.
        """
        return self._wide(window, endpoint, FEATURE, [pl.col("has_features")], ())

    def outputs(
        self, window: Window | None, *, served_only: bool = False, endpoint: str | None = None
    ) -> pl.DataFrame:
        """What models gave besides one number a row: as :meth:`features`, with ``variant`` and ``served``, and a
        column an output; only rows that have any.
        """
        return self._wide(
            window, endpoint, OUTPUT, [pl.col("served")] if served_only else [], ("variant", "served")
        )

    def _wide(
        self,
        window: Window | None,
        endpoint: str | None,
        prefix: str,
        tests: Sequence[pl.Expr],
        more: tuple[str, ...],
    ) -> pl.DataFrame:
        """The columns of one prefix, without it."""
        columns = pl.col(f"^{re.escape(prefix)}.*$")
        keys = ["endpoint", "prediction_id", "entity_key", "event_time", "logged_at", "variant", "served"]
        inside = _inside(window, "event_time", endpoint)
        with locked(self._lock, exclusive=False):
            frames = pl.collect_all(
                [
                    source.filter(*tests, *inside).select(*keys, columns)
                    for source in self._sources(window, LoggedBlock)
                ]
            )
        kept = ("prediction_id", "entity_key", "event_time", *more)
        if prefix == OUTPUT:
            frames = [
                each.filter(pl.any_horizontal(columns.is_not_null()))
                for each in frames
                if len(each.columns) > len(keys)
            ]
        if not frames:
            return PREDICTION_SCHEMA.to_frame().select(kept)
        frame = stacked(frames)
        frame = frame.sort("logged_at", maintain_order=True).unique(
            ["endpoint", "prediction_id", *(("variant",) if more else ())], keep="last", maintain_order=True
        )
        names = [each for each in frame.columns if each.startswith(prefix)]
        return frame.select(
            *kept, *(pl.col(each).alias(each[2:]) for each in names if each[2:] not in kept)
        ).sort("event_time", maintain_order=True)

    def labels(self, window: Window | None, *, endpoint: str | None = None) -> pl.DataFrame:
        """Ground truth, one row a prediction, entity, or entity and instant, by the time it was observed.

        Of several labels in the window for one key the last received is kept. ``prediction_id`` is null
        where a label named only its entity, and the other way round; ``event_time`` where it named no instant.

        Args:
            window: half-open, on ``observed_at``; None is all of it.
            endpoint: only this endpoint's labels; None where the folder holds one endpoint.
        """
        with locked(self._lock, exclusive=False):
            sources = [
                scan(each.path, LABEL_SCHEMA).select(*LABEL_SCHEMA)
                for each in self._overlapping(LABELS, window)
            ]
            sources += [
                frame.lazy()
                for path in self._journals(LABELS)
                for frame in self._tails.read(path, LabelBlock, label_frame)
            ]
            if not sources:
                return LABEL_SCHEMA.to_frame().select(LABEL_COLUMNS)
            frame = pl.concat(sources).filter(*_inside(window, "observed_at", endpoint)).collect()
        return last_labels(frame).select(LABEL_COLUMNS).sort("observed_at", maintain_order=True)

    def rings(self) -> tuple[RingState, ...]:
        """The rings that there are, oldest first: those of serving processes, and those that the dead left."""
        return ring_states(self._folder)

    def dropped(self) -> dict[str, int]:
        """Rows that were lost because a ring was full, ever, by endpoint (``""``: of endpoints beyond the 29th)."""
        return dropped_rows(self._folder, self.rings())

    def compact(self, *, keep_open: Callable[[int], bool] | None = None) -> CompactReport:
        """Turn what the dead left in rings into journals, closed journals into segments, and merge small segments.

        A journal is closed when nobody holds its file lock: its writer rolled it, or is gone. A death at any
        point loses nothing and doubles nothing; the next compaction finishes the work. While another process
        compacts, nothing is done.

        Args:
            keep_open: told the pid of a journal's writer; True leaves the file alone whatever its lock says.
        """
        report = CompactReport()
        with locked(self._folder / "compact.lock", exclusive=True, wait=False) as ours:
            if not ours:
                return report
            report = CompactReport(rings=take_over_rings(self._folder, self._lock, keep_open))
            for kind, time in _TIMES.items():
                recover(self._folder / kind, self._lock)
                self._finish_taken_over(kind)
                for path in self._journals(kind):
                    if keep_open is None or not keep_open(writer_pid(path.name)):
                        report = _add(report, self._take_over(path, kind))
                newest = last_predictions if kind == PREDICTIONS else last_labels
                merged, _ = merge_small(self._folder / kind, time, self._lock, newest)
                report = _add(report, CompactReport(merged=merged))
        self._tails.forget(self._folder / "journal")
        return report

    def _take_over(self, path: Path, kind: str) -> CompactReport:
        with locked(path, exclusive=True, wait=False) as closed:
            if not closed or not path.exists():
                return CompactReport()
            damage = Damage()
            data = path.read_bytes()
            if kind == PREDICTIONS:
                frame = prediction_frame(_decode(data, damage, LoggedBlock))
            else:
                frame = label_frame(_decode(data, damage, LabelBlock))
            staged = None
            if frame.height:
                staged = stage_segment(self._folder / kind, frame, path.stem, _TIMES[kind])
            with locked(self._lock, exclusive=True):
                if staged:
                    commit(*staged)
                if damage.corrupt:
                    self._quarantine(path)
                else:
                    path.unlink()
        return CompactReport(
            journals=1,
            rows=frame.height,
            corrupt=damage.corrupt,
            quarantined=(path.name,) if damage.corrupt else (),
        )

    def _finish_taken_over(self, kind: str) -> None:
        """Remove journals whose segment was published before the process died."""
        published = {each.name for each in read_segments(self._folder / kind)}
        for path in (self._folder / "journal").glob(f"{kind}-*.mlj"):
            if path.stem in published:
                damage = Damage()
                for _ in iter_frames(path.read_bytes(), damage):
                    pass
                if damage.corrupt:
                    self._quarantine(path)
                else:
                    path.unlink()

    def _quarantine(self, path: Path) -> None:
        target = self._folder / "quarantine"
        target.mkdir(exist_ok=True)
        path.rename(target / path.name)

    def _sources(self, window: Window | None, kind: type[ScoredBlock]) -> list[pl.LazyFrame]:
        """Everything that may hold predictions of the window; the shared lock is held."""
        settled = [scan(each.path, PREDICTION_SCHEMA) for each in self._overlapping(PREDICTIONS, window)]
        return settled + self._unsettled(kind)

    def _unsettled(self, kind: type[ScoredBlock]) -> list[pl.LazyFrame]:
        """What is in journals and rings; the shared lock is held.

        Rings come first: what leaves one while we look is in a journal by then. So a row may come twice, never not
        at all.
        """
        waiting = [
            block
            for path in sorted((self._folder / "ring").glob("*.ring"))
            for block in _decode(pending(path), Damage(), kind)
        ]
        sources = [
            frame.lazy()
            for path in self._journals(PREDICTIONS)
            for frame in self._tails.read(path, kind, prediction_frame)
        ]
        return [*sources, prediction_frame(waiting).lazy()] if waiting else sources

    def _overlapping(self, kind: str, window: Window | None) -> list[Segment]:
        segments = read_segments(self._folder / kind)
        if window is None:
            return segments
        start, end = to_micros(window.start), to_micros(window.end)
        return [each for each in segments if each.overlaps(start, end)]

    def _journals(self, kind: str) -> list[Path]:
        """The journals that no segment stands for, oldest first."""
        published = {each.name for each in read_segments(self._folder / kind)}
        found = (self._folder / "journal").glob(f"{kind}-*.mlj")
        return sorted(path for path in found if path.stem not in published)


class _Tails:
    """Frames of live journals, decoded once: a second look decodes only what was appended since."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Path, type], tuple[int, list[pl.DataFrame]]] = {}
        self._lock = Lock()

    def read(
        self, path: Path, kind: type[T], frame: Callable[[Sequence[T]], pl.DataFrame]
    ) -> list[pl.DataFrame]:
        with self._lock:
            offset, frames = self._seen.get((path, kind), (0, []))
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
            if data:
                damage = Damage()
                blocks = _decode(data, damage, kind)
                if blocks:
                    frames = [*frames, frame(blocks)]
                    if len(frames) > 32:
                        frames = [pl.concat(frames, how="diagonal_relaxed", rechunk=True)]
                self._seen[path, kind] = (offset + damage.end, frames)
            return frames

    def forget(self, folder: Path) -> None:
        """Drop what was kept of journals that are no longer there."""
        there = set(os.listdir(folder)) if folder.is_dir() else set()
        with self._lock:
            self._seen = {key: kept for key, kept in self._seen.items() if key[0].name in there}


def _decode(data: bytes, damage: Damage, kind: type[T]) -> list[T]:
    decode = msgspec.msgpack.Decoder(kind).decode
    blocks: list[T] = []
    for payload in iter_frames(data, damage):
        try:
            block = decode(payload)
        except msgspec.ValidationError:  # sound bytes of a form that this version does not know
            damage.corrupt += 1
            continue
        if isinstance(block, ScoredBlock) and not sound(block):
            damage.corrupt += 1
        else:
            blocks.append(block)
    return blocks


def _inside(window: Window | None, time: str, endpoint: str | None) -> list[pl.Expr]:
    tests: list[pl.Expr] = [pl.lit(True)]
    if window is not None:
        tests.append(pl.col(time).is_between(window.start, window.end, closed="left"))
    if endpoint is not None:
        tests.append(pl.col("endpoint") == endpoint)
    return tests


def _add(left: CompactReport, right: CompactReport) -> CompactReport:
    return CompactReport(
        rings=left.rings + right.rings,
        journals=left.journals + right.journals,
        rows=left.rows + right.rows,
        merged=left.merged + right.merged,
        corrupt=left.corrupt + right.corrupt,
        quarantined=left.quarantined + right.quarantined,
    )
