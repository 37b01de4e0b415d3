"""Where inputs lie and outputs go: folders, and whatever else fsspec reaches by URL."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mlwright.errors import DataError, MissingExtra, StorageError, UsageError, near_match
from mlwright.stages.serving.batch.job import Source

FORMATS: Final = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "ipc",
}
"""What is read, by the suffix of a file."""
WRITTEN: Final = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_EXTRAS: Final = {"gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure", "s3": "s3"}
_STAMPS: Final = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")


def opened(url: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it.

    Raises:
        UsageError: fsspec does not know the URL's protocol.
        MissingExtra: the protocol needs a package that is not installed.
    """
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        protocol = url.partition("://")[0]
        raise MissingExtra.needed(f"files at {protocol}://", _EXTRAS.get(protocol, "s3")) from error
    except ValueError as error:
        raise UsageError(
            "nothing here opens such a URL",
            where=url,
            why=str(error),
            next_command="mlwright predict --help",
        ) from error
    return fs, str(path)


def format_of(path: str) -> str | None:
    """How a file is read, by its suffix; None: it is not."""
    return FORMATS.get(PurePosixPath(path).suffix.lower())


def listed(url: str) -> list[Source]:
    """The files of an input, in the order of their names.

    Args:
        url: a file, a folder (all files below it that can be read; not those whose names begin with ``.`` or ``_``),
            or a glob; a path or a URL.

    Raises:
        DataError: there is no such file, or nothing in the folder that can be read.
    """
    fs, root = opened(url)
    try:
        if any(sign in root for sign in "*?["):
            paths = [path for path in fs.glob(root) if not fs.isdir(path)]
        elif fs.isdir(root):
            inside = (path for path in fs.find(root) if not _hidden(path, root))
            paths = [path for path in inside if format_of(path)]
        else:
            paths = [root] if fs.exists(root) else []
        if not paths:
            raise _nothing(fs, url, root)
        return [_source(fs, path) for path in sorted(paths)]
    except OSError as error:
        raise DataError(
            "the input cannot be listed", where=url, why=f"{type(error).__name__}: {error}"
        ) from error


def unchanged(source: Source) -> bool:
    """Whether a file is still the one that was listed."""
    fs, path = opened(source.path)
    try:
        return _source(fs, path) == source
    except OSError:
        return False


def _source(fs: Any, path: str) -> Source:
    if format_of(path) is None:
        raise DataError(
            "files of this kind cannot be read",
            where=path,
            why=f"rows come as {', '.join(FORMATS)}",
            next_command="narrow --input to files of these kinds",
        )
    info = fs.info(path)
    stamp = next((str(info[name]) for name in _STAMPS if info.get(name) is not None), "")
    if isinstance(fs, LocalFileSystem):
        stamp = str(os.stat(path).st_mtime_ns)
    else:
        path = fs.unstrip_protocol(path)
    return Source(path=path, size=int(info.get("size") or 0), stamp=stamp)


def _hidden(path: str, root: str) -> bool:
    inside = path[len(root) :].strip("/").split("/")
    return any(part.startswith((".", "_")) for part in inside)


def _nothing(fs: Any, url: str, root: str) -> DataError:
    folder, _, name = root.rpartition("/")
    beside = [each.rpartition("/")[2] for each in fs.ls(folder, detail=False)] if fs.isdir(folder) else []
    near = near_match(name, beside)
    return DataError(
        "there is nothing to read" + (f"; did you mean {near!r}?" if near else ""),
        where=url,
        why=f"rows come as {', '.join(FORMATS)}",
        next_command="mlwright predict --help",
    )


class Place:
    """A folder that parts are written to; a file is there whole or not at all."""

    def __init__(self, url: str) -> None:
        self.url = url if url.endswith("://") else url.rstrip("/") or url
        self._fs, self._root = opened(self.url)
        self.near = isinstance(self._fs, LocalFileSystem)
        """Whether it is a folder of this machine."""

    def path(self, name: str) -> str:
        """Where a file of this name is, for whoever reads it."""
        return f"{self._root}/{name}" if self.near else f"{self.url.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """A whole file; None where there is none."""
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file, in the place of the one that is there.

        Raises:
            StorageError: it cannot be written.
        """
        with self._writing(name):
            if not self.near:
                self._fs.pipe_file(f"{self._root}/{name}", data)
                return
            unnamed = self._unnamed(name)
            try:
                with unnamed.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(unnamed, Path(self._root) / name)
            finally:
                unnamed.unlink(missing_ok=True)

    def put(self, name: str, file: Path) -> None:
        """Move a file of this machine here, in the place of the one that is there.

        Raises:
            StorageError: it cannot be written.
        """
        with self._writing(name):
            if not self.near:
                self._fs.put_file(str(file), f"{self._root}/{name}")
                return
            unnamed = self._unnamed(name)
            try:
                shutil.move(file, unnamed)
                with unnamed.open("rb") as written:
                    os.fsync(written.fileno())
                os.replace(unnamed, Path(self._root) / name)
            finally:
                unnamed.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """The files that are here; nothing where the folder is not."""
        if not self._fs.isdir(self._root):
            return []
        return sorted(each.rpartition("/")[2] for each in self._fs.ls(self._root, detail=False))

    def remove(self, name: str) -> None:
        """Take a file away; it may be gone already."""
        try:
            self._fs.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return

    def leave(self) -> None:
        """Take the folder away where nothing is left in it."""
        if self.near and Path(self._root).is_dir() and not os.listdir(self._root):
            os.rmdir(self._root)

    def _unnamed(self, name: str) -> Path:
        folder = Path(self._root)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f".{name}.{uuid.uuid4().hex}"

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                "the output cannot be written",
                where=self.path(name),
                why=f"{type(error).__name__}: {error}",
                next_command="the same command goes on where it stopped",
            ) from error


class Copies:
    """Files of an input on this machine: those of elsewhere are fetched when they are needed, and let go of."""

    def __init__(self) -> None:
        self._folder: str | None = None

    def near(self, source: Source) -> str:
        """The path of the file, here.

        Raises:
            DataError: it cannot be fetched.
        """
        fs, path = opened(source.path)
        if isinstance(fs, LocalFileSystem):
            return path
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="mlwright-batch-")
        copy = os.path.join(self._folder, self._name(source))
        if not os.path.exists(copy):
            try:
                fs.get_file(path, f"{copy}.partial")
            except OSError as error:
                raise DataError("the file cannot be fetched", where=source.path, why=str(error)) from error
            os.replace(f"{copy}.partial", copy)
        return copy

    def let_go(self, source: Source) -> None:
        """The file is not needed any more."""
        if self._folder is not None:
            Path(self._folder, self._name(source)).unlink(missing_ok=True)

    def close(self) -> None:
        """Throw all copies away."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _name(self, source: Source) -> str:
        return uuid.uuid5(uuid.NAMESPACE_URL, source.path).hex + PurePosixPath(source.path).suffix
