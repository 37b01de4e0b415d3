"""``assess``: look at any repository and say what to do first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.commands.fixing import fix
from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.files import put
from mlwright.doors.cli.show import table
from mlwright.doors.reports.html import html
from mlwright.doors.reports.progress import progress_bar
from mlwright.doors.reports.sarif import sarif
from mlwright.doors.reports.terminal import details, finding_in_full, first_screen, rubric
from mlwright.doors.reports.words import topic
from mlwright.engineer.baseline import write_baseline
from mlwright.engineer.pauses import without_collector
from mlwright.engineer.probe import Probe
from mlwright.engineer.progress import Progress
from mlwright.engineer.rubrics.catalogue import RUBRICS
from mlwright.engineer.standing import Standing, against_baseline, against_revision, judge, take_stock
from mlwright.errors import NotFound, UsageError
from mlwright.model.assessment import Assessment
from mlwright.model.contracts import Severity

_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked on the command line."""

    path: Path
    mlflow: str | None
    details: bool
    rubric: str | None
    explain: str | None
    only: tuple[str, ...]
    topics: tuple[str, ...]
    html: Path | None
    sarif: Path | None
    baseline: Path | None
    write_baseline: Path | None
    changed_since: str | None
    fail_under: float | None
    fail_on: str | None
    fixes: tuple[str, ...]
    yes: bool
    dry_run: bool

    @property
    def gate(self) -> Severity | None:
        """What fails the gate; with something to compare with, new errors do unless another thing was asked for."""
        compared = self.baseline is not None or self.changed_since is not None
        implied = Severity.ERROR if compared and self.fail_under is None else None
        return Severity(self.fail_on) if self.fail_on else implied

    @property
    def dash(self) -> bool:
        """Whether a file goes to stdout, in place of the report for people."""
        return any(each is not None and str(each) == "-" for each in (self.html, self.sarif))


@command(
    "assess",
    example="mlwright assess\n"
    "mlwright assess ../churn --html report.html\n"
    "mlwright assess --explain data.contract\n"
    "mlwright assess --changed-since main --fail-on warning --sarif report.sarif\n"
    "mlwright assess --fix seed,gitignore",
)
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--mlflow", metavar="URI", help="Ask this MLflow server what runs.")
@click.option("--details", is_flag=True, help="Show every finding and every rubric.")
@click.option("--rubric", metavar="NAME", help="Show one rubric in full.")
@click.option("--explain", metavar="PROBE", help="Show one question, why it matters, and its answer here.")
@click.option("--list", "listed", is_flag=True, help="List the questions; nothing is assessed.")
@click.option("--only", metavar="PROBE", multiple=True, help="Only this finding; may be repeated.")
@click.option("--topic", "topics", metavar="TOPIC", multiple=True, help="Only this topic; may be repeated.")
@click.option("--html", metavar="FILE", type=_FILE, help="Write one self-contained page ('-': stdout).")
@click.option("--sarif", metavar="FILE", type=_FILE, help="Write SARIF 2.1.0 ('-': stdout).")
@click.option("--baseline", metavar="FILE", type=click.Path(path_type=Path), help="Gate on what is new.")
@click.option("--write-baseline", metavar="FILE", type=click.Path(path_type=Path), help="Keep what is known.")
@click.option("--changed-since", metavar="REV", help="Gate on what changed since a git revision.")
@click.option("--fail-under", metavar="N", type=click.FloatRange(0, 100), help="Least readiness shown.")
@click.option("--fail-on", type=click.Choice([str(each) for each in Severity]), help="Least grave problem.")
@click.option(
    "--fix",
    "fixes",
    metavar="[ID,…]",
    multiple=True,
    is_flag=False,
    flag_value="",
    help="Mend what a machine can: show the diff, ask, write. 'lock' asks the package index for versions.",
)
@click.option("--yes", is_flag=True, help="With --fix: write without asking.")
@click.option("--dry-run", is_flag=True, help="With --fix: show the whole diff, write nothing.")
def assess(door: Door, listed: bool, **given: object) -> None:
    """Look at a repository and say what a senior MLOps engineer would; nothing in it is run, and nothing is sent.

    Exits with 1 where a gate says no: --fail-under and --fail-on, on new problems only with --baseline or
    --changed-since (which alone mean --fail-on error).
    """
    if listed:
        door.show(tuple(map(_line, door.engineer.probes.values())), _list)
        return
    asked = Asked(**given)  # type: ignore[arg-type]  # click made each of them what it is
    _refuse_nonsense(asked, as_json=door.as_json)
    if asked.fixes:
        fix(door, asked.path, asked.fixes, yes=asked.yes, dry_run=asked.dry_run)
        return
    _refuse_unknown(asked, list(door.engineer.probes))
    standing = _stand(door, asked)
    _write(door, asked, standing)
    if not asked.dash:
        door.show(standing.assessment, lambda _: _view(door, asked, standing))
    for fault in standing.faults if door.as_json or asked.dash else ():
        click.echo(f"warning: {fault}", err=True)
    verdict = judge(standing, fail_under=asked.fail_under, fail_on=asked.gate)
    for refusal in verdict.refusals:
        click.echo(f"gate: {refusal}", err=True)
    door.finish(well=verdict.passes)


