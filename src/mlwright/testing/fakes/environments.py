"""Environments that are all the running one: requirements are only looked at, scripts really run."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from mlwright.errors import EnvironmentFailed, EnvironmentUndecided, Fault
from mlwright.ports.environments import Built, Ran


class RunningEnvironments:
    """Builds nothing. ``unknown`` names packages that no index has, ``offline`` is a network that is away.

    ``python`` and ``packages`` are what it says of itself, where that is not the truth; ``built`` counts.
    """

    def __init__(
        self,
        *,
        unknown: Sequence[str] = (),
        offline: bool = False,
        python: str = "",
        packages: Mapping[str, str] | None = None,
    ) -> None:
        self._unknown = unknown
        self._offline = offline
        self._python = python or sys.version.split()[0]
        self._packages = packages
        self._known: set[tuple[str, ...]] = set()
        self.built = 0

    def build(self, requirements: Sequence[str], python: str) -> Built:
        """Say yes unless a requirement is unknown; see ``Environments.build``."""
        strange = [each for each in requirements if "://" in each or each.startswith("-")]
        if self._offline or strange:
            raise EnvironmentUndecided("no package index could be reached")
        faults = [
            Fault(where=each, what="is the name of no package that the index knows")
            for each in requirements
            if each in self._unknown
        ]
        if faults:
            raise EnvironmentFailed(f"{faults[0].where} {faults[0].what}", faults=faults)
        key = (python, *sorted(requirements))
        cached = key in self._known
        self._known.add(key)
        self.built += not cached
        packages = self._packages
        if packages is None:
            packages = {each.metadata["Name"].lower(): each.version for each in distributions()}
        return Built(interpreter=Path(sys.executable), python=self._python, packages=packages, cached=cached)

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
        """Run the script with the running Python; see ``Environments.run``."""
        began = time.monotonic()
        # The script limits itself: a limit set between fork and exec would be unsafe beside threads.
        starter = (
            "import resource, runpy, sys\n"
            f"resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))\n"
            "sys.argv = sys.argv[1:]\n"
            "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        )
        try:
            done = subprocess.run(
                [str(environment.interpreter), "-I", "-c", starter, str(script), *arguments],
                cwd=folder,
                env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(code=-9, limit="time", seconds=time.monotonic() - began)
        limit = "memory" if "MemoryError" in done.stderr else ""
        return Ran(
            code=done.returncode,
            said=done.stdout + done.stderr,
            limit=limit,
            seconds=time.monotonic() - began,
        )
