"""Registered models: make, rename, describe, tag, delete; their aliases."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from mlwright.errors import Conflict, GateFailed
from mlwright.model.ids import ModelName
from mlwright.model.ledger import Edge, Node
from mlwright.model.promotion import policy_for
from mlwright.model.registry import ModelVersion, RegisteredModel
from mlwright.platform.tracking.book import Book
from mlwright.platform.verdicts import require_judged
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import models, versions
from mlwright.stages.registry import store as registry
from mlwright.stages.registry.names import check_alias, check_model_name, parse_stage
from mlwright.stages.serving.store import list_routes
from mlwright.stages.tracking import artifacts

_SHOWN = 200
"""Letters of a text that an audit row shows; a prompt may be a book."""


class ModelJourney:
    """Registered models: make, rename, describe, tag, delete; their aliases."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def create(
        self, name: str, *, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> RegisteredModel:
        """Make a model that has no version yet; see :func:`models.create_model` for what is refused."""
        with self._book.write() as tx:
            made = models.create_model(
                tx, ModelName(name), at=self._book.clock.now(), description=description, tags=tags
            )
            self._book.audit(tx, "model.create", f"model:{name}", tags=sorted(made.tags))
            return made

    def look(self, name: str) -> tuple[RegisteredModel, tuple[ModelVersion, ...]]:
        """A model, and its newest version in each stage.

        Raises:
            NotFound: there is no such model.
        """
        check_model_name(name)
        with self._book.read() as tx:
            return models.get_model(tx, ModelName(name)), self._latest(tx, name)

    def latest(self, name: str, stages: Sequence[str] = ()) -> tuple[ModelVersion, ...]:
        """The newest version in each stage, or in each of those named.

        Raises:
            UsageError: there is no such stage.
            NotFound: there is no such model.
        """
        wanted = [parse_stage(each) for each in stages]
        with self._book.read() as tx:
            models.get_model(tx, ModelName(name))
            return tuple(versions.latest_versions(tx, [name], wanted)[name])

    def describe(
        self, name: str, description: str | None
    ) -> tuple[RegisteredModel, tuple[ModelVersion, ...]]:
        """Give a model another description.

        Raises:
            NotFound: there is no such model.
        """
        with self._book.write() as tx:
            model = models.describe_model(tx, ModelName(name), description, self._book.clock.now())
            self._book.audit(tx, "model.describe", f"model:{name}", description=shown(description))
            return model, self._latest(tx, name)

    def rename(self, name: str, new_name: str) -> tuple[RegisteredModel, tuple[ModelVersion, ...]]:
        """Give a model another name; its versions' lineage leads on to the old one.

        Raises:
            UsageError: the new name is not allowed.
            NotFound: there is no such model.
            AlreadyExists: another model has the new name.
            Conflict: an endpoint serves it, under the name it has.
        """
        with self._book.write() as tx:
            numbers = [each.version for each in registry.list_versions(tx, ModelName(name))]
            require_idle(tx, name, "rename")
            model = models.rename_model(tx, ModelName(name), ModelName(new_name), self._book.clock.now())
            artifacts.delete_below(tx, f"registry/{name}")
            ledger.add_edges(tx, [_renamed(f"{new_name}/{each}", f"{name}/{each}") for each in numbers])
            self._book.audit(tx, "model.rename", f"model:{name}", name=new_name, versions=numbers)
            return model, self._latest(tx, new_name)

    def delete(self, name: str) -> None:
        """Remove a model with all its versions; the audit row names what its aliases pointed at.

        Raises:
            NotFound: there is no such model.
            Conflict: an endpoint serves it.
        """
        with self._book.write() as tx:
            model = models.get_model(tx, ModelName(name))
            numbers = [each.version for each in registry.list_versions(tx, model.name)]
            require_idle(tx, name, "delete")
            models.delete_model(tx, model.name)
            # Another model of this name will begin with version 1 again.
            artifacts.delete_below(tx, f"registry/{name}")
            self._book.audit(tx, "model.delete", f"model:{name}", versions=numbers, aliases=model.aliases)

    def tag(self, name: str, key: str, value: str) -> None:
        """Set one tag.

        Raises:
            UsageError: the tag is not allowed.
            NotFound: there is no such model.
        """
        with self._book.write() as tx:
            models.tag_model(tx, ModelName(name), key, value, self._book.clock.now())
            self._book.audit(tx, "model.tag", f"model:{name}", key=key, value=shown(value))

    def untag(self, name: str, key: str) -> None:
        """Remove one tag; one that is not there is no fault, as in MLflow.

        Raises:
            NotFound: there is no such model.
        """
        with self._book.write() as tx:
            if models.untag_model(tx, ModelName(name), key, self._book.clock.now()):
                self._book.audit(tx, "model.untag", f"model:{name}", key=key)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version, at once for every reader; the audit row names the version before.

        Raises:
            UsageError: the alias is not allowed, or reserved.
            NotFound: there is no such model or version.
            GateFailed: the alias has a promotion policy that the version has not passed.
        """
        check_alias(alias)
        with self._book.write() as tx:
            registry.get_version(tx, ModelName(name), version)
            require_judged(tx, self._book.policies, ModelName(name), alias, version)
            previous = registry.set_alias(tx, ModelName(name), alias, version, at=self._book.clock.now())
            self._book.audit(
                tx, "alias", f"model:{name}/{version}", alias=alias, previous=previous, version=version
            )

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; one that is not there is no fault, as in MLflow.

        Raises:
            NotFound: there is no such model.
            GateFailed: the alias has a promotion policy: without it, nothing would be there to compare with.
        """
        check_alias(alias, new=False)
        with self._book.write() as tx:
            if alias not in models.get_model(tx, ModelName(name)).aliases:
                return
            if policy_for(self._book.policies, name, alias) is not None:
                raise GateFailed(
                    f"{name}@{alias} has a promotion policy: it moves, and is not removed",
                    where="mlwright.toml [[promotion]]",
                    next_command=f"mlwright models promote {name}/VERSION --alias {alias}",
                )
            previous = registry.delete_alias(tx, ModelName(name), alias, at=self._book.clock.now())
            self._book.audit(tx, "alias.delete", f"model:{name}/{previous}", alias=alias, previous=previous)

    def by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias points at; ``latest`` is the newest.

        Raises:
            NotFound: there is no such model.
            UsageError: it has no such alias.
        """
        with self._book.read() as tx:
            return versions.version_by_alias(tx, ModelName(name), alias)

    def _latest(self, tx: Connection, name: str) -> tuple[ModelVersion, ...]:
        return tuple(versions.latest_versions(tx, [name])[name])


def require_idle(tx: Connection, model: str, verb: str, version: int | None = None) -> None:
    """Refuse to take away what stands behind an endpoint: its next restart would find nothing.

    Raises:
        Conflict: a version of the model, or the given one, stands behind one.
    """
    for route in list_routes(tx):
        for each in route.variants:
            if each.model == model and version in (None, each.version):
                raise Conflict(
                    f"cannot {verb} {model if version is None else f'{model}/{version}'}: "
                    f"{each.model}/{each.version} stands behind endpoint {route.endpoint!r}",
                    next_command=f"mlwright endpoints {route.endpoint}",
                )


def shown(text: str | None) -> str | None:
    """The beginning of a text, for an audit row."""
    return text if text is None or len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} letters)"


def _renamed(new: str, old: str) -> Edge:
    return Edge(effect=Node(kind="model", id=new), relation="renamed from", cause=Node(kind="model", id=old))
