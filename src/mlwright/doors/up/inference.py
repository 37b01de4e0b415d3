"""The inference processes of one server: started, counted, scaled between their bounds, woken by a request."""

import logging
import select
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from time import monotonic
from typing import Final

from mlwright.doors.http.control.status import WorkerStatus
from mlwright.doors.http.listening import bind
from mlwright.doors.up.processes import start_worker
from mlwright.doors.up.scaling import Scaler
from mlwright.doors.up.workers import Start, Workers
from mlwright.model.settings import Settings
from mlwright.platform.following import FollowJourney
from mlwright.stages.serving.readings import metrics_folder, read_load
from mlwright.wiring.inference import encode_settings

_log: Final = logging.getLogger("mlwright.up")

LOOK_S: Final = 0.5
"""How often aliases and load are looked at."""


class Inference:
    """Keeps the inference processes, and the gRPC process where a port is named for it.

    While the project lets them go down to none, they share one listening socket that stays open: a request that comes
    meanwhile waits in it until a process was started. Otherwise each has a socket of its own (SO_REUSEPORT).
    """

    def __init__(
        self, settings: Settings, following: FollowJourney, *, host: str, port: int, strict: bool = False
    ) -> None:
        serve = settings.serve
        self._settings = settings
        self._following = following
        least = max(serve.workers, 1)
        most = max(serve.max_workers, least)
        idle_s = serve.idle.total_seconds()
        self._scaler = Scaler(least, most, idle_s) if most > least or idle_s else None
        self._shared = bind(host, port) if idle_s else None
        if self._shared is not None:
            self._shared.listen(2048)
        logs = settings.state / "logs"
        line = encode_settings(settings)
        more = ("--strict",) if strict else ()
        self._http = Workers(logs, self._starting(line, port, host, more), number=least)
        self._grpc: Workers | None = None
        if serve.grpc_port:
            start: Start = partial(start_worker, line, serve.grpc_port, host, options=("--grpc", *more))
            self._grpc = Workers(logs, start, number=1, kind="grpc")
        self._present = least
        self._least = least
        self._started = monotonic()
        self._ending = Event()
        self._thread = Thread(target=self._look, name="scaling and aliases", daemon=True)

    def start(self) -> None:
        """Start all and wait until each serves.

        Raises:
            Conflict: one did not start; those that did are ended again.
        """
        self._http.start()
        if self._grpc is not None:
            try:
                self._grpc.start()
            except BaseException:
                self._http.stop()
                raise
        self._thread.start()

    def stop(self) -> None:
        """End all: each answers what it has begun to answer."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for workers in self._kinds():
            workers.stop()
        if self._shared is not None:
            self._shared.close()

    def status(self) -> tuple[WorkerStatus, ...]:
        """How each is."""
        return tuple(each for workers in self._kinds() for each in workers.status())

    def _kinds(self) -> Iterable[Workers]:
        return (self._http,) if self._grpc is None else (self._http, self._grpc)

    def _starting(self, line: bytes, port: int, host: str, more: tuple[str, ...]) -> Start:
        if self._shared is None:
            return partial(start_worker, line, port, host, options=more)
        number = self._shared.fileno()
        return partial(
            start_worker, line, port, host, options=("--fd", str(number), *more), descriptors=(number,)
        )

    def _look(self) -> None:
        while not self._ending.wait(LOOK_S if self._present else 0):
            if self._present == 0:
                self._wait_for_somebody()
            with suppress(
                Exception
            ):  # whatever it is, the next look may succeed; requests are served meanwhile
                self._following.follow(self._settings.endpoints)
            if self._scaler is not None and self._present:
                load = read_load(metrics_folder(self._settings.state))
                self._resize(self._scaler.wanted(load, monotonic(), self._present, self._started))

    def _wait_for_somebody(self) -> None:
        assert self._shared is not None
        poll = select.poll()
        poll.register(self._shared, select.POLLIN)
        if poll.poll(1000 * LOOK_S):
            self._resize(self._least)

    def _resize(self, wanted: int) -> None:
        if wanted == self._present:
            return
        _log.info("%d inference processes instead of %d", wanted, self._present)
        if wanted > self._present:
            self._started = monotonic()
        self._present = wanted
        self._http.resize(wanted)
