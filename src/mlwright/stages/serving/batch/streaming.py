"""Scoring records of a stream: in micro-batches, together with other processes, losing none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from mlwright.errors import MlwrightError
from mlwright.ports.streams import Record, RecordStream, Result
from mlwright.stages.serving.batch.job import ALL, Scored
from mlwright.stages.serving.batch.reading import Rows, Values
from mlwright.stages.serving.batch.scoring import RowScorer
from mlwright.stages.serving.batch.watching import never
from mlwright.stages.serving.core import EndpointCore

JSON: Final = "json"
"""The field that holds a whole row as a JSON object; records without it have a field a column, as texts."""
_CLAIMS_EVERY: Final = 4
"""Looks for records of dead consumers in one span after which they count as dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How records are taken, and when to stop. Spans are in seconds.

    A batch ends at ``most`` records or ``window_s`` after its first one came. A record that a consumer has had for
    ``dead_s`` is taken over; one that was handed out more than ``attempts`` times is put aside. With ``idle_s`` the
    work ends when nothing has come for so long. ``stopped`` waits that many seconds and says whether to stop.
    """

    group: str = "mlwright"
    most: int = 1024
    window_s: float = 0.05
    dead_s: float = 30.0
    attempts: int = 5
    idle_s: float | None = None
    keep: tuple[str, ...] = ()
    stopped: Callable[[float], bool] = never


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """What came of the records of this process."""

    stream: str
    records: int
    written: int
    buried: int
    claimed: int
    """Those of ``records`` that others had not finished."""
    batches: int
    seconds: float


def consume(
    stream: RecordStream,
    core: EndpointCore,
    scored: Scored,
    options: StreamOptions,
    *,
    latest: Callable[[], Scored],
) -> StreamReport:
    """Score records until it is told to stop; what is in hand is finished first.

    A row that breaks the contract is put aside at once with the reason. Where the model or the log fails, the records
    are left, so that they come again, until ``attempts`` are used up.

    Args:
        stream: this process's consumer.
        core: what answers.
        scored: what stands behind it.
        options: how.
        latest: what stands behind it now; asked about once a second.

    Raises:
        DataError: the stream does not answer.
        MlwrightError: the model failed on records that came for the first time; they stay for others.
    """
    return _Consumer(stream, core, scored, options, latest).run()


class _Consumer:
    def __init__(
        self,
        stream: RecordStream,
        core: EndpointCore,
        scored: Scored,
        options: StreamOptions,
        latest: Callable[[], Scored],
    ) -> None:
        self._stream = stream
        self._core = core
        self._scored = scored
        self._options = options
        self._latest = latest
        self._scorer = RowScorer(core, scored.takes)
        self._looked = monotonic()
        self._claimed_at = -float("inf")
        self._counts = {"records": 0, "written": 0, "buried": 0, "claimed": 0, "batches": 0}

    def run(self) -> StreamReport:
        """Work until it is told to stop."""
        began = quiet = monotonic()
        while not self._options.stopped(0):
            self._follow()
            records = self._batch()
            if records:
                self._do(records)
                quiet = monotonic()
            elif self._options.idle_s is not None and monotonic() - quiet >= self._options.idle_s:
                break
        return StreamReport(stream=self._stream.name, seconds=monotonic() - began, **self._counts)

    def _batch(self) -> list[Record]:
        """Records of dead consumers, where it is time to look for them, or else new ones."""
        options, now = self._options, monotonic()
        if now - self._claimed_at >= options.dead_s / _CLAIMS_EVERY:
            claimed = list(self._stream.claim(options.most, options.dead_s))
            self._counts["claimed"] += len(claimed)
            if len(claimed) < options.most:
                self._claimed_at = now
            if claimed:
                return claimed
        found = list(self._stream.read(options.most, max(options.window_s, 0.2)))
        until = monotonic() + options.window_s
        while found and len(found) < options.most and (left := until - monotonic()) > 0:
            more = self._stream.read(options.most - len(found), left)
            if not more:
                break
            found += more
        return found

    def _do(self, records: list[Record]) -> None:
        self._counts["records"] += len(records)
        self._counts["batches"] += 1
        spent = [each for each in records if each.deliveries > self._options.attempts]
        if spent:  # whoever had them died each time, or the model failed
            self._bury(spent, [f"it was handed out {each.deliveries} times and never finished" for each in spent])
        rows = [each for each in records if each.deliveries <= self._options.attempts]
        read: list[tuple[Record, Mapping[str, Any]]] = []
        for record in rows:
            row, wrong = row_of(record)
            if wrong is None:
                read.append((record, row))
            else:
                self._bury([record], [wrong])
        if read:
            self._score(read)

    def _score(self, read: Sequence[tuple[Record, Mapping[str, Any]]]) -> None:
        records = [record for record, _ in read]
        plain = [JSON in record.fields for record in records]
        for of_json in (True, False):
            chosen = [at for at, each in enumerate(plain) if each is of_json]
            if chosen:
                self._score_like([read[at] for at in chosen], of_json)

    def _score_like(self, read: Sequence[tuple[Record, Mapping[str, Any]]], of_json: bool) -> None:
        records = [record for record, _ in read]
        names = list(dict.fromkeys(name for _, row in read for name in row))
        columns: dict[str, Values] = {}
        for name in self._scorer.wanted(names):
            values = [row.get(name) for _, row in read]
            columns[name] = values if of_json else pl.Series(name, values, dtype=pl.String)
        for each in self._scorer.form.inputs:  # a record may lack what it wants: then that is missing
            if each.name not in columns and not each.shape:
                columns[each.name] = [None] * len(records)
        rows = Rows(columns, np.arange(len(records)))
        as_of = int(records[0].id.partition("-")[0]) * 1000 if records[0].id[:1].isdigit() else 0
        try:
            answers = self._scorer.score(rows, _id(self._options.group, records), as_of)
        except MlwrightError:
            if max(each.deliveries for each in records) < self._options.attempts and len(records) > 1:
                raise
            raise
        if answers.rejected:
            self._bury(
                [records[each.at] for each in answers.rejected],
                ["; ".join(map(str, each.faults)) for each in answers.rejected],
            )
        results = []
        outputs = {name: output.tolist() for name, output in answers.outputs.items()}
        for number, at in enumerate(answers.at.tolist()):
            fields = {name: text_of(read[at][1].get(name)) for name in self._kept(names) if name in read[at][1]}
            fields |= {name: text_of(values[number]) for name, values in outputs.items()}
            fields |= {"model_version": answers.versions[number], "prediction_id": answers.ids[number]}
            flags = answers.flags[number]
            results.append(
                Result(source=records[at].id, fields=fields if flags is None else fields | {"flags": flags})
            )
        self._stream.finish(results)
        self._counts["written"] += len(results)

    def _kept(self, names: Sequence[str]) -> Sequence[str]:
        keep = self._options.keep
        if keep == (ALL,):
            return names
        return keep or (self._scored.spec.entity, self._scored.spec.timestamp, "id")

    def _bury(self, records: Sequence[Record], reasons: Sequence[str]) -> None:
        self._stream.bury(records, reasons)
        self._counts["buried"] += len(records)

    def _follow(self) -> None:
        """Answer by what stands behind the endpoint now."""
        if monotonic() - self._looked < 1.0:
            return
        self._looked = monotonic()
        scored = self._latest()
        if scored.route != self._scored.route:
            self._core.apply(scored.route)
            self._scored = scored
            self._scorer = RowScorer(self._core, scored.takes)


def row_of(record: Record) -> tuple[Mapping[str, Any], str | None]:
    """The row that a record holds, or what is wrong with it."""
    text = record.fields.get(JSON)
    if text is None:
        return record.fields, None
    try:
        row: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return {}, f"json: {error}"
    return (row, None) if isinstance(row, dict) else ({}, "json: is no object")


def text_of(value: object) -> str:
    """One value of a result: texts as they are, nothing for a missing one, everything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    return msgspec.json.encode(value, enc_hook=str).decode()


def _id(group: str, records: Sequence[Record]) -> str:
    """The beginning of the prediction ids of a batch: the same for the same records."""
    return f"{group}-{records[0].id}"
