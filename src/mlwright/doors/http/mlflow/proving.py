"""Proofs in the background: a process of its own for each, one at a time, so that this one stays small and answers.

The child is told on standard input where the store is: a database URL may hold a password, which a command line would
show to everybody on the machine.
"""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from mlwright.model.evidence import Proof
from mlwright.platform.tracking.facade import TrackingPlatform

_LOOK_S: Final = 2.0
_AFTER_TROUBLE_S: Final = 60.0
_LONGEST_S: Final = 2 * 3600.0

_log = logging.getLogger(__name__)


def start_proofs(tracking: TrackingPlatform) -> Callable[[], None]:
    """Carry out proofs as they are asked for; returns what ends that, a proof under way included."""
    prover = Prover(tracking)
    if tracking.book.prove == "off" or not tracking.book.place:
        return lambda: None
    thread = Thread(target=prover.work, name="proofs", daemon=True)
    thread.start()

    def stop() -> None:
        prover.stop()
        thread.join(timeout=10)

    return stop


class Prover:
    """Takes one proof after the other and has a child process carry it out."""

    def __init__(self, tracking: TrackingPlatform) -> None:
        self._tracking = tracking
        self._stopped = Event()
        self._child: subprocess.Popen[bytes] | None = None

    def work(self) -> None:
        """Work until :meth:`stop` is called."""
        while not self._stopped.is_set():
            try:
                proof = self._tracking.proofs.take()
                if proof is not None:
                    self._carry_out(proof)
                    continue
                wait = _LOOK_S
            except Exception:  # noqa: BLE001 - a database that is away for a while must not end all later proofs
                _log.exception("proofs are interrupted")
                wait = _AFTER_TROUBLE_S
            self._stopped.wait(wait)

    def stop(self) -> None:
        """End, and the child with it; its proof is put back into the queue at the next start."""
        self._stopped.set()
        if self._child is not None:
            self._child.terminate()

    def _carry_out(self, proof: Proof) -> None:
        level = ["--files-only"] if self._tracking.book.prove == "files" else []
        # Nobody waits for a proof: whoever logs and searches meanwhile goes first.
        polite = ["nice", "-n", "19"] if shutil.which("nice") else []
        command = [
            *polite,
            sys.executable,
            "-m",
            "mlwright",
            "models",
            "prove",
            proof.ref,
            "--json",
            "--stdin",
            *level,
        ]
        # A session of its own: a signal that ends this process must not look like a proof that failed.
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = self._child.communicate(
                json.dumps(self._tracking.book.place).encode(), timeout=_LONGEST_S
            )
        except subprocess.TimeoutExpired:
            self._child.kill()
            _, said = self._child.communicate()
        finally:
            code, self._child = self._child.wait(), None
        if not self._stopped.is_set():
            text = " ".join(said.decode("utf-8", "replace").split())[-500:]
            self._tracking.proofs.give_up(proof.ref, f"the process ended with exit code {code}: {text}")
