"""A clock for event time: whoever replays events moves it."""

from datetime import UTC, datetime
from threading import Lock


class ReplayClock:
    """Stands where it was set, and only moves forwards."""

    def __init__(self, start: datetime) -> None:
        self._lock = Lock()
        self._now = _utc(start)

    def now(self) -> datetime:
        """The instant that was set last; see ``Clock.now``."""
        with self._lock:
            return self._now

    def advance_to(self, at: datetime) -> datetime:
        """Move to an instant and return where the clock stands now.

        An earlier instant than the present one leaves the clock where it is: events of several streams arrive
        slightly out of order.

        Raises:
            ValueError: the instant is naive.
        """
        with self._lock:
            self._now = max(self._now, _utc(at))
            return self._now


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC)
