"""Which reader fits a source that somebody wants to move from, and which writer a target."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from mlwright.errors import Conflict, NotFound, UsageError, near_match
from mlwright.model.settings import TrackingSettings
from mlwright.ports.foreign_store import ForeignStore
from mlwright.ports.run_sink import RunSink

TOOLS: Final = ("mlflow", "wandb", "comet", "neptune", "tensorboard", "dvc")
_DEPTH: Final = 4
_ENTRIES: Final = 20_000
_COMMAND: Final = "mlwright import {} --from TOOL"


def open_source(
    source: str,
    *,
    tool: str | None = None,
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    experiments: Sequence[str] = (),
    proxied: Path | None = None,
) -> ForeignStore:
    """Open what somebody wants to move from.

    Args:
        source: a URL or a path.
        tool: one of TOOLS; guessed from the source unless given.
        start: the folder that relative paths count from; the working folder unless given.
        environ: the environment, for credentials; that of the process unless given.
        experiments: names to ask a server about; all of them without.
        proxied: where an MLflow server kept artifacts, when only its database is read.

    Raises:
        UsageError: it cannot be told what the source is, or it is no such thing.
        NotFound: nothing is there, or there is no such tool.
        ServerUnavailable: it cannot be reached or read.
    """
    start = start or Path.cwd()
    tool = tool or guess_tool(source, start)
    if tool not in TOOLS:
        raise NotFound.named("tool to import from", tool, TOOLS, "mlwright import --help")
    if tool == "mlflow":
        from mlwright.adapters.mlflow.moving import open_mlflow_store

        return open_mlflow_store(
            source,
            os.environ if environ is None else environ,
            start=start,
            experiments=experiments,
            proxied=proxied,
        )
    place = _place(source, start)
    opening = import_module(f"mlwright.adapters.moving.{tool}.opening")
    return cast("Callable[[Path], ForeignStore]", getattr(opening, f"open_{tool}"))(place)


def guess_tool(source: str, start: Path) -> str:
    """Which tool wrote a source, by its address or by the files in it.

    Raises:
        UsageError: nothing in it says so, or several tools wrote into it.
        NotFound: nothing is there; the error names what is near.
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme in ("http", "https", "sqlite", "postgresql", "postgresql+psycopg", "postgres"):
        return "mlflow"
    if scheme and scheme != "file":
        near = near_match(scheme, ("http", "https", "sqlite", "postgresql", "file"))
        raise UsageError(
            f"nothing can be imported from {scheme}://" + (f"; did you mean {near}://?" if near else ""),
            why="an http(s) server, sqlite:///FILE, postgresql://… or a path can be read",
            next_command="mlwright import --help",
        )
    place = _place(source, start)
    found = dict.fromkeys(_signs(place))
    if len(found) == 1:
        return next(iter(found))
    what = (
        f"{len(found)} tools wrote into it: {', '.join(found)}" if found else "no tool that is known wrote it"
    )
    raise UsageError(
        f"what {source} is cannot be told",
        why=f"{what}; known are {', '.join(TOOLS)}",
        next_command=_COMMAND.format(source),
    )


def _place(source: str, start: Path) -> Path:
    """The path that a source means.

    Raises:
        NotFound: nothing is there; the error names what is near.
    """
    place = start / source.removeprefix("file://").removeprefix("file:")
    if not place.exists():
        beside = [each.name for each in place.parent.iterdir()] if place.parent.is_dir() else []
        near = near_match(place.name, beside)
        hint = f"; did you mean {near!r}?" if near else ""
        raise NotFound(f"nothing is at {source}{hint}", next_command="ls, then mlwright import PATH")
    return place


def _signs(place: Path) -> Iterator[str]:
    """The tools whose files are found, each as often as such a file is met."""
    if place.is_file():
        yield from _tool_of_file(place)
        return
    seen = 0
    for here, folders, names in os.walk(place):
        depth = len(Path(here).relative_to(place).parts)
        inside = {*folders, *names}
        if "meta.yaml" in names and _is_mlflow(Path(here)):
            yield "mlflow"
        if inside & {".dvc", "dvc.yaml", "dvc.lock"}:
            yield "dvc"
        for name in names:
            seen += 1
            if not name.endswith((".json", ".txt", ".png")):
                yield from _tool_of_file(Path(here, name))
        hidden = (".git", "node_modules", ".venv", "__pycache__", "artifacts")
        folders[:] = [] if depth >= _DEPTH or seen > _ENTRIES else sorted({*folders} - {*hidden, ".dvc"})


