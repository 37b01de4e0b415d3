"""Having files scanned by a program that others keep.

Open wire: SARIF 2.1.0, whose results are the hits and whose tool and invocation are the rest of a scan.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mlwright.model.scans import Scan


class Scanner(Protocol):
    """One scanner for one topic: secrets, pickles, Dockerfiles, workflows, infrastructure."""

    @property
    def topic(self) -> str:
        """What it looks for; one word, the same as in its :class:`Scan`."""
        ...

    def wants(self, path: str, size: int) -> bool:
        """Whether a file is for this scanner, by its POSIX path from the root and its size in bytes."""
        ...

    def scan(self, root: Path, paths: Sequence[str]) -> Scan:
        """Look at these files (POSIX paths from the root) without running anything that stands in them.

        Hits are sorted by location and rule. A scanner that is not installed, fails or takes too long says so in
        ``Scan.missing``; nothing is raised.
        """
        ...
