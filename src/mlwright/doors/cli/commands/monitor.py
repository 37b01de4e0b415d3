"""``monitor``: realised quality and drift."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.jointly import jointly
from mlwright.doors.cli.parted import parted
from mlwright.doors.cli.quality import Monitored, monitored, write_rows
from mlwright.doors.cli.served_data import served_data
from mlwright.doors.cli.show import table
from mlwright.errors import UsageError
from mlwright.model.checking import DataQuality
from mlwright.model.joint_drift import JointDrift
from mlwright.model.monitoring import DriftReport, Performance
from mlwright.model.part_drift import DriftByPart
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.model.windows import Window

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


@command(
    "monitor",
    example="mlwright monitor churn --by month\nmlwright monitor churn --slices --drift\n"
    "mlwright monitor churn --from 2025-04-01 --to 2025-05-01\n"
    "mlwright monitor churn --drift --joint --from 2025-04-01 --to 2025-04-08\n"
    "mlwright monitor churn --by month --export quality.csv",
)
@click.argument("endpoint")
@click.option(
    "--by", type=click.Choice(["day", "month"]), default="day", show_default=True, help="Kept windows."
)
@click.option(
    "--slices",
    is_flag=True,
    help="Slices and variants of the latest window, too; with --drift also what moved in which.",
)
@click.option("--drift", is_flag=True, help="Drift in the latest window, too: of each feature, and jointly.")
@click.option(
    "--joint",
    is_flag=True,
    help="With --drift: compare all features together now, over the window or a week.",
)
@click.option("--data", is_flag=True, help="Contract, freshness, volume and skew of what was served, too.")
@click.option("--update", is_flag=True, help="First evaluate the days whose labels have matured.")
@click.option("--from", "start", type=_DAY, help="Evaluate one window of your own instead; UTC.")
@click.option("--to", "end", type=_DAY, help="The instant after the last of that window; UTC.")
@click.option(
    "--export",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a row for each metric of each window to a .csv or .parquet file.",
)
def monitor(
    door: Door,
    endpoint: str,
    by: Literal["day", "month"],
    slices: bool,
    drift: bool,
    joint: bool,
    data: bool,
    update: bool,
    start: datetime | None,
    end: datetime | None,
    target: Path | None,
) -> None:
    """Show an endpoint's realised quality over time, on labels that have matured.

    Days whose labels are not due yet are shown as young and judged by nobody. Expected values are estimates without
    labels. Drift and data quality wait for no label, and an endpoint without one has them too.
    """
    if joint and not drift:
        raise UsageError(
            "--joint goes with --drift", next_command=f"mlwright monitor {endpoint} --drift --joint"
        )
    settings = door.platform.parts.endpoint(endpoint)
    if update:
        door.platform.drifting.look(endpoint)
        if settings.label is not None:
            door.platform.watch.watch(endpoint)
        door.platform.shifting.look(endpoint)
    window = _window(start, end)
    if settings.label is None and (drift or data) and target is None:
        quality = Monitored(performance=(), metric=None)
    else:
        quality = _quality(door, settings, window, by, slices=slices, target=target)
    door.show(
        replace(
            quality,
            drift=_moved(door, endpoint, window) if drift else (),
            drift_by_part=_parted(door, endpoint, window) if drift and slices else None,
            joint=_jointly(door, endpoint, window, now=joint) if drift else None,
            data=_served(door, endpoint, window) if data else None,
        ),
        lambda found: _monitored(found, endpoint, parts=drift and slices),
    )


def _quality(
    door: Door,
    settings: EndpointSettings,
    window: Window | None,
    by: Literal["day", "month"],
    *,
    slices: bool,
    target: Path | None,
) -> Monitored:
    """What is known of an endpoint's quality, written to a file too where one is named.

    Raises:
        UsageError: nothing is known of an endpoint without a label; or the file cannot be written.
    """
    _require_label(settings)
    watch = door.platform.watch
    endpoint = settings.name
    measured = (watch.window(endpoint, window),) if window else watch.performance(endpoint, by)
    parts: tuple[Performance, ...] = ()
    if slices or target is not None:
        parts = watch.slices(endpoint, by, window)
    if target is not None:
        write_rows((*measured, *parts), target)
    young = () if window else watch.young(endpoint)
    unripe = bool(young) or (window is not None and not measured[0].matured)
    verdict = None if window else watch.verdict(endpoint)
    return Monitored(
        performance=measured,
        young=young,
        slices=_latest(parts) if slices else (),
        maturity=watch.maturity(endpoint) if unripe else None,
        verdict=verdict.summary if verdict else None,
        metric=settings.monitor.metric,
    )


def _moved(door: Door, endpoint: str, window: Window | None) -> tuple[DriftReport, ...]:
    drifting = door.platform.drifting
    if window is None:
        return drifting.drift(endpoint)
    report = drifting.between(endpoint, window)
    return (report,) if report is not None else ()


def _parted(door: Door, endpoint: str, window: Window | None) -> DriftByPart | None:
    return door.platform.drifting.by_part(endpoint, window)


def _jointly(door: Door, endpoint: str, window: Window | None, *, now: bool) -> tuple[JointDrift, ...] | None:
    """What was kept; where somebody asks for it now, that window alone; None for a window nobody asked it of."""
    shifting = door.platform.shifting
    if now:
        return (shifting.compare(endpoint, window),)
    return shifting.kept(endpoint) if window is None else None


def _served(door: Door, endpoint: str, window: Window | None) -> DataQuality | None:
    checking = door.platform.checking
    return checking.latest(endpoint) if window is None else checking.measure(endpoint, window)


def _require_label(settings: EndpointSettings) -> LabelSettings:
    """Without one there is nothing to show, and what to do about it is in the error."""
    return settings.truth


def _window(start: datetime | None, end: datetime | None) -> Window | None:
    if start is None and end is None:
        return None
    if start is None or end is None or end <= start:
        raise UsageError("a window needs --from and a later --to", next_command="mlwright monitor --help")
    return Window(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC))


def _latest(parts: Sequence[Performance]) -> tuple[Performance, ...]:
    """The slices of the latest window that has any."""
    last = max((each.window.start for each in parts), default=None)
    return tuple(each for each in parts if each.window.start == last)


def _monitored(found: Monitored, endpoint: str, *, parts: bool) -> RenderableType:
    shown: list[RenderableType] = [monitored(found)]
    if found.drift:
        shown.append(_drift(found.drift[-1]))
    if parts:
        shown.append(parted(found.drift_by_part))
    if found.joint is not None:
        shown.append(jointly(found.joint, endpoint))
    if found.data is not None:
        shown.append(served_data(found.data))
    return Group(*shown)


def _drift(report: DriftReport) -> RenderableType:
    rows = [
        (
            each.column,
            each.reason if each.moved else "",
            each.n,
            each.psi,
            each.threshold,
            each.weight,
            each.js,
            each.null_rate,
            each.reference_null_rate,
            each.unseen_rate,
        )
        for each in sorted(report.features, key=lambda feature: (not feature.moved, -feature.psi))
    ]
    columns = [
        "feature",
        "moved",
        "n#",
        "PSI#",
        "limit#",
        "weight#",
        "JS#",
        "null#",
        "null before#",
        "unseen#",
    ]
    title = f"drift in {report.window} against {report.reference}: {report.weighted:.0%} moved, by importance"
    return table(columns, rows, title=title)
