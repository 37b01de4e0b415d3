"""Offline archives of Comet (``.cometml-runs/<key>.zip``), read without the comet_ml package.

Layout: ``experiment.json``, ``messages.json`` (one message a line) and one entry a file. Read as comet_ml 3.58 writes
it.

Carried: metrics with their context as prefix (``validation_loss``), params (the last value), others as tags, tags,
name, program, user, commit, status, files under the names that they were logged with, installed packages as
``requirements.txt`` and the console as ``output.log``. Not carried: epochs, files that were logged as links, the
graph, HTML, registered models, packages of the system. Metrics without a step (those of the system) are numbered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from mlwright.adapters.moving.comet.archive import HEAD, MESSAGES, Archive
from mlwright.adapters.moving.confined import Confined, gone
from mlwright.adapters.moving.notes import Notes, Unreadable
from mlwright.adapters.moving.points import Point, gathered, step_of
from mlwright.adapters.moving.shelf import RunSource, Shelf
from mlwright.adapters.moving.texts import Names, as_text, in_order, mapping, text_of
from mlwright.model.moving import ForeignFile, ForeignRun
from mlwright.model.tracking import History, RunStatus

_MOST_VALUES: Final = 50_000
_MOST_OUTPUT: Final = 64 * 1024 * 1024
_OUTPUT: Final = "output.log"
_PACKAGES: Final = "requirements.txt"
_PLAIN: Final = ("asset", "notebook", "dataset", "audio", "image", "video", "figure", "table")
_KNOWN: Final = frozenset(
    "metric_msg parameter_msg log_other file_upload file_name system_details git_metadata installed_packages"
    " standard_output close ws_msg system_info log_dependency cloud_details gpu_static_info".split()
)


def open_comet(place: Path) -> Shelf:
    """The archives in a folder, or one archive."""
    return Shelf("comet", place, "offline archives (.cometml-runs/*.zip)", _find)


def _find(place: Path, notes: Notes) -> Sequence[RunSource]:
    if place.is_file():
        return [CometRun(Archive(Confined(place.parent, notes), place.name, notes), notes)]
    folder = Confined(place, notes)
    archives = [Archive(folder, path, notes) for path in folder.walk() if path.lower().endswith(".zip")]
    return [CometRun(archive, notes) for archive in archives]


@dataclass(slots=True)
class _Said:
    """What the messages say of a run, but for its metrics and files."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    name: str = ""
    user: str = ""


