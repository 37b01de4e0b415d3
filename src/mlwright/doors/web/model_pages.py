"""The pages of registered models, their versions, and logged models."""

from contextlib import suppress

from mlwright.doors.web.address import Query
from mlwright.doors.web.files import Branch, tree
from mlwright.doors.web.paper import render
from mlwright.doors.web.shelf import Desk
from mlwright.errors import MlwrightError, NotFound, UsageError, near_match
from mlwright.model.ledger import Node
from mlwright.model.registry import ModelVersion, RegisteredModel
from mlwright.model.tracking import Page

_SIZE = 50
_CARDS = ("README.md", "model_card.md", "MODEL_CARD.md")
_CARD_BYTES = 64 << 10


def models_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """All registered models by name, each with its newest version and how far that is proved."""
    found: Page[tuple[RegisteredModel, tuple[ModelVersion, ...]]] = Page(items=())
    fault = None
    try:
        found = desk.tracking.search.registered_models(
            query.one("q") or None, max_results=_SIZE, token=query.one("page") or None
        )
    except UsageError as error:
        fault = error
    newest = [max(latest, key=lambda each: each.version) for _, latest in found.items if latest]
    facts = {each.version.model: each for each in desk.tracking.looking.evidence(newest)}
    return render(
        "models.html",
        query=query,
        fault=fault,
        models=[(model, facts.get(model.name)) for model, _ in found.items],
        following=query.but(page=found.token) if found.token else None,
    )


def model_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """One registered model with its versions, the newest first, a page at a time.

    Raises:
        NotFound: there is no such model; the error names a near one.
    """
    name = path["name"]
    try:
        model, _ = desk.tracking.models.look(name)
    except (NotFound, UsageError) as error:
        known = [each.name for each, _ in desk.tracking.search.registered_models(max_results=1000).items]
        near = near_match(name, known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise NotFound(f"no model is named {name!r}{hint}", next_command="mlwright models") from error
    versions = desk.tracking.looking.versions(name)
    start = query.whole("from", 0, 0, 10**8)
    shown = versions[start : start + _SIZE]
    metrics: dict[str, None] = {}
    for each in shown:
        metrics.update(dict.fromkeys(each.evaluation.metrics if each.evaluation else ()))
    return render(
        "model.html",
        query=query,
        model=model,
        versions=desk.tracking.looking.evidence(shown),
        metrics=list(metrics)[:6],
        total=len(versions),
        start=start,
        following=query.but(**{"from": str(start + _SIZE)}) if start + _SIZE < len(versions) else None,
    )


def version_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """One version: where it lies, what it takes and gives, what was found out about it, where it came from.

    Raises:
        NotFound: there is no such version; the error names a near one.
    """
    facts, trace = desk.tracking.looking.version(f"{path['name']}/{path['version']}")
    return render(
        "version.html",
        query=query,
        version=facts.version,
        facts=facts,
        every=desk.tracking.proofs.evidence(facts.version.ref),
        trace=trace,
        files=_files(desk, facts.version),
        card=_card(desk, facts.version),
    )


def logged_model_page(desk: Desk, query: Query, path: dict[str, str]) -> str:
    """A model that a run logged.

    Raises:
        NotFound: there is no such logged model.
    """
    model = desk.tracking.logged_models.get(path["model"], deleted=True)
    files: list[Branch] | str
    try:
        _, place = desk.tracking.artifacts.place_of_logged_model(model.id)
        files = tree(desk.tracking, place)
    except MlwrightError as error:
        files = error.what
    return render(
        "logged_model.html",
        query=query,
        model=model,
        experiment=desk.tracking.experiments.get(model.experiment_id),
        files=files,
        trace=desk.tracking.looking.trace(Node(kind="logged-model", id=model.id)),
    )


def _place(desk: Desk, version: ModelVersion) -> str:
    return desk.tracking.artifacts.place_of_version(version.model, str(version.version))[1]


def _files(desk: Desk, version: ModelVersion) -> list[Branch] | str:
    if version.is_prompt:
        return "A prompt has no files."
    try:
        return tree(desk.tracking, _place(desk, version))
    except MlwrightError as error:
        return error.what


def _card(desk: Desk, version: ModelVersion) -> str | None:
    """The text of the model card: among the version's files, else the one that is written from facts."""
    if version.is_prompt:
        return None
    for name in _CARDS:
        try:
            with desk.tracking.artifacts.open(f"{_place(desk, version)}/{name}") as file:
                return file.read(_CARD_BYTES).decode("utf-8", "replace")
        except MlwrightError:
            continue
    if desk.card is not None:
        with suppress(MlwrightError):
            return desk.card(version.ref)
    return None
