"""Telling people. Open wire: Alertmanager's webhook payload, version 4, and its API, version 2."""

from datetime import timedelta
from typing import Protocol

from mlwright.model.alerting import Notice


class Notifier(Protocol):
    """One channel that carries alerts to people."""

    @property
    def name(self) -> str:
        """The channel's name in the log and in settings."""
        ...

    @property
    def resend(self) -> timedelta | None:
        """How often the receiver must hear again of what is still open, lest it forgets it; None: never."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether the receiver keeps an incident open until it is told that it is over."""
        ...

    def send(self, notice: Notice) -> str:
        """Deliver one message; returns what the receiver said, in a few words and without any secret.

        Raises:
            OSError: the channel did not take it; the caller keeps it and may send it again. A ``ChannelTrouble`` says
                whether there is any use in that. The text holds no secret.
        """
        ...