class CometRun:
    """One archive."""

    def __init__(self, archive: Archive, notes: Notes) -> None:
        self.where = archive.path
        self._archive, self._notes = archive, notes
        self._entries: dict[str, str] | None = None

    def run(self) -> ForeignRun:
        """See ``RunSource.run``."""
        head = self._archive.head()
        key = text_of(head.get("offline_id"))
        if not key:
            raise Unreadable(f"its {HEAD} names no experiment")
        said = self._said()
        labels = head.get("tags")
        tags = dict(said.tags)
        if isinstance(labels, list):
            tags["tags"] = ", ".join(sorted(as_text(each) for each in labels[:_MOST_VALUES]))
        ended = head.get("stop_time")
        failed = bool(head.get("customer_error_reported"))
        if text_of(head.get("customer_error_message")):
            tags["error"] = text_of(head.get("customer_error_message"))
        status = RunStatus.FAILED if failed else RunStatus.FINISHED
        places = (text_of(head.get("workspace")), text_of(head.get("project_name")) or "general")
        return ForeignRun(
            id=key,
            experiment="/".join(each for each in places if each),
            name=said.name or key,
            status=status if _ms(ended) else RunStatus.RUNNING,
            started_ms=_ms(head.get("start_time")),
            ended_ms=_ms(ended) or None,
            actor=said.user,
            params=said.params,
            tags={key: value for key, value in tags.items() if value},
            state=self._archive.state(),
        )

    def histories(self) -> Iterator[History]:
        """See ``RunSource.histories``."""
        return gathered(self._points, self._notes, self.where)

    def files(self) -> Iterator[ForeignFile]:
        """See ``RunSource.files``."""
        entries, made = self._files()
        self._entries = entries
        sizes = self._archive.sizes()
        listed: dict[str, int | None] = {path: sizes[name] for path, name in entries.items() if name in sizes}
        for path, name in entries.items():
            if name not in sizes:
                self._notes.add(
                    path, self.where, "the archive does not hold its bytes, or not so that they can be read"
                )
        listed |= {path: len(data) for path, data in made.items()}
        yield from in_order(listed)

    def open(self, path: str) -> BinaryIO:
        """See ``RunSource.open``."""
        if self._entries is None or path not in self._entries:
            self._entries, made = self._files()
            if path in made:
                return BytesIO(made[path])
        if path not in self._entries:
            raise gone(f"{self.where}: {path}", "the archive has no such file")
        return self._archive.open(self._entries[path], path)

    def _points(self) -> Iterator[Point]:
        numbers: dict[str, int] = {}
        for kind, payload in self._archive.messages():
            if kind != "metric_msg":
                continue
            metric = mapping(payload.get("metric"))
            key, value = text_of(metric.get("metricName")), _number(metric.get("metricValue"))
            if not key or value is None:
                self._notes.add(f"metric {key}", self.where, "its value is no number")
                continue
            if context := text_of(payload.get("context")):
                key = f"{context}_{key}"
            if metric.get("epoch") is not None:
                self._notes.add("epochs", self.where, "metrics have steps here, and no epochs beside them")
            stepped = _number(metric.get("step"))
            step = None if stepped is None else step_of(stepped)
            if step is None:
                step = numbers.get(key, 0)
                if len(numbers) < _MOST_VALUES:
                    numbers[key] = step + 1
            yield key, step, _ms(payload.get("local_timestamp")), value

    def _said(self) -> _Said:
        said = _Said()
        for kind, payload in self._archive.messages():
            try:
                self._take(said, kind, payload)
            except ValueError as error:
                self._notes.add(f"a message {kind}", self.where, str(error))
        return said

    def _take(self, said: _Said, kind: str, payload: dict[str, object]) -> None:
        if kind == "parameter_msg":
            param = mapping(payload.get("param") or payload.get("params"))
            key = text_of(param.get("paramName")).replace("|", ".")
            if context := text_of(payload.get("context")):
                key = f"{context}_{key}"
            if key and (len(said.params) < _MOST_VALUES or key in said.params):
                said.params[key] = as_text(param.get("paramValue"))
        elif kind == "log_other":
            key = text_of(payload.get("key"))
            if key == "Name":
                said.name = as_text(payload.get("value"))
            elif key and len(said.tags) < _MOST_VALUES:
                said.tags[key] = as_text(payload.get("value"))
        elif kind == "file_name":
            said.tags["mlflow.source.name"] = text_of(payload.get("file_name"))
        elif kind == "system_details":
            said.user = text_of(payload.get("user"))
            said.tags["host"] = text_of(payload.get("hostname"))
        elif kind == "git_metadata":
            said.tags["mlflow.source.git.commit"] = text_of(
                mapping(payload.get("git_metadata")).get("parent")
            )
        elif kind not in _KNOWN:
            self._notes.add(f"messages of type {kind[:50]}", self.where, "there is no place for them here")

    def _files(self) -> tuple[dict[str, str], dict[str, bytes]]:
        """The archive's entry for each artifact, and the bytes of those that the messages themselves hold."""
        names = Names()
        for own in (_OUTPUT, _PACKAGES):
            names.take(own)
        entries: dict[str, str] = {}
        output, packages = bytearray(), b""
        for kind, payload in self._archive.messages():
            if kind == "file_upload" and len(entries) < _MOST_VALUES:
                entry = text_of(payload.get("file_path"))
                # comet_ml writes the name within the archive; a path of the machine is none.
                if entry and entry not in (HEAD, MESSAGES):
                    entries[names.take(_wanted(payload))] = entry
            elif kind == "standard_output":
                line = text_of(payload.get("output")).encode()
                if len(output) + len(line) > _MOST_OUTPUT:
                    self._notes.add(
                        _OUTPUT, self.where, f"only its first {_MOST_OUTPUT >> 20} MiB are carried"
                    )
                else:
                    output += line
            elif kind == "installed_packages" and isinstance(
                listed := payload.get("installed_packages"), list
            ):
                packages = "".join(f"{as_text(each)}\n" for each in listed[:_MOST_VALUES]).encode()
        made = {_OUTPUT: bytes(output), _PACKAGES: packages}
        return entries, {path: data for path, data in made.items() if data}


def _wanted(payload: dict[str, object]) -> str:
    """Where a logged file belongs among the artifacts: by its name, below its kind where it is no plain asset."""
    details = mapping(payload.get("additional_params"))
    kind = text_of(payload.get("upload_type")) or "asset"
    name = text_of(details.get("fileName"))
    if kind == "source_code":
        return f"source/{name.replace(chr(92), '/').rpartition('/')[2] or 'code'}"
    if kind == "model-element":
        return f"models/{text_of(details.get('groupingName'))}/{name}"
    if name in ("", "auto-generated-in-the-backend"):
        name = f"step-{as_text(details.get('step'))}.{text_of(details.get('extension')) or 'txt'}"
    return name if kind in _PLAIN else f"{kind}/{name}"


def _number(value: object) -> float | None:
    """A number; texts say NaN and Infinity, which JSON cannot."""
    if isinstance(value, bool | int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    return None


def _ms(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53 else 0
