"""All endpoints of one inference process, and how they learn of new routes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, Protocol

from mlwright.errors import MlwrightError, NotFound, Unsupported
from mlwright.model.endpoints import Route
from mlwright.ports.spans import Spans
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Recorder
from mlwright.stages.serving.slots import Slots

POLL_S: Final = 0.25
"""How often a process looks for new routes."""
_LONGEST_WAIT_S: Final = 60.0
_FLUSH_S: Final = 2.0
"""How long the end waits for the last spans to be sent."""


class Releasing(Protocol):
    """What changes the route of an endpoint for all inference processes: each finds it in the database."""

    def load(self, endpoint: str, version: int | None) -> None:
        """Put a version behind the endpoint; None: the one that its alias names.

        Raises:
            NotFound: no such endpoint or version.
            MlwrightError: the version does not load, or may not be put there.
        """

    def unload(self, endpoint: str) -> None:
        """Take the endpoint out of service; nothing happens where it is so already.

        Raises:
            NotFound: no such endpoint.
            Conflict: a rollout is under way.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """Whether an endpoint serves the newest route, and if not, why and what to type.

    ``serving`` is True as well while an older route answers because the newest one cannot be loaded, or a fallback
    because the model's process is down; ``loading`` while a new one is being put in force.
    """

    endpoint: str
    ready: bool
    serving: bool
    generation: int | None
    reason: str | None = None
    next_command: str | None = None
    loading: bool = False


@dataclass(frozen=True, slots=True)
class _Failure:
    """A route that could not be put in force, and when to try again (monotonic seconds)."""

    route: Route
    error: MlwrightError
    wait_s: float
    again_at: float


