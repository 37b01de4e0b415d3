"""``init``: a project that runs at once."""

from pathlib import Path

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.projects import DEFAULT, NewProject, write_project
from mlwright.doors.cli.show import pairs


@command("init", example="mlwright init\nmlwright init churn/\nmlwright init flights/ --from flights")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--from", "example", default=DEFAULT, show_default=True, help="The example: tabular or flights."
)
def init(door: Door, folder: Path, example: str) -> None:
    """Write a small, complete project into DIR (here, without it).

    Files that are there are never overwritten.
    """
    door.show(write_project(example, folder), _written)


def _written(made: NewProject) -> RenderableType:
    steps = [pairs({"next" if at == 0 else "then": step}) for at, step in enumerate(made.next_commands)]
    return Group(f"wrote {len(made.files)} files into {made.folder}: {', '.join(made.files)}", *steps)
