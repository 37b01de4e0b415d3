"""Files on their way in: bodies that arrive, and uploads in parts, in a folder that is cleared of what died."""

import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from mlwright.errors import BadRequest, NotFound, StorageError
from mlwright.model.artifacts import ArtifactFile
from mlwright.platform.tracking.book import Book
from mlwright.stages.tracking import artifacts as rows
from mlwright.stages.tracking import uploads as store
from mlwright.stages.tracking.uploads import Upload, UploadPart

MOST_PARTS: Final = 10_000
"""Parts of one upload, at most; the same as in S3."""

_HOST: Final = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "here"
_PROCESS: Final = uuid.uuid4().hex[:8]
"""Tells this process from an earlier one that had its id, as the first one in a container always has."""

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""How long an upload that nobody completes is kept."""


class UploadJourney:
    """Receive a file whole or in parts. What was received and not kept is gone at the next start at the latest."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._folder = book.state / "uploads"

    def receive(self) -> Path:
        """A place for a file that is about to arrive, on the disk of the state folder; whoever asks removes it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{_HOST}.{os.getpid()}.{_PROCESS}-{uuid.uuid4().hex}"

    def free(self) -> int:
        """Bytes that can still be received."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._folder).free

    def begin(self, path: str, parts: int) -> Upload:
        """Begin an upload in parts.

        Raises:
            BadRequest: the path is unsafe, or there are no parts or more than MOST_PARTS.
            Conflict: no file can be at the path.
        """
        if not 1 <= parts <= MOST_PARTS:
            raise BadRequest(f"an upload has between 1 and {MOST_PARTS:,} parts, not {parts}", where=path)
        # The id is all that whoever sends a part shows: it must not be guessed.
        upload = Upload(id=uuid.uuid4().hex, path=rows.clean_path(path), parts=parts, is_complete=False)

        def note() -> None:
            with self._book.write() as tx:
                rows.check_free(tx, upload.path)
                store.begin_upload(tx, upload, self._book.clock.now())

        self._book.commit(note)
        return upload

    def put_part(self, id: str, number: int, file: Path) -> UploadPart:
        """Keep one part, counted from 1; the file is given up. A part that is sent again replaces the first.

        Raises:
            NotFound: there is no such upload.
            BadRequest: the upload has no part of this number, or is complete.
        """
        with self._book.read() as tx:
            upload = store.find_upload(tx, id)
        if upload.is_complete or not 1 <= number <= upload.parts:
            raise BadRequest(f"no part {number} is awaited", where=upload.path)
        part = store.measure_part(number, file)
        place = self._place(id)
        place.mkdir(parents=True, exist_ok=True)
        os.replace(file, place / str(number))

        def note() -> None:
            with self._book.write() as tx:
                store.find_upload(tx, id)  # it may have been aborted meanwhile
                store.save_part(tx, id, part)

        try:
            self._book.commit(note)
        except NotFound:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return part

    def complete(self, id: str, path: str, claimed: Sequence[tuple[int, str]]) -> ArtifactFile:
        """Join the parts, store the file, and put it at its path. Asked again, the answer is the same.

        Args:
            id: the upload's.
            path: where it goes; the same as at its beginning.
            claimed: number and digest of each part, as :meth:`put_part` answered.

        Raises:
            NotFound: there is no such upload.
            BadRequest: a part is missing or another one; the upload stays.
        """
        with self._book.read() as tx:
            upload = store.find_upload(tx, id)
            done = rows.find_file(tx, upload.path) if upload.is_complete else None
        if upload.path != rows.clean_path(path):
            raise BadRequest("this upload goes to another path", where=path)
        if done is not None:
            return done
        upload.check(claimed)
        whole = self.receive()
        try:
            size = self._join(upload, whole)
            digest = self._book.artifacts.put_file(whole, consume=True)
        finally:
            whole.unlink(missing_ok=True)
        file = ArtifactFile(path=upload.path, size=size, digest=digest, modified=self._book.clock.now())

        def note() -> None:
            with self._book.write() as tx:
                rows.save_file(tx, file)
                store.end_upload(tx, id, file.modified)

        self._book.commit(note)
        shutil.rmtree(self._place(id), ignore_errors=True)
        return file

    def abort(self, id: str) -> bool:
        """Forget an upload and its parts; whether there was one that was not complete."""
        with self._book.read() as tx:
            try:
                if store.find_upload(tx, id).is_complete:
                    return False
            except NotFound:
                return False
        return self._forget([id]) == 1

    def clear(self) -> int:
        """Remove files of processes that died, and uploads that nobody completed for a day; how many there were."""
        with self._book.read() as tx:
            old = store.uploads_before(tx, self._book.clock.now() - FORGOTTEN_AFTER)
        gone = self._forget(old) if old else 0
        for place in self._folder.glob("*.*.*"):
            if place.is_file() and _is_abandoned(place):
                place.unlink(missing_ok=True)
                gone += 1
        return gone

    def _forget(self, ids: Sequence[str]) -> int:
        def note() -> int:
            with self._book.write() as tx:
                return sum(store.forget_upload(tx, each) for each in ids)

        gone = self._book.commit(note)
        for each in ids:
            shutil.rmtree(self._place(each), ignore_errors=True)
        return gone

    def _place(self, id: str) -> Path:
        return self._folder / "parts" / id

    def _join(self, upload: Upload, whole: Path) -> int:
        place = self._place(upload.id)
        try:
            with whole.open("xb") as sink:
                for part in upload.arrived:
                    with (place / str(part.number)).open("rb") as source:
                        shutil.copyfileobj(source, sink, 1 << 20)
                size = sink.tell()
        except FileNotFoundError as fault:
            raise StorageError("a part of the upload is gone", where=upload.path, why=str(fault)) from fault
        if size != sum(each.size for each in upload.arrived):
            raise StorageError("a part of the upload has another size by now", where=upload.path)
        return size


def _is_abandoned(place: Path) -> bool:
    """Whether nobody writes this file any more; of a process on another machine or in another container, by its age."""
    try:
        host, pid, own = place.name.rsplit(".", 2)
        if time.time() - place.stat().st_mtime > FORGOTTEN_AFTER.total_seconds():
            return True
        if host != _HOST or os.name != "posix":
            return False  # elsewhere than in POSIX the question below would end the process
        if int(pid) == os.getpid():
            return not own.startswith(_PROCESS)
        os.kill(int(pid), 0)
    except (ProcessLookupError, FileNotFoundError):
        return True
    except (ValueError, PermissionError):
        return False
    return False
