"""``monitor`` and ``alerts``: realised quality, drift, and what needs somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, OrShow, command
from mlwright.doors.cli.show import pairs, table
from mlwright.errors import NotFound, UsageError
from mlwright.model.monitoring import Alert, DriftReport, Performance
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.model.windows import Window

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """What ``monitor`` shows; ``drift`` only where it was asked for."""

    performance: tuple[Performance, ...]
    drift: tuple[DriftReport, ...] = ()


@command(
    "monitor",
    example="mlwright monitor churn --by month\nmlwright monitor churn --drift\n"
    "mlwright monitor churn --from 2025-04-01 --to 2025-05-01",
)
@click.argument("endpoint")
@click.option(
    "--by", type=click.Choice(["day", "month"]), default="day", show_default=True, help="Kept windows."
)
@click.option("--drift", is_flag=True, help="Drift of each feature in the latest window, too.")
@click.option("--update", is_flag=True, help="First evaluate the days whose labels have matured.")
@click.option("--from", "start", type=_DAY, help="Evaluate one window of your own instead; UTC.")
@click.option("--to", "end", type=_DAY, help="The instant after the last of that window; UTC.")
def monitor(
    door: Door,
    endpoint: str,
    by: Literal["day", "month"],
    drift: bool,
    update: bool,
    start: datetime | None,
    end: datetime | None,
) -> None:
    """Show an endpoint's realised quality over time, on labels that have matured."""
    watch = door.platform.watch
    _require_label(door.platform.parts.endpoint(endpoint))
    if update:
        watch.watch(endpoint)
    window = _window(start, end)
    measured = (watch.window(endpoint, window),) if window else watch.performance(endpoint, by)
    door.show(
        Monitored(performance=measured, drift=door.platform.drifting.drift(endpoint) if drift else ()),
        _monitored,
    )


@click.group("alerts", cls=OrShow)
def alerts() -> None:
    """List alerts, look at one, acknowledge one.

    ``mlwright alerts`` and ``mlwright alerts ID`` are short for ``mlwright alerts show``.
    """


@command("show", group=alerts, example="mlwright alerts\nmlwright alerts --endpoint churn --json")
@click.argument("alert", required=False)
@click.option("--endpoint", help="Only this endpoint's.")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, latest first."
)
def show(door: Door, alert: str | None, endpoint: str | None, limit: int) -> None:
    """List alerts, latest first, or look at one."""
    alerting = door.platform.alerting
    if alert is not None:
        door.show(_find(alerting.alerts(endpoint, limit=1_000_000), alert), _alert)
    else:
        door.show(alerting.alerts(endpoint, limit=limit), _alerts)


@command("ack", group=alerts, example="mlwright alerts ack ALERT --by ada")
@click.argument("alert")
@click.option("--by", "who", required=True, help="Who looks after it.")
def ack(door: Door, alert: str, who: str) -> None:
    """Say that somebody looks after an alert."""
    door.show(door.platform.alerting.acknowledge(alert, who), _alert)


def _require_label(settings: EndpointSettings) -> LabelSettings:
    """Without one there is nothing to show, and what to do about it is in the error."""
    return settings.truth


def _window(start: datetime | None, end: datetime | None) -> Window | None:
    if start is None and end is None:
        return None
    if start is None or end is None or end <= start:
        raise UsageError("a window needs --from and a later --to", next_command="mlwright monitor --help")
    return Window(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC))


def _find(found: Sequence[Alert], wanted: str) -> Alert:
    for each in found:
        if each.id == wanted:
            return each
    raise NotFound.named("alert", wanted, [each.id for each in found], "mlwright alerts")


def _monitored(found: Monitored) -> RenderableType:
    rows = [
        (
            each.window.start,
            each.window.end,
            each.predictions,
            each.labelled,
            each.positive_rate,
            each.mean_score,
            each.auc,
            each.brier,
            each.calibration_error,
            ", ".join(each.versions),
        )
        for each in found.performance
    ]
    columns = [
        "from",
        "to",
        "predictions#",
        "labelled#",
        "positive#",
        "score#",
        "AUC",
        "Brier",
        "calibration#",
        "by",
    ]
    empty = "no window has matured yet; next: mlwright monitor ENDPOINT --update"
    shown = table(columns, rows, empty=empty)
    return Group(shown, _drift(found.drift[-1])) if found.drift else shown


def _drift(report: DriftReport) -> RenderableType:
    rows = [
        (each.column, each.n, each.psi, each.js, each.null_rate, each.reference_null_rate, each.unseen_rate)
        for each in sorted(report.features, key=lambda feature: -feature.psi)
    ]
    columns = ["feature", "n#", "PSI#", "JS#", "null#", "null before#", "unseen#"]
    return table(columns, rows, title=f"drift in {report.window} against {report.reference}")


def _alerts(found: Sequence[Alert]) -> RenderableType:
    rows = [
        (each.id, each.state.value, each.level.value, each.endpoint, each.fired, each.resolved, each.summary)
        for each in found
    ]
    return table(
        ["alert", "state", "level", "endpoint", "fired", "resolved", "what"], rows, empty="no alerts"
    )


def _alert(one: Alert) -> RenderableType:
    about: Mapping[str, object] = {
        "alert": one.id,
        "rule": one.rule,
        "endpoint": one.endpoint,
        "state": one.state.value,
        "level": one.level.value,
        "fired": one.fired,
        "resolved": one.resolved,
        "looked after by": one.acknowledged_by,
        "what": one.summary,
        "next": one.next_command,
    }
    rows = [(key, str(value)) for key, value in one.evidence.items()]
    return Group(pairs(about), table(["evidence", "value"], rows)) if rows else pairs(about)
