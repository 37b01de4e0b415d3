"""Evidence about model versions and the queue of their proofs. The caller owns every transaction."""

import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from mlwright.errors import NotFound
from mlwright.model.evidence import QUEUED, RUNNING, Check, Evidence, Outcome, Proof
from mlwright.model.ids import Digest, ModelName
from mlwright.model.instants import from_micros, to_micros
from mlwright.model.plain import plain
from mlwright.stages.registry.evidence_tables import evidence, proofs

_PATIENCE: Final = timedelta(hours=6)
_SHOWN: Final = 1_000
"""Evidence of one version that is read at once; a version proved each night for a year has this much."""


def add_evidence(
    tx: Connection,
    model: ModelName,
    version: int,
    *,
    kind: str,
    outcome: Outcome,
    summary: str,
    at: datetime,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> Evidence:
    """Keep one thing that was found out; what was found before stays.

    Args:
        tx: a writing transaction.
        model, version: what it is about.
        kind: one of ``EvidenceKind``.
        outcome: what came of the check.
        summary: one sentence for people.
        at: the present instant.
        actor: who or what looked.
        details: values that have a plain form.

    Raises:
        TypeError: a detail has no plain form.
    """
    row = {
        "model": model,
        "version": version,
        "kind": str(kind),
        "outcome": str(outcome),
        "summary": summary,
        "details": plain(dict(details or {})),
        "actor": actor,
        "found_at": to_micros(at),
    }
    number = tx.execute(insert(evidence).values(row).returning(evidence.c.number)).scalar_one()
    found = tx.execute(select(evidence).where(evidence.c.number == number)).one()
    return _evidence(found)


def keep_checks(
    tx: Connection,
    model: ModelName,
    version: int,
    checks: Sequence[Check],
    *,
    digest: Digest | None,
    at: datetime,
    actor: str,
) -> tuple[Evidence, ...]:
    """Keep what several checks of the same files gave; ``digest`` says which files."""
    return tuple(
        add_evidence(
            tx,
            model,
            version,
            kind=each.kind,
            outcome=each.outcome,
            summary=each.summary,
            at=at,
            actor=actor,
            details={"digest": digest} | each.details,
        )
        for each in checks
    )


def list_evidence(
    tx: Connection, model: ModelName, version: int, *, kind: str | None = None
) -> tuple[Evidence, ...]:
    """What was found out about a version, the newest first; at most the newest 1,000."""
    query = select(evidence).where(evidence.c.model == model, evidence.c.version == version)
    if kind is not None:
        query = query.where(evidence.c.kind == kind)
    rows = tx.execute(query.order_by(evidence.c.number.desc()).limit(_SHOWN))
    return tuple(map(_evidence, rows))


def latest_evidence(tx: Connection, model: ModelName, version: int) -> tuple[Evidence, ...]:
    """The newest evidence of each kind about a version, in the order in which it was found."""
    newest: dict[str, Evidence] = {}
    for each in list_evidence(tx, model, version):
        newest.setdefault(each.kind, each)
    return tuple(sorted(newest.values(), key=lambda each: each.number or 0))


def queue_proof(tx: Connection, model: ModelName, version: int, at: datetime) -> None:
    """Have a version proved by whoever takes the next proof; asking again changes nothing while it waits."""
    row = {"state": QUEUED, "asked_at": to_micros(at), "started_at": None, "ended_at": None}
    row |= {"pid": None, "host": None}
    upsert = _insert(tx, proofs).values(model=model, version=version, **row)
    tx.execute(
        upsert.on_conflict_do_update(
            index_elements=["model", "version"], set_=row, where=proofs.c.state != QUEUED
        )
    )


def take_proof(tx: Connection, at: datetime) -> Proof | None:
    """Take the proof that has waited longest, or None where none waits. No two processes take the same."""
    waiting = select(proofs).where(proofs.c.state == QUEUED).order_by(proofs.c.asked_at, proofs.c.model)
    found = tx.execute(waiting.limit(1).with_for_update(skip_locked=True)).first()
    return None if found is None else begin_proof(tx, ModelName(found.model), found.version, at)


def begin_proof(tx: Connection, model: ModelName, version: int, at: datetime) -> Proof:
    """Say that this process now proves the version, asked for or not."""
    row = {"state": RUNNING, "started_at": to_micros(at), "ended_at": None}
    row |= {"pid": os.getpid(), "host": socket.gethostname()}
    upsert = _insert(tx, proofs).values(model=model, version=version, asked_at=to_micros(at), **row)
    tx.execute(upsert.on_conflict_do_update(index_elements=["model", "version"], set_=row))
    return proof_state(tx, model, version)


def end_proof(tx: Connection, model: ModelName, version: int, outcome: Outcome, at: datetime) -> None:
    """Say what came of a proof that this process began.

    Raises:
        NotFound: nobody asked for it.
    """
    there = proofs.c.model == model, proofs.c.version == version
    values = {"state": str(outcome), "ended_at": to_micros(at), "pid": None, "host": None}
    if tx.execute(update(proofs).where(*there).values(values)).rowcount == 0:
        raise _unasked(model, version)


def proof_state(tx: Connection, model: ModelName, version: int) -> Proof:
    """How far the proof of a version is.

    Raises:
        NotFound: nobody asked for it.
    """
    found = tx.execute(select(proofs).where(proofs.c.model == model, proofs.c.version == version)).first()
    if found is None:
        raise _unasked(model, version)
    return _proof(found)


def requeue_lost(tx: Connection, at: datetime) -> tuple[Proof, ...]:
    """Put back what a process began and did not live to end; returns those proofs.

    A process of this host that is gone will not end it; nor, after some hours, one of another host.
    """
    running = tx.execute(select(proofs).where(proofs.c.state == RUNNING)).all()
    here, late = socket.gethostname(), to_micros(at - _PATIENCE)
    lost = [row for row in running if (row.host == here and not _is_alive(row.pid)) or row.started_at < late]
    for row in lost:
        queue_proof(tx, ModelName(row.model), row.version, at)
    return tuple(map(_proof, lost))


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _unasked(model: str, version: int) -> NotFound:
    return NotFound(
        f"no proof of {model}/{version} was asked for",
        next_command=f"mlwright models prove {model}/{version}",
    )


def _evidence(row: Row[tuple[object, ...]]) -> Evidence:
    return Evidence(
        model=ModelName(row.model),
        version=row.version,
        kind=row.kind,
        outcome=Outcome(row.outcome),
        summary=row.summary,
        details=row.details,
        at=from_micros(row.found_at),
        actor=row.actor,
        number=row.number,
    )


def _proof(row: Row[tuple[object, ...]]) -> Proof:
    return Proof(
        model=ModelName(row.model),
        version=row.version,
        state=row.state,
        asked=from_micros(row.asked_at),
        started=None if row.started_at is None else from_micros(row.started_at),
        ended=None if row.ended_at is None else from_micros(row.ended_at),
    )
