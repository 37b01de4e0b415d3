"""``import``: experiments, runs and models that another tool kept move in."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import stderr, table
from mlwright.model.moving import MoveProgress, MoveReport

_EXAMPLE = """mlwright import mlruns --dry-run
mlwright import http://127.0.0.1:5000 --experiment churn
mlwright import sqlite:///mlflow.db --artifacts mlartifacts
mlwright import wandb/"""

_TOOLS = click.Choice(["mlflow", "wandb", "comet", "neptune", "tensorboard", "dvc"])


@command("import", example=_EXAMPLE)
@click.argument("source", metavar="SOURCE")
@click.option("--from", "tool", type=_TOOLS, help="What wrote the source. Default: told from the source.")
@click.option(
    "--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@click.option(
    "--artifacts",
    metavar="DIR",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Where an MLflow server kept artifacts, when only its database is read.",
)
@click.option("--dry-run", is_flag=True, help="Carry nothing, and say what would come.")
def import_(
    door: Door,
    source: str,
    tool: str | None,
    experiments: Sequence[str],
    artifacts: Path | None,
    dry_run: bool,
) -> None:
    """Move in: experiments, runs, histories, artifacts and registered models of another tool.

    SOURCE is an MLflow server, database or mlruns folder, or a folder of W&B offline runs, Comet offline archives,
    Neptune exports, TensorBoard logs or a DVC repository. It is only read. Called again, it carries what is new; one
    that was interrupted goes on. What is not carried is listed by name.
    """
    # The database and its libraries are not needed for --help.
    from mlwright.wiring.moving import open_source
    from mlwright.wiring.tracking import find_storage, open_tracking

    store = open_source(source, tool=tool, experiments=experiments, proxied=artifacts)
    place = find_storage(Path.cwd(), project=door.start)
    tracking = open_tracking(database=place.database, artifacts=place.artifacts, state=place.state)
    try:
        if dry_run:
            with door.working("looking through the source"):
                report = tracking.moving.look(store, experiments=experiments)
        else:
            with bar() as told:
                report = tracking.moving.carry(store, experiments=experiments, on_progress=told)
    finally:
        tracking.close()
    door.show(report, report_view)


def report_view(report: MoveReport, *, to: bool = False) -> RenderableType:
    """A report of a move as tables: what was carried, what was there, and what was left out."""
    verb = "would be carried" if report.dry else "carried"
    parts: list[RenderableType] = [
        table(
            ["what", f"{verb}#", "there already#"],
            [(each.what, each.new, each.known) for each in report.carried],
            title=f"{'to' if to else 'from'} {report.tool} {report.source}",
            empty="nothing was found",
        )
    ]
    if report.left_out:
        parts.append(
            table(
                ["not carried", "where", "why"],
                [(each.what, each.where, each.why) for each in report.left_out],
            )
        )
    elif not report.dry:
        parts.append(Text("nothing was left out", style="dim"))
    if report.count("model versions") and not report.dry and not to:
        parts.append(Text("\nnobody proved yet that these models load:  mlwright models prove NAME/VERSION"))
    return Group(*parts)


@contextmanager
def bar() -> Iterator[Callable[[MoveProgress], None] | None]:
    """A bar on a terminal; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        task = progress.add_task("runs", total=None)

        def told(step: MoveProgress) -> None:
            said = f"runs, {step.points:,} points, {step.files:,} files ({step.size / 1e6:,.0f} MB)  {step.at[:40]}"
            progress.update(task, completed=step.runs, total=step.of, description=said)

        yield told
