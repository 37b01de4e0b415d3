"""Labels before they are taken: what is refused, and what was sent before."""

from collections.abc import Sequence
from threading import Lock
from typing import Final

import numpy as np

from mlwright.errors import BadRequest, Fault
from mlwright.model.predictions import LabelBlock
from mlwright.stages.serving.inputs import EARLIEST, LATEST

MOST_FAULTS: Final = 20
_MOST_REMEMBERED: Final = 100_000
_MOST_LOOKED_UP: Final = 10_000


def check_labels(block: LabelBlock) -> None:
    """Refuse a block in which a label names nothing or is not a number. Where both are named, the prediction counts.

    The usual case takes a few passes in C, so that a file of a million labels does not stop the process for others.

    Raises:
        BadRequest: with one fault for each column or row, up to twenty.
    """
    faults = _length_faults(block)
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults)
    ids, keys, labels = block.prediction_ids, block.entity_keys, block.labels
    if (not ids or "" in ids) and (not keys or "" in keys):
        faults += [
            Fault(where=f"prediction_id[{row}]", what="must not be empty where entity_key is")
            for row in range(len(labels))
            if not (ids and ids[row]) and not (keys and keys[row])
        ]
    broken = np.flatnonzero(~np.isfinite(np.array(labels, dtype=np.float64)))
    faults += [
        Fault(where=f"label[{row}]", what=f"must be a finite number, not {labels[row]!r}")
        for row in broken[:MOST_FAULTS].tolist()
    ]
    faults += _time_faults(block.observed_at, "observed_at")
    faults += _time_faults(block.event_times, "event_time")
    if not faults and block.event_times:
        faults += [
            Fault(
                where=f"event_time[{row}]", what="lies after observed_at: no label is known before its event"
            )
            for row, (event, seen) in enumerate(zip(block.event_times, block.observed_at, strict=True))
            if event is not None and event > seen
        ]
    if faults:
        raise BadRequest("the labels cannot be taken as they are", faults=faults[:MOST_FAULTS])


class Repeats:
    """Remembers the last labels of one endpoint, so that a client can be told that it sent some again."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[float, int]] = {}
        self._lock = Lock()

    def count(self, block: LabelBlock) -> int | None:
        """How many labels of the block are remembered word for word, and remember all of them.

        None where the block is too large to look at each. Other processes may know more.
        """
        rows = len(block.labels)
        if rows > _MOST_LOOKED_UP:
            return None
        ids, keys, events = block.prediction_ids, block.entity_keys, block.event_times
        found = 0
        with self._lock:
            for row, told in enumerate(zip(block.labels, block.observed_at, strict=True)):
                by_id = ids and ids[row]
                key: tuple[object, ...] = (
                    (ids[row],) if by_id else (keys[row], events[row] if events else None)
                )
                found += self._known.get(key) == told
                self._known[key] = told
            while len(self._known) > _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
        return found


def _length_faults(block: LabelBlock) -> list[Fault]:
    rows = len(block.labels)
    faults = []
    if rows and not block.prediction_ids and not block.entity_keys:
        faults.append(Fault(where="prediction_id", what="send prediction_id or entity_key"))
    columns: dict[str, Sequence[object]] = {
        "prediction_id": block.prediction_ids,
        "entity_key": block.entity_keys,
        "observed_at": block.observed_at,
        "event_time": block.event_times,
    }
    faults += [
        Fault(where=name, what=f"{len(column)} values, but label has {rows}")
        for name, column in columns.items()
        if len(column) != rows and (column or name == "observed_at")
    ]
    if rows and block.event_times and not block.entity_keys:
        faults.append(
            Fault(where="event_time", what="needs entity_key: it says which prediction of an entity")
        )
    return faults


def _time_faults(times: Sequence[int | None], name: str) -> list[Fault]:
    kinds = set(map(type, times))
    if kinds <= {int} and (not times or (min(times) >= EARLIEST and max(times) <= LATEST)):  # type: ignore[type-var,operator]
        return []
    accepted = (int, type(None)) if name == "event_time" else (int,)
    return [
        Fault(where=f"{name}[{row}]", what=f"must be microseconds since 1970-01-01 UTC, not {time!r}")
        for row, time in enumerate(times)
        if type(time) not in accepted or not (time is None or EARLIEST <= time <= LATEST)
    ][:MOST_FAULTS]
