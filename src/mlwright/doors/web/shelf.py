"""What the pages work at: the façade, and the charts' points that were read before."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Final, TypeAlias

from mlwright.model.ids import RunId
from mlwright.model.tracking import History, MetricSummary, RunRecord
from mlwright.platform.tracking.facade import TrackingPlatform

_KEPT: Final = 4_000
"""Histories of at most 600 points, which take 14 KB each."""

Range: TypeAlias = tuple[int, int]
Found: TypeAlias = tuple[RunRecord, Mapping[str, MetricSummary]]
_Key: TypeAlias = tuple[RunId, str, int, str, Range | None]
_Stamp: TypeAlias = tuple[int, int, int]


class Desk:
    """The façade, and a shelf of what charts needed lately: long histories of ended runs are read once.

    Args:
        tracking: the façade.
        card: writes the model card of a version; a process without a project has nobody who does.
    """

    def __init__(self, tracking: TrackingPlatform, card: Callable[[str], str] | None = None) -> None:
        self.tracking = tracking
        self.card = card
        self._shelf: OrderedDict[_Key, tuple[_Stamp, History]] = OrderedDict()
        self._lock = Lock()

    def series(
        self, runs: Sequence[Found], metric: str, points: int, *, axis: str, window: Range | None = None
    ) -> dict[RunId, History]:
        """At most so many points of one metric of each run that has it, no peak lost.

        Args:
            runs: the runs with their metrics' summaries, which say whether there are new points.
            metric: its key.
            points: of each run.
            axis: ``step``, ``time`` or ``relative``.
            window: first and last step; or instant, or milliseconds since the run began.
        """
        stamps: dict[RunId, _Stamp] = {}
        for record, summaries in runs:
            if metric in summaries:
                summary = summaries[metric]
                stamps[record.id] = (summary.points, summary.step, summary.at_ms)
        found = self._known(stamps, metric, points, axis, window)
        missing = [(record, own) for record, own in runs if record.id in stamps and record.id not in found]
        if missing:
            read = dict(self._read([record for record, _ in missing], metric, points, axis, window))
            with self._lock:
                for id, history in read.items():
                    self._shelf[id, metric, points, axis, window] = (stamps[id], history)
                while len(self._shelf) > _KEPT:
                    self._shelf.popitem(last=False)
            found |= read
        return found

    def _known(
        self, stamps: Mapping[RunId, _Stamp], metric: str, points: int, axis: str, window: Range | None
    ) -> dict[RunId, History]:
        found: dict[RunId, History] = {}
        with self._lock:
            for id, stamp in stamps.items():
                key = (id, metric, points, axis, window)
                kept = self._shelf.get(key)
                if kept is not None and kept[0] == stamp:
                    self._shelf.move_to_end(key)
                    found[id] = kept[1]
        return found

    def _read(
        self, runs: Sequence[RunRecord], metric: str, points: int, axis: str, window: Range | None
    ) -> list[tuple[RunId, History]]:
        ids = [each.id for each in runs]
        if axis == "step":
            return self.tracking.metrics.series(ids, metric, points, steps=window)
        instants: dict[RunId, Range] = {}
        if window is not None:
            for each in runs:
                start = each.started_ms if axis == "relative" else 0
                instants[each.id] = (window[0] + start, window[1] + start)
        return self.tracking.metrics.series(ids, metric, points, instants=instants)
