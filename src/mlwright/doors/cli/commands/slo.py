"""``slo``: what is promised of endpoints, what is kept, and how much failing is left."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import table
from mlwright.model.slos import ObjectiveStatus

_BAR: Final = 20
_SHORT: Final = timedelta(hours=1)
_LONG: Final = timedelta(days=1)


@command("slo", example="mlwright slo\nmlwright slo churn --json")
@click.argument("endpoint", required=False)
@click.option(
    "--update", is_flag=True, help="First count what happened since the last look; so does mlwright up."
)
def slo(door: Door, endpoint: str | None, update: bool) -> None:
    """Show the objectives of an endpoint, or of all: kept or not, and how much of the error budget is left."""
    platform = door.platform
    if update:
        chosen = [endpoint] if endpoint else [each.name for each in platform.parts.settings.endpoints]
        for name in chosen:
            platform.objectives.look(name)
    door.show(platform.objectives.status(endpoint), _shown)


def _shown(found: Sequence[ObjectiveStatus]) -> RenderableType:
    rows = [
        (
            str(each.objective.endpoint),
            each.objective.kind.value,
            _percent(each.objective.target),
            _percent(each.tally.share),
            int(each.tally.total),
            _bar(each.budget_left),
            _burn(each, _SHORT),
            _burn(each, _LONG),
            _left(each),
            each.level.value if each.level else None,
        )
        for each in found
    ]
    columns = [
        "endpoint", "objective", "promised#", "kept#", "events#", "budget left", "burn 1h#", "burn 1d#",
        "lasts", "alert",
    ]  # fmt: skip
    empty = "no endpoint promises anything; next: mlwright endpoints"
    lines = [
        Text(f"{each.objective.endpoint}: {each.objective.promise}. {each.words}", style="dim")
        for each in found
    ]
    return Group(table(columns, rows, empty=empty), *lines)


def _bar(left: float | None) -> Text:
    """The part of the budget that is left, as a bar and in percent."""
    if left is None:
        return Text("–", style="dim")
    full = round(min(max(left, 0.0), 1.0) * _BAR)
    style = "red" if left <= 0 else "yellow" if left < 0.25 else "green"
    said = f"{left:.0%}" if left > -1 else f"spent {1 - left:,.0f} times"
    return Text(f"{'█' * full}{'░' * (_BAR - full)} {said}", style=style)


def _burn(status: ObjectiveStatus, span: timedelta) -> str | None:
    rate = next((burn.rate for burn in status.burns if burn.span == span), None)
    return None if rate is None else f"{rate:.3g}×"


def _left(status: ObjectiveStatus) -> str | None:
    if status.budget_left is None:
        return None
    if status.exhausted_in is None:
        return "all of the window"
    hours = status.exhausted_in / timedelta(hours=1)
    if hours <= 0:
        return "used up"
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share * 100:.6g} %"
