"""What the records of W&B say: the fields of ``wandb_internal.proto`` (wandb 0.31) that are needed, by number."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mlwright.adapters.moving import protobuf
from mlwright.adapters.moving.points import ms_of
from mlwright.adapters.moving.texts import clean, parse_json

HISTORY, SUMMARY, CONFIG, FILES, STATS, ARTIFACT, RUN, EXIT, ENVIRONMENT = 2, 3, 5, 6, 7, 8, 17, 18, 26
_KINDS: Final = frozenset((HISTORY, SUMMARY, CONFIG, FILES, STATS, ARTIFACT, RUN, EXIT, ENVIRONMENT))
_TEXTS: Final = {
    1: "id",
    2: "entity",
    3: "project",
    6: "group",
    7: "job_type",
    8: "name",
    9: "notes",
    12: "sweep",
}
_MOST_KEYS: Final = 20_000
_OWN: Final = ("_step", "_timestamp", "_runtime", "_wandb")


def kind_of(record: bytes) -> tuple[int, bytes]:
    """Which of the kinds above a record is, and its message; (0, b"") for any other.

    Raises:
        ValueError: it is no record.
    """
    for number, value in protobuf.fields(record):
        if number in _KINDS:
            return number, protobuf.message(value)
    return 0, b""


Items = dict[str, object]


@dataclass(slots=True, kw_only=True)
class Head:
    """A run without its points."""

    id: str = ""
    entity: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    notes: str = ""
    sweep: str = ""
    host: str = ""
    commit: str = ""
    program: str = ""
    user: str = ""
    started_ms: int = 0
    exit_code: int | None = None
    runtime_s: int = 0
    labels: list[str] = field(default_factory=list)
    config: Items = field(default_factory=dict)
    summary: Items = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)

    def take(self, kind: int, data: bytes) -> None:
        """Add what a record says.

        Raises:
            ValueError: it is no message of that kind.
        """
        if kind == RUN:
            self._take_run(data)
        elif kind == CONFIG:
            update(self.config, data)
        elif kind == SUMMARY:
            update(self.summary, data)
        elif kind == EXIT:
            self.exit_code = 0
            for number, value in protobuf.fields(data):
                if number == 1:
                    self.exit_code = protobuf.whole(value)
                elif number == 2:
                    self.runtime_s = protobuf.whole(value)
        elif kind == ENVIRONMENT:
            self._take_environment(data)
        elif kind == ARTIFACT and len(self.artifacts) < _MOST_KEYS:
            said = {
                number: protobuf.text(value) for number, value in protobuf.fields(data) if number in (4, 5)
            }
            self.artifacts.append(f"{said.get(5, '')} ({said.get(4, '')})")

    def _take_run(self, data: bytes) -> None:
        labels: list[str] = []
        for number, value in protobuf.fields(data):
            if number in _TEXTS:
                setattr(self, _TEXTS[number], clean(protobuf.text(value)))
            elif number == 4:
                update(self.config, protobuf.message(value))
            elif number == 5:
                update(self.summary, protobuf.message(value))
            elif number == 10 and len(labels) < _MOST_KEYS:
                labels.append(clean(protobuf.text(value)))
            elif number == 13:
                self.host = clean(protobuf.text(value))
            elif number == 17:
                self.started_ms = protobuf.instant_ms(value)
            elif number == 21:
                self._take_git(protobuf.message(value))
        self.labels = labels or self.labels

    def _take_environment(self, data: bytes) -> None:
        for number, value in protobuf.fields(data):
            if number == 6:
                self.program = clean(protobuf.text(value))
            elif number == 9:
                self._take_git(protobuf.message(value))
            elif number == 10 or (number == 13 and not self.user):
                self.user = clean(protobuf.text(value))

    def _take_git(self, data: bytes) -> None:
        for number, value in protobuf.fields(data):
            if number == 2:
                self.commit = clean(protobuf.text(value))


def update(kept: Items, data: bytes) -> None:
    """Apply a ConfigRecord or SummaryRecord: field 1 sets values, field 2 removes them.

    Raises:
        ValueError: it is no such message.
    """
    for number, value in protobuf.fields(data):
        if number not in (1, 2):
            continue
        key, text = _named(protobuf.message(value))
        if number == 2:
            kept.pop(key, None)
        elif len(kept) < _MOST_KEYS or key in kept:
            try:
                kept[key] = parse_json(text)
            except ValueError:
                kept[key] = text.decode("utf-8", "replace")


def _named(item: bytes) -> tuple[str, bytes]:
    names, text = [], b"null"
    for number, value in protobuf.fields(item):
        if number in (1, 2):
            names.append(protobuf.text(value))
        elif number == 16:
            text = protobuf.message(value)
    return clean(".".join(each for each in names if each)), text


@dataclass(slots=True)
class Row:
    """One line of the history: its step and instant, the numbers in it, and what else there is by its type."""

    step: int = 0
    at_ms: int = 0
    values: list[tuple[str, float]] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)


def row_of(data: bytes) -> Row:
    """A HistoryRecord.

    Raises:
        ValueError: it is none.
    """
    row = Row()
    for number, value in protobuf.fields(data):
        if number == 1:
            _take_item(row, protobuf.message(value))
        elif number == 2:
            for inner, each in protobuf.fields(protobuf.message(value)):
                if inner == 1:
                    row.step = protobuf.whole(each)
    media = {key: form for key, form in row.others.items() if key.endswith("._type")}
    for key in media:
        _fold(row, key.removesuffix("._type"))
    return row


def _fold(row: Row, media: str) -> None:
    """What describes one image, table or histogram is one thing, not a metric for each number in it."""
    inside = f"{media}."
    form = row.media.get(f"{inside}_type", "media")
    row.values = [each for each in row.values if not each[0].startswith(inside)]
    row.others = {key: each for key, each in row.others.items() if not key.startswith(inside)}
    row.others[media] = form


def media_in(values: Items) -> set[str]:
    """The keys of a summary under which images, tables and the like are described."""
    return {key.removesuffix("._type") for key in values if key.endswith("._type")} | {
        key for key, value in values.items() if isinstance(value, dict) and "_type" in value
    }


def _take_item(row: Row, item: bytes) -> None:
    names: list[str] = []
    found: object = None
    for number, value in protobuf.fields(item):
        if number in (1, 2):
            names.append(protobuf.text(value))
        elif number == 16 or number == 8:
            found = _number_or_json(protobuf.message(value))
        elif number == 4 or number == 5:
            found = float(protobuf.zigzag(value) if number == 5 else bool(value))
        elif number == 6:
            found = protobuf.double(value)
        elif number == 7:
            found = protobuf.text(value)
    key = clean(".".join(each for each in names if each))
    if key in _OWN or key.startswith("_wandb."):
        if key == "_timestamp" and isinstance(found, float):
            row.at_ms = ms_of(found)
        elif key == "_step" and isinstance(found, float) and math.isfinite(found) and abs(found) < 2**63:
            row.step = int(found)
    elif isinstance(found, float):
        row.values.append((key, found))
    elif found is not None:
        row.others[key] = _type_of(found)
        if key.endswith("._type"):
            row.media[key] = str(found)[:50]


def _number_or_json(text: bytes) -> object:
    try:
        return float(text)  # also NaN and Infinity, as Go writes them into these texts
    except ValueError:
        pass
    try:
        found = parse_json(text)
    except ValueError:
        return text.decode("utf-8", "replace")
    return float(found) if isinstance(found, bool) else found


def _type_of(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("_type") or "mapping")[:50]
    return "text" if isinstance(value, str) else "list"


def samples_of(data: bytes) -> Iterator[tuple[str, int, float]]:
    """The numbers in a StatsRecord: key, instant in milliseconds, value.

    Raises:
        ValueError: it is none.
    """
    at_ms = 0
    met = []
    for number, value in protobuf.fields(data):
        if number == 2:
            at_ms = protobuf.instant_ms(value)
        elif number == 3:
            met.append(_named(protobuf.message(value)))
    for key, text in met:
        found = _number_or_json(text)
        if isinstance(found, float):
            yield f"system/{key}", at_ms, found
