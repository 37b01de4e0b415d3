"""``export`` and ``settings-schema``: what leaves as open files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import RenderableType

from mlwright.adapters.config import settings_schema as schema_of_settings
from mlwright.doors.cli.door import Door, OrList, command
from mlwright.doors.cli.show import table
from mlwright.platform.records import Exported

TARGETS: Final[Mapping[str, str]] = {
    "data": "every table of the database, all predictions and all labels, as Parquet files",
    "mlflow": "experiments, runs and models into an MLflow server, folder or database",
}


@click.group("export", cls=OrList)
def export() -> None:
    """Take everything away as open files, readable without mlwright."""


@command("list", group=export, example="mlwright export --list")
@click.option("--list", "explicit", is_flag=True, help="List the targets; so does leaving it out.")
def listing(door: Door, explicit: bool) -> None:
    """List what can be exported, and as what."""
    door.show(TARGETS, lambda targets: table(["target", "writes"], targets.items()))


@command("data", group=export, example="mlwright export data takeaway/")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def data(door: Door, folder: Path) -> None:
    """Write every table, all predictions and all labels as Parquet files into DIR."""
    with door.working("writing tables"):
        written = door.platform.records.export(folder)
    door.show(written, _written)


@click.command("settings-schema", epilog="\b\nExample:\n  mlwright settings-schema > mlwright.schema.json")
@click.option("--json", is_flag=True, expose_value=False, help="The schema is JSON with and without it.")
def settings_schema() -> None:
    """Print the JSON Schema of mlwright.toml, for editors."""
    click.echo(json.dumps(schema_of_settings(), indent=2, ensure_ascii=False))


def _written(written: Sequence[Exported]) -> RenderableType:
    return table(["table", "rows#", "file"], [(each.table, each.rows, str(each.file)) for each in written])
