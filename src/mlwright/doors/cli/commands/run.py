"""``run`` and ``runs``: pipelines and the record of every run."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, getdoc, signature
from typing import Final

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, short, table
from mlwright.errors import UsageError
from mlwright.model.ids import RunId
from mlwright.model.tracking import Run

_REMOTE: Final = "mlwright.remote.state"


@command("run", example="mlwright run --list\nmlwright run train_churn -p holdout=30d")
@click.argument("pipeline", required=False)
@click.option(
    "-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the run; may be repeated.")
@click.option("--list", "listing", is_flag=True, help="List the project's pipelines and their parameters.")
def run(door: Door, pipeline: str | None, params: Sequence[str], tags: Sequence[str], listing: bool) -> None:
    """Run a pipeline of the project and record the run.

    A value that reads as a number, a date or true/false becomes one.
    """
    if listing or pipeline is None:
        door.show(_signatures(door), _pipelines)
        return
    given, marked = _pairs(params, "-p"), _pairs(tags, "--tag")
    with door.working(f"running {pipeline}"):
        done = door.platform.training.run(pipeline, given, tags=marked)
    door.show(done, _run)


@command("runs", example="mlwright runs --failed\nmlwright runs 01JZ… --json")
@click.argument("run", required=False)
@click.option("--failed", is_flag=True, help="Only runs that failed.")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, latest first."
)
@click.option("--recover", is_flag=True, help="First mark runs whose process is gone as killed.")
@click.option(
    "--send", is_flag=True, help="First send runs that the project's tracking server did not take yet."
)
def runs(door: Door, run: str | None, failed: bool, limit: int, recover: bool, send: bool) -> None:
    """List the latest runs, or look at one."""
    training = door.any_platform.training
    if send:
        with door.working("sending runs"):
            training.send()
    if recover:
        training.recover()
    if run is not None:
        door.show(training.get(RunId(run)), _run)
    else:
        door.show(training.list(limit=limit, failed=failed), _runs)


def _signatures(door: Door) -> dict[str, dict[str, str]]:
    found = door.platform.training.pipelines()
    return {
        name: {
            "parameters": _parameters(each.function),
            "about": (getdoc(each.function) or "").partition("\n")[0],
        }
        for name, each in found.items()
    }


def _parameters(function: Callable[..., object]) -> str:
    known = signature(function).parameters.values()
    return ", ".join(
        each.name if each.default is Parameter.empty else f"{each.name}={each.default}" for each in known
    )


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(
                f"{text!r} is not of the form KEY=VALUE", where=option, next_command="mlwright run --help"
            )
        found[key] = value
    return found


def _pipelines(found: Mapping[str, Mapping[str, str]]) -> RenderableType:
    rows = [(name, each["parameters"], each["about"]) for name, each in found.items()]
    return table(["pipeline", "parameters", "about"], rows, empty="the project defines no pipeline")


def _runs(found: Sequence[Run]) -> RenderableType:
    columns = ["run", "pipeline", "status", "started", "seconds#", "metrics", "error"]
    mirrored = any(_REMOTE in each.tags for each in found)
    rows = [
        (
            each.id,
            each.name,
            each.status.value,
            each.started,
            _seconds(each),
            _metrics(each),
            each.error or "",
            *([each.tags.get(_REMOTE, "")] if mirrored else []),
        )
        for each in found
    ]
    return table([*columns, *(["elsewhere"] if mirrored else [])], rows, empty="no runs yet")


def _run(one: Run) -> RenderableType:
    environment = one.environment
    parts = [
        pairs(
            {
                "run": one.id,
                "pipeline": one.name,
                "status": one.status.value,
                "error": one.error,
                "started": one.started,
                "seconds": _seconds(one),
                "by": one.actor,
                "python": environment and environment.python,
                "git": environment and short(environment.git_commit),
                "code": environment and short(environment.code_digest),
            }
        ),
        table(["param", "value"], one.params.items()) if one.params else "",
        table(["metric", "value#"], one.metrics.items()) if one.metrics else "",
        table(["tag", "value"], one.tags.items()) if one.tags else "",
    ]
    if one.datasets:
        rows = [(each.name, short(each.digest), each.rows, each.contract) for each in one.datasets]
        parts.append(table(["data set", "digest", "rows#", "contract"], rows))
    return Group(*(part for part in parts if part != ""))


def _seconds(one: Run) -> float | None:
    return (one.ended - one.started).total_seconds() if one.ended else None


def _metrics(one: Run) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in one.metrics.items())