def _refuse_nonsense(asked: Asked, *, as_json: bool) -> None:
    if (asked.yes or asked.dry_run) and not asked.fixes:
        raise UsageError(
            "--yes and --dry-run are for --fix", next_command=f"mlwright assess {asked.path} --fix --dry-run"
        )
    reports = (
        asked.html,
        asked.sarif,
        asked.baseline,
        asked.write_baseline,
        asked.changed_since,
        asked.mlflow,
    )
    gates = (asked.fail_under, asked.fail_on, asked.rubric, asked.explain)
    if asked.fixes and (any(each is not None for each in (*reports, *gates)) or asked.only or asked.topics):
        raise UsageError(
            "--fix mends and reports nothing else", next_command=f"mlwright assess {asked.path} --fix"
        )
    to_stdout = [*([asked.html] if asked.html else []), *([asked.sarif] if asked.sarif else [])]
    if sum(str(each) == "-" for each in to_stdout) + as_json > 1:
        raise UsageError(
            "only one document can go to stdout", next_command="mlwright assess --sarif report.sarif"
        )
    if asked.write_baseline is not None and (asked.only or asked.topics):
        raise UsageError(
            "a baseline keeps all that is known, not a choice of it",
            next_command=f"mlwright assess {asked.path} --write-baseline {asked.write_baseline}",
        )


def _refuse_unknown(asked: Asked, probes: Sequence[str]) -> None:
    """Names that were mistyped cost no reading of the repository."""
    for kind, given, known in (
        ("probe", (*asked.only, *([asked.explain] if asked.explain else [])), probes),
        ("topic", asked.topics, sorted({topic(each) for each in probes})),
        ("rubric", (asked.rubric,) if asked.rubric else (), [each.id for each in RUBRICS]),
    ):
        for word in given:
            if word not in known:
                raise NotFound.named(kind, word, known, "mlwright assess --list")


def _stand(door: Door, asked: Asked) -> Standing:
    """Assess, narrow to what was asked for, and compare."""
    engineer = door.engineer
    with progress_bar() as progress:
        found = _narrowed(_look(door, asked, asked.path, progress), asked, list(engineer.probes))
        today = engineer.engines.clock.now().date()
        standing = take_stock(found, asked.path, probes=list(engineer.probes), today=today)
        if asked.baseline is not None:
            standing = against_baseline(standing, asked.baseline)
        if asked.changed_since is not None:
            standing = against_revision(
                standing, asked.path, asked.changed_since, lambda before: _look(door, asked, before, progress)
            )
    return standing


def _look(door: Door, asked: Asked, path: Path, progress: Progress) -> Assessment:
    with without_collector(for_good=True):
        assessment, _ = door.engineer.assess(path, mlflow=asked.mlflow, progress=progress)
    return assessment


def _narrowed(assessment: Assessment, asked: Asked, probes: Sequence[str]) -> Assessment:
    """The findings that were asked for; scores stay those of the whole."""
    if not asked.only and not asked.topics:
        return assessment
    chosen = {id for id in probes if id in asked.only or topic(id) in asked.topics}
    return replace(
        assessment,
        findings=tuple(each for each in assessment.findings if each.id in chosen),
        recommendations=tuple(each for each in assessment.recommendations if each.finding in chosen),
    )


def _write(door: Door, asked: Asked, standing: Standing) -> None:
    probes = door.engineer.probes
    for file, draw in ((asked.html, html), (asked.sarif, sarif)):
        if file is not None:
            put(file, draw(standing, probes))
    if asked.write_baseline is not None:
        count = write_baseline(asked.write_baseline, standing.problems)
        click.echo(f"{asked.write_baseline}: {count} known problems", err=True)


def _view(door: Door, asked: Asked, standing: Standing) -> RenderableType:
    report = standing.assessment
    if asked.explain is not None:
        probe = door.engineer.probe(asked.explain)
        finding = next((each for each in report.findings if each.id == probe.id), None)
        if finding is None:
            return Text(f"{probe.id} is not among what was asked for")
        return finding_in_full(finding, standing, why=probe.why, source=probe.source)
    if asked.rubric is not None:
        return Group(*(rubric(each) for each in report.rubrics if each.id == asked.rubric))
    screen = first_screen(standing, str(asked.path))
    return Group(screen, details(standing)) if asked.details or asked.only or asked.topics else screen


def _line(probe: Probe) -> dict[str, str]:
    said = {"id": probe.id, "title": probe.title, "severity": str(probe.severity), "when": str(probe.when)}
    return {**said, "effort": str(probe.effort), "why": probe.why, "source": probe.source}


def _list(probes: Sequence[dict[str, str]]) -> RenderableType:
    names = ("id", "severity", "when", "title")
    return table(names, [[each[name] for name in names] for each in probes])
