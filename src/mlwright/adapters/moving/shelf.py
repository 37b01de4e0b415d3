"""A store made of runs that each lie in files of their own: what all of these tools have in common."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from mlwright.adapters.moving.confined import gone
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.errors import DataError, ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFacts,
    ForeignFile,
    ForeignModel,
    ForeignRun,
    LeftOut,
)
from mlwright.model.tracking import History

_MOST_KEPT: Final = 5000
"""Runs whose values stay in memory; of the others only their names do."""


class RunSource(Protocol):
    """One run where it lies. Damage is noted, and what is behind it passed over."""

    where: str
    """Its file or folder, relative to the source."""

    def run(self) -> ForeignRun:
        """The run.

        Raises:
            Unreadable: nothing can be said of it.
        """
        ...

    def histories(self) -> Iterator[History]:
        """As ``ForeignStore.histories``."""
        ...

    def files(self) -> Iterator[ForeignFile]:
        """As ``ForeignStore.files``."""
        ...

    def open(self, path: str) -> BinaryIO:
        """As ``ForeignStore.open``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    id: str
    experiment: str
    parent: str | None
    source: RunSource


class Shelf:
    """The runs of one tool below one place, as a ``ForeignStore``.

    Args:
        tool: its name, in lower case.
        place: the file or folder.
        looked_for: what makes a run of this tool, for the error that says there is none.
        find: lists the runs below a place; asked once.
    """

    def __init__(
        self,
        tool: str,
        place: Path,
        looked_for: str,
        find: Callable[[Path, Notes], Sequence[RunSource]],
    ) -> None:
        self._tool, self._place, self._looked_for, self._find = tool, place, looked_for, find
        self._notes = Notes()
        self._kept: dict[str, ForeignRun] = {}
        self._entries: dict[str, _Entry] | None = None

    def about(self) -> ForeignFacts:
        """See ``ForeignStore.about``."""
        entries = self._index()
        names = sorted({entry.experiment for entry in entries.values()})
        return ForeignFacts(
            tool=self._tool,
            source=str(self._place),
            experiments=tuple(ForeignExperiment(name=name) for name in names),
            runs=len(entries),
        )

    def runs(self) -> Iterator[ForeignRun]:
        """See ``ForeignStore.runs``."""
        for entry in self._index().values():
            run = self._kept.get(entry.id) or self._read(entry.source)
            if run is not None:
                yield replace(run, id=entry.id, parent=entry.parent)

    def histories(self, run: str) -> Iterator[History]:
        """See ``ForeignStore.histories``; nothing for a run that is not here."""
        entry = self._index().get(run)
        if entry is not None:
            try:
                yield from entry.source.histories()
            except (Unreadable, DataError) as error:
                self._note(entry.source, error)

    def files(self, run: str) -> Iterator[ForeignFile]:
        """See ``ForeignStore.files``; nothing for a run that is not here."""
        entry = self._index().get(run)
        if entry is not None:
            try:
                yield from entry.source.files()
            except (Unreadable, DataError) as error:
                self._note(entry.source, error)

    def open(self, run: str, path: str) -> BinaryIO:
        """See ``ForeignStore.open``."""
        entry = self._index().get(run)
        if entry is None:
            raise gone(f"{run}/{path}", "there is no such run")
        try:
            return entry.source.open(path)
        except Unreadable as error:
            raise gone(f"{entry.source.where}: {path}", str(error)) from error

    def models(self) -> Iterator[ForeignModel]:
        """See ``ForeignStore.models``: these tools keep no registry in their files."""
        yield from ()

    def left_out(self) -> tuple[LeftOut, ...]:
        """See ``ForeignStore.left_out``."""
        return self._notes.all()

    def _read(self, source: RunSource) -> ForeignRun | None:
        try:
            return source.run()
        except (Unreadable, DataError) as error:
            self._note(source, error)
            return None

    def _note(self, source: RunSource, error: Unreadable | DataError) -> None:
        why = error.why or error.what if isinstance(error, DataError) else str(error)
        self._notes.add("a run", source.where, why)

    def _index(self) -> dict[str, _Entry]:
        if self._entries is None:
            self._entries = self._listed()
        return self._entries

    def _listed(self) -> dict[str, _Entry]:
        if not self._place.exists():
            raise self._refused("there is no such file or folder")
        sources = self._find(self._place, self._notes)
        if not sources:
            raise self._refused(f"it holds no {self._looked_for}")
        met: dict[str, _Entry] = {}
        for source in sources:
            run = self._read(source)
            if run is None:
                continue
            # The same run logged in two places, as a resumed one: the first keeps the name.
            id = run.id if run.id not in met else f"{run.id} in {source.where}"
            met[id] = _Entry(id=id, experiment=run.experiment, parent=run.parent, source=source)
            if len(self._kept) < _MOST_KEPT:
                self._kept[id] = run
        if not met:
            first = self._notes.all()[0]
            raise self._refused(f"none of its {len(sources)} runs can be read; {first.where}: {first.why}")
        return self._parents_first(met)

    def _parents_first(self, met: dict[str, _Entry]) -> dict[str, _Entry]:
        """By id, each after its parent; a parent that is not here, or a child of its child, is no parent."""
        placed: dict[str, _Entry] = {}
        for id in sorted(met):
            line: list[_Entry] = []
            at: str | None = id
            while at is not None and at not in placed:
                entry = met[at]
                if entry.parent is not None and (
                    entry.parent not in met or entry.parent in {e.id for e in line} | {at}
                ):
                    self._notes.add(
                        "a parent run", f"{entry.source.where}", f"{entry.parent} is not in this source"
                    )
                    entry = replace(entry, parent=None)
                line.append(entry)
                at = entry.parent
            for entry in reversed(line):
                placed[entry.id] = entry
        return placed

    def _refused(self, why: str) -> ServerUnavailable:
        return ServerUnavailable(
            f"this is nothing that {self._tool} wrote and that can be read",
            where=str(self._place),
            why=why,
            next_command=f"name the place of {self._looked_for}",
        )
