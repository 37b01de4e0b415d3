"""What one endpoint counts while it serves.

Who counts what, so that nothing is counted twice: whoever hands an answer to a client says :meth:`Counters.answered`
or :meth:`Counters.failed`. That is the batcher for all that passes through it, for only it knows how long a request
waited; and the core for ``predict`` alone, never in ``answer`` or ``degraded``. The core says ``variant``, ``flagged``,
``degraded``, ``labels`` and ``route``; the batcher ``rejected``, ``scored``, ``holding`` and ``mode``.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final

from mlwright.stages.serving.slots import COUNT, EACH, HISTOGRAM, MOST, SUM, Block, Series, Slots

LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the latency buckets in seconds; one more bucket takes what is slower."""
SCORING_BOUNDS_S: Final = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 2.5)
"""Upper bounds of the buckets of a batch's time in the model, in seconds."""
BATCH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)
"""Upper bounds of the buckets of a batch's rows."""

REQUESTS: Final = "mlwright_requests"
ROWS: Final = "mlwright_rows"
ANSWERED_ROWS: Final = "mlwright_answered_rows"
SLOW: Final = "mlwright_slow_requests"
"""Answered requests that took longer than the endpoint promises; exact where a bucket's bound is not."""
LIMIT: Final = "mlwright_latency_limit_seconds"
ERRORS: Final = "mlwright_request_errors"
REJECTED: Final = "mlwright_rejected"
VARIANT_ERRORS: Final = "mlwright_variant_errors"
LABELS: Final = "mlwright_labels"
FLAGGED: Final = "mlwright_flagged_values"
DEGRADED: Final = "mlwright_degraded"
DROPPED: Final = "mlwright_log_dropped_records"
"""0 here, so that it is there before anything is lost: the log's rings count (``rings.py``)."""
MOVES: Final = "mlwright_batching_moves"
RESTARTS: Final = "mlwright_model_process_restarts"
LATENCY: Final = "mlwright_latency_seconds"
QUEUE: Final = "mlwright_queue_seconds"
SCORING: Final = "mlwright_scoring_seconds"
BATCH_ROWS: Final = "mlwright_batch_rows"
IN_FLIGHT: Final = "mlwright_in_flight_rows"
WAITING: Final = "mlwright_waiting_rows"
GENERATION: Final = "mlwright_route_generation"
MODE: Final = "mlwright_batching_mode"
MODEL: Final = "mlwright_model_info"

PULSE: Final = (
    "second",
    "busy",
    "busy_before",
    "requests",
    "requests_before",
    "stay",
    "stay_before",
    "cpu",
    "last",
)
"""What :class:`Pulse` writes, in this order, each as the series ``pulse_<name>``."""


class Pulse:
    """What a process did in this second of the monotonic clock, and in the one before: the load that scaling reads.

    The clock is one for the machine, so a reader can tell how old the numbers are. Called on one thread.
    """

    def __init__(self, slots: Slots) -> None:
        block = slots.block(*(Series(f"pulse_{name}", EACH) for name in PULSE))
        self._slots = block.amounts
        self._first = block.at[0]
        self._second = -1
        self._turned = time.monotonic()
        self._cpu_s = time.process_time()

    def beat(self, now: float, busy_s: float, requests: int, stay_s: float) -> None:
        """Some requests were answered.

        Args:
            now: seconds of ``time.monotonic``.
            busy_s: how long it took to score them.
            requests: how many they were.
            stay_s: the time from arrival to answer, over all of them.
        """
        if int(now) != self._second:
            self._turn(now)
        slots, first = self._slots, self._first
        slots[first + 1] += busy_s
        slots[first + 3] += requests
        slots[first + 5] += stay_s
        slots[first + 8] = now

    def _turn(self, now: float) -> None:
        second = int(now)
        slots, first = self._slots, self._first
        follows = second == self._second + 1
        for this in (1, 3, 5):
            slots[first + this + 1] = slots[first + this] if follows else 0.0
            slots[first + this] = 0.0
        cpu_s = time.process_time()
        slots[first + 7] = (cpu_s - self._cpu_s) / max(now - self._turned, 1e-3)
        self._cpu_s, self._turned, self._second = cpu_s, now, second
        slots[first] = second


