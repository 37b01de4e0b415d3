"""A tracking server that knows what it was given."""

from dataclasses import replace
from datetime import UTC, datetime

from mlwright.errors import ServerUnavailable
from mlwright.model.running import ServerFacts

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryTrackingServer:
    """Tells ``kept``, sorted as the port says; refuses everything while ``broken`` is set."""

    def __init__(self, kept: ServerFacts | None = None, *, broken: bool = False) -> None:
        self.kept = kept or ServerFacts(source="memory", seen=_NEVER)
        self.broken = broken

    @property
    def source(self) -> str:
        """The source of what it was given."""
        return self.kept.source

    def facts(self, seen: datetime) -> ServerFacts:
        """See ``TrackingServer.facts``."""
        if self.broken:
            raise ServerUnavailable(
                "the tracking server cannot be reached", where=self.source, next_command="try again later"
            )
        runs = sorted(self.kept.runs, key=lambda run: run.id)
        versions = sorted(self.kept.versions, key=lambda each: (each.created, each.version), reverse=True)
        return replace(
            self.kept,
            seen=seen,
            runs=tuple(sorted(runs, key=lambda run: run.started, reverse=True)),
            versions=tuple(sorted(versions, key=lambda each: each.model)),
        )
