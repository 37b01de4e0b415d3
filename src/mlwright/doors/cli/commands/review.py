"""``review``: the second pair of eyes on files that deploy a model."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.files import put
from mlwright.doors.reports.progress import progress_bar
from mlwright.doors.reports.sarif import sarif
from mlwright.doors.reports.terminal import details, rubric
from mlwright.doors.reports.words import clean, interval, many, number, places
from mlwright.engineer.standing import Standing, judge, take_stock
from mlwright.model.contracts import Severity
from mlwright.model.findings import Finding, Outcome

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_SHOWN = 12


@command("review", example="mlwright review deploy/\nmlwright review Dockerfile --fail-on warning")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--details", "in_full", is_flag=True, help="Show every finding.")
@click.option(
    "--sarif",
    "sarif_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write SARIF 2.1.0.",
)
@click.option(
    "--fail-on",
    type=click.Choice([str(each) for each in Severity]),
    default=str(Severity.ERROR),
    show_default=True,
    help="Least grave problem that fails the review.",
)
def review(door: Door, path: Path, in_full: bool, sarif_file: Path | None, fail_on: str) -> None:
    """Look over files that deploy a model: security, observability, maintainability, disaster recovery, cost.

    Takes a folder or one file. Exits with 1 where something of the given severity does not hold.
    """
    engineer = door.engineer
    with progress_bar() as progress:
        report, _ = engineer.review(path, progress=progress)
    root = path.parent if path.is_file() else path
    today = engineer.engines.clock.now().date()
    standing = take_stock(report, root, probes=list(engineer.probes), today=today)
    if sarif_file is not None:
        put(sarif_file, sarif(standing, engineer.probes))
    door.show(report, lambda _: Group(*(_in_full(standing) if in_full else _screen(standing))))
    door.finish(well=judge(standing, fail_on=Severity(fail_on)).passes)


def _in_full(standing: Standing) -> Iterator[RenderableType]:
    yield from (rubric(each) for each in standing.assessment.rubrics)
    yield details(standing)


def _screen(standing: Standing) -> Iterator[RenderableType]:
    report = standing.assessment
    files = many(report.files, "file")
    yield Text(f"{files}, read as what deploys a model", style="bold")
    for section in (each for view in report.rubrics for each in view.sections):
        said = (
            "does not apply"
            if section.points is None
            else f"{interval(section.points)} of {number(section.out_of)}"
        )
        yield Text(f"  {section.title:18} {said}")
    open_ = [each.id for each in report.findings if each.outcome is Outcome.NOT_AVAILABLE]
    if open_:
        yield Text(f"  not to be seen in these files: {', '.join(open_)}", style="dim")
    wrong = [each for each in report.findings if each.outcome is Outcome.FALSE]
    wrong.sort(key=lambda each: (list(_STYLES).index(each.severity), not each.locations, each.id))
    yield Text(f"\n{many(len(wrong), 'problem')}" if wrong else "\nNothing wrong was found.", style="bold")
    for each in wrong[:_SHOWN]:
        yield _problem(each)
    if len(wrong) > _SHOWN:
        yield Text(f"and {len(wrong) - _SHOWN} more: --details", style="dim")


def _problem(finding: Finding) -> Text:
    where = f"  {places(finding.locations, 2)}" if finding.locations else ""
    text = Text(f"✗ {finding.severity} ", style=_STYLES[finding.severity])
    text.append(f"{finding.id}{where}\n", style="bold")
    text.append(f"  {clean(finding.evidence)}\n  → {finding.remedy}", style="default")
    return text
