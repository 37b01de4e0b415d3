"""Requests of several clients, answered together: bounded in rows, in time, and in how much waits.

Everything here runs on one event loop, except the scoring itself where the mode says so:

- ``inline``: what arrived in one wake-up of the loop is scored together, on the loop;
- ``thread``: one thread of this endpoint scores at once when idle, and then what queued while it was busy;
- ``window``: the same thread waits for more until ``window`` has passed or ``max_rows`` are there;
- ``auto``: inline where the measured curve of the model is low, else thread; and once an inline model turns out to hold
  the loop for more than 1 ms a batch, it goes to the thread.

Why: a window costs whoever asks alone its whole length, and a hand-over to a thread costs more than a small tree model
takes for a row.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from time import monotonic
from typing import Final, Protocol

from mlwright.errors import MlwrightError, ModelError
from mlwright.model.settings import EndpointSettings
from mlwright.stages.serving.asks import Answer, Ask, Outcome
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.curve import Curve, Pace
from mlwright.stages.serving.limits import ClientLimits, closing, queue_full, too_late, too_often
from mlwright.stages.serving.worker import Entry, Give, Scored, Worker, in_time

INLINE_S: Final = 200e-6
"""A model that takes less for one row may run on the event loop; a hand-over to a thread costs about half of it."""
LOOP_S: Final = 1e-3
"""How long a batch may hold the loop before others get their turn."""
_REMEMBERED: Final = 20
_SURELY: Final = 3
_SURELY_S: Final = 20e-3

_log: Final = logging.getLogger("mlwright.serving")


class Scores(Protocol):
    """What is asked of an endpoint's core; ``EndpointCore`` is one."""

    spec: EndpointSettings
    counters: Counters

    @property
    def curve(self) -> Curve | None:
        """How long the models in force take, all variants together; None where it was not measured."""

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Score; never raises, one outcome an ask. Not called twice at the same time."""

    def degraded(self, ask: Ask, error: MlwrightError) -> Outcome:
        """The fallback's answer in place of this error, or the error. Fast, and on the event loop."""


