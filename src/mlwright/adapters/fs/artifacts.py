"""The artifact store over fsspec: a directory, an object store, or memory, by URL."""

import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path

import fsspec
from blake3 import blake3
from fsspec.implementations.local import LocalFileSystem

from mlwright.adapters.fs.manifest import DIGEST, decode, encode, files_below
from mlwright.errors import ArtifactCorrupt, ArtifactMissing, Conflict, MissingExtra, StorageError, UsageError
from mlwright.model.ids import Digest

_PARTIAL = ".partial"


class FsArtifactStore:
    """Blobs as files ``<url>/ab/cdef…`` (blake3, split after two digits); folders as manifests of blobs.

    Args:
        url: a directory, or any URL that fsspec knows: ``memory://…``, ``s3://…``, ``gs://…``, ``abfs://…``.

    Raises:
        UsageError: fsspec does not know the URL's protocol.
        MissingExtra: the protocol needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            fs, root = fsspec.core.url_to_fs(url)
        except ImportError as fault:
            extra = {"gs": "gcs", "abfs": "azure", "az": "azure"}.get(url.split("://")[0], "s3")
            raise MissingExtra.needed(f"artifacts at {url}", extra) from fault
        except ValueError as fault:
            raise UsageError(
                f"no store can be reached by this URL: {fault}", where=url, next_command="mlwright doctor"
            ) from fault
        self._fs = fs
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(fs, LocalFileSystem)

    def put_bytes(self, data: bytes) -> Digest:
        """Store a blob; see ``ArtifactStore.put_bytes``. In a directory it is on the disk after this."""
        digest = Digest(f"blake3:{blake3(data).hexdigest()}")
        path = self._path(digest)
        try:
            if self._holds(path, data):
                return digest
            if self._is_local:
                _write_durably(Path(path), data, Path(self._root) / _PARTIAL)
            else:
                # object stores and memory show a blob when its last byte has arrived, and not before
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
                self._fs.pipe_file(path, data)
        except OSError as fault:
            raise StorageError("the artifact could not be written", where=path, why=str(fault)) from fault
        return digest

    def get_bytes(self, digest: Digest) -> bytes:
        """Read and verify a blob; see ``ArtifactStore.get_bytes``."""
        if not DIGEST.fullmatch(digest):
            raise ArtifactMissing(f"{digest!r} is no digest: blake3: and 64 hexadecimal digits")
        path = self._path(digest)
        try:
            data: bytes = self._fs.cat_file(path)
        except FileNotFoundError as fault:
            raise ArtifactMissing(
                "no artifact has this digest", where=f"{self._root}: {digest}", next_command="mlwright doctor"
            ) from fault
        except OSError as fault:
            raise StorageError("the artifact could not be read", where=path, why=str(fault)) from fault
        if f"blake3:{blake3(data).hexdigest()}" != digest:
            raise ArtifactCorrupt(
                "the stored bytes are not those that were put there",
                where=path,
                next_command=f"rm {path}  # then store it again from its source",
            )
        return data

    def put_folder(self, folder: Path) -> Digest:
        """Store a folder; see ``ArtifactStore.put_folder``. The manifest comes last.

        Raises:
            DataError: there is no such folder, or it holds a symbolic link.
        """
        files = {name: self.put_bytes(path.read_bytes()) for name, path in files_below(folder).items()}
        return self.put_bytes(encode(files))

    def get_folder(self, digest: Digest, target: Path) -> Path:
        """Restore a folder; see ``ArtifactStore.get_folder``.

        The folder appears at ``target`` complete or not at all. What is there already is read and verified:
        a complete copy stays (other files beside it too), a damaged copy is replaced.

        Raises:
            Conflict: ``target`` holds other files, or is no folder; nothing of it was touched.
        """
        files = decode(self.get_bytes(digest), digest)
        if _is_complete(target, files):
            return target
        _refuse_foreign(target, files)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        fresh.mkdir()
        try:
            self._fill(fresh, files, digest)
            _swap(fresh, target, files)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return target

    def exists(self, digest: Digest) -> bool:
        """Whether the blob or folder is there; its bytes are not verified."""
        return bool(DIGEST.fullmatch(digest)) and self._size(self._path(digest)) is not None

    def _fill(self, folder: Path, files: Mapping[str, Digest], digest: Digest) -> None:
        for name, each in files.items():
            path = folder / name
            data = self.get_bytes(each)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as fault:
                raise ArtifactCorrupt(
                    f"the folder lists {name!r} both as file and as folder", where=digest
                ) from fault

    def _path(self, digest: Digest) -> str:
        text = digest.removeprefix("blake3:")
        return f"{self._root}/{text[:2]}/{text[2:]}"

    def _holds(self, path: str, data: bytes) -> bool:
        """Whether these bytes are there. A damaged copy is not; far away only its size is compared."""
        if self._size(path) != len(data):
            return False
        return not self._is_local or Path(path).read_bytes() == data

    def _size(self, path: str) -> int | None:
        try:
            found = self._fs.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return int(found["size"])


def _write_durably(path: Path, data: bytes, partial: Path) -> None:
    """Write beside, then move into place: after a crash the whole blob is there, or none of it."""
    partial.mkdir(parents=True, exist_ok=True)
    known = path.parent.exists()
    path.parent.mkdir(exist_ok=True)
    unnamed = partial / uuid.uuid4().hex
    try:
        with unnamed.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unnamed, path)
    finally:
        unnamed.unlink(missing_ok=True)
    _sync(path.parent)
    if not known:
        _sync(path.parent.parent)


def _sync(folder: Path) -> None:
    if os.name != "posix":  # only there can a folder be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_complete(target: Path, files: Mapping[str, Digest]) -> bool:
    try:
        return target.is_dir() and all(_digest_of(target / name) == each for name, each in files.items())
    except OSError:
        return False


def _digest_of(path: Path) -> str:
    return f"blake3:{blake3(path.read_bytes()).hexdigest()}"


def _refuse_foreign(target: Path, files: Mapping[str, Digest]) -> None:
    try:
        mode = target.lstat().st_mode  # asked once: another process may be replacing the folder
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        # os.walk passes over what vanishes meanwhile
        there = {
            Path(place, name).relative_to(target).as_posix()
            for place, folders, names in os.walk(target)
            for name in [*names, *(each for each in folders if Path(place, each).is_symlink())]
        }
        foreign = sorted(there - files.keys())
    else:
        foreign = [target.name]
    if foreign:
        raise Conflict(
            f"{foreign[0]!r} is in the way, and not part of the folder that shall be restored",
            where=str(target),
            next_command=f"mv {target} {target}.aside",
        )


def _swap(fresh: Path, target: Path, files: Mapping[str, Digest]) -> None:
    """Put a filled folder in its place; a damaged copy goes, and another process's complete copy stays."""
    for attempt in range(50):  # another process may do the same between two lines
        try:
            os.rename(fresh, target)
        except OSError:
            if _is_complete(target, files):
                return
        else:
            return
        aside = fresh.with_name(f"{fresh.name}.{attempt}")
        try:
            os.rename(target, aside)
        except FileNotFoundError:
            continue
        shutil.rmtree(aside, ignore_errors=True)
    raise StorageError("the folder could not be put in its place", where=str(target))
