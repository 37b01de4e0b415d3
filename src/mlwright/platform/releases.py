"""Journeys of models: list them, look at one, move an alias, put a version behind an endpoint."""

from dataclasses import dataclass

from sqlalchemy import Connection

from mlwright.errors import Conflict, NotFound, near_match
from mlwright.model.endpoints import CHAMPION, Route, Variant
from mlwright.model.evidence import Evidence
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.promotion import Judgement
from mlwright.model.registry import ModelVersion, parse_model_ref
from mlwright.model.rollouts import Rollout
from mlwright.model.settings import EndpointSettings
from mlwright.platform.following import stand_behind
from mlwright.platform.loading import VersionLoader
from mlwright.platform.parts import Parts
from mlwright.platform.promoting import PolicyGates
from mlwright.platform.registering import register
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.registry import store as registry
from mlwright.stages.rollouts import store as rollouts
from mlwright.stages.serving import store as serving


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
        self._loader = VersionLoader(
            engine=parts.engine, shelf=parts.shelf, proofs=parts.proofs, take_in=parts.take_in
        )
        self.gates = PolicyGates(parts, self.load)

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

    def register(self, source: str, name: str) -> ModelVersion:
        """Store an MLflow Model folder, or a plain function, as the next version of a model.

        The same files again give the version that exists.

        Args:
            source: the path of a folder, whoever wrote it, or ``rules.py:predict``: a function of a Python file, whose
                variable ``EXAMPLE`` holds a few rows for it.
            name: the model's name; made when new.

        Raises:
            NotFound: there is no such folder, file or function.
            ModelLoadFailed: the folder is not complete; ``faults`` names what is missing.
            ModelUntrusted: a scanner says that loading it would do harm; nothing is stored.
            UsageError: the name could not be used in a reference, or the function not as a model.
        """
        return register(self._parts, source, name)

    def promote(self, ref: str, alias: str = CHAMPION, *, override: str | None = None) -> ModelVersion:
        """Move an alias to a version, atomically and with an audit row, if the policy of the alias lets it through.

        What each gate of the policy found is kept with the version, whether it passed or not.

        Args:
            ref: the version.
            alias: what is to point at it.
            override: why it is to move although a gate does not pass; for those whom the policy names.

        Raises:
            NotFound: there is no such version.
            GateFailed: a gate does not pass; ``faults`` names each, what it found and the next command.
            UsageError: this actor may not override the policy.
            Conflict: the alias was moved while the gates were asked.
        """
        return self.gates.move(self.judge(ref, alias), override)

    def judge(self, ref: str, alias: str = CHAMPION) -> Judgement:
        """Ask the gates of an alias about a version, and keep and move nothing.

        Raises:
            NotFound: there is no such version.
        """
        return self.gates.judge(self.version(ref), alias)

    def approve(self, ref: str, role: str, reason: str = "", *, withdraw: bool = False) -> Evidence:
        """Approve the files of a version in a role, or take that back; the newest word of each person counts.

        Raises:
            NotFound: there is no such version.
            UsageError: no policy asks for this role, or this actor may not speak in it.
            ModelLoadFailed: nothing of the version is stored that could be approved.
        """
        return self.gates.approve(self.version(ref), role, reason, withdraw=withdraw)

    def deploy(self, endpoint: str, ref: str | None = None) -> Route:
        """Put a version behind an endpoint for all traffic; the alias that the endpoint follows moves with it.

        Args:
            endpoint: the endpoint's name in mlwright.toml.
            ref: the version; without it the one that the endpoint's alias points to.

        Raises:
            NotFound: no such endpoint, model, version or alias.
            ModelLoadFailed: the version does not load; what stands behind the endpoint stays.
            GateFailed: the alias has a promotion policy, and the version does not pass it.
            Conflict: a rollout is under way, which would soon put its own variants back.
        """
        settings = self._parts.endpoint(endpoint)
        version = self.version(ref or settings.model)
        require_served(settings, version)
        self.load(version)
        _, _, alias = parse_model_ref(settings.model)
        judgement = self.gates.judge(version, alias) if alias else None
        if judgement and judgement.champion != version.ref:
            self.gates.require(judgement)
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            _no_rollout(tx, EndpointName(endpoint))
            if judgement and judgement.champion != version.ref:
                self.gates.keep(tx, judgement, version)
                self.gates.point(tx, judgement, audited=True)
            route = stand_behind(tx, EndpointName(endpoint), version, now)
            self._parts.audit(
                tx, "deploy", f"endpoint:{endpoint}", version=version.ref, generation=route.generation
            )
        return route

    def withdraw(self, endpoint: str) -> Route | None:
        """Take an endpoint out of service: every process answers what is in flight and gives back the models.

        :meth:`deploy` puts it back. An endpoint that is out of service already stays as it is.

        Returns:
            The route without variants; None where nothing was ever deployed to it.

        Raises:
            NotFound: no such endpoint.
            Conflict: a rollout is under way, which would soon put its own variants back.
        """
        self._parts.endpoint(endpoint)
        name = EndpointName(endpoint)
        with self._parts.write() as tx:
            _no_rollout(tx, name)
            before = serving.current_route(tx, name)
            if before is None or not before.variants:
                return before
            route = serving.set_route(tx, name, [], at=self._parts.clock.now())
            served = ",".join(f"{each.model}/{each.version}" for each in before.variants)
            self._parts.audit(
                tx, "withdraw", f"endpoint:{endpoint}", version=served, generation=route.generation
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
        """Load a version, its bytes verified, and its signature where the project names a key.

        The files of a version that a client registered by its address are fetched, checked and stored first.

        Raises:
            ModelLoadFailed: nothing here loads it, or its files are not where its address says.
            ModelUntrusted: the project loads only what its key verifies, and this it does not; or a scanner found that
                loading it would do harm.
        """
        return self._loader.load(version)

    def load_variant(self, variant: Variant) -> LoadedModel:
        """Load what a variant of a route stands for."""
        return self._loader.load_variant(variant)


def named_version(parts: Parts, releases: ReleaseJourney, subject: str) -> ModelVersion:
    """One version, for what takes the name of an endpoint as well.

    Raises:
        NotFound: neither a model nor an endpoint has this name; the nearest of both is suggested.
    """
    try:
        return releases.version(subject)
    except NotFound as error:
        model, number, alias = parse_model_ref(subject)
        with parts.read() as tx:
            models = [str(each) for each in registry.list_models(tx)]
        if number is not None or alias is not None or model in models:
            raise
        names = [each.name for each in parts.settings.endpoints]
        raise NotFound.named(
            "endpoint or model",
            subject,
            dict.fromkeys([*names, *models]),
            "mlwright endpoints" if near_match(subject, names) else "mlwright models",
        ) from error


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


def _no_rollout(tx: Connection, endpoint: EndpointName) -> None:
    busy = rollouts.running(tx, endpoint)
    if busy is not None:
        raise Conflict(
            f"a rollout of {busy.model}/{busy.challenger} is under way at endpoint {endpoint!r}",
            next_command=f"mlwright rollout abort {endpoint}",
        )
