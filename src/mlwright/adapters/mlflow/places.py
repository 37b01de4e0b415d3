"""Where the artifacts of an MLflow store lie: folders of this machine, or what fsspec reaches."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

import fsspec

from mlwright.errors import DataError
from mlwright.model.moving import ForeignFile, LeftOut

_PROXIED: Final = ("mlflow-artifacts", "http", "https")
_BESIDE: Final = ("mlartifacts", "artifacts", "mlruns")
"""Folders in which ``mlflow server`` keeps proxied artifacts unless it is told another one."""
_API: Final = "/api/2.0/mlflow-artifacts/artifacts/"
_MODEL: Final = re.compile(r"(?:^models:/|/models/)(m-[0-9a-f]{32})(?:/|$)")


class Places:
    """Lists and opens artifacts by the root that a store has for them.

    Args:
        start: the folder that relative roots count from.
        proxied: the folder behind ``mlflow-artifacts:/``; looked for beside the store unless given.
    """

    def __init__(self, start: Path, proxied: Path | None = None) -> None:
        self._start, self._proxied = start, proxied
        self._unreachable: dict[str, str] = {}
        self.left_out: list[LeftOut] = []

    def files(self, root: str, owner: str) -> Iterator[ForeignFile]:
        """All files below a root, in the order of their paths; none where it cannot be reached, which is noted."""
        scheme = urlsplit(root).scheme.lower()
        if scheme in ("", "file", *_PROXIED):
            folder = self._folder(root)
            if folder is None or self._is_elsewhere(folder):
                self._leave(root, owner, "is not on this machine")
            else:
                yield from self._local_files(folder, owner)
            return
        yield from self._remote_files(root, owner)

    def open(self, root: str, path: str) -> BinaryIO:
        """The bytes of one file.

        Raises:
            DataError: it is gone or cannot be read.
        """
        if (
            not root
            or not path
            or path.startswith("/")
            or "\0" in path
            or {"..", ".", ""} & set(path.split("/"))
        ):
            raise DataError(
                "no artifact can have this path",
                where=repr(path)[:200],
                next_command="mlwright import --help",
            )
        try:
            if urlsplit(root).scheme.lower() in ("", "file", *_PROXIED):
                return ((self._folder(root) or self._start) / path).open("rb")
            opened: BinaryIO = fsspec.open(f"{root.rstrip('/')}/{path}", "rb").open()
        except Exception as error:  # each file system of fsspec has errors of its own
            raise DataError(
                "the artifact cannot be read",
                where=f"{root}/{path}",
                why=f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}",
                next_command="import again when it can be",
            ) from error
        return opened

    def _folder(self, root: str) -> Path | None:
        """The folder that a root means; None where nobody knows it."""
        parts = urlsplit(root)
        if parts.scheme.lower() in ("", "file"):
            path = unquote(parts.path) if parts.scheme else root
            return self._start / path
        below = parts.path.partition(_API)[2] if parts.scheme != "mlflow-artifacts" else parts.path
        inside = unquote(below).strip("/")
        if not inside or ".." in inside.split("/"):
            return None
        if self._proxied is not None:
            return self._proxied / inside
        known = [self._start / name for name in _BESIDE if (self._start / name).is_dir()]
        for each in known:
            if (each / inside).is_dir():
                return each / inside
        return known[0] / inside if known else None

    def _is_elsewhere(self, folder: Path) -> bool:
        """Whether not even the folder of all experiments is there: a run without artifacts has no folder either."""
        return not folder.exists() and not any(each.exists() for each in folder.parents[:3])

    def _local_files(self, folder: Path, owner: str) -> Iterator[ForeignFile]:
        found: list[ForeignFile] = []
        for here, folders, names in os.walk(folder):
            for name in [*folders, *names]:
                file = Path(here, name)
                path = file.relative_to(folder).as_posix()
                if file.is_symlink():
                    why = "it is a symbolic link"
                    self.left_out.append(LeftOut(what="an artifact", where=f"{owner}: {path}", why=why))
                elif name in names:
                    found.append(ForeignFile(path=path, size=file.stat().st_size))
        yield from sorted(found, key=lambda each: each.path)

    def _remote_files(self, root: str, owner: str) -> Iterator[ForeignFile]:
        parts = urlsplit(root)
        store = f"{parts.scheme}://{parts.netloc}"
        if store in self._unreachable:
            self._leave(root, owner, self._unreachable[store])
            return
        try:
            system, path = fsspec.core.url_to_fs(root)
            found = system.find(path, detail=True)
        except Exception as error:  # noqa: BLE001 - each file system of fsspec has errors of its own
            # One attempt a store: some wait long before they say that they have no credentials.
            self._unreachable[store] = f"cannot be read: {type(error).__name__}: {str(error)[:200]}"
            self._leave(root, owner, self._unreachable[store])
            return
        inside = len(system._strip_protocol(path).rstrip("/")) + 1
        for name, entry in sorted(found.items()):
            yield ForeignFile(path=name[inside:], size=entry.get("size"))

    def _leave(self, root: str, owner: str, why: str) -> None:
        self.left_out.append(
            LeftOut(what="artifacts", where=f"{owner}: {root}", why=f"{store_of(root)} {why}")
        )


def store_of(root: str) -> str:
    """The store that a root lies in, without the path."""
    parts = urlsplit(root)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme or 'file'}:"


def path_in_run(run: str | None, *addresses: str | None) -> str | None:
    """Where a model lies among the artifacts of its run, by one of its addresses; None where it lies elsewhere."""
    for text in addresses if run else ():
        plain = unquote(text or "").rstrip("/")
        if plain.startswith(f"runs:/{run}/"):
            return plain.removeprefix(f"runs:/{run}/")
        _, found, path = plain.partition(f"/{run}/artifacts/")
        if found and path:
            return path
    return None


def logged_model_in(*addresses: str | None) -> str | None:
    """The logged model that one of a version's addresses leads to; None where none does."""
    for text in addresses:
        if found := _MODEL.search(text or ""):
            return found[1]
    return None
