"""A stream in memory, with any number of consumers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from mlwright.ports.streams import Record, Result


@dataclass(slots=True)
class _Hand:
    since: float
    deliveries: int


@dataclass(slots=True)
class StreamMemory:
    """What all consumers of one group share: what was sent, who has what, and what came of it."""

    entries: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    buried: list[tuple[Record, str]] = field(default_factory=list)
    clock: Callable[[], float] = monotonic
    unread: int = 0
    hands: dict[str, _Hand] = field(default_factory=dict)

    def add(self, fields: dict[str, str]) -> str:
        """Send one record; returns its id."""
        self.entries.append((f"{len(self.entries) + 1}-0", dict(fields)))
        return self.entries[-1][0]

    def waiting(self) -> list[str]:
        """The ids that some consumer has in its hands."""
        return list(self.hands)


class MemoryRecordStream:
    """One consumer of a :class:`StreamMemory`. It never waits."""

    def __init__(self, memory: StreamMemory | None = None) -> None:
        self.memory = memory or StreamMemory()

    @property
    def name(self) -> str:
        """See ``RecordStream.name``."""
        return "memory"

    def read(self, most: int, wait_s: float) -> Sequence[Record]:
        """See ``RecordStream.read``."""
        memory = self.memory
        found = memory.entries[memory.unread : memory.unread + most]
        memory.unread += len(found)
        return [self._handed(id, fields, 1) for id, fields in found]

    def claim(self, most: int, idle_s: float) -> Sequence[Record]:
        """See ``RecordStream.claim``."""
        memory, now = self.memory, self.memory.clock()
        idle = [
            (id, fields, memory.hands[id].deliveries + 1)
            for id, fields in memory.entries
            if id in memory.hands and now - memory.hands[id].since >= idle_s
        ]
        return [self._handed(*each) for each in idle[:most]]

    def finish(self, results: Sequence[Result]) -> None:
        """See ``RecordStream.finish``."""
        for each in results:
            if self.memory.hands.pop(each.source, None) is not None:
                self.memory.results.append(each)

    def bury(self, records: Sequence[Record], reasons: Sequence[str]) -> None:
        """See ``RecordStream.bury``."""
        for record, reason in zip(records, reasons, strict=True):
            if self.memory.hands.pop(record.id, None) is not None:
                self.memory.buried.append((record, reason))

    def close(self) -> None:
        """See ``RecordStream.close``."""

    def _handed(self, id: str, fields: dict[str, str], deliveries: int) -> Record:
        self.memory.hands[id] = _Hand(self.memory.clock(), deliveries)
        return Record(id=id, fields=dict(fields), deliveries=deliveries)
