"""The engineer's engines: scanners, clock, a way to a project's records and to tracking servers."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.scanners import scanners
from mlwright.engineer.engineer import Engineer, Engines
from mlwright.errors import MlwrightError
from mlwright.ports.clock import Clock
from mlwright.ports.tracking_server import TrackingServer

if TYPE_CHECKING:
    from mlwright.platform.facade import Platform


def open_engineer(*, clock: Clock | None = None) -> Engineer:
    """The engineer with every engine that is installed here."""
    return Engineer(
        Engines(
            scanners=scanners(),
            clock=clock or SystemClock(),
            project=_project,
            tracking_server=_tracking_server,
        )
    )


def _tracking_server(uri: str) -> TrackingServer:
    from mlwright.adapters.mlflow.opening import open_mlflow

    return open_mlflow(uri, os.environ, start=Path.cwd())


@contextmanager
def _project(root: Path) -> "Iterator[Platform | str]":
    """A project's platform where looking at it changes nothing and reaches nothing outside of its folder."""
    opened = _opened(root)
    try:
        yield opened
    finally:
        if not isinstance(opened, str):
            from mlwright.wiring.project import close

            close(opened)


def _opened(root: Path) -> "Platform | str":
    # Opening a platform costs 0.7 s of libraries, which a repository without a project need not pay.
    from mlwright.adapters.config import load_settings
    from mlwright.adapters.sql.migrate import newest_revision
    from mlwright.wiring.project import open_settings

    try:
        settings = load_settings(root / "mlwright.toml")
        file = Path(settings.database.removeprefix("sqlite:///"))
        inside = (file, settings.state, Path(settings.artifacts.removeprefix("file://")))
        if not settings.database.startswith("sqlite:///") or not all(_below(root, each) for each in inside):
            return (
                "they stand outside of the folder, and a folder that is looked at cannot choose where to look"
            )
        if not file.is_file():
            return "there are none yet: nothing has run here"
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
        if revision is None or revision[0] != newest_revision():
            return "the database was written by another version of mlwright: run mlwright doctor there"
        return open_settings(settings)
    except (MlwrightError, sqlite3.Error) as error:
        return f"they cannot be read: {str(error).splitlines()[0]}"


def _below(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())
