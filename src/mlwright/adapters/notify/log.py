"""Alerts as lines of a file."""

import os
from pathlib import Path

from mlwright.adapters.notify.payload import log_record, to_json
from mlwright.model.monitoring import Alert


class LogNotifier:
    """Appends one JSON object a line for each change of an alert."""

    name = "log"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, alert: Alert) -> None:
        """Append the line; see ``Notifier.send``. It is on the disk when this returns."""
        line = (to_json(log_record(alert)) + "\n").encode("utf-8", errors="backslashreplace")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # one write in append mode: lines of several processes do not mix
        with self._path.open("ab", buffering=0) as file:
            written = file.write(line)
            if written != len(line):
                raise OSError(f"{self._path}: only {written} of {len(line)} bytes were written")
            os.fsync(file.fileno())
