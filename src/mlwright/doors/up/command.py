"""``mlwright up``."""

import logging
import sys
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs
from mlwright.errors import UsageError

if TYPE_CHECKING:
    from mlwright.doors.up.supervisor import Plan

_PORT = click.IntRange(1, 65_535)


@command(
    "up", example="mlwright up\nmlwright up --port 9000 --inference-port 9001\nmlwright up --workers 2 --open"
)
@click.option(
    "--port",
    type=_PORT,
    help="Port of the page, the JSON interface and the MLflow protocol. Default: serve.port, 8500.",
)
@click.option(
    "--inference-port", type=_PORT, help="Port of the endpoints. Default: serve.inference_port, 8501."
)
@click.option("--workers", type=click.IntRange(0, 64), help="Inference processes. Default: serve.workers, 1.")
@click.option("--open", "browse", is_flag=True, help="Open the page in a browser.")
def up(door: Door, port: int | None, inference_port: int | None, workers: int | None, browse: bool) -> None:
    """Serve the project: page, endpoints, tracking, and the loop, which is turned every minute. Ctrl-C ends it.

    Inference always has a process of its own, so --workers 0 means 1.
    """
    # The server's libraries are not needed for --help.
    from mlwright.doors.up.supervisor import supervise

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    plan = _plan(door, port, inference_port, workers)
    supervise(door.platform, plan, lambda killed: _ready(door, plan, killed, browse=browse))


def _plan(door: Door, port: int | None, inference_port: int | None, workers: int | None) -> "Plan":
    from mlwright.doors.up.supervisor import Plan

    settings = door.platform.parts.settings
    wanted = settings.serve.workers if workers is None else workers
    if wanted == 0:
        click.echo("0 workers: inference has a process of its own all the same, so 1 is started", err=True)
    pages = port or settings.serve.port
    # A port for the pages alone moves the endpoints along: two projects then differ by one option.
    beside = settings.serve.inference_port if port is None else port + 1
    plan = Plan(
        project=settings.root,
        host="127.0.0.1" if settings.serve.host == "localhost" else settings.serve.host,
        port=pages,
        inference_port=inference_port or beside,
        workers=max(wanted, 1),
    )
    if plan.port == plan.inference_port:
        raise UsageError(
            f"{plan.port} is the port of the pages already",
            where="--inference-port",
            next_command=f"mlwright up --port {plan.port} --inference-port {plan.port + 1}",
        )
    return plan


def _ready(door: Door, plan: "Plan", killed: int, *, browse: bool) -> None:
    names = [each.name for each in door.platform.parts.settings.endpoints]
    where: dict[str, object] = {
        "page": plan.pages,
        "endpoints": plan.inference,
        "json": f"{plan.pages}/api/loop",
        "tracking": plan.pages,
        "workers": plan.workers,
        "ask": [f"{plan.inference}/v2/models/{name}/infer" for name in names],
        "interrupted_runs": killed,
    }
    door.show(where, lambda found: _where(found, door.platform.parts.settings.name))
    sys.stdout.flush()
    if browse:
        click.launch(plan.pages)


def _where(found: dict[str, object], project: str) -> RenderableType:
    asks = found["ask"]
    assert isinstance(asks, list)
    killed = found["interrupted_runs"]
    lines = {
        project: "is up; Ctrl-C ends it",
        "page": found["page"],
        "endpoints": "\n".join(f"POST {each}" for each in asks) or "none in mlwright.toml",
        "json": found["json"],
        "tracking": f"export MLFLOW_TRACKING_URI={found['tracking']}",
        "interrupted": f"{killed} run marked as killed; models it had not registered are trained again"
        if killed
        else None,
    }
    return pairs(lines)
