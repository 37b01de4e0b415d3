"""Artifacts by path: put, get, list, delete; uploads in parts."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from sqlalchemy import Connection

from mlwright.errors import (
    ArtifactCorrupt,
    BadRequest,
    Conflict,
    NotFound,
    StorageError,
    Unsupported,
    UsageError,
)
from mlwright.model.artifacts import ArtifactEntry, ArtifactFile, Collected
from mlwright.model.ids import ModelName
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.references import digests_in_use
from mlwright.platform.tracking.sources import artifact_path, folder_location
from mlwright.platform.tracking.uploads import UploadJourney
from mlwright.ports.artifacts import ArtifactSweep
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.names import parse_version
from mlwright.stages.tracking import artifacts as rows

LEAST_AGE: Final = timedelta(days=1)
"""Blobs that were stored more recently are never collected: who stored them may be about to refer to them."""

SHELF: Final = "registry"
"""Below this stand the folders of model versions that pipelines stored, at ``registry/<model>/<version>``."""


class ArtifactJourney:
    """Artifacts by path. Paths are those of the MLflow protocol, such as ``0/<run>/artifacts/model/MLmodel``.

    They are keys of a table and never become names of files here, except in :meth:`fetch_folder`; nothing that is put
    is ever unpacked.

    Attributes:
        uploads: files that arrive over a wire, whole or in parts.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self.uploads = UploadJourney(book)

    def check(self, path: str) -> str:
        """The path as it is stored, when a file can be put there.

        Raises:
            BadRequest: the path is unsafe; see ``clean_path``.
            Conflict: a folder is there, a file is in the place of a folder above, or it belongs to a model version.
        """
        clean = _writable(path)
        with self._book.read() as tx:
            rows.check_free(tx, clean)
        return clean

    def put(self, path: str, file: Path, *, consume: bool = False) -> ArtifactFile:
        """Store a file of any size at a path, in place of what was there; with ``consume`` it is given up.

        Raises:
            BadRequest, Conflict: see :meth:`check`; nothing was stored.
            StorageError: the store cannot be written.
        """
        clean = self.check(path)
        size = file.stat().st_size
        digest = self._book.artifacts.put_file(file, consume=consume)
        return self._save(ArtifactFile(path=clean, size=size, digest=digest, modified=self._book.clock.now()))

    def put_bytes(self, path: str, data: bytes) -> ArtifactFile:
        """Store bytes at a path; see :meth:`put`."""
        clean = self.check(path)
        digest = self._book.artifacts.put_bytes(data)
        return self._save(
            ArtifactFile(path=clean, size=len(data), digest=digest, modified=self._book.clock.now())
        )

    def open(self, path: str) -> BinaryIO:
        """The file at a path, to read in pieces; verified as ``ArtifactStore.open`` says.

        Raises:
            NotFound: there is none.
            BadRequest: a folder is there.
        """
        return self._book.artifacts.open(self.find(path).digest)

    def find(self, path: str) -> ArtifactFile:
        """What is known of the file at a path.

        Raises:
            NotFound: there is none.
            BadRequest: a folder is there.
        """
        clean = rows.clean_path(path)
        self._shelve(clean)
        with self._book.read() as tx:
            found = rows.find_file(tx, clean)
            if found is None and clean and rows.is_folder(tx, clean):
                raise BadRequest(f"Artifact path refers to a directory, not a file: '{clean}'")
        if found is None:
            raise NotFound(f"No such artifact: '{clean}'")
        return found

    def list(self, path: str) -> tuple[ArtifactEntry, ...]:
        """What lies directly below a path, by name; nothing where there is nothing or a file."""
        clean = rows.clean_path(path)
        self._shelve(clean)
        with self._book.read() as tx:
            return rows.list_folder(tx, clean)

    def fetch_folder(self, path: str, target: Path) -> Path:
        """Restore all files below a path in a new folder, each verified; of a single file, that one in the folder.

        The folder appears complete or not at all.

        Raises:
            NotFound: nothing lies there.
            Conflict: something is at ``target`` already, other than an empty folder.
            ArtifactCorrupt: stored bytes have another digest, or a path would lead out of the folder.
        """
        clean = rows.clean_path(path)
        self._shelve(clean)
        with self._book.read() as tx:
            found = list(rows.files_below(tx, clean))
        if not found:
            raise NotFound(f"No such artifact: '{clean}'")
        if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
            raise Conflict(
                "something is in the way", where=str(target), next_command=f"mv {target} {target}.aside"
            )
        above = clean if found[0].path != clean else str(PurePosixPath(clean).parent)
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        fresh.mkdir(parents=True)
        try:
            for each in found:
                self._restore(each, fresh / PurePosixPath(_confined(each.path)).relative_to(above))
            os.replace(fresh, target)
        except OSError as fault:
            raise StorageError(
                "the folder could not be restored", where=str(target), why=str(fault)
            ) from fault
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return target

    def delete(self, path: str) -> int:
        """Delete the file at a path, or all files below it, with an audit row; how many there were.

        Raises:
            BadRequest: the path is unsafe, or the top, below which all artifacts lie.
            Conflict: it belongs to a model version.
        """
        clean = _writable(path)
        if not clean:
            raise BadRequest("the artifacts of all experiments cannot be deleted at once", where="path")

        def remove() -> int:
            with self._book.write() as tx:
                gone = rows.delete_below(tx, clean)
                if gone:
                    self._book.audit(tx, "artifacts.delete", f"artifact/{clean}", files=gone)
                return gone

        return self._book.commit(remove)

    def place_of_run(self, run: str, below: str = "") -> tuple[str, str]:
        """The artifact root of a run, and the path of something below it.

        Raises:
            NotFound: there is no such run.
            Unsupported: the run keeps its artifacts elsewhere.
        """
        return self._place(lambda tx: rows.root_of_run(tx, run), below)

    def place_of_logged_model(self, model: str, below: str = "") -> tuple[str, str]:
        """The artifact root of a logged model, and the path of something below it; errors as for a run."""
        return self._place(lambda tx: rows.root_of_logged_model(tx, model), below)

    def place_of_version(self, model: str, version: str, below: str = "") -> tuple[str, str]:
        """Where a model version's files lie, and the path of something among them; errors as for a run."""

        def root(tx: Connection) -> str:
            found = registry.get_version(tx, ModelName(model), parse_version(version))
            place = artifact_path(tx, found)
            if place is not None:
                return f"mlflow-artifacts:/{place}"
            return folder_location(found) or found.location or found.source or ""

        return self._place(root, below)

    def collect(self, *, older_than: timedelta, dry: bool = False) -> Collected:
        """Remove blobs that nothing in the database names any more.

        Args:
            older_than: blobs that were stored more recently stay, whatever they are; at least a day.
            dry: remove nothing, and say what would go.

        Raises:
            UsageError: ``older_than`` is less than a day.
            Unsupported: the store cannot tell what is in it.
            ArtifactCorrupt: a folder's list is damaged, so that nobody knows what belongs to it; nothing was removed.
        """
        store = self._book.artifacts
        if older_than < LEAST_AGE:
            raise UsageError(
                "blobs of the last day are never collected", next_command="mlwright gc --older-than 1d"
            )
        if not isinstance(store, ArtifactSweep):
            raise Unsupported("this artifact store cannot tell what is in it")
        before = self._book.clock.now() - older_than
        # First what is old, then what is in use: what comes into use after that is stored anew, and so not old.
        old = list(store.blobs_before(before))
        with self._book.read() as tx:
            used = digests_in_use(tx, store.files_of)
        going = [each for each in old if each.digest not in used]
        if not dry:
            going = [each for each in going if store.remove(each.digest, before=before)]
        return Collected(
            blobs=len(going),
            size=sum(each.size for each in going),
            kept=len(old) - len(going),
            unfinished=0 if dry else store.tidy(before),
            dry=dry,
        )

    def _save(self, file: ArtifactFile) -> ArtifactFile:
        def save() -> None:
            with self._book.write() as tx:
                rows.save_file(tx, file)

        self._book.commit(save)
        return file

    def _place(self, root_of: Callable[[Connection], str], below: str) -> tuple[str, str]:
        inside = rows.clean_path(below)  # before it is joined: it must not lead out of the root
        with self._book.read() as tx:
            root = root_of(tx)
        return root, "/".join(filter(None, (rows.path_of_root(root), inside)))

    def _restore(self, file: ArtifactFile, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._book.artifacts.open(file.digest) as source, place.open("xb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)

    def _shelve(self, path: str) -> None:
        """Lay out the folder of a model version under its path when somebody first asks for it."""
        names = path.split("/")
        if len(names) < 3 or names[0] != SHELF or not names[2].isdigit():
            return
        place = "/".join(names[:3])
        with self._book.read() as tx:
            if rows.is_folder(tx, place):
                return
            try:
                digest = registry.get_version(tx, ModelName(names[1]), int(names[2])).digest
            except NotFound:
                return
        if digest is None:
            return
        now = self._book.clock.now()
        with tempfile.TemporaryDirectory(dir=self.uploads.receive().parent) as scratch:
            folder = self._book.artifacts.get_folder(digest, Path(scratch) / "folder")
            found = [
                ArtifactFile(
                    path=f"{place}/{file.relative_to(folder).as_posix()}",
                    size=file.stat().st_size,
                    digest=self._book.artifacts.put_file(file),
                    modified=now,
                )
                for file in sorted(folder.rglob("*"))
                if file.is_file()
            ]

        def save() -> None:
            with self._book.write() as tx:
                for each in found:
                    rows.save_file(tx, each)

        self._book.commit(save)


def _writable(path: str) -> str:
    clean = rows.clean_path(path)
    if clean == SHELF or clean.startswith(f"{SHELF}/"):
        raise Conflict("the files of a model version never change", where=clean)
    return clean


def _confined(path: str) -> str:
    """A path that was checked when it was put, checked again before it becomes a name on this machine."""
    try:
        if rows.clean_path(path) == path:
            return path
    except BadRequest:
        pass
    raise ArtifactCorrupt("the path would lead out of the folder", where=repr(path))
