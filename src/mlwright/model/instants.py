"""Instants as the database and the log keep them: microseconds since 1970-01-01 in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Convert an aware datetime, exactly.

    Raises:
        ValueError: the datetime is naive.

    >>> to_micros(datetime(2013, 4, 1, tzinfo=UTC))
    1364774400000000
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Convert back, exactly."""
    return _EPOCH + micros * _MICROSECOND
