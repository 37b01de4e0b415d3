"""Model versions: register, describe, tag, delete."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection

from mlwright.errors import UsageError
from mlwright.model.ids import ModelName, RunId
from mlwright.model.ledger import Edge, Node
from mlwright.model.registry import IS_PROMPT, ModelVersion
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.models import require_idle, shown
from mlwright.platform.tracking.sources import PROMPT_SOURCES, Source, download_location, look_at_source
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import store as registry
from mlwright.stages.registry import versions
from mlwright.stages.registry.evidence import queue_proof
from mlwright.stages.registry.names import check_model_name, parse_stage
from mlwright.stages.tracking import artifacts
from mlwright.stages.tracking.logged_models import VERSIONS, read_logged_models, write_logged_model_tags


class VersionJourney:
    """Model versions: register, describe, tag, delete."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def register(
        self,
        model: str,
        source: str,
        *,
        run: str | None = None,
        logged_model: str | None = None,
        run_link: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Register an address as the model's next version, with its lineage and an audit row.

        Args:
            model: the model's name; it must be there.
            source: where the files lie, such as ``mlflow-artifacts:/…``, ``runs:/…`` or ``models:/m-…``.
            run, logged_model: what it is from; the address must lie where that keeps its files.
            run_link, description, tags: what else a client says.

        Raises:
            UsageError: the source is not allowed, or a name or tag.
            NotFound: there is no such model.
        """
        check_model_name(model)
        tags = dict(tags or {})
        prompt = tags.get(IS_PROMPT, "false").lower() == "true"
        if prompt and source not in PROMPT_SOURCES:
            raise UsageError(
                f"Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."
            )
        with self._book.write() as tx:
            if prompt:
                found = Source(uri=source, run=RunId(run) if run else None, logged_model=logged_model or None)
            else:
                found = look_at_source(tx, source, run, logged_model)
            new = versions.NewVersion(
                model=ModelName(model),
                source=found.uri,
                location=found.location,
                run=found.run,
                logged_model=found.logged_model,
                run_link=run_link,
                description=description,
                tags=tags,
                actor=self._book.actor,
            )
            made = versions.add_version(tx, new, self._book.clock.now())
            made = _with_folder(tx, made, found.copy_of)
            if made.logged_model and not prompt:
                _note_version(tx, made)
            ledger.add_edges(tx, _lineage(made, found))
            if not prompt and self._book.prove != "off":
                queue_proof(tx, made.model, made.version, self._book.clock.now())
            self._book.audit(
                tx, "register", f"model:{made.ref}", run=made.run, source=made.source, digest=made.digest
            )
            return made

    def look(self, model: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            NotFound: there is no such model or version.
        """
        check_model_name(model)
        with self._book.read() as tx:
            return registry.get_version(tx, ModelName(model), version)

    def location(self, model: str, version: int) -> str:
        """The address that clients read the files of a version from.

        Raises:
            NotFound: there is no such model or version.
        """
        found = self.look(model, version)
        return download_location(found)

    def describe(self, model: str, version: int, description: str | None) -> ModelVersion:
        """Give a version another description.

        Raises:
            NotFound: there is no such model or version.
        """
        with self._book.write() as tx:
            changed = versions.describe_version(
                tx, ModelName(model), version, description, self._book.clock.now()
            )
            self._book.audit(tx, "version.describe", f"model:{changed.ref}", description=shown(description))
            return changed

    def move_stage(self, model: str, version: int, stage: str, *, archive: bool = False) -> ModelVersion:
        """Put a version into one of MLflow's stages; ``archive`` moves those that are in it out.

        Raises:
            UsageError: there is no such stage, or it is not one whose versions are archived.
            NotFound: there is no such model or version.
        """
        wanted = parse_stage(stage)
        with self._book.write() as tx:
            moved, before, archived = versions.move_stage(
                tx, ModelName(model), version, wanted, archive=archive, at=self._book.clock.now()
            )
            self._book.audit(
                tx, "stage", f"model:{moved.ref}", stage=wanted, previous=before, archived=archived
            )
            return moved

    def delete(self, model: str, version: int) -> None:
        """Remove a version with its aliases and tags; its number is not given again.

        Raises:
            NotFound: there is no such model or version.
            Conflict: it stands behind an endpoint.
        """
        with self._book.write() as tx:
            require_idle(tx, model, "delete", version)
            gone = versions.delete_version(tx, ModelName(model), version, self._book.clock.now())
            artifacts.delete_below(tx, f"registry/{gone.ref}")
            self._book.audit(
                tx,
                "version.delete",
                f"model:{gone.ref}",
                aliases=gone.aliases,
                run=gone.run,
                source=gone.source,
                digest=gone.digest,
            )

    def tag(self, model: str, version: int, key: str, value: str) -> None:
        """Set one tag.

        Raises:
            UsageError: the tag is not allowed.
            NotFound: there is no such model or version.
        """
        with self._book.write() as tx:
            versions.set_version_tag(tx, ModelName(model), version, key, value, self._book.clock.now())
            self._book.audit(tx, "version.tag", f"model:{model}/{version}", key=key, value=shown(value))

    def untag(self, model: str, version: int, key: str) -> None:
        """Remove one tag; one that is not there is no fault, as in MLflow.

        Raises:
            NotFound: there is no such model or version.
        """
        with self._book.write() as tx:
            if versions.delete_version_tag(tx, ModelName(model), version, key, self._book.clock.now()):
                self._book.audit(tx, "version.untag", f"model:{model}/{version}", key=key)


def _with_folder(tx: Connection, version: ModelVersion, original: ModelVersion | None) -> ModelVersion:
    """A copy of a version whose folder is stored has the same folder."""
    if original is None or original.digest is None or original.signature is None or original.flavor is None:
        return version
    return versions.attach_folder(
        tx,
        version.model,
        version.version,
        original.digest,
        signature=original.signature,
        flavor=original.flavor,
    )


def _note_version(tx: Connection, version: ModelVersion) -> None:
    """List the version in the tag of its logged model where MLflow's clients look for it."""
    assert version.logged_model is not None
    for each in read_logged_models(tx, [version.logged_model]):
        listed = [*each.versions, (str(version.model), version.version)]
        text = json.dumps([{"name": name, "version": number} for name, number in dict.fromkeys(listed)])
        write_logged_model_tags(tx, each.id, {VERSIONS: text})


def _lineage(version: ModelVersion, source: Source) -> list[Edge]:
    made = Node(kind="model", id=version.ref)
    edges = []
    if version.run:
        edges.append(Edge(effect=made, relation="made by", cause=Node(kind="run", id=version.run)))
    if version.logged_model:
        cause = Node(kind="logged-model", id=version.logged_model)
        edges.append(Edge(effect=made, relation="registered from", cause=cause))
    if source.copy_of is not None:
        edges.append(Edge(effect=made, relation="copy of", cause=Node(kind="model", id=source.copy_of.ref)))
    return edges
