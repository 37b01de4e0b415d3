"""``rollout``: a challenger's way behind an endpoint."""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, OrList, command
from mlwright.doors.cli.show import pairs, table
from mlwright.model.rollouts import Rollout


@click.group("rollout", cls=OrList)
def rollout() -> None:
    """Start, watch and end rollouts: shadow, canary, and the verdict.

    ``mlwright up`` advances rollouts by itself. ``mlwright rollout`` is short for ``mlwright rollout list``.

    \b
    Example:
      mlwright rollout start churn churn/2
      mlwright rollout status churn
    """


@command("start", group=rollout, example="mlwright rollout start churn churn/2")
@click.argument("endpoint")
@click.argument("ref")
def start(door: Door, endpoint: str, ref: str) -> None:
    """Start to roll a version out behind an endpoint."""
    door.show(door.platform.rollouts.start(endpoint, ref), _rollout)


@command("status", group=rollout, example="mlwright rollout status churn")
@click.argument("endpoint")
def status(door: Door, endpoint: str) -> None:
    """Show the rollout that is under way, with the verdict so far."""
    door.show(door.platform.releases.status(endpoint).rollout, _maybe)


@command("advance", group=rollout, example="mlwright rollout advance churn")
@click.argument("endpoint")
def advance(door: Door, endpoint: str) -> None:
    """Judge the running rollout on what is known now, and act on the verdict."""
    with door.working("weighing the evidence"):
        after = door.platform.rollouts.advance(endpoint)
    door.show(after, _maybe)


@command("abort", group=rollout, example='mlwright rollout abort churn --reason "wrong data set"')
@click.argument("endpoint")
@click.option("--reason", default="aborted by hand", show_default=True, help="Why; it is written down.")
def abort(door: Door, endpoint: str, reason: str) -> None:
    """End the running rollout; the champion answers everything again."""
    door.show(door.platform.rollouts.abort(endpoint, reason), _rollout)


@command("list", group=rollout, example="mlwright rollout list\nmlwright rollout list --endpoint churn")
@click.option("--endpoint", help="Only this endpoint's.")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, latest first."
)
def listing(door: Door, endpoint: str | None, limit: int) -> None:
    """List rollouts, latest first."""
    door.show(door.platform.rollouts.list(endpoint, limit=limit), _rollouts)


def _maybe(one: Rollout | None) -> RenderableType:
    return _rollout(one) if one else "no rollout is under way; next: mlwright rollout list"


def _rollout(one: Rollout) -> RenderableType:
    about = pairs(
        {
            "rollout": one.id,
            "endpoint": one.endpoint,
            "challenger": f"{one.model}/{one.challenger}",
            "champion": f"{one.model}/{one.champion}",
            "state": one.state.value,
            "step": _step(one),
            "started": one.started,
            "ended": one.ended,
            "verdict": one.last and one.last.verdict.value,
            "because": one.last and one.last.reason,
        }
    )
    if one.last is None or not one.last.guardrails:
        return about
    rows = [
        (
            each.name,
            each.verdict.value,
            each.n,
            each.estimate,
            each.lower,
            each.upper,
            each.limit,
            each.e_value,
        )
        for each in one.last.guardrails
    ]
    columns = ["guardrail", "says", "n#", "difference#", "lower#", "upper#", "limit#", "e-value#"]
    return Group(about, table(columns, rows))


def _rollouts(found: Sequence[Rollout]) -> RenderableType:
    rows = [
        (
            each.id,
            each.endpoint,
            f"{each.model}/{each.challenger}",
            f"{each.model}/{each.champion}",
            each.state.value,
            _step(each),
            each.started,
            each.ended,
            each.last.reason if each.last else "",
        )
        for each in found
    ]
    columns = [
        "rollout",
        "endpoint",
        "challenger",
        "champion",
        "state",
        "step",
        "started",
        "ended",
        "because",
    ]
    return table(columns, rows, empty="no rollout yet; next: mlwright rollout start ENDPOINT REF")


def _step(one: Rollout) -> str:
    steps = one.plan.steps
    return f"{steps[one.step].name} ({one.step + 1} of {len(steps)})" if one.step < len(steps) else ""
