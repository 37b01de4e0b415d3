"""Half-open windows of time, always aware."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """All instants t with ``start <= t < end``."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a window needs aware datetimes")
        if self.end < self.start:
            raise ValueError(f"a window ends before it starts: {self.start} > {self.end}")

    @classmethod
    def before(cls, end: datetime, span: timedelta) -> "Window":
        """The window of the given length that ends at ``end``."""
        return cls(start=end - span, end=end)

    def days(self) -> Iterator["Window"]:
        """The whole UTC days inside this window, in order."""
        day = self.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if day < self.start:
            day += timedelta(days=1)
        while day + timedelta(days=1) <= self.end:
            yield Window(start=day, end=day + timedelta(days=1))
            day += timedelta(days=1)

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%d %H:%M}, {self.end:%Y-%m-%d %H:%M})"


def day_start(at: datetime) -> datetime:
    """Midnight UTC of the day that holds the instant."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(at: datetime) -> datetime:
    """Midnight UTC of the first day of the month that holds the instant."""
    return day_start(at).replace(day=1)


def week_start(at: datetime) -> datetime:
    """Midnight UTC of the Monday of the week that holds the instant (ISO 8601)."""
    return day_start(at) - timedelta(days=at.astimezone(UTC).weekday())
