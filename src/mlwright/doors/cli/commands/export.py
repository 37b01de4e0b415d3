"""``export`` and ``settings-schema``: what leaves as open files, or into the store of another tool."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import RenderableType

from mlwright.adapters.config import settings_schema as schema_of_settings
from mlwright.doors.cli.commands.moving import bar, report_view
from mlwright.doors.cli.door import Door, OrList, command
from mlwright.doors.cli.files import make_folder, put
from mlwright.doors.cli.show import table
from mlwright.platform.records import Exported

TARGETS: Final[Mapping[str, str]] = {
    "data": "every table of the database, all predictions and all labels, as Parquet files",
    "monitoring": "performance, drift, alerts and objectives as flat tables, Parquet or CSV",
    "prometheus-rules": "recording and alerting rules for Prometheus, and their unit tests for promtool",
    "grafana": "dashboards for engineering, data science and business, as JSON",
    "mlflow": "experiments, runs and models into an MLflow server, folder or database",
}
_RULES: Final = "mlwright.rules.yml"


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
    make_folder(folder)
    with door.working("writing tables"):
        written = door.platform.records.export(folder)
    door.show(written, _written)


@command(
    "monitoring",
    group=export,
    example="mlwright export monitoring takeaway/\nmlwright export monitoring out/ --csv",
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--csv", "as_csv", is_flag=True, help="CSV files instead of Parquet.")
def monitoring(door: Door, folder: Path, as_csv: bool) -> None:
    """Write performance, drift, alerts and what objectives counted as flat tables into DIR."""
    make_folder(folder)
    door.show(door.platform.records.monitoring(folder, "csv" if as_csv else "parquet"), _written)


@command("prometheus-rules", group=export, example="mlwright export prometheus-rules monitoring/")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def prometheus_rules(door: Door, folder: Path) -> None:
    """Write recording and alerting rules of all endpoints into DIR, and tests of them for promtool.

    Scrape /metrics of the inference port and, for quality and budgets, of the port of the pages.
    """
    from mlwright.adapters.prometheus.proofs import proofs_file
    from mlwright.adapters.prometheus.rules import rules_file

    settings = door.platform.parts.settings
    texts = {_RULES: rules_file(settings), "mlwright.rules.test.yml": proofs_file(settings, _RULES)}
    door.show(_texts(folder, texts), _files)


@command("grafana", group=export, example="mlwright export grafana monitoring/")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def grafana(door: Door, folder: Path) -> None:
    """Write dashboards for engineering, data science and business into DIR. Needs the extra grafana, no project."""
    from mlwright.adapters.grafana.dashboards import dashboards

    door.show(_texts(folder, dashboards()), _files)


@command(
    "mlflow",
    group=export,
    example="mlwright export mlflow http://127.0.0.1:5000\nmlwright export mlflow mlruns-of-ours --experiment churn",
)
@click.argument("target", metavar="TARGET")
@click.option(
    "--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@click.option(
    "--python", metavar="PATH", help="For sqlite:///FILE: an interpreter that has mlflow. Default: this one."
)
def export_mlflow(door: Door, target: str, experiments: Sequence[str], python: str | None) -> None:
    """Write experiments, runs, histories, artifacts and registered models into an MLflow store.

    TARGET is a running server, a new folder in the layout of mlruns, or sqlite:///FILE, which MLflow's own program
    makes. A server gives ids of its own; the others keep ours. Called again, it writes what is new.
    """
    from mlwright.wiring.moving import open_sink
    from mlwright.wiring.tracking import find_storage, open_tracking

    place = find_storage(Path.cwd(), project=door.start)
    tracking = open_tracking(database=place.database, artifacts=place.artifacts, state=place.state)
    try:
        with open_sink(target, python=python) as (sink, shown), bar() as told:
            report = tracking.leaving.carry(
                sink, tool="mlflow", target=shown, experiments=experiments, on_progress=told
            )
    finally:
        tracking.close()
    door.show(report, lambda found: report_view(found, to=True))


@click.command("settings-schema", epilog="\b\nExample:\n  mlwright settings-schema > mlwright.schema.json")
@click.option("--json", is_flag=True, expose_value=False, help="The schema is JSON with and without it.")
def settings_schema() -> None:
    """Print the JSON Schema of mlwright.toml, for editors."""
    click.echo(json.dumps(schema_of_settings(), indent=2, ensure_ascii=False))


def _texts(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    make_folder(folder)
    for name, text in texts.items():
        put(folder / name, text)
    return tuple(folder / name for name in texts)


def _files(written: Sequence[Path]) -> RenderableType:
    return table(["file"], [(str(each),) for each in written])


def _written(written: Sequence[Exported]) -> RenderableType:
    return table(["table", "rows#", "file"], [(each.table, each.rows, str(each.file)) for each in written])
