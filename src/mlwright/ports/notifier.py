"""Telling people. Open wire: Alertmanager's webhook payload, version 4."""

from typing import Protocol

from mlwright.model.monitoring import Alert


class Notifier(Protocol):
    """One channel that carries alerts to people."""

    @property
    def name(self) -> str:
        """The channel's name in the log and in settings."""
        ...

    def send(self, alert: Alert) -> None:
        """Deliver one change of an alert (fired, acknowledged, resolved).

        Raises:
            OSError: the channel did not take it; the caller keeps the alert and may send it again.
        """
        ...
