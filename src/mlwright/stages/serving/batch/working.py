"""One chunk from the file to its part, in this process or in one of several."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from multiprocessing.connection import wait
from threading import Thread
from typing import Final, TypeAlias

import msgspec
import polars as pl

from mlwright.model.features import FeatureView
from mlwright.ports.online_store import OnlineStore
from mlwright.stages.serving.batch.job import ALL, Chunk, Done, Plan, Scored, Source
from mlwright.stages.serving.batch.places import Place
from mlwright.stages.serving.batch.reading import Rows, kept, read_chunk
from mlwright.stages.serving.batch.scoring import (
    Answers,
    Rejected,
    RowScorer,
    counted,
    nothing,
    series_of,
)
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Block

CORE_THREADS: Final = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells libraries how many threads they may use; one each where there are as many processes as cores."""

OpenCore: TypeAlias = Callable[["Scored", "LookUps"], EndpointCore]
"""Opens what answers, in the process that calls it."""


@dataclass(slots=True)
class LookUps:
    """Counts for how many rows the feature views knew nothing, since the last look."""

    missed: dict[str, int] = field(default_factory=dict)

    def counting(self, online: OnlineStore) -> OnlineStore:
        """The store, its answers counted."""
        return _Counting(online, self.missed)

    def taken(self) -> dict[str, int]:
        """The counts, which begin again at nothing."""
        found = dict(self.missed)
        self.missed.clear()
        return found


class _Counting:
    def __init__(self, online: OnlineStore, missed: dict[str, int]) -> None:
        self._online = online
        self._missed = missed
        self.write = online.write

    def read(
        self, view: FeatureView, keys: Sequence[tuple[str, ...]], at: Sequence[int]
    ) -> dict[str, list[object]]:
        found = self._online.read(view, keys, at)
        nothing = sum(all(each is None for each in row) for row in zip(*found.values(), strict=True))
        if nothing:
            self._missed[view.name] = self._missed.get(view.name, 0) + nothing
        return found


