"""The process beside the replay that trains the fixed strategies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


@contextmanager
def beside(project: Path, start: datetime, end: datetime) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the fixed strategies for a project; they end with the block at the latest."""
    state = project / ".mlwright"
    command = ["-m", "mlwright.doors.cli.demo.strategies", "--project", str(project)]
    command += [
        "--out",
        str(state / "strategies.json"),
        "--start",
        start.isoformat(),
        "--end",
        end.isoformat(),
    ]
    with (state / "strategies.log").open("wb") as log:
        # One thread: the replay waits for answers half of the time, and this fills the gaps.
        process = subprocess.Popen(
            [sys.executable, *command], stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=10)
