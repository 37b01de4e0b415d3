"""Asking a tracking server of others what it knows. Open wire: MLflow REST API 2.0."""

from datetime import datetime
from typing import Protocol

from mlwright.model.running import ServerFacts


class TrackingServer(Protocol):
    """A server, database or folder that keeps runs and model versions. It is read and never written to."""

    @property
    def source(self) -> str:
        """Its address as a report may show it: without user, password or token."""
        ...

    def facts(self, seen: datetime) -> ServerFacts:
        """The newest runs and model versions, bounded; ``notes`` say what was left out.

        Runs are sorted newest first (then by id), versions by model, then newest first. ``seen`` is aware UTC and is
        kept as it is. Asked again without a change, the answer is the same.

        Raises:
            ServerUnavailable: nobody answers or not in time, it refuses (with or without a token), or what answers
                does not speak the protocol; a file or folder that cannot be read as one. The address in the message
                carries no secret.
        """
        ...
