"""``mlwright demo``."""

import shutil
import sys
from pathlib import Path

import click
from rich.console import Console

from mlwright.doors.cli.demo.story import Story
from mlwright.doors.cli.demo.year import DemoOptions, run_demo
from mlwright.doors.cli.projects import write_project
from mlwright.doors.wire import to_json


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("mlwright-demo"))
@click.option(
    "--months", type=click.IntRange(1, 9), default=9, show_default=True, help="How many months to replay."
)
@click.option("--fresh", is_flag=True, help="Begin again: delete what an earlier demo left in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; the story goes to stderr.")
def demo(folder: Path, months: int, fresh: bool, as_json: bool) -> None:
    """Run the whole loop on a year of real flights: contracts, training, endpoint, rollouts, retraining.

    A demo that was stopped goes on where it was.

    Example: mlwright demo --months 2
    """
    if fresh and (folder / ".mlwright").exists():
        shutil.rmtree(folder / ".mlwright")
    if not (folder / "mlwright.toml").exists():
        write_project("flights", folder)
    story = Story(Console(file=sys.stderr if as_json else sys.stdout))
    year = run_demo(DemoOptions(project=folder.resolve(), months=months), story)
    if as_json:
        click.echo(to_json(year))
