"""What neptune-exporter wrote: Parquet and files of Neptune 2 and 3.

Layout: ``data/<project>/<run>_part_N.parquet`` and ``files/<project>/…`` beside it, where the exporter's defaults put
them; project and run are spelled for file systems, their names are in the columns. Read as the exporter's schema was
in its last version (2026; it is on no package index).

Carried: single values as params, number series as metrics, ``sys/`` as name, instants, owner, status, tags; files,
file series, file sets and artifact lists; series of texts as ``<attribute>.txt``. A fork has its parent. Not carried:
histogram series, fractions of steps (rounded down), models and model versions that were exported to a place of their
own.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl

from mlwright.adapters.moving.confined import Confined, gone
from mlwright.adapters.moving.neptune.tables import RunTable, Single, tables
from mlwright.adapters.moving.notes import Notes
from mlwright.adapters.moving.points import MOST_AT_ONCE
from mlwright.adapters.moving.shelf import RunSource, Shelf
from mlwright.adapters.moving.texts import Names, as_text, clean, in_order
from mlwright.model.moving import ForeignFile, ForeignRun
from mlwright.model.tracking import History, RunStatus

_SINGLE: Final = ("float", "int", "string", "bool", "datetime", "string_set")
_MOST_LINES: Final = 1_000_000
_MOST_TEXT: Final = 64 * 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES: Final = ("sys/experiment/name", "sys/name", "sys/custom_run_id")


def open_neptune(place: Path) -> Shelf:
    """The runs in a folder with ``data`` and ``files``, or in ``data`` itself."""
    return Shelf(
        "neptune", place, "neptune-exporter's Parquet files (exports/data/*/*_part_*.parquet)", _find
    )


def _find(place: Path, notes: Notes) -> Sequence[RunSource]:
    data, files = place, place.parent / "files"
    if (place / "data").is_dir():
        data, files = place / "data", place / "files"
    folder = Confined(data, notes)
    groups: dict[str, list[str]] = {}
    for path in folder.walk():
        if path.endswith(".parquet"):
            groups.setdefault(path.rpartition("part_")[0], []).append(path)
        elif path.endswith(".parquet.tmp"):
            notes.add("an unfinished run", path, "its export was interrupted")
    stored = Confined(files, notes)
    return [
        NeptuneRun(table, parts[0], folder.state(*parts), stored, notes)
        for _, parts in sorted(groups.items())
        for table in tables(folder, parts, notes)
    ]


class NeptuneRun:
    """One run in the files of one project."""

    def __init__(self, table: RunTable, where: str, state: str, stored: Confined, notes: Notes) -> None:
        self.where, self._state = where, state
        self._table, self._stored, self._notes = table, stored, notes
        self._project = where.rpartition("/")[0]
        self._listed: dict[str, str] | None = None

    def run(self) -> ForeignRun:
        """See ``RunSource.run``."""
        params, own = {}, {}
        for single in self._table.singles(_SINGLE):
            if single.value is None:
                continue
            if single.path.startswith("sys/"):
                own[clean(single.path)] = single
            else:
                params[clean(single.path)] = _shown(single)
        started = _ms(own.get("sys/creation_time"))
        ended = max(_ms(own.get("sys/ping_time")), _ms(own.get("sys/modification_time")), started)
        if (
            "sys/running_time" in own
            and isinstance(ran := own["sys/running_time"].value, int | float)
            and 0 <= ran < 1e9
        ):
            ended = started + int(ran * 1000)
        failed = "sys/failed" in own and own["sys/failed"].value is True
        tags = {key: _shown(single) for key, single in own.items()}
        if "sys/description" in tags:
            tags["mlflow.note.content"] = tags.pop("sys/description")
        project = clean(self._table.project)
        parent = tags.get("sys/forking/parent")
        return ForeignRun(
            id=f"{project}/{clean(self._table.run)}",
            experiment=project,
            name=next((tags[key] for key in _NAMES if tags.get(key)), clean(self._table.run)),
            status=RunStatus.FAILED if failed else RunStatus.FINISHED,
            started_ms=started,
            ended_ms=ended,
            actor=tags.pop("sys/owner", ""),
            params=params,
            tags=tags,
            parent=f"{project}/{parent}" if parent else None,
            deleted="sys/trashed" in own and own["sys/trashed"].value is True,
            state=self._state,
        )

    def histories(self) -> Iterator[History]:
        """See ``RunSource.histories``."""
        for path in self._table.counts("histogram_series"):
            self._notes.add(f"histogram history of {path}", self.where, "only numbers have a history here")
        counts = self._table.counts("float_series")
        group: list[str] = []
        for path in sorted(counts, key=clean):
            if group and sum(counts[each] for each in group) + counts[path] > MOST_AT_ONCE:
                yield from self._histories(group)
                group = []
            group.append(path)
        yield from self._histories(group)

    def _histories(self, paths: Sequence[str]) -> Iterator[History]:
        if not paths:
            return
        parts = self._table.points(paths).partition_by("attribute_path", as_dict=True, maintain_order=True)
        for path in paths:
            rows = parts.get((path,))
            if rows is None:
                self._notes.add(f"series {path}", self.where, "it has no values")
            else:
                yield self._history(path, rows)

    def _history(self, path: str, rows: pl.DataFrame) -> History:
        stepped = rows["step"].to_numpy()
        floors = np.floor(np.nan_to_num(stepped, nan=0.0, posinf=0.0, neginf=0.0))
        if not np.array_equal(floors, stepped):
            self._notes.add(
                f"fractions of steps of {path}", self.where, "steps are whole here: they are rounded down"
            )
        at_ms = rows["at_ms"].to_numpy()
        order = np.lexsort((at_ms, stepped))
        steps = floors.astype(np.int64)
        return History(
            key=clean(path),
            steps=steps[order],
            at_ms=at_ms.astype(np.int64)[order],
            values=rows["float_value"].to_numpy().astype(np.float64)[order],
        )

    def files(self) -> Iterator[ForeignFile]:
        """See ``RunSource.files``."""
        listed = self._places()
        sizes: dict[str, int | None] = {}
        for path, place in listed.items():
            sizes[path] = None if place.startswith("series:") else self._stored.size(place)
        return in_order(sizes)

    def open(self, path: str) -> BinaryIO:
        """See ``RunSource.open``."""
        place = self._places().get(path)
        if place is None:
            raise gone(f"{self.where}: {path}", "there is no such file in the export")
        if place.startswith("series:"):
            return BytesIO(self._text(place.removeprefix("series:")))
        return self._stored.open(place)

    def _places(self) -> dict[str, str]:
        """Where the bytes of each artifact are: a path below the stored files, or ``series:`` and an attribute."""
        if self._listed is None:
            names, self._listed = Names(), {}
            for attribute, kind, step, stored in self._table.files():
                for wanted, place in self._stored_as(attribute, kind, step, stored):
                    self._listed[names.take(wanted)] = place
            for attribute in self._table.counts("string_series"):
                self._listed[names.take(f"{attribute}.txt")] = f"series:{attribute}"
        return self._listed

    def _stored_as(
        self, attribute: str, kind: str, step: float | None, stored: str
    ) -> Iterator[tuple[str, str]]:
        for place in (f"{self._project}/{stored}".lstrip("/"), stored):
            if self._stored.is_file(place):
                ending = Path(place).suffix
                if kind == "file_series":
                    yield f"{attribute}/step-{0.0 if step is None else step:g}{ending}", place
                else:
                    yield attribute if attribute.endswith(ending) else f"{attribute}{ending}", place
                return
            if self._stored.is_folder(place):
                for path in self._stored.walk(place):
                    yield f"{attribute}/{path[len(place) + 1 :]}", path
                return
        self._notes.add(f"file {attribute}", self.where, f"{stored} is not below the exported files")

    def _text(self, attribute: str) -> bytes:
        lines = bytearray()
        for step, at_ms, text in self._table.lines(attribute, _MOST_LINES).iter_rows():
            line = f"{0.0 if step is None else step:g}\t{_iso(at_ms)}\t{as_text(text or '')}\n".encode()
            if len(lines) + len(line) > _MOST_TEXT:
                self._notes.add(
                    f"texts of {attribute}", self.where, f"only {_MOST_TEXT >> 20} MiB are carried"
                )
                break
            lines += line
        return bytes(lines)


def _shown(single: Single) -> str:
    if single.type == "datetime" and isinstance(single.value, int):
        return _iso(single.value)
    return as_text(single.value)


def _ms(single: Single | None) -> int:
    value = None if single is None else single.value
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53 else 0


def _iso(ms: int) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    except OverflowError:
        return str(ms)
