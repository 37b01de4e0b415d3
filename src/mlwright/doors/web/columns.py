"""Columns of the table of runs: which there are, what stands in them, and how they are ordered by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.doors.web.sizes import lasted, measured, since
from mlwright.doors.web.words import NOTHING
from mlwright.model.tracking import RunRecord
from mlwright.stages.tracking.overview import KeysInUse

_ATTRIBUTES: Final = {
    "name": ("run", "attributes.run_name"),
    "status": ("status", "attributes.status"),
    "started": ("started", "attributes.start_time"),
    "duration": ("duration", "attributes.duration"),
    "user": ("user", "attributes.user_id"),
}
_KINDS: Final = ("metrics", "params", "tags")
_FIRST: Final = 5
"""Metrics, and params, that are shown unless others are chosen."""
MOST: Final = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``kind`` is empty for attributes, else metrics, params or tags."""

    kind: str
    key: str

    @property
    def id(self) -> str:
        """How addresses name it: ``started``, ``metrics.loss``."""
        return f"{self.kind}.{self.key}" if self.kind else self.key

    @property
    def title(self) -> str:
        """What stands above it."""
        return self.key if self.kind else _ATTRIBUTES[self.key][0]

    @property
    def is_number(self) -> bool:
        """Whether what stands in it is set to the right."""
        return self.kind == "metrics" or self.id == "duration"

    @property
    def order(self) -> str:
        """What a search is ordered by."""
        if not self.kind:
            return _ATTRIBUTES[self.key][1]
        sign = '"' if "`" in self.key else "`"
        return f"{self.kind}.{sign}{self.key}{sign}"

    def text(self, run: RunRecord) -> str:
        """What stands in it for a run."""
        if self.kind == "metrics":
            return next((measured(each.value) for each in run.metrics if each.key == self.key), NOTHING)
        if self.kind:
            return (run.params if self.kind == "params" else run.tags).get(self.key, NOTHING)
        return _TEXTS[self.key](run)


_TEXTS: Final[Mapping[str, Callable[[RunRecord], str]]] = {
    "name": lambda run: run.name,
    "status": lambda run: run.status.value,
    "started": lambda run: since(run.started_ms),
    "duration": lambda run: lasted(None if run.ended_ms is None else run.ended_ms - run.started_ms),
    "user": lambda run: run.actor or NOTHING,
}

NAME: Final = Column("", "name")
STATUS: Final = Column("", "status")
_USUAL: Final = (STATUS, Column("", "started"), Column("", "duration"))


def parse(id: str) -> Column | None:
    """The column of this id; None where there is none."""
    kind, dot, key = id.partition(".")
    if dot and kind in _KINDS and key:
        return Column(kind, key)
    return Column("", id) if id in _ATTRIBUTES else None


def usual(keys: KeysInUse, runs: Sequence[RunRecord]) -> list[Column]:
    """What is shown unless other columns are chosen: params that differ come before those that do not."""
    varied = [key for key in keys.params if len({run.params.get(key) for run in runs}) > 1]
    params = [*varied, *(key for key in keys.params if key not in varied)]
    found = [*_USUAL, *(Column("metrics", key) for key in keys.metrics[:_FIRST])]
    return found + [Column("params", key) for key in params[:_FIRST]]


def offered(keys: KeysInUse, chosen: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """All columns by kind, also those that were chosen and are in no run any more."""
    groups = {
        "": [Column("", key) for key in _ATTRIBUTES if key != "name"],
        "metrics": [Column("metrics", key) for key in keys.metrics],
        "params": [Column("params", key) for key in keys.params],
        "tags": [Column("tags", key) for key in keys.tags],
    }
    for each in chosen:
        if each.id != "name" and each not in groups[each.kind]:
            groups[each.kind].append(each)
    return [(kind or "run", columns) for kind, columns in groups.items() if columns]
