"""One move from another tool: what it knows while it goes on, and what it says at the end."""

import re
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from mlwright.errors import BadRequest, Conflict, DataError, UsageError
from mlwright.model.ids import RunId
from mlwright.model.moving import Carried, ForeignFacts, ForeignFile, LeftOut, MoveProgress, MoveReport
from mlwright.platform.tracking.artifacts import ArtifactJourney
from mlwright.platform.tracking.book import ARTIFACT_SCHEME, Book
from mlwright.ports.foreign_store import ForeignStore
from mlwright.stages.tracking import artifacts as rows
from mlwright.stages.tracking.names import KEY_LIMIT, TEXT_LIMIT, check_key

MARK: Final = "mlwright.imported."
FROM: Final = f"{MARK}from"
"""Tool and source of a run, an experiment or a model version that came from elsewhere."""
ID: Final = f"{MARK}id"
STATE: Final = f"{MARK}state"
"""What the run was like when it was carried whole; it is looked at again when that changed."""
INCOMPLETE: Final = f"{MARK}incomplete"
"""Is there while a run's histories and artifacts are on their way; whoever finds it later knows that they broke off."""

PARENT: Final = "mlflow.parentRunId"
KINDS: Final = (
    "experiments",
    "runs",
    "params",
    "tags",
    "metrics",
    "points",
    "datasets",
    "artifacts",
    "logged models",
    "registered models",
    "model versions",
    "aliases",
)

_KEPT: Final = re.compile(r"[0-9a-f]{32}|[0-9A-HJKMNP-TV-Z]{26}")
_SPACE: Final = uuid.UUID("6f0d5a0e-3f6b-5d0a-9a3c-6d6c77726967")
_ODD: Final = re.compile(r"[^/\w.\- :]")
_ALIKE: Final = 20
"""Things left out for the same reason that are named; the others are counted."""


def derived_id(tool: str, id: str, more: object = "") -> str:
    """32 hexadecimal digits that depend on tool and id only."""
    return uuid.uuid5(_SPACE, f"{tool}\n{id}\n{more}" if more else f"{tool}\n{id}").hex


