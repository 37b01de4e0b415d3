"""Offline runs of Weights & Biases, read without the wandb package.

Layout: ``wandb/offline-run-<date>-<id>/run-<id>.wandb`` with the records, ``files/`` beside it. Read as wandb 0.31
writes it; logs of online runs (``wandb/run-*``) have the same form.

Carried: config, history (numbers and truth values; also nested ones), system metrics as ``system/…``, summary values
that have no history, tags, notes, group, job type, sweep, program, commit, status, ``files/``. Not carried: media and
texts in the history (their files are), artifacts (their bytes lie outside of the run's folder, and a log that names a
path of this machine is not believed), console lines beyond ``files/output.log``.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.points import Point, gathered, ms_of
from mlwright.adapters.moving.shelf import RunSource, Shelf
from mlwright.adapters.moving.texts import as_text, flat, leaves
from mlwright.adapters.moving.wandb.log import records
from mlwright.adapters.moving.wandb.records import (
    HISTORY,
    STATS,
    SUMMARY,
    Head,
    kind_of,
    media_in,
    row_of,
    samples_of,
    update,
)
from mlwright.model.moving import ForeignFile, ForeignRun
from mlwright.model.tracking import History, RunStatus

_ENDING: Final = ".wandb"
_OWN: Final = ("_step", "_timestamp", "_runtime", "_wandb")
_SKIP: Final = frozenset({".git", ".venv", "node_modules", "files", "logs", "tmp"})


def open_wandb(place: Path) -> Shelf:
    """The runs below a folder (``wandb``, one above it, or one run's), or of one ``.wandb`` file."""
    return Shelf("wandb", place, "offline runs (wandb/offline-run-*/run-*.wandb)", _find)


def _find(place: Path, notes: Notes) -> Sequence[RunSource]:
    if place.is_file():
        return [WandbRun(Confined(place.parent, notes), place.name, notes)]
    folder = Confined(place, notes)
    # W&B keeps links to its newest run and logs: nothing that a report should name.
    logs = [path for path in Confined(place, Notes()).walk(skip=_SKIP) if path.endswith(_ENDING)]
    return [WandbRun(folder, path, notes) for path in logs]


class WandbRun:
    """One record log, and the folder ``files`` beside it."""

    def __init__(self, folder: Confined, path: str, notes: Notes) -> None:
        self.where = path
        self._folder, self._notes = folder, notes
        above = path.rpartition("/")[0]
        self._files = f"{above}/files" if above else "files"

    def run(self) -> ForeignRun:
        """See ``RunSource.run``."""
        head = Head()
        for kind, data in self._records():
            if kind not in (HISTORY, STATS):
                self._take(head.take, kind, data)
        if not head.id:
            raise Unreadable("it has no record of the run")
        for each in head.artifacts:
            self._notes.add(f"artifact {each}", self.where, "its files lie outside of the run's folder")
        ended = None
        if head.exit_code is None:
            self._notes.add(
                "the end of the run", self.where, "the log has no exit record: it still ran, or was killed"
            )
        else:
            last = head.summary.get("_timestamp")
            ended = head.started_ms + max(head.runtime_s, 0) * 1000
            ended = max(ended, ms_of(last) if isinstance(last, int | float) else 0)
        status = RunStatus.FAILED if head.exit_code else RunStatus.FINISHED
        return ForeignRun(
            id="/".join(each for each in (head.entity, head.project, head.id) if each),
            experiment="/".join(each for each in (head.entity, head.project or "uncategorized") if each),
            name=head.name or head.id,
            status=RunStatus.RUNNING if ended is None else status,
            started_ms=head.started_ms,
            ended_ms=ended,
            actor=head.user,
            params=self._params(head),
            tags=self._tags(head),
            state=self._folder.state(self.where),
        )

    def histories(self) -> Iterator[History]:
        """See ``RunSource.histories``."""
        return gathered(self._points, self._notes, self.where)

    def files(self) -> Iterator[ForeignFile]:
        """See ``RunSource.files``."""
        if self._folder.is_folder(self._files):
            for path in self._folder.walk(self._files):
                yield ForeignFile(path=path[len(self._files) + 1 :], size=self._folder.size(path))

    def open(self, path: str) -> BinaryIO:
        """See ``RunSource.open``."""
        return self._folder.open(f"{self._files}/{path}")

    def _records(self) -> Iterator[tuple[int, bytes]]:
        with self._folder.open(self.where) as stream:
            for record in records(stream, lambda fault: self._notes.add("records", self.where, fault)):
                try:
                    kind, data = kind_of(record)
                except ValueError as error:
                    self._notes.add("a record", self.where, str(error))
                    continue
                if kind:
                    yield kind, data

    def _take(self, take: Callable[[int, bytes], None], kind: int, data: bytes) -> None:
        try:
            take(kind, data)
        except ValueError as error:
            self._notes.add("a record", self.where, str(error))

    def _params(self, head: Head) -> dict[str, str]:
        config = {key: value for key, value in head.config.items() if key.partition(".")[0] != "_wandb"}
        try:
            return flat(config)
        except ValueError as error:
            self._notes.add("config", self.where, str(error))
            return {}

    def _tags(self, head: Head) -> dict[str, str]:
        tags = {
            "group": head.group,
            "job_type": head.job_type,
            "sweep": head.sweep,
            "host": head.host,
            "tags": ", ".join(head.labels),
            "mlflow.note.content": head.notes,
            "mlflow.source.name": head.program,
            "mlflow.source.git.commit": head.commit,
        }
        for key, value in self._summary(head.summary):
            if isinstance(value, str):
                tags[f"summary.{key}"] = as_text(value)
        return {key: value for key, value in tags.items() if value}

    def _summary(self, summary: dict[str, object]) -> Iterator[tuple[str, object]]:
        media = tuple(f"{key}." for key in media_in(summary))
        try:
            for key, value in leaves(summary):
                if key.partition(".")[0] not in _OWN and not key.startswith(media):
                    yield key, value
        except ValueError as error:
            self._notes.add("summary", self.where, str(error))

    def _points(self) -> Iterator[Point]:
        last: dict[str, float] = {}
        samples: dict[str, int] = {}
        summary: dict[str, object] = {}
        step, at_ms = 0, 0
        for kind, data in self._records():
            try:
                if kind == HISTORY:
                    row = row_of(data)
                    step, at_ms = max(step, row.step), max(at_ms, row.at_ms)
                    for key, value in row.values:
                        last[key] = value
                        yield key, row.step, row.at_ms, value
                    for key, form in row.others.items():
                        self._notes.add(
                            f"{form} history of {key}", self.where, "only numbers have a history here"
                        )
                elif kind == STATS:
                    for key, sampled_ms, value in samples_of(data):
                        number = samples.get(key, 0)
                        samples[key] = number + 1
                        yield key, number, sampled_ms, value
                elif kind == SUMMARY:
                    update(summary, data)
            except ValueError as error:
                self._notes.add("a record", self.where, str(error))
        for key, found in self._summary(summary):
            if isinstance(found, bool) or not isinstance(found, int | float):
                continue
            value = _float(found)
            if key not in last:
                yield key, step, at_ms, value
            elif value != last[key] and not (math.isnan(value) and math.isnan(last[key])):
                self._notes.add(f"summary value of {key}", self.where, f"{value} is not its last point")


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
