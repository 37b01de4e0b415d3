"""Where the server works: one folder, nothing outside of it, and what may be done there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlwright.doors.mcp.tool import progress_here
from mlwright.engineer.engineer import Engineer
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.standing import Standing, take_stock
from mlwright.errors import NotFound, SettingsError, StorageError, UsageError
from mlwright.model.assessment import Assessment

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform

PROJECT_FILE = "mlwright.toml"


class Workplace:
    """A folder that tools may look at; with ``allow_writes`` they may change it where they say so."""

    def __init__(self, root: Path, *, allow_writes: bool = False, engineer: Engineer | None = None) -> None:
        self.root = root.resolve()
        self.allow_writes = allow_writes
        self._given = engineer

    @cached_property
    def engineer(self) -> Engineer:
        """The engineer; made when first asked for, so that the server answers at once."""
        from mlwright.wiring.engineer import open_engineer

        return self._given or open_engineer()

    def path(self, text: str) -> Path:
        """A path that a client named, with every link followed.

        Raises:
            UsageError: it lies outside of the root, or is no path.
            NotFound: there is nothing.
        """
        try:
            found = (self.root / text).resolve()
            there = found.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"{text!r} is not a path", why=str(error)) from error
        if not found.is_relative_to(self.root):
            raise UsageError(
                f"{text!r} lies outside of the folder that this server may look at",
                why="links are followed before this is decided",
                next_command="mlwright mcp --root FOLDER",
            )
        if not there:
            raise NotFound("there is no such file or folder below the server's root", where=text)
        return found

    def folder(self, text: str) -> Path:
        """As ``path``, and it is a folder."""
        found = self.path(text)
        if not found.is_dir():
            raise UsageError("this is a file, and a folder was asked for", where=text)
        return found

    def named(self, path: Path) -> str:
        """A path below the root as answers and commands name it."""
        return path.relative_to(self.root).as_posix()

    def look(self, path: Path) -> tuple[Standing, Repository]:
        """Assess a folder as the command line does, annotations of the repository included."""
        report, repository = self.engineer.assess(path, progress=progress_here.get())
        return self._standing(report, path), repository

    def review(self, path: Path) -> Standing:
        """Review a folder or a file as the command line does."""
        report, _ = self.engineer.review(path, progress=progress_here.get())
        return self._standing(report, path.parent if path.is_file() else path)

    def project(self, text: str) -> Path:
        """The folder of the project that a path belongs to, searched upwards as far as the root.

        Raises:
            SettingsError: there is none.
        """
        start = self.folder(text)
        for folder in (start, *start.parents):
            if not folder.is_relative_to(self.root):
                break
            file = folder / PROJECT_FILE
            if file.is_file() and file.resolve().is_relative_to(self.root):
                return folder
        raise SettingsError(
            f"there is no {PROJECT_FILE} here or above, up to the server's root",
            where=text,
            why="this tool reads the records of a mlwright project; assess, review and propose need none",
            next_command="mlwright init",
        )

    @contextmanager
    def platform(self, text: str) -> "Iterator[Platform]":
        """The project's platform for the time of one call.

        A server that may not write opens nothing that would have to be changed first; one that may opens the project
        at its root as the command line would.

        Raises:
            SettingsError: there is no project, or its settings have faults.
            StorageError: its records cannot be opened without a change, or not from here.
        """
        folder = self.project(text)
        if self.allow_writes and folder == self.root:
            from mlwright.wiring.project import close, open_platform

            platform = open_platform(folder)
            try:
                yield platform
            finally:
                close(platform)
            return
        with ExitStack() as stack:
            found = stack.enter_context(self.engineer.engines.project(folder))
            if not isinstance(found, str):
                yield found
                return
        raise StorageError(
            "the project's records cannot be read",
            where=self.named(folder),
            why=found,
            next_command="mlwright doctor",
        )

    @contextmanager
    def records(self, text: str) -> "Iterator[Platform | str]":
        """As ``platform``, or in words why there is none: for tools that can do without."""
        with ExitStack() as stack:
            try:
                found: Platform | str = stack.enter_context(self.platform(text))
            except (SettingsError, StorageError) as error:
                found = f"{error.what}: {error.why}" if error.why else error.what
            yield found

    def require_writes(self, what: str) -> None:
        """Refuse to change anything on a server that was not told that it may.

        Raises:
            UsageError: it was not.
        """
        if not self.allow_writes:
            raise UsageError(
                f"this server may not {what}: it was started without --allow-writes",
                why="whether an agent may change files is decided by the person who starts the server",
                next_command="mlwright mcp --allow-writes",
            )

    def _standing(self, report: Assessment, root: Path) -> Standing:
        today = self.engineer.engines.clock.now().date()
        return take_stock(report, root, probes=list(self.engineer.probes), today=today)
