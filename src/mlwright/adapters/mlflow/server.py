"""An MLflow server, read over its REST API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from mlwright.adapters.mlflow.connection import Connection
from mlwright.adapters.mlflow.plain_yaml import load_yaml
from mlwright.adapters.mlflow.records import (
    MOST_EXPERIMENTS,
    MOST_MODELS,
    MOST_RUNS,
    MOST_VERSIONS,
    RunRecord,
    VersionRecord,
    facts_of,
)
from mlwright.adapters.mlflow.wire import (
    Experiment,
    Experiments,
    Model,
    Models,
    OneExperiment,
    Run,
    Runs,
    Version,
    Versions,
)
from mlwright.errors import ServerUnavailable
from mlwright.model.running import ServerFacts

_PAGE: Final = 100
_MOST_PAGES: Final = 20
_SIGNATURES_OF: Final = 20
"""How many versions' descriptions are opened for a signature: those with an alias, then the newest."""


class MlflowServer:
    """Any server that speaks MLflow's REST API 2.0.

    Args:
        uri: ``http`` or ``https``; may hold user and password.
        environ: the environment, for credentials.
        experiments: names to look at; all of them (the newest 50) without.
        timeout_s: for each answer, in seconds.
        patience_s: for all of it, in seconds.

    Raises:
        UsageError: the URI is not one.
    """

    def __init__(
        self,
        uri: str,
        environ: Mapping[str, str],
        *,
        experiments: Sequence[str] = (),
        timeout_s: float = 10.0,
        patience_s: float = 60.0,
    ) -> None:
        self._uri, self._environ, self._wanted = uri, environ, tuple(experiments)
        self._limits = {"timeout_s": timeout_s, "patience_s": patience_s}
        probe = self._connect()
        self._source = probe.source
        probe.close()

    @property
    def source(self) -> str:
        """The address without user and password."""
        return self._source

    def facts(self, seen: datetime) -> ServerFacts:
        """See ``TrackingServer.facts``. A registry that cannot be asked is a note, not an error."""
        connection = self._connect()
        try:
            notes: list[str] = []
            experiments = _experiments(connection, self._wanted, notes)
            runs = _runs(connection, experiments, notes)
            try:
                versions = _versions(connection, notes)
            except ServerUnavailable as error:
                notes.append(f"the model registry could not be read: {error.why or error.what}")
                versions = []
        finally:
            connection.close()
        if self._wanted:
            ours = {each.id for each in runs}
            versions = [each for each in versions if each.run in ours]
        return facts_of(self.source, seen, runs, versions, notes)

    def _connect(self) -> Connection:
        return Connection(self._uri, self._environ, **self._limits)


def _experiments(connection: Connection, wanted: Sequence[str], notes: list[str]) -> list[Experiment]:
    if wanted:
        return [
            connection.ask(
                OneExperiment, "experiments/get-by-name", query={"experiment_name": name}
            ).experiment
            for name in dict.fromkeys(wanted)
        ]
    body = {"max_results": MOST_EXPERIMENTS, "order_by": ["last_update_time DESC"]}
    page = connection.ask(Experiments, "experiments/search", body=body)
    if page.next_page_token:
        notes.append(f"only the {MOST_EXPERIMENTS} experiments that changed last were read")
    return page.experiments[:MOST_EXPERIMENTS]


def _runs(connection: Connection, experiments: Sequence[Experiment], notes: list[str]) -> list[RunRecord]:
    names = {each.experiment_id: each.name for each in experiments}
    found: list[Run] = []
    token = ""
    while names and len(found) < MOST_RUNS:
        body: dict[str, object] = {
            "experiment_ids": list(names),
            "max_results": _PAGE,
            "order_by": ["attributes.start_time DESC"],
            "run_view_type": "ACTIVE_ONLY",
        }
        page = connection.ask(Runs, "runs/search", body={**body, "page_token": token} if token else body)
        found += page.runs
        token = page.next_page_token
        if not token or not page.runs:
            break
    if token or len(found) > MOST_RUNS:
        notes.append(f"only the newest {MOST_RUNS} runs were read")
    return [each.record(names.get(each.info.experiment_id, "")) for each in found[:MOST_RUNS]]


def _versions(connection: Connection, notes: list[str]) -> list[VersionRecord]:
    models = _models(connection, notes)
    versions = [each for each in _newest(connection, models, notes) if each.name in models]
    signed = _signatures(connection, versions, models)
    return [each.record(models.get(each.name), signed.get((each.name, each.version))) for each in versions]


def _models(connection: Connection, notes: list[str]) -> dict[str, Model]:
    found: list[Model] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = connection.ask(Models, "registered-models/search", query=_turned(token))
        found += page.registered_models
        token = page.next_page_token
        if not token or len(found) >= MOST_MODELS:
            break
    if token or len(found) > MOST_MODELS:
        notes.append(f"only {MOST_MODELS} registered models were read")
    return {each.name: each for each in found[:MOST_MODELS] if not each.prompt}


def _newest(connection: Connection, models: Mapping[str, Model], notes: list[str]) -> list[Version]:
    found: list[Version] = []
    token = ""
    try:
        for _ in range(_MOST_PAGES):
            query = {**_turned(token), "order_by": "creation_timestamp DESC"}
            page = connection.ask(Versions, "model-versions/search", query=query)
            found += page.model_versions
            token = page.next_page_token
            if not token or len(found) >= MOST_VERSIONS:
                break
    except ServerUnavailable:
        # Some servers list versions of one named model only; the latest of each stand with the models.
        notes.append("only the latest versions of each model were read")
        return [each for model in models.values() for each in model.latest_versions]
    if token or len(found) > MOST_VERSIONS:
        notes.append(f"only the newest {MOST_VERSIONS} model versions were read")
    return found[:MOST_VERSIONS]


def _turned(token: str) -> dict[str, str]:
    """The query of one page."""
    return {"max_results": str(_PAGE), **({"page_token": token} if token else {})}


def _signatures(
    connection: Connection, versions: Sequence[Version], models: Mapping[str, Model]
) -> dict[tuple[str, str], bool]:
    """Whether the newest versions say what they take, where the server hands out their ``MLmodel`` file."""
    named = {(model.name, each.version) for model in models.values() for each in model.aliases}
    first = sorted(versions, key=lambda each: (each.name, each.version) not in named)
    found: dict[tuple[str, str], bool] = {}
    for each in first[:_SIGNATURES_OF]:
        try:
            asked = {"name": each.name, "version": each.version, "path": "MLmodel"}
            content = connection.fetch("model-versions/get-artifact", asked)
        except ServerUnavailable:
            break  # this is the extra: what was read before counts without it
        signed = None if content is None else has_signature(content)
        if signed is not None:
            found[each.name, each.version] = signed
    return found


def has_signature(content: bytes) -> bool | None:
    """Whether an ``MLmodel`` file has a signature; None where it is no such file."""
    if len(content) > 1_000_000:
        return None
    try:
        described = load_yaml(content)
    except ValueError:
        return None
    if not isinstance(described, dict) or "flavors" not in described:
        return None
    return bool(described.get("signature"))
