"""Endpoints that follow their alias: what an alias points to is what is served, without anybody deploying it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Engine

from mlwright.errors import NotFound
from mlwright.model.endpoints import CHAMPION, Route, Variant
from mlwright.model.ids import EndpointName
from mlwright.model.ledger import Edge, Node
from mlwright.model.registry import ModelVersion, parse_model_ref
from mlwright.model.settings import EndpointSettings
from mlwright.platform.reading import reading
from mlwright.ports.clock import Clock
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import store as registry
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.serving import store as serving


class FollowJourney:
    """Puts versions behind endpoints as their aliases move. It needs the database and nothing else."""

    def __init__(self, engine: Engine, clock: Clock, actor: str) -> None:
        self._engine = engine
        self._clock = clock
        self._actor = actor

    def routes(self) -> list[Route]:
        """The route of each endpoint that has one."""
        with reading(self._engine) as tx:
            return serving.list_routes(tx)

    def point(self, endpoint: str, ref: str) -> Route:
        """Put a version behind an endpoint for all traffic, unless it stands there alone; nobody tries it first.

        Raises:
            NotFound: there is no such version.
            Conflict: another process changed the route at the same time.
        """
        with self._engine.begin() as tx:
            version = registry.resolve(tx, ref)
            before = serving.current_route(tx, EndpointName(endpoint))
            if before is not None and _stands_alone(before, version):
                return before
            return self._set(tx, endpoint, version)

    def follow(self, endpoints: Iterable[EndpointSettings]) -> tuple[Route, ...]:
        """Put behind each endpoint what its alias points to by now.

        One that was never deployed, was taken out of service, or is in a rollout stays as it is.

        Returns:
            The routes that changed.

        Raises:
            Conflict: another process changed a route at the same time.
        """
        found = (self._follow(each) for each in endpoints)
        return tuple(each for each in found if each is not None)

    def _follow(self, settings: EndpointSettings) -> Route | None:
        model, _, alias = parse_model_ref(settings.model)
        if alias is None or not self._moved(settings):
            return None
        with self._engine.begin() as tx:
            if rollouts.running(tx, EndpointName(settings.name)) is not None:
                return None
            return self._set(tx, settings.name, registry.resolve(tx, f"{model}@{alias}"))

    def _moved(self, settings: EndpointSettings) -> bool:
        with reading(self._engine) as tx:
            route = serving.current_route(tx, EndpointName(settings.name))
            if route is None or len(route.variants) != 1:
                return False
            try:
                return not _stands_alone(route, registry.resolve(tx, settings.model))
            except NotFound:  # the alias was taken away: what stands behind the endpoint goes on answering
                return False

    def _set(self, tx: Connection, endpoint: str, version: ModelVersion) -> Route:
        now = self._clock.now()
        route = stand_behind(tx, EndpointName(endpoint), version, now)
        ledger.append_audit(
            tx,
            now,
            self._actor,
            "follow",
            f"endpoint:{endpoint}",
            {"version": version.ref, "generation": route.generation},
        )
        return route


def stand_behind(tx: Connection, endpoint: EndpointName, version: ModelVersion, at: datetime) -> Route:
    """Put a version behind an endpoint for all traffic, and keep since when it is the champion there.

    Raises:
        Conflict: another process changed the route at the same time.
    """
    whole = Variant(name=CHAMPION, model=version.model, version=version.version, share=1.0)
    route = serving.set_route(tx, endpoint, [whole], at=at)
    note_champion(tx, endpoint, version.ref, at)
    return route


def note_champion(tx: Connection, endpoint: EndpointName, ref: str, at: datetime) -> None:
    """Keep since when a version is the champion of an endpoint, and that the endpoint serves it."""
    ledger.set_mark(tx, f"champion-since:{endpoint}", at.isoformat())
    served = Edge(
        effect=Node(kind="endpoint", id=endpoint), relation="serves", cause=Node(kind="model", id=ref)
    )
    ledger.add_edges(tx, [served])


def _stands_alone(route: Route, version: ModelVersion) -> bool:
    return [(each.model, each.version) for each in route.variants] == [(version.model, version.version)]
