"""The one place that knows which engine fills which port: settings → Platform, settings → InferenceHost."""

from collections.abc import Callable
from pathlib import Path

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.config import find_project, load_settings
from mlwright.adapters.config.storage import default_storage, find_file
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.local.executor import InProcessExecutor
from mlwright.adapters.notify.log import LogNotifier
from mlwright.adapters.notify.webhook import WebhookNotifier
from mlwright.adapters.odcs import read_contract
from mlwright.adapters.parquet.online import ParquetOnlineStore
from mlwright.adapters.sklearn.runtime import SklearnRuntime
from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate
from mlwright.errors import StorageError
from mlwright.model.endpoints import Route
from mlwright.model.settings import Settings
from mlwright.platform.facade import Platform
from mlwright.platform.parts import Parts
from mlwright.ports.clock import Clock
from mlwright.ports.notifier import Notifier
from mlwright.ports.run_sink import RunSink
from mlwright.stages.pipelines.values import ModelShelf
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.serving.store import list_routes
from mlwright.wiring.actor import actor
from mlwright.wiring.proofs import proof_engines


def open_platform(start: Path | None = None, *, clock: Clock | None = None) -> Platform:
    """Open the project that holds ``start`` (the working folder without it).

    Raises:
        SettingsError: there is no mlwright.toml here or above, or it has faults.
        DatabaseUnavailable: the database cannot be opened.
        DatabaseNewer: the database was written by a newer mlwright.
    """
    return open_settings(load_settings(find_project(start or Path.cwd())), clock=clock)


def open_registry(start: Path | None = None) -> Platform | None:
    """Open a folder that is no project, but where ``mlwright tracking`` keeps its state; None where that is not so.

    Raises:
        DatabaseUnavailable: the database cannot be opened.
        DatabaseNewer: the database was written by a newer mlwright.
    """
    folder = (start or Path.cwd()).resolve()
    place = default_storage(folder / ".mlwright")
    if find_file(folder) is not None or not Path(place.database.removeprefix("sqlite:///")).is_file():
        return None
    return open_settings(
        Settings(
            name=folder.name or "root",
            root=folder,
            state=place.state,
            database=place.database,
            artifacts=place.artifacts,
        )
    )


def open_settings(settings: Settings, *, clock: Clock | None = None) -> Platform:
    """Build a platform from settings; the database is brought up to date first, with a backup."""
    return Platform(_parts(settings, clock or SystemClock()))


def close(platform: Platform) -> None:
    """Give back what the platform holds open."""
    platform.parts.engine.dispose()


def open_inference(start: Path | None = None) -> InferenceHost:
    """Build what one inference process needs: its endpoints, its own journal, and a look at the routes."""
    settings = load_settings(find_project(start or Path.cwd()))
    clock = SystemClock()
    parts = _parts(settings, clock)
    platform = Platform(parts)
    journal = Journal(settings.state / "log", clock)
    cores = {
        endpoint.name: EndpointCore(
            endpoint,
            [view for view in settings.feature_views if view.name in endpoint.features],
            parts.online,
            platform.releases.load_variant,
            journal,
            clock,
        )
        for endpoint in settings.endpoints
    }

    def read_routes() -> list[Route]:
        with parts.read() as tx:
            return list_routes(tx)

    return InferenceHost(cores, read_routes, journal)


def _parts(settings: Settings, clock: Clock) -> Parts:
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
    migrate(engine, backups=settings.state / "backups", at=clock.now())
    artifacts = FsArtifactStore(settings.artifacts)
    shelf = ModelShelf(artifacts=artifacts, runtimes=(SklearnRuntime(),), cache=settings.state / "cache")
    return Parts(
        settings=settings,
        engine=engine,
        artifacts=artifacts,
        online=ParquetOnlineStore(settings.state / "features"),
        shelf=shelf,
        executor=InProcessExecutor(),
        clock=clock,
        notifiers=_notifiers(settings),
        log=PredictionLog(settings.state / "log"),
        read_contract=lambda path: read_contract(settings.root / path),
        actor=actor(),
        proofs=proof_engines(settings.registry, settings.state),
        open_sink=_opening(settings) if settings.tracking else None,
    )


def _opening(settings: Settings) -> Callable[[], RunSink]:
    """Opens the project's other tracking server when something is to be sent."""

    def open_sink() -> RunSink:
        from mlwright.wiring.moving import open_tracking_server

        assert settings.tracking is not None
        return open_tracking_server(settings.tracking, settings.root)

    return open_sink


def _notifiers(settings: Settings) -> tuple[Notifier, ...]:
    build: dict[str, Callable[[str | None], Notifier]] = {
        "log": lambda _: LogNotifier(settings.state / "alerts.log"),
        "webhook": lambda url: WebhookNotifier(url or ""),
    }
    return tuple(build[each.kind](each.url) for each in settings.notify)