def _is_mlflow(folder: Path) -> bool:
    text = (folder / "meta.yaml").read_bytes()[:4000]
    return b"experiment_id:" in text or b"run_id:" in text


def _tool_of_file(file: Path) -> Iterator[str]:
    name = file.name
    if name.endswith(".wandb"):
        yield "wandb"
    elif ".tfevents." in name:
        yield "tensorboard"
    elif name.endswith(".parquet"):
        yield "neptune"
    elif name in ("dvc.lock", "dvc.yaml"):
        yield "dvc"
    elif name.endswith(".zip") and _holds_comet(file):
        yield "comet"
    elif name.endswith((".db", ".sqlite", ".sqlite3")):
        with file.open("rb") as opened:
            if opened.read(16) == b"SQLite format 3\x00":
                yield "mlflow"


def _holds_comet(file: Path) -> bool:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            return {"experiment.json", "messages.json"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def open_tracking_server(settings: TrackingSettings, root: Path) -> RunSink:
    """Open the tracking server that a project's runs are sent to; nothing is asked yet.

    Args:
        settings: its address and where its token is.
        root: the project's folder.

    Raises:
        UsageError: the address is none, or the token is not where it should be.
    """
    from mlwright.adapters.mlflow.rest import MlflowRest
    from mlwright.adapters.mlflow.sink_server import MlflowServerSink

    token = None if settings.token is None else _secret(settings.token, root)
    # A run that goes on does not wait for a server: what it does not take is sent later.
    rest = MlflowRest(settings.uri, os.environ, token=token, timeout_s=15.0, tries=2)
    return MlflowServerSink(rest, experiment=settings.experiment)


def _secret(reference: str, root: Path) -> str:
    kind, _, name = reference.partition(":")
    try:
        found = os.environ[name] if kind == "env" else (root / name.strip()).read_text("utf-8")
    except (KeyError, OSError, UnicodeDecodeError):
        what = f"the environment variable {name} is not set" if kind == "env" else "its file cannot be read"
        raise UsageError(
            f"the token of the tracking server: {what}",
            where="tracking.token",
            next_command=f"export {name}=…" if kind == "env" else "mlwright doctor",
        ) from None
    return found.strip()


@contextmanager
def open_sink(
    target: str,
    *,
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    python: str | None = None,
) -> Iterator[tuple[RunSink, str]]:
    """Open what somebody wants to write to, with its address as a report may show it.

    Args:
        target: an ``http(s)`` server, a folder, or ``sqlite:///FILE``, which is made when the block ends.
        start: the folder that relative paths count from; the working folder unless given.
        environ: the environment, for credentials; that of the process unless given.
        python: an interpreter that has MLflow, for a database; this one unless given.

    Raises:
        UsageError: it is none of these.
        Conflict: the database is there already.
        MissingExtra: a database, and no MLflow to make it.
        ServerUnavailable: the folder cannot be used.
        DataError: when the block ends: MLflow could not make the database.
    """
    from mlwright.adapters.mlflow.sink_folder import MlflowFolderSink

    start = start or Path.cwd()
    scheme = target.partition("://")[0].lower() if "://" in target else ""
    if scheme in ("http", "https"):
        from mlwright.adapters.mlflow.rest import MlflowRest
        from mlwright.adapters.mlflow.sink_server import MlflowServerSink

        rest = MlflowRest(target, os.environ if environ is None else environ)
        try:
            yield MlflowServerSink(rest), rest.source
        finally:
            rest.close()
    elif scheme == "sqlite":
        from mlwright.adapters.mlflow.migrate import migrate_folder, require_mlflow

        file = start / target.removeprefix("sqlite:///")
        if file.exists():
            raise Conflict(
                "this database is there already", where=target, next_command=f"mv {file} {file}.old"
            )
        require_mlflow(python)
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent, prefix=".mlwright-export-") as scratch:
            runs = Path(scratch) / "mlruns"
            yield MlflowFolderSink(runs, artifacts=file.parent / "mlartifacts"), target
            migrate_folder(runs, f"sqlite:///{file.absolute()}", python or sys.executable)
    elif scheme in ("", "file"):
        yield MlflowFolderSink(start / target.removeprefix("file://").removeprefix("file:")), target
    else:
        near = near_match(scheme, ("http", "https", "sqlite", "file"))
        raise UsageError(
            f"nothing can be written to {scheme}://" + (f"; did you mean {near}://?" if near else ""),
            why="a server (http, https), a folder, or sqlite:///FILE can be written",
            next_command="mlwright export mlflow --help",
        )
