"""The files of one state of a project: the folder as it is, or a commit."""

import hashlib
from typing import Final, Protocol

from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.dvc.git import Objects
from mlwright.adapters.moving.notes import Unreadable

_SKIP: Final = frozenset({".git", ".dvc", ".venv", "venv", "node_modules", "__pycache__"})
_MOST_FILES: Final = 50_000


class Tree(Protocol):
    """Paths and bytes."""

    def paths(self) -> list[str]:
        """Every file, sorted."""
        ...

    def read(self, path: str, most: int) -> bytes:
        """A file.

        Raises:
            DataError: it cannot be read.
            Unreadable: it cannot be read, or is larger than ``most`` bytes.
        """
        ...

    def blob(self, path: str) -> str:
        """Git's name for the bytes of a file that is in :meth:`paths`."""
        ...


class FolderTree:
    """The working folder."""

    def __init__(self, folder: Confined) -> None:
        self._folder = folder

    def paths(self) -> list[str]:
        """See ``Tree.paths``."""
        return list(self._folder.walk(skip=_SKIP))

    def read(self, path: str, most: int) -> bytes:
        """See ``Tree.read``."""
        return self._folder.read(path, most)

    def blob(self, path: str) -> str:
        """See ``Tree.blob``."""
        data = self.read(path, 1 << 30)
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class CommitTree:
    """A commit's tree."""

    def __init__(self, tree: str, objects: Objects) -> None:
        self._tree, self._objects = tree, objects
        self._blobs: dict[str, str] | None = None

    def paths(self) -> list[str]:
        """See ``Tree.paths``."""
        return sorted(self._listed())

    def read(self, path: str, most: int) -> bytes:
        """See ``Tree.read``."""
        id = self._listed().get(path)
        if id is None:
            raise Unreadable(f"the commit has no {path}")
        return self._objects.read(id, "blob", most)

    def blob(self, path: str) -> str:
        """See ``Tree.blob``."""
        return self._listed().get(path, "")

    def _listed(self) -> dict[str, str]:
        if self._blobs is None:
            self._blobs = self._objects.tree(self._tree, _MOST_FILES)
        return self._blobs