class InferenceHost:
    """Holds the cores and keeps each at its newest route. Safe to use from several threads."""

    def __init__(
        self,
        cores: Mapping[str, EndpointCore],
        read_routes: Callable[[], Sequence[Route]],
        journal: Recorder,
        releasing: Releasing | None = None,
        slots: Slots | None = None,
        log: Path | None = None,
        spans: Spans | None = None,
    ) -> None:
        """
        Args:
            cores: the endpoints by name.
            read_routes: the routes in force, from the database.
            journal: what all cores log to; closed with the host.
            releasing: what loads and unloads for all processes; None: nothing does here.
            slots: the counters of this process; closed with the host.
            log: the folder of the prediction log, whose rings the metrics show.
            spans: where requests and batches are told of; closed with the host. None: nobody is told.
        """
        self.log = log
        self.spans = spans
        self._slots = slots
        self._cores = dict(cores)
        self._releasing = releasing
        self._loading: str | None = None
        self._read_routes = read_routes
        self._journal = journal
        self._failures: dict[str, _Failure] = {}
        self._lock = Lock()
        self._read_once = False

    @property
    def cores(self) -> Mapping[str, EndpointCore]:
        """The endpoints by name."""
        return self._cores

    @property
    def ready(self) -> bool:
        """Whether the routes were read at least once, and not every endpoint that has a model lacks its process.

        Endpoints without a model do not count, and one that is down does not take the others out of service.
        """
        served = [core for core in self._cores.values() if core.route is not None and core.route.variants]
        return self._read_once and (not served or any(_answers(core) for core in served))

    def core(self, name: str) -> EndpointCore:
        """The endpoint of that name.

        Raises:
            NotFound: with the nearest name as a suggestion.
        """
        core = self._cores.get(name)
        if core is None:
            raise NotFound.named("endpoint", name, self._cores, next_command="mlwright doctor")
        return core

    def status(self, name: str) -> EndpointStatus:
        """Whether the endpoint serves what it should.

        Raises:
            NotFound: no endpoint has this name.
        """
        core = self.core(name)
        route = core.route
        failure = self._failures.get(name)
        reason = next_command = None
        if failure is not None:
            reason = str(failure.error).split("\n  next:")[0]
            next_command = failure.error.next_command or "mlwright doctor"
        elif route is None:
            reason, next_command = "no model was deployed to it yet", f"mlwright deploy {name}"
        elif not route.variants:
            reason, next_command = "unloaded", f"mlwright deploy {name}"
        elif core.trouble is not None:
            reason, next_command = f"its model cannot answer: {core.trouble}", "mlwright doctor"
        return EndpointStatus(
            endpoint=name,
            ready=reason is None,
            serving=route is not None and bool(route.variants) and _answers(core),
            generation=route.generation if route else None,
            reason=reason,
            next_command=next_command,
            loading=self._loading == name,
        )

    def load(self, name: str, version: int | None = None) -> None:
        """Put a version behind an endpoint in all processes, and in this one before this returns. It blocks.

        Raises:
            Unsupported: this process was given nothing that changes routes.
            MlwrightError: see :class:`Releasing`; or this process cannot put it in force.
        """
        self.core(name)
        self._changes(name).load(name, version)
        self.refresh()
        failure = self._failures.get(name)
        if failure is not None:
            raise failure.error

    def unload(self, name: str) -> None:
        """Take an endpoint out of service in all processes, and in this one before this returns. It blocks.

        Raises:
            Unsupported: this process was given nothing that changes routes.
            MlwrightError: see :class:`Releasing`.
        """
        self.core(name)
        self._changes(name).unload(name)
        self.refresh()

    def refresh(self) -> dict[str, int]:
        """Read the routes and put what is new in force, now.

        An endpoint whose model cannot be loaded keeps the route it has; :meth:`status` says why. The
        others are not touched by it.

        Returns:
            The generation in force, by endpoint; endpoints without a route are absent.

        Raises:
            MlwrightError: the routes could not be read; everything stays as it is.
        """
        return self._refresh(patient=False)

    def poll(self) -> dict[str, int]:
        """Like :meth:`refresh`, but a route that failed is tried again only after 1 s, 2 s, … 1 min."""
        return self._refresh(patient=True)

    def close(self) -> None:
        """Close journal and counters. What was acknowledged is in the journal already."""
        self._journal.close()
        if self._slots is not None:
            self._slots.close()
        if self.spans is not None:
            self.spans.close(_FLUSH_S)

    def _refresh(self, *, patient: bool) -> dict[str, int]:
        with self._lock:
            routes = self._read_routes()
            for route in routes:
                core = self._cores.get(route.endpoint)
                if core is not None:
                    self._apply(core, route, patient=patient)
            self._read_once = True
            return {
                name: core.route.generation for name, core in self._cores.items() if core.route is not None
            }

    def _apply(self, core: EndpointCore, route: Route, *, patient: bool) -> None:
        name = core.spec.name
        failure = self._failures.get(name)
        if failure is not None and failure.route != route:
            failure = None
        if patient and failure is not None and monotonic() < failure.again_at:
            return
        if core.route != route:
            self._loading = name
        try:
            core.apply(route)
        except MlwrightError as error:
            wait_s = min(2 * failure.wait_s, _LONGEST_WAIT_S) if failure else 1.0
            self._failures[name] = _Failure(route, error, wait_s, monotonic() + wait_s)
        else:
            self._failures.pop(name, None)
        finally:
            self._loading = None

    def _changes(self, name: str) -> Releasing:
        if self._releasing is None:
            raise Unsupported(
                "models are neither loaded nor unloaded over this server",
                next_command=f"mlwright deploy {name}",
            )
        return self._releasing


async def follow(host: InferenceHost, poll_s: float) -> None:
    """Keep the host at the newest routes, beside the event loop, until cancelled."""
    while True:
        await asyncio.sleep(poll_s)
        with suppress(Exception):  # whatever it is, the next look may succeed; requests are served meanwhile
            await asyncio.to_thread(host.poll)


def _answers(core: EndpointCore) -> bool:
    return core.has_fallback or core.trouble is None
