"""Opening tracking and registry alone: what a training program logs to needs no data frames and no model library."""

import os
from pathlib import Path

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.config.light import find_promotions, find_registry, load_storage
from mlwright.adapters.config.storage import StorageSettings, default_storage, find_file
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.adapters.sql.current import is_current
from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.webhooks.sender import HttpWebhookSender
from mlwright.errors import StorageError
from mlwright.model.settings import Settings
from mlwright.platform.tracking.book import Book
from mlwright.platform.tracking.facade import TrackingPlatform
from mlwright.ports.clock import Clock
from mlwright.wiring.actor import actor


def open_tracking(
    *, database: str, artifacts: str, state: Path, clock: Clock | None = None, proves: bool = False
) -> TrackingPlatform:
    """Open tracking and registry; the database is brought up to date first, with a backup.

    Args:
        database: ``sqlite:///path/to/file.db`` or ``postgresql://user:password@host/name``.
        artifacts: a folder, or a URL that fsspec knows.
        state: folder of backups and caches; made when needed.
        clock: the machine's unless given.
        proves: whether this process proves models itself.

    Raises:
        SettingsError: the project's ``[registry]`` has faults.
        UsageError: one of the URLs cannot be used.
        StorageError: the folder cannot be made, or the database cannot be opened or is of a newer mlwright.
    """
    clock = clock or SystemClock()
    registry = find_registry(state, Path.cwd())
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            "the state folder cannot be made",
            where=str(state),
            why=error.strerror,
            next_command="mlwright tracking --state DIR",
        ) from error
    engine = open_engine(database)
    try:
        if not is_current(engine):
            from mlwright.adapters.sql.migrate import migrate

            migrate(engine, backups=state / "backups", at=clock.now())
        store = FsArtifactStore(artifacts)
    except BaseException:
        engine.dispose()
        raise
    sender = HttpWebhookSender(allowed=os.environ.get("MLWRIGHT_WEBHOOK_HOSTS", ""))
    book = Book(
        engine=engine,
        artifacts=store,
        clock=clock,
        state=state,
        actor=actor(),
        sender=sender,
        prove=registry.prove,
        place={"database": database, "artifacts": artifacts, "state": str(state.resolve())},
        policies=find_promotions(state, Path.cwd()),
    )
    engines = None
    if proves:
        from mlwright.wiring.proofs import proof_engines

        engines = proof_engines(registry, state)
    return TrackingPlatform(book, engines)


def tracking(start: Path | str | None = None) -> TrackingPlatform:
    """Open experiments, runs and models in this process, without a server: what ``mlwright tracking`` would serve.

    A server of the same folder may run beside it. ::

        import mlwright

        with mlwright.tracking() as store:
            experiment = store.experiments.create("churn")
            run = store.runs.create(experiment, name="first")
            store.runs.log_params(run.id, {"depth": "3"})
            history = store.metrics.history(run.id, "loss")

    Args:
        start: a project's folder or one below it, or any other folder, whose ``.mlwright`` it then is; the working
            folder unless given.

    Raises:
        SettingsError: ``mlwright.toml`` has faults.
        StorageError: the folder cannot be made, or the database cannot be opened or is of a newer mlwright.
    """
    place = find_storage(Path(start) if start is not None else Path.cwd())
    return open_tracking(database=place.database, artifacts=place.artifacts, state=place.state)


def open_project_tracking(settings: Settings, *, clock: Clock | None = None) -> TrackingPlatform:
    """Open tracking and registry of a project; see :func:`open_tracking`."""
    return open_tracking(
        database=settings.database, artifacts=settings.artifacts, state=settings.state, clock=clock
    )


def find_storage(start: Path, *, project: Path | None = None) -> StorageSettings:
    """Where state is kept: as the project says that holds the folder, else in its ``.mlwright``.

    Args:
        start: the working folder.
        project: the folder of a project, where one was named.

    Raises:
        SettingsError: ``mlwright.toml`` has faults in this.
    """
    file = find_file(project or start)
    return load_storage(file) if file else default_storage((project or start).resolve() / ".mlwright")
