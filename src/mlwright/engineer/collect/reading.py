"""Reading all Python files and notebooks: within budgets, in several processes where there is much to do."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Final

from mlwright.engineer.collect.child import read_one
from mlwright.engineer.collect.children import Child
from mlwright.engineer.collect.expressions import RawFile
from mlwright.engineer.collect.making import Maker
from mlwright.engineer.facts.code import PythonFile, Role
from mlwright.engineer.facts.repository import FileEntry
from mlwright.engineer.pauses import without_collector
from mlwright.engineer.progress import Progress

SOURCE: Final = 1_000_000
ALL_SOURCES: Final = 60_000_000
NOTEBOOK: Final = 100_000_000
ALL_NOTEBOOKS: Final = 400_000_000
_MUCH_BYTES: Final = 3_000_000
_MUCH_FILES: Final = 400
_PROCESSES: Final = 4
_ORDER: Final = (Role.PRODUCTION, Role.TEST, Role.EXAMPLE, Role.TOOL, Role.DOCUMENT, Role.VENDORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The Python files and notebooks, by path, and what was left out with the reason."""

    files: tuple[PythonFile, ...]
    unread: tuple[str, ...]


class SourceReader:
    """Begins to read when it is made, beside whatever is done meanwhile; ``finish`` waits for the rest.

    What is read depends on sizes alone, never on time: the same repository gives the same facts.

    Args:
        root: the repository.
        files: all its files; those that are not Python are left out here.
        processes: how many to start; None for as many as are worth it, 0 for none.
    """

    def __init__(self, root: Path, files: Sequence[FileEntry], processes: int | None = None) -> None:
        self._root = str(root)
        self._unread: list[str] = []
        self._chosen = self._choose(files)
        self._children: list[Child] = []
        self._here = list(range(len(self._chosen)))
        number = self._useful() if processes is None else processes
        if number and self._chosen:
            self._here = []
            for share in self._shares(number):
                work = [(index, self._chosen[index].path, self._limit(index)) for index in share]
                self._children.append(Child(self._root, work))

    def _choose(self, files: Sequence[FileEntry]) -> list[FileEntry]:
        found = [each for each in files if each.path.endswith((".py", ".ipynb"))]
        chosen: list[FileEntry] = []
        room = {".py": ALL_SOURCES, ".ipynb": ALL_NOTEBOOKS}
        for each in sorted(found, key=lambda each: (_ORDER.index(each.role), each.path)):
            suffix = each.path[each.path.rindex(".") :]
            limit = SOURCE if suffix == ".py" else NOTEBOOK
            if each.bytes > limit:
                self._unread.append(f"{each.path}: larger than {limit // 1_000_000} MB")
            elif each.bytes > room[suffix]:
                self._unread.append(f"{each.path}: beyond what is read of {suffix} files in all")
            else:
                room[suffix] -= each.bytes
                chosen.append(each)
        return sorted(chosen, key=lambda each: each.path)

    def _limit(self, index: int) -> int:
        return max(1, self._chosen[index].bytes)

    def _useful(self) -> int:
        size = sum(each.bytes for each in self._chosen)
        if size > _MUCH_BYTES or len(self._chosen) > _MUCH_FILES:
            return min(_PROCESSES, _cores())
        # The stack of a thread may be too small for what the parser of a hostile file needs; a process has a whole one.
        return 0 if threading.current_thread() is threading.main_thread() else 1

    def _shares(self, number: int) -> list[list[int]]:
        """The files dealt out so that every process has about as many bytes, the largest first."""
        shares: list[list[int]] = [[] for _ in range(number)]
        weights = [0] * number
        for index in sorted(range(len(self._chosen)), key=lambda index: -self._chosen[index].bytes):
            least = weights.index(min(weights))
            shares[least].append(index)
            # Outputs of notebooks are skipped over, at some fiftieth of what parsing costs.
            size = self._chosen[index].bytes
            weights[least] += 1000 + (size // 20 if self._chosen[index].path.endswith(".ipynb") else size)
        return [share for share in shares if share]

    def finish(self, progress: Progress) -> Sources:
        """Everything, once it is there."""
        maker, files = Maker(), dict[int, PythonFile]()
        with without_collector():
            for done, (index, raw) in enumerate(self._answers(), 1):
                entry = self._chosen[index]
                if "gone" in raw:
                    self._unread.append(f"{entry.path}: {raw['gone']}")
                else:
                    files[index] = maker.python_file(entry.path, entry.role, raw)
                    if fault := files[index].fault:
                        self._unread.append(f"{entry.path}: {fault}")
                progress("Python files", done, len(self._chosen))
        return Sources(
            files=tuple(files[index] for index in sorted(files)), unread=tuple(sorted(self._unread))
        )

    def close(self) -> None:
        """End the processes; for whoever does not want to finish."""
        for child in self._children:
            child.close()

    def _answers(self) -> Iterator[tuple[int, RawFile]]:
        waiting = list(self._children)
        try:
            while waiting:
                heard = False
                for child in tuple(waiting):
                    for answer in child.news():
                        heard = True
                        yield answer
                    if child.ended:
                        waiting.remove(child)
                        self._here.extend(child.left)
                if waiting and not heard:
                    sleep(0.003)
        finally:
            self.close()
        for index in self._here:
            yield index, read_one(self._root, self._chosen[index].path, self._limit(index))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
