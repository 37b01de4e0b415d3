"""Scoring records of a stream: in micro-batches, together with other processes, losing none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec
import numpy as np

from mlwright.ports.streams import Record, RecordStream, Result
from mlwright.stages.serving.asks import Answer
from mlwright.stages.serving.batch.job import ALL, Scored
from mlwright.stages.serving.batch.scoring import RowScorer, faults_of, flags_of, is_theirs
from mlwright.stages.serving.batch.watching import never
from mlwright.stages.serving.core import EndpointCore

JSON: Final = "json"
"""The field that holds a whole row as a JSON object; records without it have a field a column, as texts."""
FOLLOW_S: Final = 1.0
"""How often it is looked what stands behind the endpoint."""
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
        MlwrightError: the model failed on every record of a batch, or the log cannot be written; what is in hand stays
            for others.
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
            # One at a time: where one of them kills whoever scores it, the others are not handed out with it again.
            claimed = list(self._stream.claim(1, options.dead_s))
            if claimed:
                self._counts["claimed"] += len(claimed)
                return claimed
            self._claimed_at = now
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
        rows: list[tuple[Record, Mapping[str, Any]]] = []
        for record in records:
            row, wrong = row_of(record)
            if (
                record.deliveries > self._options.attempts
            ):  # whoever had it died, or the model failed, each time
                wrong = f"it was handed out {record.deliveries} times, and never finished"
            if wrong is None:
                rows.append((record, row))
            else:
                self._bury(record, wrong)
        if rows:
            self._score(rows)

    def _score(self, rows: Sequence[tuple[Record, Mapping[str, Any]]]) -> None:
        outcomes = self._scorer.score_each(
            [row for _, row in rows],
            [JSON not in record.fields for record, _ in rows],
            [f"{self._options.group}-{record.id}" for record, _ in rows],
            [_instant(record.id) for record, _ in rows],
        )
        results, failed = [], []
        for (record, row), outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Answer):
                results.append(Result(source=record.id, fields=self._fields(row, outcome)))
            elif outcome.code in ("BadRequest", "SignatureMismatch"):
                self._bury(record, "; ".join(map(str, faults_of(outcome))))
            elif not is_theirs(outcome):
                raise outcome
            else:
                failed.append(outcome)
        if results:
            self._stream.finish(results)
            self._counts["written"] += len(results)
        if len(failed) > 1 and not results:
            raise failed[0]  # not the records: the model

    def _fields(self, row: Mapping[str, Any], answer: Answer) -> dict[str, str]:
        fields = {name: text_of(row[name]) for name in self._kept(list(row)) if name in row}
        fields |= {name: text_of(np.asarray(output)[0].tolist()) for name, output in answer.outputs.items()}
        fields |= {"model_version": answer.versions[0], "prediction_id": answer.prediction_ids[0]}
        [flags] = flags_of(answer)
        return fields if flags is None else fields | {"flags": flags}

    def _kept(self, names: Sequence[str]) -> Sequence[str]:
        keep = self._options.keep
        if keep == (ALL,):
            return names
        return keep or (self._scored.spec.entity, self._scored.spec.timestamp, "id")

    def _bury(self, record: Record, reason: str) -> None:
        self._stream.bury([record], [reason])
        self._counts["buried"] += 1

    def _follow(self) -> None:
        """Answer by what stands behind the endpoint now."""
        if monotonic() - self._looked < FOLLOW_S:
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


def _instant(id: str) -> int:
    """When a record was sent, in microseconds, by an id that begins with milliseconds; else 0."""
    milliseconds = id.partition("-")[0]
    return int(milliseconds) * 1000 if milliseconds.isdecimal() else 0
