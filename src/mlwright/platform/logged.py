"""One window of an endpoint's log, read once for all who look at it in one turn."""

from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from mlwright.model.windows import Window, day_start
from mlwright.platform.parts import Parts
from mlwright.stages.ledger import store as ledger
from mlwright.stages.serving.log import PredictionLog

_DAY = timedelta(days=1)


class Logged:
    """What the log has of one endpoint in one window.

    Each kind of rows is read when it is first asked for, and then as long as this object lives: it is made for one
    look and passed down, so that a look sees one state of the log.
    """

    def __init__(self, log: PredictionLog, endpoint: str, window: Window) -> None:
        self.window = window
        self._log = log
        self._endpoint = endpoint

    def of(self, window: Window) -> "Logged":
        """What the log has of another window, or this one's where it is the same."""
        return self if window == self.window else Logged(self._log, self._endpoint, window)

    @cached_property
    def answered(self) -> pl.DataFrame:
        """As ``PredictionLog.predictions``: what every variant scored, by event time."""
        return self._log.predictions(self.window, endpoint=self._endpoint)

    @cached_property
    def served(self) -> pl.DataFrame:
        """Those that somebody got."""
        return self.answered.filter("served")

    @cached_property
    def features(self) -> pl.DataFrame:
        """As ``PredictionLog.features``: what the models saw."""
        return self._log.features(self.window, endpoint=self._endpoint)

    @cached_property
    def instants(self) -> pl.DataFrame:
        """``event_time`` of what was served, where nothing else is asked for: a long window is not kept for it."""
        return self._log.predictions(
            self.window, served_only=True, endpoint=self._endpoint, columns=("event_time",)
        )

    def days(self) -> tuple[Window, ...]:
        """The days (UTC) on which the endpoint answered something. The window begins and ends at midnight."""
        short = self.window.end - self.window.start <= _DAY
        return days_of(self.served if short else self.instants)


def days_of(answered: pl.DataFrame) -> tuple[Window, ...]:
    """The days (UTC) of some answers, by their ``event_time``."""
    midnights = answered["event_time"].dt.truncate("1d").unique().sort()
    return tuple(Window(start=day, end=day + _DAY) for day in midnights)


def first_day(parts: Parts, endpoint: str) -> datetime | None:
    """The midnight (UTC) before the endpoint's first prediction, found once and kept; None while nobody has asked."""
    name = f"first-day:{endpoint}"
    with parts.read() as tx:
        mark = ledger.get_mark(tx, name)
    if mark:
        return datetime.fromisoformat(mark)
    first = parts.log.first(endpoint)
    if first is None:
        return None
    day = day_start(first)
    with parts.write() as tx:
        ledger.set_mark(tx, name, day.isoformat())
    return day
