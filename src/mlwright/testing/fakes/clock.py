"""A clock that a test winds."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is told otherwise."""

    def __init__(self, start: datetime = datetime(2013, 1, 1, tzinfo=UTC)) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was wound to; see ``Clock.now``."""
        return self._now

    def advance(self, span: timedelta) -> datetime:
        """Wind it on by a span and return the new instant.

        Raises:
            ValueError: the span is negative.
        """
        if span < timedelta(0):
            raise ValueError("a clock does not run backwards")
        self._now += span
        return self._now
