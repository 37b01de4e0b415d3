"""``mlwright serve``: one model behind an address, at once.

It does without the other commands' :class:`Door`: drawing tables and opening a project would take longer than the
start of the server.
"""

import gc
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

import click

from mlwright.errors import PortInUse

if TYPE_CHECKING:
    from mlwright.model.settings import Settings

_PORT = click.IntRange(1, 65_535)
_EXAMPLE = "mlwright serve churn@champion\n  mlwright serve ./model --port 9000 --workers 2 --grpc-port 9001"


@click.command("serve", epilog=f"\b\nExample:\n  {_EXAMPLE}")
@click.argument("model", metavar="MODEL")
@click.option("--name", help="The endpoint's name in addresses. Default: that of the model.")
@click.option("--port", type=_PORT, default=8501, show_default=True, help="Where it answers over HTTP.")
@click.option("--grpc-port", type=_PORT, help="Where it answers over gRPC, in a process of its own.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option(
    "--max-workers", type=click.IntRange(1, 64), help="Up to so many, as the measured concurrency asks for."
)
@click.option(
    "--idle", metavar="DURATION", help="Keep no process after so long without a request, such as 10m."
)
@click.option("--json", "as_json", is_flag=True, help="Write one line of JSON to stdout when it is ready.")
@click.pass_context
def serve(
    context: click.Context,
    model: str,
    name: str | None,
    port: int,
    grpc_port: int | None,
    workers: int,
    max_workers: int | None,
    idle: str | None,
    as_json: bool,
) -> None:
    """Serve one model over HTTP, and gRPC where a port is named for it; a project is not needed. Ctrl-C ends it.

    MODEL is a registered version (churn, churn/3, churn@champion), an endpoint of mlwright.toml, the path of an MLflow
    model folder, or a function of a file (rules.py:predict). An alias is followed: where it moves, the new version is
    loaded, warmed and swapped in without dropping a request.
    """
    # What is loaded now stays until the end: looking for garbage in it would be a tenth of the start.
    gc.disable()
    from mlwright.wiring.serving import served_settings

    idle_for = _duration(idle)
    project = context.find_root().obj
    settings = served_settings(project if isinstance(project, Path) else Path.cwd(), model, name)
    settings = replace(
        settings,
        serve=replace(
            settings.serve,
            workers=workers,
            max_workers=max(max_workers or workers, workers),
            idle=idle_for,
            grpc_port=grpc_port or 0,
        ),
    )
    try:
        _run(settings, port, as_json=as_json)
    except PortInUse as error:
        raise PortInUse(
            error.what, why=error.why, next_command=f"mlwright serve {model} --port {port + 10}"
        ) from error


def _run(settings: "Settings", port: int, *, as_json: bool) -> None:
    where = _where(settings, port)

    def ready() -> None:
        gc.collect()
        gc.freeze()
        gc.enable()
        click.echo(json.dumps(where) if as_json else _words(where))
        sys.stdout.flush()

    asked = settings.serve
    if asked.max_workers > 1 or asked.idle or asked.grpc_port:
        _run_many(settings, port, ready)
    else:
        from mlwright.doors.up.single import serve_alone

        serve_alone(settings, "127.0.0.1", port, ready)


def _run_many(settings: "Settings", port: int, ready: Callable[[], None]) -> None:
    from mlwright.doors.http.listening import ensure_free
    from mlwright.doors.up.inference import Inference
    from mlwright.wiring.inference import open_following

    ending = Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for each in {port, settings.serve.grpc_port} - {0}:
        ensure_free("127.0.0.1", each)
    inference = Inference(settings, open_following(settings), host="127.0.0.1", port=port, strict=True)
    try:
        inference.start()
        if not ending.is_set():
            ready()
        ending.wait()
    finally:
        inference.stop()


def _where(settings: "Settings", port: int) -> dict[str, object]:
    name = settings.endpoints[0].name
    base = f"http://127.0.0.1:{port}"
    return {
        "endpoint": name,
        "model": settings.endpoints[0].model,
        "open_inference": f"{base}/v2/models/{name}/infer",
        "mlflow": f"{base}/invocations",
        "tensorflow_serving": f"{base}/v1/models/{name}:predict",
        "grpc": f"127.0.0.1:{settings.serve.grpc_port}" if settings.serve.grpc_port else None,
        "openapi": f"{base}/openapi.json",
        "metrics": f"{base}/metrics",
    }


def _words(where: dict[str, object]) -> str:
    lines = [f"{where['endpoint']} serves {where['model']}; Ctrl-C ends it"]
    shown = {
        "Open Inference": where["open_inference"],
        "MLflow": where["mlflow"],
        "TF-Serving, KServe": where["tensorflow_serving"],
        "gRPC": where["grpc"],
        "OpenAPI": where["openapi"],
        "Prometheus": where["metrics"],
    }
    return "\n".join([*lines, *(f"  {name:<19} {place}" for name, place in shown.items() if place)])


def _duration(text: str | None) -> timedelta:
    from mlwright.model.durations import parse_duration

    if text is None:
        return timedelta(0)
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--idle") from error
