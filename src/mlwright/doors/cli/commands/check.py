"""``check`` and ``features``: data before anything learns from it."""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, table
from mlwright.model.contracts import ContractReport, RuleResult


@command("check", example="mlwright check\nmlwright check renewals --json")
@click.argument("dataset", required=False)
def check(door: Door, dataset: str | None) -> None:
    """Check one data set or all against their contracts.

    Exits with 1 where a rule of severity error is broken.
    """
    with door.working("reading and checking"):
        reports = door.platform.data.check(dataset)
    door.show(reports, _reports)
    door.finish(well=all(report.passed for report in reports))


@command("features", example="mlwright features\nmlwright features usage_lately")
@click.argument("view", required=False)
def features(door: Door, view: str | None) -> None:
    """Write one feature view or all to the online store, where endpoints look them up."""
    with door.working("writing feature views"):
        written = door.platform.data.materialize(view)
    door.show(written, _written)


def _reports(reports: Sequence[ContractReport]) -> RenderableType:
    return Group(*(_report(report) for report in reports))


def _report(report: ContractReport) -> RenderableType:
    said = "keeps its contract" if report.passed else "breaks its contract"
    title = (
        f"{report.dataset} {said} ({report.contract}): {report.rows:,} rows, {report.admitted:,} admitted, "
        f"{len(report.results)} rules"
    )
    rows = [
        (
            _state(each),
            each.rule.id,
            ", ".join(each.rule.columns),
            each.failing_rows,
            each.detail,
            _done(each),
        )
        for each in report.broken
    ]
    columns = ["", "rule", "columns", "rows#", "found", "done"]
    drawn = table(columns, rows, title=title, empty="every rule holds")
    unknown = pairs(dict.fromkeys(report.not_measured, "not measured"))
    return Group(drawn, unknown) if report.not_measured else drawn


def _state(result: RuleResult) -> str:
    return "ok" if result.remedied else "broken" if result.rule.severity == "error" else "warning"


def _done(result: RuleResult) -> str:
    return f"{result.dropped:,} rows dropped" if result.dropped else result.rule.remedy or "kept as they are"


def _written(written: dict[str, int]) -> RenderableType:
    return table(["feature view", "rows#"], written.items(), empty="mlwright.toml has no feature view")
