"""A batch job as values: what is read, how it is cut, and what was done of it. The manifest is a job as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from mlwright.errors import Conflict, Fault, StorageError
from mlwright.model.endpoints import Route
from mlwright.model.registry import Field
from mlwright.model.settings import EndpointSettings

CHUNK_ROWS: Final = 65_536
POLICIES: Final = ("reject", "impute", "flag")
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What answers: an endpoint, or a model alone as an endpoint of no project, and the versions behind it."""

    spec: EndpointSettings
    route: Route
    digests: Mapping[str, str]
    """The digest of the files of each ``model/version``."""
    takes: tuple[Field, ...]
    """What the models take, features among it; nothing: they have no signature, and whatever is there is sent."""
    log: bool = False
    """Whether predictions are logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a job is done.

    ``keep`` names the columns of the input that stand in the output: none means keys and times, ``all`` all of them.
    ``workers`` of 0 is as many as there are cores, and no more than the size of the input is worth. ``limit`` of 0 is
    none.
    """

    keep: tuple[str, ...] = ()
    chunk_rows: int = CHUNK_ROWS
    workers: int = 0
    limit: int = 0
    restart: bool = False


class Chunk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Some rows of one file: one part of the output."""

    part: int
    source: int
    """Which of the job's files."""
    start: int
    """The first row, counted in the file from 0."""
    rows: int
    begin: int = 0
    end: int = 0
    """Where its bytes are, of a file of lines."""


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file of the input, as it was when the job began."""

    path: str
    size: int
    stamp: str
    """What changes when the file does: its time, or the tag that an object store gives it."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one file is cut, and what stands in it."""

    columns: list[str]
    kinds: dict[str, str] = {}
    """Of a file without types: those of columns that are neither inputs nor keys, by their first rows."""
    header: int = 0
    """How many bytes the header of a CSV has."""
    rows: int = 0
    chunks: list[Chunk] = []


class Done(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of one chunk. ``read`` rows are ``written`` or ``rejected``; ``faults`` counts values by field."""

    read: int
    written: int
    rejected: int
    flagged: int = 0
    faults: dict[str, int] = {}
    missed: dict[str, int] = {}
    """Rows for which a feature view knew nothing, by its name."""
    absent: list[str] = []
    """Inputs that the file has not, and that were taken as missing."""
    seconds: float = 0.0


class Manifest(msgspec.Struct, kw_only=True):
    """A job: what it depends on, and how far it came."""

    format: int = 1
    job: str
    as_of: int
    """When it began: the time of rows that have none. Microseconds since 1970 UTC."""
    endpoint: str
    versions: dict[str, str]
    """The digest of each version behind the answers, by ``model/version share``."""
    options: dict[str, str]
    inputs: list[Source]
    plans: dict[str, Plan] = {}
    """By the number of the file; those that were looked at so far."""
    done: dict[str, Done] = {}
    """By the number of the part."""
    complete: bool = False

    @property
    def total(self) -> Done:
        """What came of all chunks together."""
        faults: dict[str, int] = {}
        missed: dict[str, int] = {}
        for each in self.done.values():
            for into, counts in ((faults, each.faults), (missed, each.missed)):
                for name, count in counts.items():
                    into[name] = into.get(name, 0) + count
        found = self.done.values()
        return Done(
            read=sum(each.read for each in found),
            written=sum(each.written for each in found),
            rejected=sum(each.rejected for each in found),
            flagged=sum(each.flagged for each in found),
            faults=faults,
            missed=missed,
            absent=sorted({name for each in found for name in each.absent}),
        )


def encode(manifest: Manifest) -> bytes:
    """A manifest as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def decode(data: bytes, where: str) -> Manifest:
    """What :func:`encode` wrote.

    Raises:
        StorageError: it is something else.
    """
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StorageError(
            "this is no manifest of a batch job",
            where=where,
            why=str(error),
            next_command="mlwright predict … --restart writes everything anew",
        ) from error


def require_same(before: Manifest, now: Manifest, where: str) -> None:
    """Refuse to go on with a job that depends on something that has changed since.

    Raises:
        Conflict: the faults say what changed.
    """
    faults = [*_changed_inputs(before.inputs, now.inputs)]
    pairs: dict[str, tuple[str | None, str | None]] = {"endpoint": (before.endpoint, now.endpoint)}
    pairs |= {f"--{name}": (before.options.get(name), text) for name, text in now.options.items()}
    for name in sorted({*before.versions, *now.versions}):
        pairs[f"version {name}"] = (before.versions.get(name), now.versions.get(name))
    faults += [
        Fault(where=name, what=f"was {_said(old)}, and is {_said(new)}")
        for name, (old, new) in pairs.items()
        if old != new
    ]
    if faults:
        raise Conflict(
            "what was begun here depends on something that has changed",
            where=where,
            why=f"{len(before.done)} parts are written; together with new ones they would be no one's answers",
            next_command="the same command with --restart writes everything anew",
            faults=faults[:20],
        )


def _changed_inputs(before: Sequence[Source], now: Sequence[Source]) -> list[Fault]:
    old, new = {each.path: each for each in before}, {each.path: each for each in now}
    gone = [Fault(where=path, what="is gone") for path in old if path not in new]
    came = [Fault(where=path, what="is new") for path in new if path not in old]
    changed = [
        Fault(where=path, what="has changed") for path in old if path in new and old[path] != new[path]
    ]
    return gone + came + changed


def _said(value: str | None) -> str:
    return "not there" if value is None else repr(value)
