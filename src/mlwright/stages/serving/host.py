"""All endpoints of one inference process, and how they learn of new routes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Final

from mlwright.errors import MlwrightError, NotFound
from mlwright.model.endpoints import Route
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import Journal

_LONGEST_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """Whether an endpoint serves the newest route, and if not, why and what to type.

    ``serving`` is True as well while an older route answers because the newest one cannot be loaded.
    """

    endpoint: str
    ready: bool
    serving: bool
    generation: int | None
    reason: str | None = None
    next_command: str | None = None


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
        journal: Journal,
    ) -> None:
        self._cores = dict(cores)
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
        """Whether the routes were read at least once; endpoints without a model do not count."""
        return self._read_once

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
        route = self.core(name).route
        failure = self._failures.get(name)
        reason = next_command = None
        if failure is not None:
            reason = str(failure.error).split("\n  next:")[0]
            next_command = failure.error.next_command or "mlwright doctor"
        elif route is None:
            reason, next_command = "no model was deployed to it yet", f"mlwright deploy {name}"
        return EndpointStatus(
            endpoint=name,
            ready=reason is None,
            serving=route is not None,
            generation=route.generation if route else None,
            reason=reason,
            next_command=next_command,
        )

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
        """Close the journal. What was acknowledged is in it already."""
        self._journal.close()

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
        try:
            core.apply(route)
        except MlwrightError as error:
            wait_s = min(2 * failure.wait_s, _LONGEST_WAIT_S) if failure else 1.0
            self._failures[name] = _Failure(route, error, wait_s, monotonic() + wait_s)
        else:
            self._failures.pop(name, None)
