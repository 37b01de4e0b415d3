"""From an address to the MLflow store behind it, as something to move from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from mlwright.adapters.mlflow.rest import MlflowRest
from mlwright.adapters.mlflow.store_database import MlflowDatabaseStore
from mlwright.adapters.mlflow.store_folder import MlflowFolderStore
from mlwright.adapters.mlflow.store_server import MlflowServerStore
from mlwright.errors import UsageError, near_match
from mlwright.ports.foreign_store import ForeignStore

_KNOWN: Final = "http://HOST:PORT, https://HOST, sqlite:///FILE, postgresql://…, or an mlruns folder"
_SCHEMES: Final = ("http", "https", "sqlite", "postgresql", "file")


def open_mlflow_store(
    source: str,
    environ: Mapping[str, str],
    *,
    start: Path,
    experiments: Sequence[str] = (),
    proxied: Path | None = None,
) -> ForeignStore:
    """The store behind an address.

    Args:
        source: a URL or a path: of a server, a database, its SQLite file, or an ``mlruns`` folder.
        environ: the environment, for credentials, as the mlflow client reads it.
        start: the folder that relative paths count from.
        experiments: names to ask a server about; all of them without.
        proxied: the folder in which a server kept artifacts (``--artifacts-destination``), where only its database
            is read and the folder is not beside it.

    Raises:
        UsageError: it is no such address.
        ServerUnavailable: there is nothing of this kind.
        MissingExtra: a PostgreSQL database without its driver.
    """
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise _unknown("it cannot be parsed") from error
    scheme = parts.scheme.lower()
    if scheme in ("http", "https"):
        return MlflowServerStore(MlflowRest(source, environ), experiments=experiments)
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        shown = parts._replace(netloc=parts.hostname or "", query="").geturl()
        return MlflowDatabaseStore(source, start, shown, proxied=proxied)
    if scheme == "sqlite":
        file = unquote(parts.path.removeprefix("/"))
        if not file or file == ":memory:":
            raise _unknown("it names no file")
        return MlflowDatabaseStore(source, start, f"sqlite:///{shown_path(file)}", proxied=proxied)
    if scheme in ("", "file"):
        path = unquote(parts.path) if scheme else source
        if not path or parts.netloc not in ("", "localhost"):
            raise _unknown("it names no folder of this machine")
        place = start / path
        if place.is_file():
            address = f"sqlite:///{place}"
            return MlflowDatabaseStore(address, start, f"sqlite:///{shown_path(path)}", proxied=proxied)
        if (place / "mlruns").is_dir() and not (place / "0").is_dir():
            place = place / "mlruns"
        return MlflowFolderStore(place, f"file:{shown_path(path)}", proxied=proxied)
    near = near_match(scheme, _SCHEMES)
    raise _unknown(f"{scheme}:// is none of them" + (f"; did you mean {near}://?" if near else ""))


def shown_path(path: str) -> str:
    """Of an absolute path the last part: where a person keeps files on a machine is in no report."""
    return Path(path).name if path.startswith("/") else path


def _unknown(why: str) -> UsageError:
    # The text itself may hold a password, so it is not repeated.
    return UsageError(f"an MLflow store is one of {_KNOWN}", why=why, next_command="mlwright import --help")
