"""Journeys of models: list them, look at one, move an alias, put a version behind an endpoint."""

from dataclasses import dataclass

from mlwright.errors import Conflict, NotFound
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.ledger import Edge
from mlwright.model.registry import ModelVersion, parse_model_ref
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings
from mlwright.platform.parts import Parts, node
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import store as registry
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.serving import store as serving

CHAMPION = "champion"
CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """What stands behind an endpoint now."""

    endpoint: str
    route: Route | None
    champion: ModelVersion | None
    rollout: Rollout | None


class ReleaseJourney:
    """From a registered version to an answered request."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def models(self, model: str | None = None) -> tuple[ModelVersion, ...]:
        """All versions of one model or of all models, latest first."""
        with self._parts.read() as tx:
            names = [ModelName(model)] if model else registry.list_models(tx)
            return tuple(version for name in names for version in registry.list_versions(tx, name))

    def version(self, ref: str) -> ModelVersion:
        """One version by ``name/3``, ``name@alias`` or ``name`` (the latest).

        Raises:
            NotFound: nothing has this name; the nearest is suggested.
        """
        with self._parts.read() as tx:
            return registry.resolve(tx, ref)

    def promote(self, ref: str, alias: str = CHAMPION) -> ModelVersion:
        """Move an alias to a version, atomically and with an audit row."""
        with self._parts.write() as tx:
            version = registry.resolve(tx, ref)
            previous = registry.set_alias(tx, version.model, alias, version.version)
            self._parts.audit(
                tx, "alias", f"model:{version.ref}", alias=alias, previous=previous, version=version.version
            )
            return registry.resolve(tx, f"{version.model}/{version.version}")

    def deploy(self, endpoint: str, ref: str | None = None) -> Route:
        """Put a version behind an endpoint for all traffic; the alias that the endpoint follows moves with it.

        Args:
            endpoint: the endpoint's name in mlwright.toml.
            ref: the version; without it the one that the endpoint's alias points to.

        Raises:
            NotFound: no such endpoint, model, version or alias.
            ModelLoadFailed: the version does not load; what stands behind the endpoint stays.
            Conflict: a rollout is under way, which would soon put its own variants back.
        """
        settings = self._parts.endpoint(endpoint)
        version = self.version(ref or settings.model)
        require_served(settings, version)
        self.load(version)
        _, _, alias = parse_model_ref(settings.model)
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            busy = rollouts.running(tx, EndpointName(endpoint))
            if busy is not None:
                raise Conflict(
                    f"a rollout of {busy.model}/{busy.challenger} is under way at endpoint {endpoint!r}",
                    next_command=f"mlwright rollout abort {endpoint}",
                )
            if alias:
                registry.set_alias(tx, version.model, alias, version.version)
            ledger.set_mark(tx, f"champion-since:{endpoint}", now.isoformat())
            route = serving.set_route(tx, EndpointName(endpoint), [_whole(version)], at=now)
            self._parts.audit(
                tx, "deploy", f"endpoint:{endpoint}", version=version.ref, generation=route.generation
            )
            ledger.add_edges(
                tx,
                [
                    Edge(
                        effect=node("endpoint", endpoint),
                        relation="serves",
                        cause=node("model", version.ref),
                    )
                ],
            )
        return route

    def endpoints(self) -> tuple[EndpointStatus, ...]:
        """Every endpoint with its route, its champion and the rollout that is under way."""
        return tuple(self.status(each.name) for each in self._parts.settings.endpoints)

    def status(self, endpoint: str) -> EndpointStatus:
        """One endpoint with its route, its champion and the rollout that is under way."""
        settings = self._parts.endpoint(endpoint)
        name = EndpointName(endpoint)
        with self._parts.read() as tx:
            try:
                champion = registry.resolve(tx, settings.model)
            except NotFound:
                champion = None
            return EndpointStatus(
                endpoint=endpoint,
                route=serving.current_route(tx, name),
                champion=champion,
                rollout=rollouts.running(tx, name),
            )

    def load(self, version: ModelVersion) -> LoadedModel:
        """Load a version, its bytes verified."""
        return self._parts.shelf.load(version.digest, version.flavor)

    def load_variant(self, variant: Variant) -> LoadedModel:
        """Load what a variant of a route stands for."""
        return self.load(self.version(f"{variant.model}/{variant.version}"))


def require_served(settings: EndpointSettings, version: ModelVersion) -> None:
    """Refuse a version of another model than the one that the endpoint serves.

    Raises:
        NotFound: it is one.
    """
    name, _, _ = parse_model_ref(settings.model)
    if version.model != name:
        raise NotFound(
            f"endpoint {settings.name!r} serves {name!r}, not {version.model!r}",
            next_command="mlwright models",
        )


def _whole(version: ModelVersion) -> Variant:
    return Variant(name=CHAMPION, model=version.model, version=version.version, share=1.0)