class Move:
    """What one move knows: where from, which ids things get, what was carried and what was not."""

    def __init__(
        self,
        book: Book,
        artifacts: ArtifactJourney,
        store: ForeignStore,
        experiments: Sequence[str],
        on_progress: Callable[[MoveProgress], None] | None,
    ) -> None:
        self.book, self.artifacts, self.store = book, artifacts, store
        self.facts: ForeignFacts = store.about()
        self.new: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.ids: dict[str, RunId] = {}
        """Runs of the source, by the id that they have here."""
        self.models: dict[str, str] = {}
        """Where the files of carried logged models lie here, by their id in the source."""
        self._wanted = frozenset(experiments)
        self._left: dict[LeftOut, None] = {}
        self._alike: Counter[tuple[str, str]] = Counter()
        self._on_progress = on_progress
        self._size = 0

    @property
    def origin(self) -> str:
        """Tool and source, as tags and audit rows say it."""
        return f"{self.facts.tool} {self.facts.source}"

    def wants(self, experiment: str) -> bool:
        """Whether an experiment is to be carried."""
        return not self._wanted or experiment in self._wanted

    @property
    def is_partial(self) -> bool:
        """Whether only some experiments are to be carried."""
        return bool(self._wanted)

    def count(self, what: str, new: int, known: int = 0) -> None:
        """Count things that came over now, and such as were there."""
        self.new[what] += new
        self.known[what] += known

    def leave(self, what: str, where: str, why: str) -> None:
        """Note something that is not carried. Of many alike the first are named and the others counted."""
        self._alike[what, why] += 1
        if self._alike[what, why] <= _ALIKE:
            self._left[LeftOut(what=what, where=where, why=why)] = None

    def say(self, at: str) -> None:
        """Tell whoever watches how far it is."""
        if self._on_progress is not None:
            done = self.new["runs"] + self.known["runs"]
            self._on_progress(
                MoveProgress(
                    runs=done,
                    of=None if self.is_partial else self.facts.runs,
                    points=self.new["points"],
                    files=self.new["artifacts"],
                    size=self._size,
                    at=at,
                )
            )

    def report(self, *, dry: bool = False) -> MoveReport:
        """What was carried and what was not, so far."""
        more = [
            LeftOut(what=what, where=f"{count - _ALIKE} more", why=why)
            for (what, why), count in self._alike.items()
            if count > _ALIKE
        ]
        left = dict.fromkeys([*self.store.left_out(), *self._left, *more])
        return MoveReport(
            tool=self.facts.tool,
            source=self.facts.source,
            carried=tuple(
                Carried(what=kind, new=self.new[kind], known=self.known[kind])
                for kind in KINDS
                if self.new[kind] or self.known[kind]
            ),
            left_out=tuple(left),
            dry=dry,
        )

    def run_id(self, id: str) -> RunId:
        """The id that a run of the source has here, unless another run has that."""
        return self.ids.get(id) or RunId(id if _KEPT.fullmatch(id) else derived_id(self.facts.tool, id))

    def key(self, key: str, kind: str, where: str) -> str:
        """The key under which a param, metric or tag is kept: its own where that can be one."""
        try:
            return check_key("key", key)
        except UsageError as fault:
            plain = "/".join(part for part in _ODD.sub("_", key).split("/") if part.strip(".")) or "_"
            plain = f"{plain[: KEY_LIMIT - 9]}-{sha256(key.encode('utf-8', 'replace')).hexdigest()[:8]}"
            self.leave(
                f"the name of a {kind}", f"{where}: {key[:80]!r} became {plain[:80]!r}", _first_words(fault)
            )
            return plain

    def texts(self, values: Iterable[tuple[str, str]], kind: str, where: str) -> dict[str, str]:
        """Keys and values as they can be kept; a value that is too long is left out."""
        found = {}
        for key, value in values:
            if len(value) > TEXT_LIMIT:
                why = f"it has {len(value):,} letters; {TEXT_LIMIT:,} can be kept"
                self.leave(f"a {kind}", f"{where}: {key}", why)
            else:
                found[self.key(key, kind, where)] = value
        return found

    def carry_files(self, owner: str, root: str, files: Iterable[ForeignFile]) -> None:
        """Store those artifacts of a run or logged model that are not there yet in this size.

        Args:
            owner: the id in the source.
            root: where the files lie here.
            files: the files of the source.
        """
        folder = rows.path_of_root(root)
        with self.book.read() as tx:
            known = {each.path: each.size for each in rows.files_below(tx, folder)}
        for file in files:
            place = f"{folder}/{file.path}"
            if place in known and file.size in (None, known[place]):
                self.count("artifacts", 0, 1)
                continue
            try:
                self._carry_file(owner, file, place)
            except (DataError, BadRequest, Conflict) as fault:
                self.leave("an artifact", f"{owner}: {file.path}", fault.why or fault.what)
            else:
                self.count("artifacts", 1)
            self.say(f"{owner}: {file.path}")

    def _carry_file(self, owner: str, file: ForeignFile, place: str) -> None:
        self.artifacts.check(place)
        received = self.artifacts.uploads.receive()
        try:
            with self.store.open(owner, file.path) as source, received.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            self._size += received.stat().st_size
            self.artifacts.put(place, received, consume=True)
        finally:
            received.unlink(missing_ok=True)


def address_of(root: str, path: str | None) -> str:
    """The address of a folder below an artifact root of ours."""
    return f"{ARTIFACT_SCHEME}{rows.path_of_root(root)}" + (f"/{path.strip('/')}" if path else "")


def _first_words(fault: UsageError) -> str:
    return fault.what.split(" supplied: ")[-1].strip()[:200]
