"""Uploads that arrive in parts, as rows; the parts themselves are files that the platform keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from blake3 import blake3
from sqlalchemy import Connection, delete, insert, select, update

from mlwright.errors import BadRequest, NotFound
from mlwright.model.ids import Digest
from mlwright.model.instants import to_micros
from mlwright.stages.tracking.artifact_tables import upload_parts, uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """One part that arrived. ``number`` counts from 1; ``size`` is in bytes."""

    number: int
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload under way, or one that was completed a while ago."""

    id: str
    path: str
    parts: int
    is_complete: bool
    arrived: tuple[UploadPart, ...] = ()

    def check(self, claimed: Sequence[tuple[int, str]]) -> None:
        """See that the parts a client names, each by number and digest, are those that arrived, and are all.

        Raises:
            BadRequest: a part is missing or another one.
        """
        arrived = {each.number: each.digest for each in self.arrived}
        missing = sorted(set(range(1, self.parts + 1)) - arrived.keys())
        if missing:
            raise BadRequest(f"part {missing[0]} of {self.parts} has not arrived", where=self.path)
        for number, digest in claimed:
            if arrived.get(number) != digest:
                raise BadRequest(f"part {number} is not the one that arrived", where=self.path)
        if len(dict(claimed)) != self.parts:
            raise BadRequest(f"{len(dict(claimed))} of {self.parts} parts are named", where=self.path)


def measure_part(number: int, file: Path) -> UploadPart:
    """What a part is, from its file."""
    hasher = blake3()
    with file.open("rb", buffering=0) as source:
        while piece := source.read(1 << 20):
            hasher.update(piece)
        size = source.tell()
    return UploadPart(number=number, digest=Digest(f"blake3:{hasher.hexdigest()}"), size=size)


def begin_upload(tx: Connection, upload: Upload, at: datetime) -> None:
    """Note that an upload begins."""
    tx.execute(
        insert(uploads).values(id=upload.id, path=upload.path, parts=upload.parts, begun_at=to_micros(at))
    )


def find_upload(tx: Connection, id: str) -> Upload:
    """An upload with the parts that arrived.

    Raises:
        NotFound: there is none, or it was aborted.
    """
    row = tx.execute(select(uploads).where(uploads.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(
            "there is no such upload; it may have been aborted, or forgotten after a day", where=id
        )
    arrived = tx.execute(
        select(upload_parts).where(upload_parts.c.upload == id).order_by(upload_parts.c.part)
    )
    return Upload(
        id=id,
        path=row.path,
        parts=row.parts,
        is_complete=row.completed_at is not None,
        arrived=tuple(
            UploadPart(number=each.part, digest=Digest(each.digest), size=each.size) for each in arrived
        ),
    )


def save_part(tx: Connection, id: str, part: UploadPart) -> None:
    """Note that a part arrived; of two with one number the later counts."""
    tx.execute(delete(upload_parts).where(upload_parts.c.upload == id, upload_parts.c.part == part.number))
    tx.execute(insert(upload_parts).values(upload=id, part=part.number, digest=part.digest, size=part.size))


def end_upload(tx: Connection, id: str, at: datetime) -> None:
    """Note that an upload is complete; its parts are forgotten."""
    tx.execute(delete(upload_parts).where(upload_parts.c.upload == id))
    tx.execute(update(uploads).where(uploads.c.id == id).values(completed_at=to_micros(at)))


def forget_upload(tx: Connection, id: str) -> bool:
    """Forget an upload and its parts; whether there was one."""
    tx.execute(delete(upload_parts).where(upload_parts.c.upload == id))
    return bool(tx.execute(delete(uploads).where(uploads.c.id == id)).rowcount)


def uploads_before(tx: Connection, at: datetime) -> list[str]:
    """Uploads that began before an instant."""
    return list(tx.scalars(select(uploads.c.id).where(uploads.c.begun_at < to_micros(at))))
