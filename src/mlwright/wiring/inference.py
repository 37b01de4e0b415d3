"""One inference process: settings → InferenceHost, without the libraries that only training and watching need.

What a request does not need is loaded when it is asked for: data frames for feature views and contracts, the whole
platform for loading and unloading over the repository API.
"""

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Engine

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.config.storage import default_storage
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.otel.opening import open_metrics, open_spans
from mlwright.adapters.sql.current import is_current
from mlwright.adapters.sql.engine import open_engine
from mlwright.errors import MissingExtra, StorageError
from mlwright.model.registry import parse_model_ref
from mlwright.model.settings import Settings
from mlwright.platform.following import FollowJourney
from mlwright.platform.loading import VersionLoader
from mlwright.ports.clock import Clock
from mlwright.ports.spans import Spans
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.readings import metrics_folder
from mlwright.stages.serving.recording import RecordPolicy, record_key
from mlwright.stages.serving.ring import RingJournal
from mlwright.stages.serving.slots import Slots
from mlwright.wiring.actor import actor
from mlwright.wiring.edges import online_store, value_checks
from mlwright.wiring.proofs import proof_engines
from mlwright.wiring.shelves import model_shelf
from mlwright.wiring.taking import taking_in

if TYPE_CHECKING:
    from mlwright.adapters.otel.metrics import OtelMetrics
    from mlwright.platform.facade import Platform


def open_inference(settings: Settings) -> InferenceHost:
    """Build what one inference process needs: its endpoints, its own journal and counters, and a look at the routes."""
    clock = SystemClock()
    engine = open_database(settings, clock)
    loader = version_loader(settings, engine, clock)
    journal = RingJournal(settings.state / "log", clock)
    slots = Slots(metrics_folder(settings.state))
    key = record_key(settings.state)
    online = online_store(settings.state, *settings.endpoints)
    cores = {
        endpoint.name: EndpointCore(
            endpoint,
            [view for view in settings.feature_views if view.name in endpoint.features],
            online,
            loader.load_variant,
            journal,
            clock,
            checks=value_checks(settings.root, endpoint),
            record=RecordPolicy(endpoint.serving.record, key),
            counters=Counters(endpoint.name, slots, limit_s=endpoint.slo.latency_p99.total_seconds()),
            example=loader.example,
        )
        for endpoint in settings.endpoints
    }
    routes = FollowJourney(engine, clock, actor()).routes
    log = settings.state / "log"
    return InferenceHost(cores, routes, journal, _Releasing(settings), slots, log, open_tracing())


def open_tracing() -> Spans | None:
    """Where requests and batches are told of, where the variables of OpenTelemetry ask for it; nobody waits for it.

    What is missing for it is said once, and requests are served without.
    """
    try:
        return open_spans(os.environ)
    except MissingExtra as error:
        logging.getLogger("mlwright.serving").warning("%s: %s", error.what, error.next_command)
        return None


def open_metering() -> "OtelMetrics | None":
    """Where metrics go, where the variables of OpenTelemetry ask for them; nobody waits for it.

    One process of a project sends what all of them counted. What is missing for it is said once, and nothing is sent.
    """
    try:
        return open_metrics(os.environ)
    except MissingExtra as error:
        logging.getLogger("mlwright.metrics").warning("%s: %s", error.what, error.next_command)
        return None


def open_following(settings: Settings) -> FollowJourney:
    """What puts versions behind endpoints as aliases move; the database is brought up to date first, with a backup."""
    clock = SystemClock()
    return FollowJourney(open_database(settings, clock), clock, actor())


def open_database(settings: Settings, clock: Clock) -> Engine:
    """The database of the settings, brought up to date, with a backup, where it is not.

    Raises:
        StorageError: the state folder cannot be made, or the database cannot be opened or is of a newer mlwright.
    """
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "the state folder cannot be made",
            where=str(settings.state),
            why=error.strerror,
            next_command="mlwright doctor",
        ) from error
    engine = open_engine(settings.database)
    if not is_current(engine):
        from mlwright.adapters.sql.migrate import migrate  # 0.3 s, once

        migrate(engine, backups=settings.state / "backups", at=clock.now())
    return engine


def plain_settings(folder: Path) -> Settings:
    """The settings of a folder without a project: its state is in ``.mlwright``, and everything else as by default."""
    place = default_storage(folder.resolve() / ".mlwright")
    return Settings(
        name=folder.resolve().name or "root",
        root=folder.resolve(),
        state=place.state,
        database=place.database,
        artifacts=place.artifacts,
    )


def version_loader(settings: Settings, engine: Engine, clock: Clock) -> VersionLoader:
    """What finds and loads the versions of a project, from its open database."""
    return VersionLoader(
        engine=engine,
        shelf=model_shelf(settings, FsArtifactStore(settings.artifacts)),
        proofs=proof_engines(settings.registry, settings.state),
        take_in=taking_in(settings, clock),
    )


def encode_settings(settings: Settings) -> bytes:
    """Settings for a child process, as one line."""
    return msgspec.json.encode(settings, enc_hook=str)


def decode_settings(line: bytes | str) -> Settings:
    """What :func:`encode_settings` wrote."""
    return msgspec.json.decode(line, type=Settings, dec_hook=lambda kind, value: kind(value))


class _Releasing:
    """Fills ``Releasing`` of the host with the platform's own journeys, opened at the first call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _platform(self) -> "Platform":
        from mlwright.wiring.project import open_settings  # 0.7 s of data frames and statistics

        return open_settings(self._settings)

    def load(self, endpoint: str, version: int | None) -> None:
        """Deploy; see ``Releasing.load``."""
        model, _, _ = parse_model_ref(self._platform.parts.endpoint(endpoint).model)
        self._platform.releases.deploy(endpoint, None if version is None else f"{model}/{version}")

    def unload(self, endpoint: str) -> None:
        """Withdraw; see ``Releasing.unload``."""
        self._platform.releases.withdraw(endpoint)
