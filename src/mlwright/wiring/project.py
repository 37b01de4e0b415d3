"""The one place that knows which engine fills which port: settings → Platform."""

from collections.abc import Callable
from pathlib import Path

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.config import find_project, load_settings
from mlwright.adapters.config.storage import find_file
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.adapters.local.executor import InProcessExecutor
from mlwright.adapters.measuring.children import ChildProcesses
from mlwright.adapters.odcs import read_contract
from mlwright.adapters.parquet.online import ParquetOnlineStore
from mlwright.adapters.redis.streams import open_stream
from mlwright.adapters.runtimes.converting import OnnxConverter
from mlwright.model.settings import Settings
from mlwright.platform.facade import Platform
from mlwright.platform.parts import Parts
from mlwright.ports.clock import Clock
from mlwright.ports.run_sink import RunSink
from mlwright.stages.serving.log import PredictionLog
from mlwright.wiring.actor import actor
from mlwright.wiring.images import image_tools
from mlwright.wiring.inference import open_database, plain_settings
from mlwright.wiring.notifiers import notifiers
from mlwright.wiring.proofs import proof_engines
from mlwright.wiring.scoring import core_opener
from mlwright.wiring.shelves import model_shelf
from mlwright.wiring.taking import taking_in


def open_platform(start: Path | None = None, *, clock: Clock | None = None) -> Platform:
    """Open the project that holds ``start`` (the working folder without it).

    Raises:
        SettingsError: there is no mlwright.toml here or above, or it has faults.
        DatabaseUnavailable: the database cannot be opened.
        DatabaseNewer: the database was written by a newer mlwright.
    """
    return open_settings(load_settings(find_project(start or Path.cwd())), clock=clock)


def open_registry(start: Path | None = None, *, make: bool = False) -> Platform | None:
    """Open a folder that is no project, but where ``mlwright tracking`` or ``serve`` keeps its state.

    Args:
        start: the folder; the working folder without it.
        make: whether the state is made where there is none yet. Otherwise None is given there.

    Raises:
        DatabaseUnavailable: the database cannot be opened.
        DatabaseNewer: the database was written by a newer mlwright.
    """
    folder = (start or Path.cwd()).resolve()
    if find_file(folder) is not None:
        return None
    settings = plain_settings(folder)
    there = Path(settings.database.removeprefix("sqlite:///")).is_file()
    return open_settings(settings) if there or make else None


def open_settings(settings: Settings, *, clock: Clock | None = None) -> Platform:
    """Build a platform from settings; the database is brought up to date first, with a backup."""
    return Platform(_parts(settings, clock or SystemClock()))


def close(platform: Platform) -> None:
    """Give back what the platform holds open."""
    platform.parts.engine.dispose()


def _parts(settings: Settings, clock: Clock) -> Parts:
    engine = open_database(settings, clock)
    artifacts = FsArtifactStore(settings.artifacts)
    shelf = model_shelf(settings, artifacts)
    return Parts(
        settings=settings,
        engine=engine,
        artifacts=artifacts,
        online=ParquetOnlineStore(settings.state / "features"),
        shelf=shelf,
        executor=InProcessExecutor(),
        clock=clock,
        notifiers=notifiers(settings),
        log=PredictionLog(settings.state / "log"),
        read_contract=lambda path: read_contract(settings.root / path),
        actor=actor(),
        proofs=proof_engines(settings.registry, settings.state),
        open_sink=_opening(settings) if settings.tracking else None,
        take_in=taking_in(settings, clock),
        converters=(OnnxConverter(),),
        measuring=ChildProcesses(),
        learner=BoostedLearner(),
        images=image_tools(),
        open_core=core_opener(settings),
        open_stream=open_stream,
    )


def _opening(settings: Settings) -> Callable[[], RunSink]:
    """Opens the project's other tracking server when something is to be sent."""

    def open_sink() -> RunSink:
        from mlwright.wiring.moving import open_tracking_server

        assert settings.tracking is not None
        return open_tracking_server(settings.tracking, settings.root)

    return open_sink
