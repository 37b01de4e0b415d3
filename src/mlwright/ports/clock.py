"""What time it is. Open wire: none; ISO 8601 in UTC wherever a time leaves the process."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The source of every timestamp that mlwright writes."""

    def now(self) -> datetime:
        """The present instant: aware, in UTC, never before an instant that was returned earlier."""
        ...