class NoJournal:
    """Keeps nothing: the answers are in the output."""

    def append(self, *blocks: Block, refuse: bool = False) -> None:
        """Take them and keep none."""

    def roll(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Everything a process needs to work at one job."""

    open_core: OpenCore
    scored: Scored
    job: str
    as_of: int
    keep: tuple[str, ...]
    place: str
    written: str
    """``parquet``, ``csv`` or ``ndjson``."""
    many: bool = False
    """Whether there are several files: then a row's number says nothing without its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One chunk to do."""

    chunk: Chunk
    source: Source
    path: str
    """Where the file is on this machine."""
    kind: str
    plan: Plan


class ChunkWorker:
    """Does the tasks of one shift."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._looked = LookUps()
        core = shift.open_core(shift.scored, self._looked)
        self._scorer = RowScorer(core, shift.scored.takes, ids=shift.scored.log)
        self._place = Place(shift.place)

    def do(self, task: Task) -> Done:
        """Read, score and write one chunk; when this returns its part is there.

        Raises:
            MlwrightError: the file, the model or the place is in trouble, not a row.
        """
        began = time.perf_counter()
        columns, shift = task.plan.columns, self._shift
        if not task.chunk.start:
            self._scorer.require(columns, task.source.path)
        wanted, keep = self._scorer.wanted(columns), kept_names(shift, columns)
        rows = read_chunk(task.path, task.kind, task.chunk, task.plan, list(dict.fromkeys([*wanted, *keep])))
        asked = Rows({name: rows.columns[name] for name in wanted}, rows.numbers)
        answers = self._scorer.score(asked, f"{shift.job}-{task.chunk.part}", shift.as_of)
        frame = self._frame(task, rows, answers, keep)
        part = part_name(task.chunk.part, shift.written)
        refused = self._refused(task, asked, answers.rejected, rows.refused)
        name = rejected_name(task.chunk.part)
        if refused:
            self._place.write(name, b"\n".join(refused) + b"\n")
        self._place.write(part, written(frame, shift.written))
        faults = counted(answers.rejected)
        if rows.refused:
            faults["row"] = faults.get("row", 0) + len(rows.refused)
        return Done(
            read=len(rows) + len(rows.refused),
            written=frame.height,
            rejected=len(refused),
            flagged=len(answers.flags) - answers.flags.count(None),
            faults=faults,
            missed=self._looked.taken(),
            absent=[each.name for each in self._scorer.form.inputs if each.name not in columns],
            seconds=round(time.perf_counter() - began, 6),
        )

    def _frame(self, task: Task, rows: Rows, answers: Answers, keep: Sequence[str]) -> pl.DataFrame:
        form, at = self._scorer.form, answers.at
        outputs = {each.name: each for each in form.outputs}
        every = len(at) == len(rows)

        def where(row: int) -> str:
            return f"{task.source.path}, row {rows.numbers[row]}"

        columns: list[pl.Series] = []
        taken = {*outputs, *answers.outputs, "model_version", "flags", "prediction_id"}
        for name in keep:
            values = rows.columns[name]
            column = kept(name, values, self._scorer.fields, task.plan, form.timestamp, where)
            columns.append(
                (column if every else column[at]).alias(f"input_{name}" if name in taken else name)
            )
        if not keep:
            numbers = [int(rows.numbers[row]) for row in at]
            if self._shift.many:
                columns.append(pl.Series("file", [task.source.path] * len(numbers), dtype=pl.String))
            columns.append(pl.Series("row", numbers, dtype=pl.Int64))
        if self._shift.scored.log:
            columns.append(pl.Series("prediction_id", answers.ids, dtype=pl.String))
        given = answers.outputs if len(at) else {name: nothing(each) for name, each in outputs.items()}
        columns += [series_of(name, output, outputs) for name, output in given.items()]
        columns.append(pl.Series("model_version", answers.versions, dtype=pl.String))
        columns.append(pl.Series("flags", answers.flags, dtype=pl.String))
        return pl.DataFrame(columns)

    def _refused(
        self, task: Task, asked: Rows, rejected: Sequence[Rejected], broken: Sequence[tuple[int, str]]
    ) -> list[bytes]:
        lines = [
            (
                int(asked.numbers[each.at]),
                {
                    "code": each.code,
                    "faults": [{"where": fault.where, "what": fault.what} for fault in each.faults],
                    "values": {name: values[each.at] for name, values in asked.columns.items()},
                },
            )
            for each in rejected
        ]
        lines += [
            (number, {"code": "BadRequest", "faults": [{"where": "row", "what": what}], "values": {}})
            for number, what in broken
        ]
        return [
            msgspec.json.encode({"file": task.source.path, "row": number, **about}, enc_hook=str)
            for number, about in sorted(lines, key=lambda each: each[0])
        ]


def kept_names(shift: Shift, columns: Sequence[str]) -> list[str]:
    """The columns of a file that stand in the output."""
    if shift.keep == (ALL,):
        return list(columns)
    spec = shift.scored.spec
    wanted = shift.keep or (spec.entity, spec.timestamp, "id")
    return [name for name in columns if name in wanted]


def part_name(part: int, kind: str) -> str:
    """The file of one chunk."""
    return f"part-{part:05d}.{kind}"


def rejected_name(part: int) -> str:
    """The rows of one chunk that got no answer. Readers of whole folders pass over names that begin so."""
    return f"_rejected-{part:05d}.ndjson"


def written(frame: pl.DataFrame, kind: str) -> bytes:
    """A frame as a file."""
    buffer = BytesIO()
    if kind == "parquet":
        frame.write_parquet(buffer, compression="zstd")
    elif kind == "ndjson":
        frame.write_ndjson(buffer)
    else:
        nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
        texts = [pl.Series(name, [_json(each) for each in frame[name].to_list()]) for name in nested]
        frame.with_columns(texts).write_csv(buffer)
    return buffer.getvalue()


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


_shift: Shift | None = None
_worker: ChunkWorker | None = None


def begin(shift: Shift) -> None:
    """Begin to work in this process; it ends when the one that started it does, however that ends.

    Nothing is opened yet: what a process raises while it begins is told to nobody.
    """
    global _shift
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever typed it is told by the process that was started
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _shift = shift


def do(task: Task) -> Done:
    """Do one task in a process that began."""
    global _worker
    if _worker is None:
        assert _shift is not None
        _worker = ChunkWorker(_shift)
    return _worker.do(task)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
