"""Checkpoints in the database."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from mlwright.model.ids import Digest, RunId
from mlwright.model.instants import to_micros
from mlwright.stages.pipelines.tables import checkpoints


def find_checkpoint(tx: Connection, key: str) -> tuple[str, Digest] | None:
    """Kind and digest of what a step returned for this key, or None."""
    row = tx.execute(
        select(checkpoints.c.kind, checkpoints.c.digest).where(checkpoints.c.key == key)
    ).one_or_none()
    return (row.kind, Digest(row.digest)) if row else None


def save_checkpoint(
    tx: Connection, key: str, *, step: str, kind: str, digest: Digest, run: RunId, at: datetime
) -> None:
    """Keep what a step returned; of two equal keys the later stays."""
    tx.execute(delete(checkpoints).where(checkpoints.c.key == key))
    tx.execute(
        insert(checkpoints).values(
            key=key, step=step, kind=kind, digest=digest, run=run, created_at=to_micros(at)
        )
    )
