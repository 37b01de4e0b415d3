"""Sending the runs of our pipelines to another tracking server, after they were recorded here.

Recorded here first, always: a server that is slow, full or gone costs no run and no minute of one. A thread sends what
is new while the run goes on, and all of it at the end; what the server does not take waits here, and is sent with the
next run or by ``mlwright runs --send``. The tags ``mlwright.remote`` and ``mlwright.remote.state`` of a run say where
it is and how far.

Sent are params, metrics with their histories, tags (gates and steps among them), data sets, the environment and how
the run ended. What stays here: decisions, lineage and the audit chain, checkpoints, the versions that are registered
and the evidence for them. They lead to one another by digests, and no tracking server keeps such a chain.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from threading import Event, Thread
from typing import Final

from mlwright.errors import MlwrightError
from mlwright.model.ids import RunId
from mlwright.model.moving import ForeignRun
from mlwright.model.plain import plain
from mlwright.model.tracking import Environment
from mlwright.platform.parts import Parts
from mlwright.platform.tracking.our_runs import OurRuns
from mlwright.ports.run_sink import RunSink
from mlwright.stages.tracking import moving
from mlwright.stages.tracking import store as tracking

WHERE: Final = "mlwright.remote"
"""The id that a run has at the other server."""
STATE: Final = "mlwright.remote.state"
SENT: Final = "sent"
WAITING: Final = "waiting"
_EVERY_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 60.0
_OTHERS: Final = 100
_LAST_S: Final = 30.0
"""How long the end of a run waits for its last sending."""


class RunMirror:
    """Sends runs of ours to another tracking server.

    Args:
        parts: the project's engines; ``open_sink`` is set.
    """

    def __init__(self, parts: Parts) -> None:
        assert parts.open_sink is not None
        self._parts, self._open = parts, parts.open_sink
        self._ours = OurRuns(parts.read)

    def send(self, run: RunId, sink: RunSink | None = None) -> str:
        """Send what is new of one run, and return its new state.

        The state is ``sent``, ``waiting: …`` while the run goes on or the server does not take it, or ``sent; left
        out: …`` where it refused a part.
        """
        try:
            state, where = self._send(run, sink or self._open())
        except MlwrightError as fault:
            state, where = f"{WAITING}: {fault.what}" + (f" ({fault.why})" if fault.why else ""), None
        with self._parts.write() as tx:
            known = {STATE: state[:1000], **({WHERE: where} if where else {})}
            tracking.set_tags(tx, run, known)
        return state

    def send_waiting(self, most: int = 1000) -> tuple[tuple[RunId, str], ...]:
        """Send all runs that ended and that the server did not take yet, oldest first, and return their new states.

        Where it does not answer, the others are not tried. Runs that go on are sent by the process that does them.
        """
        with self._parts.read() as tx:
            waiting = moving.runs_tagged(tx, STATE, WAITING, most)
        done: list[tuple[RunId, str]] = []
        sink: RunSink | None = None
        for run in filter(self._is_over, waiting):
            try:
                sink = sink or self._open()
            except MlwrightError:
                sink = None
            done.append((run, self.send(run, sink)))
            if done[-1][1].startswith(WAITING):
                break
        return tuple(done)

    def follow(self, run: RunId) -> Callable[[], None]:
        """Begin to send a run while it goes on; what is returned is called when it has ended, and sends the rest."""
        over = Event()
        thread = Thread(target=self._follow, args=(run, over), name="run-mirror", daemon=True)
        thread.start()

        def end() -> None:
            over.set()
            thread.join(_LAST_S)

        return end

    def _follow(self, run: RunId, over: Event) -> None:
        pause, sink = 0.0, None
        while not over.wait(pause):
            try:
                sink = sink or self._open()
                state = self.send(run, sink)
            except MlwrightError as fault:
                state = f"{WAITING}: {fault.what}"
            failed = state.startswith(WAITING) and not state.endswith(_GOING_ON)
            pause = min(max(pause * 2, _EVERY_S), _LONGEST_PAUSE_S) if failed else _EVERY_S
        if self.send(run).startswith(SENT):
            self.send_waiting(_OTHERS)

    def _send(self, run: RunId, sink: RunSink) -> tuple[str, str]:
        found, experiment = self._ours.run(run)
        with self._parts.read() as tx:
            environment = tracking.get_run(tx, run).environment
        told = _as_told(found, environment)
        where = sink.begin(told, experiment)
        for history in self._ours.histories(run):
            sink.log(run, history)
        if environment is not None:
            said = json.dumps(plain(environment), indent=2, sort_keys=True).encode()
            sink.put_file(run, "environment.json", len(said), lambda: BytesIO(said))
        sink.end(told)
        if found.ended_ms is None:
            return f"{WAITING}: {_GOING_ON}", where
        left = sorted({f"{each.what} {each.where}: {each.why}" for each in sink.left_out()})
        return SENT + (f"; left out: {'; '.join(left)}" if left else ""), where

    def _is_over(self, run: RunId) -> bool:
        return self._ours.run(run)[0].ended_ms is not None


_GOING_ON: Final = "the run goes on"


def _as_told(run: ForeignRun, environment: Environment | None) -> ForeignRun:
    """A run as the other server is told it: without where it is sent, with what it ran on."""
    tags = {key: value for key, value in run.tags.items() if not key.startswith(WHERE)}
    if environment is not None:
        known = {
            "mlflow.source.git.commit": environment.git_commit,
            "mlflow.source.git.branch": environment.git_branch,
            "mlwright.python": environment.python,
            "mlwright.code": environment.code_digest,
            "mlwright.lock": environment.lock_digest,
            "mlwright.seed": str(environment.seed),
        }
        tags |= {key: value for key, value in known.items() if value}
    return replace(run, tags=tags)
