"""Building an image and trying it, and the packages that go into it.

Open wire: the Dockerfile and OCI images; requirement specifiers (PEP 508) and wheels (PEP 427).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlwright.model.images import BuiltImage, Ended, ImageContext, Pin


class ImageEngine(Protocol):
    """An engine that builds images and runs containers."""

    @property
    def name(self) -> str:
        """The program's name."""
        ...

    def command(self, context: ImageContext) -> str:
        """The command line that :meth:`build` runs, for a shell."""
        ...

    def build(self, context: ImageContext, say: Callable[[str], None]) -> BuiltImage:
        """Build the image of a context and give it its tag.

        Args:
            context: as it was written.
            say: is told each line of the engine, as it comes.

        Raises:
            EnvironmentFailed: it does not build; ``why`` holds the engine's last words.
            EnvironmentUndecided: the engine cannot be reached.
        """
        ...

    def start(self, image: str) -> str:
        """Start a container that can do as little as possible: no network, no rights, its files read-only.

        Returns:
            Its id; :meth:`stop` removes it.

        Raises:
            NotFound: there is no such image.
            EnvironmentFailed: it does not start.
        """
        ...

    def ask(self, container: str, command: Sequence[str]) -> Ended:
        """Run a program in a container that was started, and wait for its end."""
        ...

    def stop(self, container: str, grace_s: float) -> Ended:
        """End a container as ``docker stop`` does, remove it, and return its exit code and what it had written.

        It is killed (code 137) where it takes longer. One that ended before is only removed.
        """
        ...


class Packages(Protocol):
    """The packages that are installed here."""

    def names(self) -> tuple[str, ...]:
        """The names of all, normalised (PEP 503) and in order."""
        ...

    def pins(self, roots: Sequence[str], python: str) -> tuple[Pin, ...]:
        """These packages and all that they need on Linux, in their installed versions, by name.

        Args:
            roots: names of packages.
            python: the minor version of the Python that they are for, such as ``3.11``.

        Raises:
            EnvironmentFailed: some are not installed; ``faults`` names each.
        """
        ...

    def lock(self, pins: Sequence[Pin], python: str, platform: str) -> str | None:
        """The pins with the hashes of the files in the package index, as lines of a requirements file.

        None where nothing here can find them out; no index is named in them.
        """
        ...

    def wheel(self, name: str, folder: Path) -> Path:
        """Write a package as it is installed here as a wheel into a folder; equal packages give equal bytes.

        Raises:
            EnvironmentFailed: it is not installed, or a file of it was changed since.
        """
        ...


@dataclass(frozen=True, slots=True)
class ImageTools:
    """What images are made with."""

    packages: Packages
    find_engine: Callable[[str], ImageEngine | None]
    """``docker``, ``podman``, or empty for the first that is there; None: there is none.

    Raises EnvironmentUndecided where the one that was named is not there.
    """
    platform: str
    """What engines call the platform of this machine's containers, such as ``linux/amd64``."""
