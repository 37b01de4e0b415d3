"""The models of another tool: what runs logged, and what was registered."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import ModelName, RunId
from mlwright.model.ledger import Edge, Node
from mlwright.model.moving import ForeignLoggedModel, ForeignModel, ForeignVersion
from mlwright.model.registry import IS_PROMPT
from mlwright.platform.tracking.moved import FROM, MARK, Move, address_of, derived_id
from mlwright.ports.foreign_store import ForeignModelShelf
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import moving as registry
from mlwright.stages.tracking import moving
from mlwright.stages.tracking.artifacts import root_of_run
from mlwright.stages.tracking.logged_models import write_model_metrics

VERSION = f"{MARK}version"
"""The number of a model version where it is from, and the tag by which it is found again."""


def carry_logged_models(move: Move, number: Callable[[str], int]) -> None:
    """Carry the logged models of a store that has such, with their files.

    Args:
        move: the move.
        number: of an experiment of ours, by its name.
    """
    if not isinstance(move.store, ForeignModelShelf):
        return
    for each in move.store.logged_models():
        if move.wants(each.experiment):
            _carry_logged_model(move, each, number(each.experiment))
            move.say(each.name)


def _carry_logged_model(move: Move, model: ForeignLoggedModel, experiment: int) -> None:
    book = move.book
    id = model.id if model.id.startswith("m-") else f"m-{derived_id(move.facts.tool, model.id)}"
    with book.read() as tx:
        known = moving.find_known_model(tx, id)
        if known is not None and known[0] != model.created_ms:
            id = f"m-{derived_id(move.facts.tool, model.id, model.created_ms)}"
            known = moving.find_known_model(tx, id)
    with book.write() as tx:
        root = moving.put_logged_model(
            tx,
            id,
            model,
            experiment=experiment,
            source_run=move.run_id(model.source_run) if model.source_run else None,
            params=move.texts(model.params.items(), "param", model.id),
            tags={**move.texts(model.tags.items(), "tag", model.id), FROM: move.origin},
            at=book.clock.now(),
        )
        for run, metric in model.metrics:
            write_model_metrics(tx, move.run_id(run), [replace(metric, model=id)])
    move.models[model.id] = root
    move.count("logged models", int(known is None), int(known is not None))
    move.carry_files(model.id, root, move.store.files(model.id))


def carry_models(move: Move) -> None:
    """Carry the registered models with versions, tags and aliases. Proofs are not asked for, webhooks not told."""
    for model in move.store.models():
        if move.is_partial:
            model = _of_these_runs(move, model)
            if not model.versions:
                continue
        try:
            with move.book.write() as tx:
                made = registry.put_model(tx, model, move.book.clock.now())
        except UsageError as fault:
            move.leave("a registered model", model.name, fault.what)
            continue
        move.count("registered models", int(made), int(not made))
        numbers = {each.version: _carry_version(move, model, each) for each in model.versions}
        _carry_aliases(move, model, numbers)
        move.say(model.name)


def _of_these_runs(move: Move, model: ForeignModel) -> ForeignModel:
    ours = tuple(each for each in model.versions if each.run in move.ids or each.logged_model in move.models)
    named = {each.version for each in ours}
    aliases = {alias: version for alias, version in model.aliases.items() if version in named}
    return replace(model, versions=ours, aliases=aliases)


def _carry_version(move: Move, model: ForeignModel, version: ForeignVersion) -> int | None:
    """The number that a version has here; None where it was left out."""
    where = f"{model.name}/{version.version}"
    with move.book.read() as tx:
        known = registry.find_carried(tx, model.name, version.version, version.created_ms, VERSION)
    if known is not None:
        move.count("model versions", 0, 1)
        return known
    run = move.run_id(version.run) if version.run else None
    with move.book.write() as tx:
        source, location = _address(tx, move, model, version, run)
        tags = move.texts(version.tags.items(), "tag", where)
        try:
            made = registry.put_version(
                tx,
                ModelName(model.name),
                version,
                source=source,
                location=location,
                run=run,
                logged_model=version.logged_model if version.logged_model in move.models else None,
                tags={**tags, FROM: move.origin, VERSION: str(version.version)},
                at=move.book.clock.now(),
            )
        except UsageError as fault:
            move.leave("a model version", where, fault.what)
            return None
        node = Node(kind="model", id=made.ref)
        edges = [Edge(effect=node, relation="imported from", cause=_cause(move, where))]
        if run is not None:
            edges.append(Edge(effect=node, relation="made by", cause=Node(kind="run", id=run)))
        ledger.add_edges(tx, edges)
        move.book.audit(tx, "register", f"model:{made.ref}", run=run, source=source, origin=move.origin)
    if made.version != version.version:
        move.leave("a version's number", f"{where} became {made.ref}", "another version has that number here")
    move.count("model versions", 1)
    return made.version


def _cause(move: Move, where: str) -> Node:
    return Node(kind=move.facts.tool, id=f"{move.facts.source}#{where}")


def _address(
    tx: Connection, move: Move, model: ForeignModel, version: ForeignVersion, run: RunId | None
) -> tuple[str, str | None]:
    """Where the files of a version lie here: the source, and the location where that is another address."""
    root = move.models.get(version.logged_model or "")
    if root is not None:
        if version.source.startswith("models:/"):
            return version.source, address_of(root, None)
        return address_of(root, None), None
    if run is not None and version.path is not None:
        try:
            return address_of(root_of_run(tx, run), version.path), None
        except NotFound:
            pass
    if model.tags.get(IS_PROMPT, version.tags.get(IS_PROMPT, "")).lower() != "true":
        where = f"{model.name}/{version.version}: {version.source}"
        move.leave("the files of a model version", where, "they do not lie with a run that was carried")
    return version.source, None


def _carry_aliases(move: Move, model: ForeignModel, numbers: dict[int, int | None]) -> None:
    for alias, version in sorted(model.aliases.items()):
        here = numbers.get(version)
        if here is None:
            move.leave("an alias", f"{model.name}@{alias}", f"version {version} was not carried")
            continue
        try:
            with move.book.write() as tx:
                had = alias in registry.aliases_of(tx, model.name)
                elsewhere = registry.put_alias(tx, ModelName(model.name), alias, here)
                if not had:
                    move.book.audit(
                        tx, "alias", f"model:{model.name}/{here}", alias=alias, previous=None, version=here
                    )
        except UsageError as fault:
            move.leave("an alias", f"{model.name}@{alias}", fault.what)
            continue
        if elsewhere is not None:
            why = f"it points at version {elsewhere} here, and only a release moves it"
            move.leave("an alias", f"{model.name}@{alias} → {version}", why)
        move.count("aliases", int(not had), int(had))
