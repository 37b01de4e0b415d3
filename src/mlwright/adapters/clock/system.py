"""The machine's clock, held back from running backwards."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock


def _machine_time() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """Present time; stands still while the machine's clock is set back."""

    def __init__(self, source: Callable[[], datetime] = _machine_time) -> None:
        self._source = source
        self._lock = Lock()
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The present instant; see ``Clock.now``."""
        with self._lock:
            self._latest = max(self._latest, self._source())
            return self._latest
