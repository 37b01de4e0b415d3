"""The audit chain, decisions, lineage and marks in the database. The caller owns every transaction."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Column, Connection, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mlwright.model.instants import from_micros, to_micros
from mlwright.model.ledger import AuditRow, Decision, Edge, Node, Trace
from mlwright.model.plain import plain
from mlwright.stages.ledger.tables import audit, audit_head, decisions, edges, marks

NO_HASH = "0" * 64
"""What the first audit row has as the hash of the row before it."""

_CHAIN = "audit"
_HASHED = ("number", "at", "actor", "action", "subject", "details", "previous")
# SQLite takes at most 999 parameters a statement in its older versions.
_NODES_A_QUERY = 500


def append_audit(
    tx: Connection, at: datetime, actor: str, action: str, subject: str, details: Mapping[str, object]
) -> AuditRow:
    """Add one change of state to the chain.

    Each row's hash is the SHA-256 of its canonical JSON (keys sorted, no spaces, UTF-8), which includes the
    hash of the row before: a row that is changed, removed, inserted or moved later shows. Other writers wait
    until the transaction ends, so this should be the last thing that a long transaction does.

    Args:
        tx: a writing transaction.
        at: the present instant.
        actor: who or what did it.
        action: what was done, such as ``alias.set``.
        subject: to what, such as ``model:flight-delay``.
        details: anything that :func:`mlwright.model.plain.plain` takes.
    """
    tx.execute(_insert(tx, audit_head).values(chain=_CHAIN, number=0, hash=NO_HASH).on_conflict_do_nothing())
    # Whoever holds this row writes; SQLite needs no FOR UPDATE, its writing transaction is alone.
    head = tx.execute(select(audit_head).where(audit_head.c.chain == _CHAIN).with_for_update()).one()
    row = {
        "number": head.number + 1,
        "at": to_micros(at),
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": plain(details),
        "previous": head.hash,
    }
    row["hash"] = _hash(row)
    tx.execute(_insert(tx, audit).values(row))
    tx.execute(
        update(audit_head).where(audit_head.c.chain == _CHAIN).values(number=row["number"], hash=row["hash"])
    )
    return _audit_row(row)


def list_audit(tx: Connection, *, subject: str | None = None, limit: int = 100) -> list[AuditRow]:
    """The newest audit rows first."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return [_audit_row(row._asdict()) for row in tx.execute(query)]


def verify_chain(tx: Connection) -> int | None:
    """Recompute the audit chain. None when it is whole, else the number of the first row that is wrong.

    A row that is missing counts under its own number, at the end of the chain too.
    """
    number, previous = 0, NO_HASH
    query = select(audit).order_by(audit.c.number).execution_options(yield_per=1000)
    for found in tx.execute(query):
        row = found._asdict()
        number += 1
        if row["number"] != number or row["previous"] != previous or row["hash"] != _hash(row):
            return number
        previous = row["hash"]
    head = tx.execute(select(audit_head).where(audit_head.c.chain == _CHAIN)).one_or_none()
    if head is None:
        return None if number == 0 else number
    if (head.number, head.hash) == (number, previous):
        return None
    return number + 1 if head.number > number else number


def add_decision(tx: Connection, decision: Decision) -> None:
    """Record a decision; the same id again changes nothing."""
    tx.execute(
        _insert(tx, decisions)
        .values(
            id=decision.id,
            at=to_micros(decision.at),
            kind=decision.kind,
            subject=decision.subject,
            outcome=decision.outcome,
            reasons=plain(decision.reasons),
            evidence=plain(decision.evidence),
        )
        .on_conflict_do_nothing()
    )


def list_decisions(
    tx: Connection, *, subject: str | None = None, kind: str | None = None, limit: int = 100
) -> list[Decision]:
    """The newest decisions first. Evidence comes back in its plain form."""
    query = select(decisions).order_by(decisions.c.at.desc(), decisions.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(decisions.c.subject == subject)
    if kind is not None:
        query = query.where(decisions.c.kind == kind)
    return [
        Decision(
            id=row.id,
            at=from_micros(row.at),
            kind=row.kind,
            subject=row.subject,
            outcome=row.outcome,
            reasons=tuple(row.reasons),
            evidence=row.evidence,
        )
        for row in tx.execute(query)
    ]


def add_edges(tx: Connection, new: Iterable[Edge]) -> None:
    """Record what came from what; an edge that is there already changes nothing."""
    # In one order always, so that two writers of the same edges cannot wait for each other in a ring.
    rows = [
        {"effect": effect, "relation": relation, "cause": cause}
        for effect, relation, cause in sorted(
            {(str(each.effect), each.relation, str(each.cause)) for each in new}
        )
    ]
    if rows:
        tx.execute(_insert(tx, edges).on_conflict_do_nothing(), rows)


def trace(tx: Connection, node: Node, depth: int = 20) -> Trace:
    """Walk the lineage graph both ways from one node.

    Each edge appears once, nearest first, then by name; rings end by themselves. A node that nobody recorded
    has no edges.

    Args:
        tx: any transaction.
        node: where to start.
        depth: how many edges to go at most.
    """
    return Trace(
        node=node,
        causes=_walk(tx, node, depth, start=edges.c.effect, end=edges.c.cause),
        effects=_walk(tx, node, depth, start=edges.c.cause, end=edges.c.effect),
    )


def find_nodes(tx: Connection, beginning: str, *, limit: int = 20) -> list[Node]:
    """The recorded nodes whose text begins so, by text; at most ``limit``."""
    found: set[str] = set()
    for side in (edges.c.effect, edges.c.cause):
        query = select(side).where(side.startswith(beginning, autoescape=True)).distinct().order_by(side)
        found.update(tx.execute(query.limit(limit)).scalars())
    return [Node.parse(each) for each in sorted(found)[:limit]]


def set_mark(tx: Connection, name: str, value: str) -> None:
    """Remember a value under a name, such as how far the control loop has watched."""
    upsert = _insert(tx, marks).values(name=name, value=value)
    tx.execute(upsert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def get_mark(tx: Connection, name: str) -> str | None:
    """The value that was remembered under the name, or None."""
    value: str | None = tx.execute(select(marks.c.value).where(marks.c.name == name)).scalar_one_or_none()
    return value


def _insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _hash(row: Mapping[str, object]) -> str:
    body = {name: row[name] for name in _HASHED}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _audit_row(row: Mapping[str, object]) -> AuditRow:
    values = dict(row)
    values["at"] = from_micros(int(str(values["at"])))
    return AuditRow(**values)  # type: ignore[arg-type]


def _walk(
    tx: Connection, node: Node, depth: int, *, start: Column[str], end: Column[str]
) -> tuple[Edge, ...]:
    found: list[Edge] = []
    visited: set[str] = set()
    frontier = {str(node)}
    for _ in range(depth):
        visited |= frontier
        level = sorted(frontier)
        frontier = set()
        for first in range(0, len(level), _NODES_A_QUERY):
            part = level[first : first + _NODES_A_QUERY]
            query = select(edges).where(start.in_(part)).order_by(start, edges.c.relation, end)
            for row in tx.execute(query):
                found.append(
                    Edge(effect=Node.parse(row.effect), relation=row.relation, cause=Node.parse(row.cause))
                )
                frontier.add(row.cause if end is edges.c.cause else row.effect)
        frontier -= visited
        if not frontier:
            break
    return tuple(found)