class Batcher:
    """The queue before one endpoint's core. Made anywhere, used on one event loop."""

    def __init__(
        self, core: Scores, *, mode: str | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """
        Args:
            core: what scores.
            mode: instead of the one in its settings.
            clock: seconds; another one than ``time.monotonic`` only in tests, for deadlines are given in its terms.
        """
        serving = core.spec.serving
        limits = serving.limits
        self._core = core
        self._counters = core.counters
        self._clock = clock
        self._asked_mode = mode or serving.batching.mode
        self._max_rows = max(1, serving.batching.max_rows)
        self._window_s = serving.batching.window.total_seconds()
        self._queue_rows = limits.queue_rows or math.inf
        self._deadline_s = limits.deadline.total_seconds() or math.inf
        self._clients = (
            ClientLimits(limits.client_rate, limits.client_burst) if limits.client_rate > 0 else None
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inline = True
        self._curve: Curve | None = None
        self._decided = False
        self._pace = Pace()
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._waiting: deque[Entry] = deque()
        self._scheduled = False
        self._worker: Worker | None = None
        self._handed = 0
        self._pending = 0
        self._pending_asks = 0
        self._scoring = 0
        self._closed = False
        self._drained: list[asyncio.Future[None]] = []

    @property
    def mode(self) -> str:
        """``inline``, ``thread`` or ``window``: what is done now."""
        if not self._decided:
            self._decide()
        return "inline" if self._inline else "window" if self._asked_mode == "window" else "thread"

    @property
    def waiting_rows(self) -> int:
        """Rows that are here and not being scored."""
        return max(0, self._pending - self.scoring_rows)

    @property
    def scoring_rows(self) -> int:
        """Rows that are being scored."""
        return self._worker.scoring_rows if self._worker is not None and self._handed else self._scoring

    def submit(self, ask: Ask, reply: Give) -> None:
        """Have the ask answered: ``reply`` is called exactly once, on the event loop, perhaps before this returns.

        It gets an Overloaded where too many rows wait, the process shuts down (both 503) or the client asks too often
        (TooManyRequests, 429), and a DeadlinePassed (504) where the answer would come too late; none of them is scored.
        """
        now = self._clock()
        core = self._core
        if not self._decided or core.curve is not self._curve:
            self._decide()
        deadline = ask.deadline
        if deadline == math.inf:
            deadline = now + self._deadline_s
        pending = self._pending
        if (
            self._closed
            or self._clients is not None
            or (pending and pending + ask.rows > self._queue_rows)
            or now + pending * self._pace.row_s >= deadline
        ) and self._refuse(ask, reply, now, deadline):
            return
        self._pending = pending + ask.rows
        self._pending_asks += 1
        entry = Entry(ask, reply, now, deadline)
        if not self._inline:
            self._hand_over(entry)
            return
        self._waiting.append(entry)
        if not self._scheduled:
            self._schedule()

    async def ask(self, ask: Ask) -> Answer:
        """The answer.

        Raises:
            MlwrightError: what :meth:`submit` gives in place of one.
        """
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def reply(outcome: Outcome) -> None:
            if not waiting.done():  # whoever waited may have been cancelled
                waiting.set_result(outcome)

        self.submit(ask, reply)
        outcome = await waiting
        if isinstance(outcome, Answer):
            return outcome
        raise outcome

    async def drain(self) -> None:
        """Answer everything that was submitted, refuse what comes later, and end the thread."""
        self._closed = True
        if self._pending_asks:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drained.append(done)
            await done
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    # -- taking or refusing

    def _refuse(self, ask: Ask, reply: Give, now: float, deadline: float) -> bool:
        """Refuse the ask if there is a reason, and say the first of them."""
        name, limits = self._core.spec.name, self._core.spec.serving.limits
        pending = self._pending
        estimate_s = pending * self._pace.row_s
        if self._closed:
            self._give(reply, closing(name))
        elif self._clients is not None and (wait_s := self._clients.wait(ask.client, now)):
            self._counters.rejected("client")
            self._give(reply, too_often(name, limits, wait_s))
        elif pending and pending + ask.rows > self._queue_rows:
            self._counters.rejected("queue")
            self._give(reply, self._fallback(ask, queue_full(name, limits, pending, estimate_s)))
        elif now + estimate_s >= deadline:
            self._counters.rejected("deadline")
            self._give(reply, too_late(name, pending, estimate_s))
        else:
            return False
        return True

    def _fallback(self, ask: Ask, error: MlwrightError) -> Outcome:
        try:
            return self._core.degraded(ask, error)
        except Exception:  # noqa: BLE001 - the error it stands in for is still an answer
            _log.exception("the fallback of endpoint %r failed", self._core.spec.name)
            return error

    def _give(self, reply: Give, outcome: Outcome) -> None:
        """Reply, and count, to an ask that never was pending."""
        if isinstance(outcome, Answer):
            self._counters.answered(outcome.rows, 0.0)
        else:
            self._counters.failed(outcome.code)
        self._reply(reply, outcome)

    def _reply(self, reply: Give, outcome: Outcome) -> None:
        try:
            reply(outcome)
        except Exception:  # noqa: BLE001 - the door of one request, whatever it raises, must not harm others
            _log.exception("an answer of endpoint %r could not be handed over", self._core.spec.name)

    # -- on the event loop

    def _running(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _decide(self) -> None:
        """Choose the mode, when first asked and whenever the models in force have another curve."""
        curve = self._core.curve
        asked = self._asked_mode
        inline = asked == "inline" or (asked == "auto" and _is_low(curve, self._max_rows))
        first = not self._decided
        self._curve, self._decided = curve, True
        self._pace.follow(curve, self._max_rows)
        self._took.clear()
        if first or inline != self._inline:
            self._switch(inline)

    def _switch(self, inline: bool, *, moved: bool = False) -> None:
        self._inline = inline
        if not inline:
            while self._waiting:
                self._hand_over(self._waiting.popleft())
        self._counters.mode(self.mode, moved=moved)

    def _hand_over(self, entry: Entry) -> None:
        if self._worker is None:
            self._worker = Worker(
                self._loop or self._running(),
                self._outcomes,
                self._returned,
                name=f"mlwright-{self._core.spec.name}",
                max_rows=self._max_rows,
                window_s=self._window_s if self._asked_mode == "window" else 0.0,
                clock=self._clock,
            )
        self._handed += 1
        self._worker.put(entry)
        self._counters.holding(
            self._pending, self.waiting_rows
        )  # a batch may take long; who scales wants to know

    def _returned(self, scored: Scored) -> None:
        """A batch comes back from the thread. If the loop is to score from now on, it begins after the last one."""
        self._handed -= len(scored.taken) + len(scored.late)
        self._deliver(scored)
        if self._waiting and not self._handed:
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            (self._loop or self._running()).call_soon(self._flush)

    def _flush(self) -> None:
        """Score what waited when this began; what comes meanwhile is of the next wake-up."""
        self._scheduled = False
        left = len(self._waiting)
        while left and self._waiting and not self._handed:
            took, scored = self._score_inline(left)
            left -= scored
            if took > LOOP_S and self._waiting:
                self._schedule()
                return

    def _take(self, most: int) -> tuple[list[Entry], int]:
        waiting, max_rows = self._waiting, self._max_rows
        taken = [waiting.popleft()]
        rows = taken[0].ask.rows
        while len(taken) < most:
            more = waiting[0].ask.rows
            if rows + more > max_rows:
                break
            taken.append(waiting.popleft())
            rows += more
        return taken, rows

    def _score_inline(self, most: int) -> tuple[float, int]:
        batch, rows = self._take(most)
        started = self._clock()
        taken, late = in_time(batch, started)
        if late:
            rows = sum(entry.ask.rows for entry in taken)
        self._scoring = rows
        self._counters.holding(self._pending, self._pending - rows)
        outcomes = self._outcomes(taken) if taken else ()
        done = self._clock()
        self._scoring = 0
        self._deliver(Scored(taken, late, outcomes, rows, started, done))
        took = done - started
        if taken and self._asked_mode == "auto" and self._inline:
            self._watch(took)
        return took, len(batch)

    def _watch(self, took: float) -> None:
        """Move to the thread what holds the loop for too long."""
        seen = self._took
        seen.append(took)
        if took <= LOOP_S or len(seen) < _SURELY:
            return
        usual = median(seen)
        if usual > (LOOP_S if len(seen) == _REMEMBERED else _SURELY_S):
            _log.warning(
                "endpoint %r takes %.1f ms a batch, so it moves from the event loop to a thread of its own",
                self._core.spec.name,
                usual * 1e3,
            )
            self._switch(False, moved=True)

    def _outcomes(self, taken: Sequence[Entry]) -> Sequence[Outcome]:
        """The core's answers. It never raises, and gives as many as it was asked; should it yet, all get an error."""
        try:
            outcomes = self._core.answer([entry.ask for entry in taken])
            if len(outcomes) == len(taken):
                return outcomes
            why = f"{len(outcomes)} answers for {len(taken)} requests"
        except Exception as error:  # noqa: BLE001 - every ask gets its reply
            _log.exception("endpoint %r failed", self._core.spec.name)
            why = f"{type(error).__name__}: {error}"
        name = self._core.spec.name
        return [
            ModelError(f"endpoint {name!r} failed", why=why, next_command="mlwright doctor") for _ in taken
        ]

    def _deliver(self, scored: Scored) -> None:
        """Count, and reply; on the loop."""
        taken, late, outcomes, rows, started, done = scored
        counters = self._counters
        if taken:
            took = done - started
            self._pace.saw(rows, took)
            waits = [started - entry.arrived for entry in taken]
            counters.scored(rows, waits, took, done)
            self._count(rows, waits, took, outcomes)
        self._pending -= rows + (sum(entry.ask.rows for entry in late) if late else 0)
        self._pending_asks -= len(taken) + len(late)
        counters.holding(self._pending, self.waiting_rows)
        for entry, outcome in zip(taken, outcomes, strict=True):
            self._reply(entry.reply, outcome)
        for entry in late:
            counters.rejected("deadline")
            self._give(entry.reply, too_late(self._core.spec.name, 0, 0.0))
        if self._drained and not self._pending_asks:
            self._wake()

    def _count(self, rows: int, waits: Sequence[float], took: float, outcomes: Sequence[Outcome]) -> None:
        counters = self._counters
        if len(outcomes) == sum([type(outcome) is Answer for outcome in outcomes]):
            counters.answered(rows, *[wait + took for wait in waits])
            return
        for wait, outcome in zip(waits, outcomes, strict=True):
            if isinstance(outcome, Answer):
                counters.answered(outcome.rows, wait + took)
            else:
                counters.failed(outcome.code)

    def _wake(self) -> None:
        for future in self._drained:
            if not future.done():
                future.set_result(None)
        self._drained.clear()


def _is_low(curve: Curve | None, max_rows: int) -> bool:
    """Whether the loop can bear it. Not measured: it is tried, and watched."""
    return curve is None or (not curve.elsewhere and curve.t(1) < INLINE_S and curve.t(max_rows) < LOOP_S)