class Counters:
    """The counts of one endpoint in this process. ``counters[REQUESTS]`` is one, over all its labels;
    ``counters[ROWS, "champion"]`` that with the label.

    Each call takes less than 1 µs; those a request and not a batch, 0.3 µs.
    """

    def __init__(self, endpoint: str = "", slots: Slots | None = None, *, limit_s: float = inf) -> None:
        """
        Args:
            endpoint: its name.
            slots: where the numbers are.
            limit_s: the seconds within which the endpoint promises to answer.
        """
        self.slots = slots or Slots(size=256)
        self.pulse = Pulse(self.slots)
        self._label = ("endpoint", endpoint)
        labels = (self._label,)
        block = self.slots.block(
            Series(LATENCY, HISTOGRAM, labels, LATENCY_BOUNDS_S),
            Series(QUEUE, HISTOGRAM, labels, LATENCY_BOUNDS_S),
            Series(SCORING, HISTOGRAM, labels, SCORING_BOUNDS_S),
            Series(BATCH_ROWS, HISTOGRAM, labels, BATCH_BOUNDS),
            *(
                Series(name, COUNT, labels)
                for name in (REQUESTS, ANSWERED_ROWS, LABELS, FLAGGED, DROPPED, MOVES, SLOW)
            ),
            *(Series(name, SUM, labels) for name in (IN_FLIGHT, WAITING)),
            Series(GENERATION, EACH, labels),
            Series(LIMIT, MOST, labels),
        )
        self._counts, self._amounts = block.counts, block.amounts
        self._latency, self._queue, self._scoring, self._batch = block.at[:4]
        self._requests, self._rows, self._labels, self._flagged, _, self._moves, self._slow = block.at[4:11]
        self._in_flight, self._waiting, self._generation, limit = block.at[11:]
        self._limit_s = limit_s
        self._amounts[limit] = limit_s if limit_s < inf else 0.0
        self._more: dict[tuple[str, str], tuple[memoryview[int], int]] = {}
        self._models: dict[Series, Block] = {}
        self._modes: dict[str, Block] = {}

    def answered(self, rows: int, *stays: float) -> None:
        """Some requests got their answers.

        Args:
            rows: of all of them.
            stays: seconds from each one's arrival to its answer, the longest first.
        """
        counts = self._counts
        counts[self._requests] += len(stays)
        counts[self._rows] += rows
        if stays and stays[0] > self._limit_s:
            counts[self._slow] += sum([stay > self._limit_s for stay in stays])
        self._observe(self._latency, LATENCY_BOUNDS_S, stays)

    def failed(self, kind: str = "MlwrightError") -> None:
        """One request got an error; ``kind`` is its code."""
        self._counts[self._requests] += 1
        self._add(ERRORS, "kind", kind, 1)

    def rejected(self, reason: str) -> None:
        """One request was not scored: ``queue`` (full), ``client`` (too often) or ``deadline`` (passed, or would be).
        The error or fallback that it gets is counted besides."""
        self._add(REJECTED, "reason", reason, 1)

    def degraded(self, kind: str) -> None:
        """One request was answered by a fallback: ``previous``, ``cached`` or ``default``."""
        self._add(DEGRADED, "kind", kind, 1)

    def variant(self, name: str, rows: int, errors: int = 0) -> None:
        """A variant answered ``rows`` rows, and could not score ``errors`` batches."""
        if rows:
            self._add(ROWS, "variant", name, rows)
        if errors:
            self._add(VARIANT_ERRORS, "variant", name, errors)

    def labels(self, number: int) -> None:
        """Labels were taken."""
        self._counts[self._labels] += number

    def flagged(self, number: int) -> None:
        """Values outside the contract were accepted or imputed."""
        self._counts[self._flagged] += number

    def scored(self, rows: int, waits: Sequence[float], seconds: float, now: float) -> None:
        """A batch was scored.

        Args:
            rows: how many it had.
            waits: seconds from each request's arrival to the start, the longest first.
            seconds: how long it took.
            now: when it was done, in seconds of ``time.monotonic``.
        """
        counts, amounts = self._counts, self._amounts
        at = self._batch
        counts[at + bisect_left(BATCH_BOUNDS, rows)] += 1
        amounts[at + len(BATCH_BOUNDS) + 1] += rows
        at = self._scoring
        counts[at + bisect_left(SCORING_BOUNDS_S, seconds)] += 1
        amounts[at + len(SCORING_BOUNDS_S) + 1] += seconds
        waited = self._observe(self._queue, LATENCY_BOUNDS_S, waits)
        self.pulse.beat(now, seconds, len(waits), waited + seconds * len(waits))

    def holding(self, in_flight: int, waiting: int) -> None:
        """How many rows are here, and how many of them wait."""
        self._amounts[self._in_flight] = in_flight
        self._amounts[self._waiting] = waiting

    def mode(self, name: str, *, moved: bool = False) -> None:
        """How requests are batched now; ``moved`` where measurements have overruled what was chosen at first."""
        if name not in self._modes:
            series = Series(MODE, EACH, (self._label, ("mode", name)))
            self._modes[name] = self.slots.block(series)
        for each, block in self._modes.items():
            block.amounts[block.at[0]] = each == name
        self._counts[self._moves] += moved

    def route(self, generation: int, variants: Iterable[tuple[str, str, str]]) -> None:
        """A route is in force: its generation, and (variant, model, version) of each variant."""
        self._amounts[self._generation] = generation
        live = {
            Series(MODEL, MOST, (self._label, ("variant", variant), ("model", model), ("version", version)))
            for variant, model, version in variants
        }
        for series in live - self._models.keys():
            self._models[series] = self.slots.block(series)
        for series, block in self._models.items():
            block.amounts[block.at[0]] = series in live

    def __getitem__(self, key: str | tuple[str, str]) -> float:
        name, value = (key, None) if isinstance(key, str) else key
        total = 0.0
        for series, values in self.slots.read():
            if series.name != name or self._label not in series.labels:
                continue
            if value is None or value in [found for label, found in series.labels if label != "endpoint"]:
                total += sum(values[:-1]) if series.kind == HISTOGRAM else values[0]
        return total

    def _add(self, name: str, label: str, value: str, number: int) -> None:
        place = self._more.get((name, value))
        if place is None:
            block = self.slots.block(Series(name, COUNT, (self._label, (label, value))))
            place = self._more[name, value] = (block.counts, block.at[0])
        counts, at = place
        counts[at] += number

    def _observe(self, at: int, bounds: tuple[float, ...], seconds: Sequence[float]) -> float:
        """Count into a histogram; longest first, so that one comparison tells whether all are in one bucket."""
        counts = self._counts
        last = bisect_left(bounds, seconds[-1])
        if len(seconds) == 1:
            total = seconds[0]
            counts[at + last] += 1
        else:
            total = sum(seconds)
            if bisect_left(bounds, seconds[0]) == last:
                counts[at + last] += len(seconds)
            else:
                for each in seconds:
                    counts[at + bisect_left(bounds, each)] += 1
        self._amounts[at + len(bounds) + 1] += total
        return total
