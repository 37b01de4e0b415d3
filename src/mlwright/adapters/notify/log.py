"""Alerts as lines of a file."""

import os
from pathlib import Path

from mlwright.adapters.notify.payload import log_record, to_json
from mlwright.model.alerting import Notice


class LogNotifier:
    """Appends one JSON object a line for each change of an alert."""

    resend = None
    keeps = False

    def __init__(self, path: Path, *, name: str = "log") -> None:
        self._path = path
        self._name = name

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._name

    def send(self, notice: Notice) -> str:
        """Append a line for each alert that is news; see ``Notifier.send``. They are on the disk when this returns."""
        news = [each for each in notice.alerts if each.id in notice.news]
        about = {"kind": notice.kind.value, "key": notice.key}
        text = "".join(to_json({**log_record(each), **about}) + "\n" for each in news)
        line = text.encode("utf-8", errors="backslashreplace")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # one write in append mode: lines of several processes do not mix
        with self._path.open("ab", buffering=0) as file:
            written = file.write(line)
            if written != len(line):
                raise OSError(f"{self._path}: only {written} of {len(line)} bytes were written")
            os.fsync(file.fileno())
        return f"{len(news)} line{'s' * (len(news) != 1)} written"
