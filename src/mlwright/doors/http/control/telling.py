"""The thread that tells people of alerts while the loop is busy: a retraining of hours must hold up no page.

A turn of the loop tells, too. Both may do it at once, and two servers may: messages are claimed before they are sent.
"""

import logging
from threading import Event, Thread
from typing import Final

from mlwright.platform.alerting import AlertJourney

EVERY_S: Final = 15.0
"""Escalations have steps of minutes."""

_log: Final = logging.getLogger("mlwright.alerts")


class Telling:
    """Escalates and delivers every ``every_s`` seconds; never by itself where that is None."""

    def __init__(self, alerting: AlertJourney, *, every_s: float | None = EVERY_S) -> None:
        self._alerting = alerting
        self._every_s = every_s
        self._stopping = Event()
        # A receiver may take its time; it must not keep the process alive. What was claimed is sent after the restart.
        self._thread = Thread(target=self._run, name="telling", daemon=True)

    def start(self) -> None:
        """Begin, unless it is never to do anything."""
        if self._every_s is not None:
            self._thread.start()

    def stop(self, wait_s: float = 10.0) -> None:
        """Begin nothing more, and wait a while for the message that is being sent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        said = ""
        while not self._stopping.wait(self._every_s):
            try:
                self._alerting.escalate()
                self._alerting.deliver()
                said = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, the next time may succeed
                if said != str(error):  # once, not four times a minute
                    _log.exception("alerts could not be told")
                said = str(error)
