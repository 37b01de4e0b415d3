"""The thread of one endpoint: it scores at once when idle, and then what queued while it was busy."""

import asyncio
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple, TypeAlias

from mlwright.stages.serving.asks import Ask, Outcome

Give: TypeAlias = Callable[[Outcome], None]


class Entry(NamedTuple):
    """An ask that waits; made for every request, and a tuple is the cheapest that has names."""

    ask: Ask
    reply: Give
    arrived: float
    deadline: float


class Scored(NamedTuple):
    """A batch, done: the asks with their outcomes, those that were too late, and when it was (seconds of the clock)."""

    taken: Sequence[Entry]
    late: Sequence[Entry]
    outcomes: Sequence[Outcome]
    rows: int
    started: float
    done: float


def in_time(entries: list[Entry], now: float) -> tuple[list[Entry], Sequence[Entry]]:
    """Those that may still be answered, and those whose deadline has passed."""
    for entry in entries:
        if entry.deadline <= now:
            break
    else:
        return entries, ()
    return [each for each in entries if each.deadline > now], [
        each for each in entries if each.deadline <= now
    ]


class Worker:
    """One thread that takes asks in their order, batches them and has them scored.

    Args:
        score: scores a batch, in the thread; never raises.
        deliver: takes each batch, on the loop.
        max_rows: of a batch, unless one ask alone has more.
        window_s: how long the first of a batch may wait for others. 0: not at all.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        score: Callable[[Sequence[Entry]], Sequence[Outcome]],
        deliver: Callable[[Scored], None],
        *,
        name: str,
        max_rows: int,
        window_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._loop, self._score, self._deliver = loop, score, deliver
        self._max_rows, self._window_s, self._clock = max_rows, window_s, clock
        self._inbox: Final[SimpleQueue[Entry | None]] = SimpleQueue()
        self._held: Entry | None = None
        self._ended = False
        self.scoring_rows = 0
        """Rows that are being scored now."""
        self.put = self._inbox.put
        """Hand an entry over."""
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after what was handed over."""
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while not self._ended:
            first = self._held or self._inbox.get()
            self._held = None
            if first is None:
                return
            batch = self._gathered(first)
            started = self._clock()
            taken, late = in_time(batch, started)
            rows = sum([entry.ask.rows for entry in taken])
            self.scoring_rows = rows
            outcomes = self._score(taken) if taken else ()
            self.scoring_rows = 0
            scored = Scored(taken, late, outcomes, rows, started, self._clock())
            try:
                self._loop.call_soon_threadsafe(self._deliver, scored)
            except RuntimeError:  # the loop is closed: nobody is there to be told
                return

    def _gathered(self, first: Entry) -> list[Entry]:
        inbox, max_rows = self._inbox, self._max_rows
        batch, rows = [first], first.ask.rows
        while rows < max_rows:
            if not inbox.empty():
                entry = inbox.get()
            elif (left_s := first.arrived + self._window_s - self._clock()) > 0 and self._window_s:
                try:
                    entry = inbox.get(timeout=left_s)
                except Empty:
                    break
            else:
                break
            if entry is None:
                self._ended = True
                break
            rows += entry.ask.rows
            if rows > max_rows:
                self._held = entry
                break
            batch.append(entry)
        return batch
