"""TensorBoard's logs, read without TensorBoard: each folder with event files is a run, below the nearest that is one.

Read as tensorboardX 2.6, PyTorch and TensorFlow 2 write them (``brain.Event:2``): scalars as ``simple_value`` or as
tensors, texts (as ``text/<tag>.txt`` among the artifacts), hyperparameters and status of the hparams plugin. Not
carried: histograms, images, audio, graphs, and any other plugin's data.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from mlwright.adapters.moving.confined import Confined, gone
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.points import Point, gathered, ms_of
from mlwright.adapters.moving.shelf import RunSource, Shelf
from mlwright.adapters.moving.tensorboard.events import (
    Event,
    Session,
    event_of,
    masked_crc,
    records,
    seconds_of,
    session_of,
)
from mlwright.adapters.moving.texts import Names, as_text
from mlwright.model.moving import ForeignFile, ForeignRun
from mlwright.model.tracking import History, RunStatus

_MARK: Final = "tfevents"
_SKIP: Final = frozenset({".git", ".venv", "node_modules"})
_MOST_TEXT: Final = 16 * 1024 * 1024
_STATUS: Final = {1: RunStatus.FINISHED, 2: RunStatus.FAILED, 3: RunStatus.RUNNING}


def open_tensorboard(place: Path) -> Shelf:
    """The runs below a log folder, or of one event file."""
    return Shelf("tensorboard", place, "event files (*tfevents*)", _find)


def _find(place: Path, notes: Notes) -> Sequence[RunSource]:
    if place.is_file():
        name = place.parent.resolve().name
        return [TensorboardRun(Confined(place.parent, notes), "", (place.name,), name, None, notes)]
    folder = Confined(place, notes)
    met: dict[str, list[str]] = {}
    for path in folder.walk(skip=_SKIP):
        above, _, name = path.rpartition("/")
        if _MARK in name:
            met.setdefault(above, []).append(path)
    title = place.resolve().name or "logs"
    return [
        TensorboardRun(folder, above, tuple(files), title, _nearest(above, met), notes)
        for above, files in sorted(met.items())
    ]


def _nearest(folder: str, runs: dict[str, list[str]]) -> str | None:
    """The id of the nearest folder above that is a run, too: hparams and add_scalars write below their writer's."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in runs:
            return folder or "."
    return None


class TensorboardRun:
    """One folder with event files, in the order of their names, which begin with an instant."""

    def __init__(
        self,
        folder: Confined,
        above: str,
        logs: tuple[str, ...],
        title: str,
        parent: str | None,
        notes: Notes,
    ) -> None:
        self.where = above or "."
        self._folder, self._logs, self._title, self._parent, self._notes = folder, logs, title, parent, notes

    def run(self) -> ForeignRun:
        """See ``RunSource.run``."""
        first: float | None = None
        last, session = 0.0, Session(params={})
        for log, data, crc in self._records():
            try:
                seconds = seconds_of(data)
                first, last = seconds if first is None else min(first, seconds), max(last, seconds)
                if b"_hparams_/session" in data and masked_crc(data) == crc:
                    session = _joined(session, event_of(data, {}))
            except ValueError as error:
                self._notes.add("an event", log, str(error))
        if first is None:
            raise Unreadable("its files hold no event that can be read")
        status = _STATUS.get(session.status, RunStatus.FINISHED)
        return ForeignRun(
            id=self.where,
            experiment=self._title,
            name=self.where.rpartition("/")[2] if self.where != "." else self._title,
            status=status,
            started_ms=ms_of(session.started_s or first),
            ended_ms=None if status is RunStatus.RUNNING else ms_of(max(session.ended_s, last)),
            params={key: as_text(value) for key, value in session.params.items()},
            tags={"group": session.group} if session.group else {},
            parent=self._parent,
            state=self._folder.state(*self._logs),
        )

    def histories(self) -> Iterator[History]:
        """See ``RunSource.histories``."""
        return gathered(self._points, self._notes, self.where)

    def files(self) -> Iterator[ForeignFile]:
        """See ``RunSource.files``."""
        for path, data in sorted(self._texts().items()):
            yield ForeignFile(path=path, size=len(data))

    def open(self, path: str) -> BinaryIO:
        """See ``RunSource.open``."""
        data = self._texts().get(path)
        if data is None:
            raise gone(path, "there is no such text")
        return BytesIO(data)

    def _records(self) -> Iterator[tuple[str, bytes, int]]:
        for log in self._logs:

            def damaged(fault: str, log: str = log) -> None:
                self._notes.add("events", log, fault)

            with self._folder.open(log) as stream:
                for data, crc in records(stream, damaged):
                    yield log, data, crc

    def _events(self) -> Iterator[tuple[str, Event]]:
        plugins: dict[str, str] = {}
        for log, data, crc in self._records():
            try:
                event = event_of(data, plugins)
            except ValueError as error:
                self._notes.add("an event", log, str(error))
                continue
            if event.other:
                self._notes.add(
                    f"a {event.other}", log, "only scalars, texts and hyperparameters are carried"
                )
            used = [value for value in event.values if value.number is not None or value.texts]
            for value in event.values:
                if value.other:
                    self._notes.add(
                        f"{value.other} {value.tag}",
                        log,
                        "only scalars, texts and hyperparameters are carried",
                    )
            if used and masked_crc(data) != crc:
                self._notes.add("an event", log, f"a wrong checksum at step {event.step}")
            elif used:
                event.values = used
                yield log, event

    def _points(self) -> Iterator[Point]:
        for _, event in self._events():
            at_ms = ms_of(event.seconds)
            for value in event.values:
                if value.number is not None:
                    yield value.tag, event.step, at_ms, value.number

    def _texts(self) -> dict[str, bytes]:
        """A file a tag, a line a step."""
        met: dict[str, bytearray] = {}
        size = 0
        for log, event in self._events():
            for value in event.values:
                for text in value.texts:
                    line = f"step {event.step}: {text}\n".encode()
                    size += len(line)
                    if size > _MOST_TEXT:
                        self._notes.add("texts", log, f"there are more than {_MOST_TEXT >> 20} MiB of them")
                    else:
                        met.setdefault(value.tag.removesuffix("/text_summary"), bytearray()).extend(line)
        names = Names()
        return {names.take(f"text/{tag}.txt"): bytes(met[tag]) for tag in sorted(met)}


def _joined(known: Session, event: Event) -> Session:
    for value in event.values:
        if value.plugin == "hparams" or value.tag.startswith("_hparams_/session"):
            said = session_of(value.content)
            known = Session(
                params={**known.params, **said.params},
                group=said.group or known.group,
                started_s=known.started_s or said.started_s,
                ended_s=max(known.ended_s, said.ended_s),
                status=said.status or known.status,
            )
    return known
