"""``mlwright tracking``: experiments, runs and models alone, for every program that speaks the MLflow protocol.

It does without the other commands' :class:`Door`: drawing tables and opening a project would take longer than the
start of the server.
"""

import gc
import ipaddress
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlwright.errors import PortInUse, UsageError

if TYPE_CHECKING:
    from mlwright.adapters.config.storage import StorageSettings

_EXAMPLE = "mlwright tracking\n  mlwright tracking --port 5000 --database postgresql://me:secret@db/mlwright"


@click.command("tracking", epilog=f"\b\nExample:\n  {_EXAMPLE}")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8500, show_default=True, help="Where it listens."
)
@click.option(
    "--database", metavar="URL", help="sqlite:///FILE or postgresql://… Default: that of the project."
)
@click.option("--artifacts", metavar="URL", help="A folder or an fsspec URL. Default: that of the project.")
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything is kept that is not named otherwise. Default: that of the project, or .mlwright here.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON to stdout when it is ready.")
@click.pass_context
def tracking(
    context: click.Context,
    host: str,
    port: int,
    database: str | None,
    artifacts: str | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Serve tracking and registry alone, over the MLflow protocol; a project is not needed. Ctrl-C ends it.

    Any number of programs log to it once MLFLOW_TRACKING_URI has its address.
    """
    address = _loopback(host)
    project = context.find_root().obj
    place = _place(project if isinstance(project, Path) else None, state)
    _serve(
        address, port, database or place.database, artifacts or place.artifacts, place.state, as_json=as_json
    )


def _serve(host: str, port: int, database: str, artifacts: str, state: Path, *, as_json: bool) -> None:
    # The server's libraries are not needed for --help.
    from mlwright.doors.http.listening import address_of, bind, next_free

    try:
        listener = bind(host, port)
    except PortInUse as error:
        raise PortInUse(
            f"another program listens on port {port}",
            where=f"{host}:{port}",
            next_command=f"mlwright tracking --port {next_free(host, port)}",
        ) from error

    # What is loaded now stays until the end: looking for garbage in it would be a tenth of the start.
    gc.disable()
    from mlwright.doors.http.mlflow.serving import serve_tracking
    from mlwright.doors.web.lazy import LazyPages
    from mlwright.wiring.tracking import open_tracking

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        opened = open_tracking(database=database, artifacts=artifacts, state=state)
    except BaseException:
        listener.close()
        raise
    address = address_of(host, port)
    serve_tracking(
        opened,
        listener,
        ready=lambda: _say(address, state, as_json=as_json),
        forward=LazyPages(opened),
    )


def _say(address: str, state: Path, *, as_json: bool) -> None:
    line = f"export MLFLOW_TRACKING_URI={address}"
    if as_json:
        click.echo(json.dumps({"tracking": address, "state": str(state), "set": line}))
    else:
        click.echo(f"tracking and registry are served at {address}; Ctrl-C ends it\n\n  {line}\n")
    sys.stdout.flush()


def _loopback(host: str) -> str:
    """A numeric loopback address.

    Raises:
        UsageError: others could reach it.
    """
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return "127.0.0.1" if host == "localhost" else host
    except ValueError:
        pass
    raise UsageError(
        f"{host!r} is no loopback address",
        where="--host",
        why="there are no tokens yet, so everybody who reaches the port could change everything",
        next_command="mlwright tracking --host 127.0.0.1",
    )


def _place(project: Path | None, state: Path | None) -> "StorageSettings":
    from mlwright.adapters.config.storage import default_storage
    from mlwright.wiring.tracking import find_storage

    if state is not None:
        return default_storage(state.resolve())
    return find_storage(Path.cwd(), project=project)
