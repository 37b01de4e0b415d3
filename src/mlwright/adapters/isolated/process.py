"""One process with one model in it, and calls to it. Nothing here starts it again: see ``supervising.py``."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from mlwright.adapters.isolated import arrays, child, messages
from mlwright.adapters.isolated.memory import KEPT, SMALLEST, SharedMemory
from mlwright.errors import ModelError, SignatureMismatch
from mlwright.model.batches import Array, Batch
from mlwright.model.registry import Field, Signature

_SAID: Final = 4_000
_LOOK_MS: Final = 200
_PASSED_ON: Final = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TZ", "SYSTEMROOT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a process may take."""

    call_s: float = 30.0
    """A call that takes longer ends the process."""
    start_s: float = 600.0
    memory: int = 0
    """Bytes of address space; 0: no limit."""
    threads: int = 1
    """Of the libraries for linear algebra: the server has a process for each core."""


class ProcessLost(Exception):
    """The process ended, or was ended because it took too long; ``why`` says which."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ModelProcess:
    """A child process, its end of the socket and the memory. One call at a time; others wait for it."""

    def __init__(self, interpreter: Path, job: Mapping[str, object], limits: Limits) -> None:
        """Start it and wait until the model is loaded.

        Raises:
            ModelError: the model does not load there; ``why`` is what it raised.
            ProcessLost: the process ended before that, or took too long.
        """
        self._limits = limits
        self._lock = Lock()
        self._sent, self._learned = arrays.Layouts(), arrays.Layouts()
        self._memory: SharedMemory | None = None
        self._said = b""
        self._late = False
        self.answered = 0
        """Calls that were answered."""
        self.signature = Signature(inputs=(), outputs=())
        """What the model takes and gives; where the job does not say it, as the model itself does."""
        self.gone: Final = Event()
        """Set once the process has ended, for whatever reason."""
        self.lost = False
        """Whether a call found that it has ended, or ended it."""
        self._home = tempfile.mkdtemp(prefix="mlwright-model-")
        ours, theirs = socket.socketpair()
        self._connection = ours
        try:
            with theirs:
                self._process = _started(interpreter, theirs, self._home, limits)
        except BaseException:
            ours.close()
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        Thread(target=self._listen, name="mlwright-model-process", daemon=True).start()
        try:
            self._load(job)
        except BaseException:
            self.end(patience_s=0.0)
            raise

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def call(self, batch: Batch) -> dict[str, Array]:
        """Answer rows.

        Raises:
            SignatureMismatch: the model refuses the values.
            ModelError: the model raised, or its answer has another form than its signature says.
            ProcessLost: the process is no longer there.
        """
        names, given = _arrays(batch)
        entries, parts, end = arrays.pack(given)
        with self._lock:
            try:
                memory = self._room(end)
                arrays.write(memory.map, 0, parts)
                number, text = self._sent.number((names, entries))
                messages.send(self._connection, messages.CALL, number, batch.rows, end, text)
                found = self._answer(batch.rows, end)
            except TimeoutError:
                self._late = True
                self._give_up()
                raise ProcessLost(self.ending) from None
            except (messages.Gone, OSError) as error:
                self._give_up()
                raise ProcessLost(self.ending) from error
            except ModelError:
                raise  # its process waits for the next call
            except BaseException:
                self._give_up()  # who knows what it is about to say
                raise
            self.answered += 1
            if self._memory is not None and self._memory.size > KEPT:
                with suppress(OSError):  # the next call finds out
                    self._replace(SMALLEST)
        return found

    def kill(self) -> None:
        """End it at once, with what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def ask_to_end(self) -> None:
        """Let it end; whoever waits for an answer gets an error."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def end(self, *, patience_s: float) -> None:
        """End it, at once after ``patience_s``, and give back everything that it held."""
        self.ask_to_end()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.kill()  # what it started is still in its session
        said = self._process.stdout
        self.gone.wait()
        if said is not None:
            with suppress(OSError):
                os.set_blocking(said.fileno(), False)
                self._said = (self._said + (said.read() or b""))[-_SAID:]
            said.close()
        with self._lock:
            self._connection.close()
            if self._memory is not None:
                self._memory.close()
                self._memory = None
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        if self._late:
            return f"it took longer than {self._limits.call_s:g} s to answer"
        return self._ending()

    @property
    def said(self) -> str:
        """The last lines that it wrote."""
        return self._said.decode("utf-8", "replace").strip()

    # ------------------------------------------------------------------

    def _listen(self) -> None:
        """Read what it writes until it ends."""
        said = self._process.stdout
        assert said is not None
        looking = select.poll()
        looking.register(said, select.POLLIN)
        watched = _pidfd(self._process.pid)
        if watched is not None:
            looking.register(watched, select.POLLIN)
        try:
            while self._process.poll() is None:
                for descriptor, _ in looking.poll(None if watched is not None else _LOOK_MS):
                    if descriptor == said.fileno():
                        part = os.read(descriptor, 65536)
                        self._said = (self._said + part)[-_SAID:]
                        if not part:
                            looking.unregister(said)
        finally:
            if watched is not None:
                os.close(watched)
            self.gone.set()

    def _give_up(self) -> None:
        """End it: no call can be answered any more."""
        self.lost = True
        self.kill()

    def _load(self, job: Mapping[str, object]) -> None:
        self._connection.settimeout(self._limits.start_s)
        whole = {**job, "parent": os.getpid(), "home": self._home, "memory": self._limits.memory}
        try:
            messages.send(self._connection, messages.JOB, 0, 0, 0, json.dumps(whole, default=str).encode())
            kind, _, _, _, text = messages.receive(self._connection)
        except TimeoutError:
            raise ProcessLost(f"it took longer than {self._limits.start_s:g} s to load the model") from None
        except (messages.Gone, OSError) as error:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            raise ProcessLost(self._ending()) from error
        if kind != messages.READY:
            raise _fault(text, "does not load")
        self.signature = _signature(text)
        self._connection.settimeout(self._limits.call_s)

    def _answer(self, rows: int, taken: int) -> dict[str, Array]:
        kind, number, theirs, start, text = messages.receive(self._connection)
        if kind == messages.WANT:
            try:
                self._replace(taken + start)  # so that the next call finds room for both
            except ModelError:
                self._give_up()  # it waits for what it will not get
                raise
            kind, number, theirs, start, text = messages.receive(self._connection)
        if kind == messages.FAULT:
            raise _fault(text, "cannot answer")
        if kind != messages.ANSWER or theirs != rows or self._memory is None:
            raise messages.Gone("it says what it cannot say")
        try:
            _, entries = self._learned.learn(number, text)
            return dict(arrays.read(self._memory.map, start, rows, entries, copy=True))
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError("the answer of the model's process cannot be read", why=str(error)) from error

    def _room(self, size: int) -> SharedMemory:
        memory = self._memory
        if memory is None or memory.size < size:
            memory = self._replace(size)
        return memory

    def _replace(self, size: int) -> SharedMemory:
        try:
            memory = SharedMemory(size)
        except (OSError, MemoryError, ValueError) as error:
            raise ModelError(
                f"there are no {size:,} bytes of memory for the values of this request", why=str(error)
            ) from error
        try:
            messages.send_memory(self._connection, memory.descriptor, memory.size)
        except BaseException:
            memory.close()
            raise
        finally:
            memory.let_go_of_descriptor()
        if self._memory is not None:
            self._memory.close()
        self._memory = memory
        return memory

    def _ending(self) -> str:
        code = self._process.poll()
        if code is None:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1.0)
        if code is None:
            return "it no longer answers"
        if code >= 0:
            return f"it ended with exit code {code}"
        with suppress(ValueError):
            return f"{signal.Signals(-code).name} ended it"
        return f"signal {-code} ended it"


def _arrays(batch: Batch) -> tuple[tuple[str, ...] | None, Any]:
    if batch.matrix is not None:
        return batch.names, (("", batch.matrix),)
    return None, batch.columns.items()


def _signature(text: bytes) -> Signature:
    told = json.loads(text)
    return Signature(inputs=_fields(told["inputs"]), outputs=_fields(told["outputs"]))


def _fields(told: Sequence[Mapping[str, Any]]) -> tuple[Field, ...]:
    return tuple(
        Field(name=each["name"], type=each["type"], shape=tuple(map(int, each["shape"]))) for each in told
    )


def _fault(text: bytes, what: str) -> ModelError:
    try:
        said = json.loads(text)
        kind, message, causes = str(said["type"]), str(said["message"]), list(said["causes"])
        refused = bool(said.get("refused"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ModelError(f"the model {what}", why="its process says something that cannot be read")
    if refused:
        return SignatureMismatch("the model refuses the values", why=message)
    because = f" (because of {causes[-1]})" if causes else ""
    return ModelError(f"the model {what}: it raised {kind}", why=f"{kind}: {message}{because}")


def _started(
    interpreter: Path, theirs: socket.socket, home: str, limits: Limits
) -> "subprocess.Popen[bytes]":
    command = [str(interpreter), "-I", "-X", "utf8", child.__file__, str(theirs.fileno())]
    try:
        return subprocess.Popen(
            command,
            cwd=home,
            env=_environment(home, limits.threads),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        raise ProcessLost(f"{interpreter} cannot be started: {error.strerror}") from error


def _environment(home: str, threads: int) -> dict[str, str]:
    """What a model needs and no more: no token, no proxy, no address of a tracking server, no home of ours."""
    count = str(threads)
    return {
        "HOME": home,
        "TMPDIR": home,
        "XDG_CACHE_HOME": home,
        "XDG_CONFIG_HOME": home,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }


def _pidfd(pid: int) -> int | None:
    """A descriptor that can be read from once the process has ended, where the system has that."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
