"""A model whose process is started again whenever it ends."""

import logging
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Final

from mlwright.adapters.isolated import arrays
from mlwright.adapters.isolated.process import ModelProcess, ProcessLost
from mlwright.errors import MlwrightError, ModelDown
from mlwright.model.batches import Array, Batch
from mlwright.model.registry import Signature

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
_PATIENCE_S: Final = 2.0
_KEEP_S: Final = 6 * 3600.0
_MOST_SUSPECTS: Final = 256
_LONGEST_BAN_S: Final = 300.0

_log: Final = logging.getLogger("mlwright.serving")


class Supervision:
    """Keeps one process running.

    After an end it is started again 0.5 s later; after one without an answer in between twice as late as the time
    before, up to 30 s.
    """

    def __init__(
        self, process: ModelProcess, start: Callable[[], ModelProcess], keep: Callable[[], object]
    ) -> None:
        """
        Args:
            process: the first one.
            start: starts the next one; raises ``MlwrightError`` or ``ProcessLost``.
            keep: called now and then as long as one runs, so that nobody takes its environment away.
        """
        self._process: ModelProcess | None = process
        self._start = start
        self._keep = keep
        self._trouble: str | None = None
        self._again_at = 0.0
        self._closed = False
        # close() may be called by the garbage collector, in any thread: this queue is made for that.
        self._orders: SimpleQueue[None] = SimpleQueue()
        self._tells: list[Callable[[], None]] = []
        self._suspects: dict[bytes, tuple[int, float]] = {}
        self._lock = Lock()
        self.restarts = 0
        """How often it was started again, or that was tried."""
        Thread(target=self._supervise, name="mlwright-model", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    @property
    def trouble(self) -> str | None:
        """Why there is no process; None while there is one."""
        process = self._process
        if process is not None and (process.lost or process.gone.is_set()):
            return f"its process is down: {process.ending}"
        return self._trouble

    def infer(self, batch: Batch) -> dict[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            ModelDown: there is no process now, it ended during the call, or these rows have ended it before.
        """
        process = self._process
        if process is None or process.lost:
            raise self._down(self.trouble or "its process is down")
        if self._suspects:
            self._refuse_killers(batch)
        try:
            found = process.call(batch)
        except ProcessLost as lost:
            self._suspect(batch)
            raise self._down(f"its process ended during the call: {lost.why}") from lost
        if self._suspects:
            with self._lock:
                self._suspects.pop(_fingerprint(batch), None)
        return found

    def on_restart(self, tell: Callable[[], None]) -> None:
        """Have this called at each start after the first, in a thread of its own."""
        self._tells.append(tell)

    def close(self) -> None:
        """End the process; this does not wait for it."""
        self._closed = True
        self._orders.put(None)
        process = self._process
        if process is not None:
            process.ask_to_end()

    # ------------------------------------------------------------------ the thread

    def _supervise(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            process = self._process
            if process is not None:
                while not process.gone.wait(_KEEP_S):
                    self._look_after()
                wait_s = FIRST_WAIT_S if process.answered else wait_s
                self._note_end(process, wait_s)
                process.end(patience_s=_PATIENCE_S)
            if not self._closed:
                with suppress(Empty):
                    self._orders.get(timeout=wait_s)
            if self._closed:
                return
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            self._start_again(wait_s)

    def _look_after(self) -> None:
        try:
            self._keep()
        except MlwrightError as error:
            _log.warning("the environment of a model's process could not be looked after: %s", error)

    def _note_end(self, process: ModelProcess, wait_s: float) -> None:
        self._again_at = monotonic() + wait_s
        self._trouble = f"its process is down: {process.ending}; it is started again"
        self._process = None
        if not self._closed:
            _log.warning("the process of a model is down (%s): %s", process.ending, process.said[-500:])

    def _start_again(self, next_wait_s: float) -> None:
        self.restarts += 1
        for tell in self._tells:
            tell()
        try:
            process = self._start()
        except (MlwrightError, ProcessLost) as error:
            what = error.why if isinstance(error, ProcessLost) else error.what
            self._again_at = monotonic() + next_wait_s
            self._trouble = f"its process is down and cannot be started again: {what}"
            _log.warning("the process of a model cannot be started again: %s", error)
            return
        self._process = process
        self._trouble = None
        if self._closed:
            process.ask_to_end()

    # ------------------------------------------------------------------ rows that end it

    def _down(self, what: str) -> ModelDown:
        return ModelDown(
            f"the model cannot answer now: {what}",
            retry_after_s=max(FIRST_WAIT_S, self._again_at - monotonic()),
        )

    def _suspect(self, batch: Batch) -> None:
        """Rows that were being answered when it ended: the second time in a row they are the reason."""
        key, now = _fingerprint(batch), monotonic()
        with self._lock:
            times = self._suspects.pop(key, (0, 0.0))[0] + 1
            ban_s = min(2.0**times, _LONGEST_BAN_S) if times > 1 else 0.0
            self._suspects[key] = (times, now + ban_s)
            if len(self._suspects) > _MOST_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]

    def _refuse_killers(self, batch: Batch) -> None:
        times, until = self._suspects.get(_fingerprint(batch), (0, 0.0))
        left_s = until - monotonic()
        if left_s > 0:
            raise ModelDown(
                f"these rows ended the model's process {times} times in a row",
                why=f"they are not sent to it for another {left_s:.0f} s, so that it can answer others",
                retry_after_s=left_s,
            )


class IsolatedModel:
    """A model in a process of its own; fills ``LoadedModel`` and ``Supervised``. Calls wait for each other.

    The process ends with :meth:`close`, and with the last reference to this.
    """

    def __init__(self, signature: Signature, supervision: Supervision) -> None:
        self.signature: Final = signature
        self._supervision = supervision
        self._end = weakref.finalize(self, supervision.close)

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._supervision.pid

    @property
    def trouble(self) -> str | None:
        """Why it cannot answer now; None: it can."""
        return self._supervision.trouble

    @property
    def restarts(self) -> int:
        """How often its process was started again."""
        return self._supervision.restarts

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Answer rows; see ``LoadedModel.infer``.

        Raises:
            SignatureMismatch: the model refuses the values.
            ModelDown: there is no process now, or it ended during the call.
            ModelError: the model raised.
        """
        return self._supervision.infer(batch)

    def on_restart(self, tell: Callable[[], None]) -> None:
        """Have this called whenever the process is started again."""
        self._supervision.on_restart(tell)

    def close(self) -> None:
        """End the process."""
        self._end()


def _fingerprint(batch: Batch) -> bytes:
    named = [("", batch.matrix)] if batch.matrix is not None else batch.columns.items()
    entries, parts, _ = arrays.pack(named)
    found = blake2b(repr((batch.rows, batch.names, entries)).encode(), digest_size=16)
    for at, held in parts:
        found.update(at.to_bytes(8, "little"))
        found.update(held if isinstance(held, bytes) else held.tobytes())
    return found.digest()
