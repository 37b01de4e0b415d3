"""How many inference processes there should be: a rule over what they measured, with no clock of its own."""

from dataclasses import dataclass, field
from math import ceil
from typing import Final

from mlwright.stages.serving.readings import Load

TARGET: Final = 0.6
"""The part of a second that a process should be busy: above it, waiting times grow faster than the load."""
UP_AFTER_S: Final = 1.0
DOWN_AFTER_S: Final = 30.0


@dataclass(slots=True)
class Scaler:
    """Follows the concurrency: the seconds of scoring a second, by Little's law the processes that would be busy.

    More processes follow within seconds, fewer after half a minute below what the present number is for, none after
    ``idle_s`` without a request.
    """

    least: int
    most: int
    idle_s: float = 0.0
    _above: float | None = field(default=None, init=False)
    _below: float | None = field(default=None, init=False)

    def wanted(self, load: Load, now: float, present: int, started: float) -> int:
        """How many there should be.

        Args:
            load: what they measured over the last second.
            now: seconds of ``time.monotonic``.
            present: how many there are.
            started: when the last of them came, in the same seconds: idleness is counted from there where nothing was
                asked since.
        """
        last = max(started, load.last_request or started)
        if (
            self.idle_s
            and now - last >= self.idle_s
            and not any(each.in_flight_rows for each in load.processes)
        ):
            return 0
        if present == 0:
            return 0
        needed = self._needed(load)
        self._above = (self._above or now) if needed > present else None
        self._below = (self._below or now) if needed < present else None
        if self._above is not None and now - self._above >= UP_AFTER_S:
            self._above = None
            return needed
        if self._below is not None and now - self._below >= DOWN_AFTER_S:
            self._below = None
            return max(needed, present - 1)
        return present

    def _needed(self, load: Load) -> int:
        concurrency = sum(max(each.busy, each.cpu) for each in load.processes)
        return min(self.most, max(self.least, ceil(round(concurrency / TARGET, 6)), 1))
