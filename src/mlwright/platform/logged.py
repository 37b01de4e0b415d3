"""One window of an endpoint's log, read once for all who look at it in one turn."""

from functools import cached_property

import polars as pl

from mlwright.model.windows import Window
from mlwright.stages.serving.log import PredictionLog


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
