"""``diagnose``: why an endpoint, or a model in two tables, got worse."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.files import STDOUT, put, require_place
from mlwright.doors.cli.show import stderr, table
from mlwright.errors import UsageError

if TYPE_CHECKING:
    from mlwright.model.diagnosis import Diagnosis
    from mlwright.platform.diagnosing import Kept

_INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
_TABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TABLES = "mlwright diagnose --reference ref.parquet --current cur.parquet --target y --score p"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked on the command line."""

    endpoint: str | None
    since: datetime | None
    until: datetime | None
    reference: Path | None
    current: Path | None
    recomputed: Path | None
    target: str | None
    score: str | None
    time: str | None
    key: str | None
    cluster: str | None
    task: str | None
    html: Path | None
    markdown: Path | None
    listed: bool

    @property
    def of_tables(self) -> bool:
        """Whether two tables were given in place of an endpoint."""
        return self.reference is not None or self.current is not None


@command(
    "diagnose",
    example="mlwright diagnose churn\n"
    "mlwright diagnose churn --since 2026-11-03 --html why.html\n"
    f"{_TABLES}\n"
    f"{_TABLES} --time at --cluster customer --recomputed offline.parquet --key id --markdown -",
)
@click.argument("endpoint", required=False)
@click.option(
    "--since", type=_INSTANT, help="Where the bad time begins; UTC. Default: that of the open alert."
)
@click.option("--until", type=_INSTANT, help="Where it ends; UTC. Default: the last matured labels.")
@click.option("--reference", type=_TABLE, help="Labelled rows of the good time; CSV or Parquet.")
@click.option("--current", type=_TABLE, help="Rows as served.")
@click.option("--recomputed", type=_TABLE, help="Features of the current rows, computed again offline.")
@click.option("--target", metavar="COLUMN", help="The label.")
@click.option("--score", metavar="COLUMN", help="What the model said.")
@click.option("--time", metavar="COLUMN", help="The instant of a row.")
@click.option("--key", metavar="COLUMN", help="Which row of --recomputed is which.")
@click.option("--cluster", metavar="COLUMN", help="The entity; rows of one are not independent.")
@click.option(
    "--task", type=click.Choice(["binary", "regression", "classes"]), help="Default: by the labels."
)
@click.option("--html", metavar="FILE", type=_FILE, help="Write one self-contained page ('-': stdout).")
@click.option("--list", "listed", is_flag=True, help="List the diagnoses that were made; nothing is judged.")
@click.option("--markdown", metavar="FILE", type=_FILE, help="Write Markdown ('-': stdout).")
def diagnose(door: Door, **given: object) -> None:
    """Find out why quality fell: is it real, what changed, is the pipeline broken, or did the world change?

    Ten questions in the order that excludes defects before the world is blamed; every answer with its figures, those
    that found nothing too. Of an endpoint the ledger, the log and the feature views are asked; of two tables nothing
    else is needed, and no project. No language model, no network. Exits with 1 where a cause was found.
    """
    asked = Asked(**given)  # type: ignore[arg-type]  # click made each of them what it is
    if asked.listed:
        platform = door.platform
        endpoint = platform.parts.endpoint(asked.endpoint).name if asked.endpoint else None
        door.show(platform.diagnosing.diagnoses(endpoint), _list)
        return
    for file in (asked.html, asked.markdown):
        if file is not None:
            require_place(file)
    found = _of_tables(door, asked) if asked.of_tables else _of_endpoint(door, asked)
    _write(door, asked, found)
    door.finish(well=found.verdict.name == "NO_EVIDENCE")


def _list(kept: "Sequence[Kept]") -> RenderableType:
    rows = [
        (
            each.at,
            each.endpoint,
            each.diagnosis.verdict.value,
            each.diagnosis.sureness.value,
            each.diagnosis.summary,
        )
        for each in kept
    ]
    return table(["made", "endpoint", "verdict", "sureness", "what"], rows, empty="no diagnosis was made yet")


def _of_endpoint(door: Door, asked: Asked) -> "Diagnosis":
    platform = door.platform
    known = [each.name for each in platform.parts.settings.endpoints]
    endpoint = asked.endpoint or (known[0] if len(known) == 1 else None)
    if endpoint is None:
        raise UsageError(
            f"name one of the endpoints {', '.join(known)}" if known else "this project has no endpoint",
            next_command=f"mlwright diagnose {known[0]}" if known else _TABLES,
        )
    with _steps(door) as progress:
        return platform.diagnosing.diagnose(
            endpoint, since=_utc(asked.since), until=_utc(asked.until), progress=progress
        ).diagnosis


def _of_tables(door: Door, asked: Asked) -> "Diagnosis":
    needed = ("reference", "current", "target", "score")
    missing = [f"--{name}" for name in needed if getattr(asked, name) is None]
    if missing or asked.endpoint is not None:
        what = f"{', '.join(missing)} missing" if missing else "either an endpoint or two tables, not both"
        raise UsageError(f"two tables are compared by their label and score: {what}", next_command=_TABLES)
    from mlwright.wiring.diagnosing import diagnose_files  # 0.5 s of data frames

    assert asked.reference is not None
    assert asked.current is not None
    with _steps(door) as progress:
        return diagnose_files(
            asked.reference,
            asked.current,
            asked.recomputed,
            progress=progress,
            target=asked.target,
            score=asked.score,
            time=asked.time,
            key=asked.key,
            cluster=asked.cluster,
            task=asked.task,
        )


def _write(door: Door, asked: Asked, found: "Diagnosis") -> None:
    files = {form: path for path, form in ((asked.html, "html"), (asked.markdown, "markdown")) if path}
    for form, path in files.items():
        put(path, _report(found, form))
        if str(path) != STDOUT:
            stderr().print(f"wrote {path}")
    if STDOUT not in map(str, files.values()):
        from mlwright.doors.reports.diagnosis.terminal import diagnosis_screen

        door.show(found, diagnosis_screen)


def _report(found: "Diagnosis", form: str) -> str:
    from mlwright.doors.reports.diagnosis.html import diagnosis_html  # jinja2
    from mlwright.doors.reports.diagnosis.markdown import diagnosis_markdown

    return diagnosis_html(found) if form == "html" else diagnosis_markdown(found)


@contextmanager
def _steps(door: Door) -> Iterator[Callable[[str, int, int], None] | None]:
    """Each link of the chain as it is asked, where somebody watches."""
    if door.as_json or not stderr().is_terminal:
        yield None
        return
    with stderr().status("S0 …") as status:
        yield lambda link, number, of: status.update(f"{link} ({number} of {of}) …")


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None else None
