"""From the URI of an MLflow store to what reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from mlwright.adapters.mlflow.database import MlflowDatabase
from mlwright.adapters.mlflow.folder import MlflowFolder
from mlwright.adapters.mlflow.server import MlflowServer
from mlwright.errors import UsageError
from mlwright.ports.tracking_server import TrackingServer

_KNOWN: Final = "http://HOST:PORT, https://HOST, sqlite:///FILE or file:FOLDER"


def open_mlflow(
    uri: str, environ: Mapping[str, str], *, start: Path, experiments: Sequence[str] = ()
) -> TrackingServer:
    """What reads an MLflow store; nothing is asked yet.

    Args:
        uri: as the mlflow client takes it: ``http(s)://…``, ``sqlite:///mlflow.db``, ``file:mlruns`` or a folder.
        environ: the environment, for credentials (``MLFLOW_TRACKING_TOKEN`` …).
        start: the folder that relative paths count from.
        experiments: names to look at; all of them without.

    Raises:
        UsageError: it is none of these.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _unknown("it cannot be parsed") from error
    scheme = parts.scheme.lower() or ("databricks" if uri == "databricks" else "")
    if scheme in ("http", "https"):
        return MlflowServer(uri, environ, experiments=experiments)
    if scheme == "sqlite":
        file = unquote(parts.path.removeprefix("/"))
        if not file or file == ":memory:":
            raise _unknown("it names no file")
        return MlflowDatabase(start / file, f"sqlite:///{_shown(file)}", experiments=experiments)
    if scheme in ("", "file"):
        folder = unquote(parts.path)
        if not folder or parts.netloc not in ("", "localhost"):
            raise _unknown("it names no folder of this machine")
        return MlflowFolder(start / folder, f"file:{_shown(folder)}", experiments=experiments)
    raise _unknown(f"{scheme}:// is none of them")


def _shown(path: str) -> str:
    """Of an absolute path the last part: where a person keeps files on a machine is in no report."""
    return Path(path).name if path.startswith("/") else path


def _unknown(why: str) -> UsageError:
    # The text itself may hold a password, so it is not repeated.
    return UsageError(f"a tracking server is one of {_KNOWN}", why=why, next_command="mlwright assess --help")
