"""Environments of packages apart from ours, to run a script in. Open wire: requirement specifiers (PEP 508)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An environment that is there."""

    interpreter: Path
    python: str
    """The version in full: ``3.11.7``. Where the one that was asked for is not installed, it is another."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Version by name (normalised as PEP 503 says) of everything installed in it."""
    cached: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a script ended."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    said: str = ""
    """The end of what it wrote to stdout and stderr."""
    limit: str = ""
    """``time`` or ``memory`` where it was ended for using too much of it, else empty."""
    seconds: float = 0.0
    peak: int = 0
    """The most memory in bytes that it was seen to use; 0 where that cannot be seen."""


class Environments(Protocol):
    """Makes environments from requirements, keeps them, and runs scripts in them."""

    def build(self, requirements: Sequence[str], python: str) -> Built:
        """Make an environment that holds exactly these packages and what they need, or give the one that is there.

        Nothing is built from source, and nothing of the packages is run.

        Args:
            requirements: one requirement each, as in a requirements file; its order does not matter.
            python: the wanted version, ``3.11`` or ``3.11.7``; an empty text is any. Where no Python of this minor
                version is installed it is made with the running one: compare :attr:`Built.python`.

        Raises:
            EnvironmentFailed: they cannot be installed; ``faults`` names what is missing or clashes.
            EnvironmentUndecided: it cannot be found out: no index answers, or a package would have to be built.
            MissingExtra: the program that makes environments is not installed.
        """
        ...

    def run(
        self,
        environment: Built,
        script: Path,
        arguments: Sequence[str],
        *,
        folder: Path,
        seconds: float,
        memory: int,
    ) -> Ran:
        """Run a script in an environment to its end; nothing is raised when it fails.

        It sees none of our environment variables, its home is ``folder``, and it ends with everything that it
        started when it takes longer than ``seconds`` or uses more than ``memory`` bytes.
        """
        ...
