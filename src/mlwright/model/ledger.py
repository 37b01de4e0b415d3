"""The book of what happened and why: audit rows, decisions, lineage."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One change of state. ``hash`` covers the row and ``previous``, so that a changed or missing row shows."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, object]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice that mlwright made or recommends: what, why, on which evidence."""

    id: str
    at: datetime
    kind: str
    subject: str
    outcome: str
    reasons: tuple[str, ...]
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A thing that has causes and effects, such as ``run:01J…`` or ``dataset:flights@blake3:…``."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Node":
        """Read ``kind:id``.

        Raises:
            ValueError: there is no colon.
        """
        kind, colon, rest = text.partition(":")
        if not colon or not kind or not rest:
            raise ValueError(f"{text!r} is not of the form kind:id, such as 'model:flight-delay/3'")
        return cls(kind=kind, id=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``effect`` came from ``cause`` by ``relation``."""

    effect: Node
    relation: str
    cause: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What one thing came from and what came from it."""

    node: Node
    causes: tuple[Edge, ...]
    effects: tuple[Edge, ...]
