"""``retrain`` and ``tick``: the way back, and one turn of the loop."""

from collections.abc import Mapping, Sequence
from functools import partial

import click
from rich.console import Group, RenderableType

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import pairs, table
from mlwright.model.ledger import Decision
from mlwright.platform.facade import Tick


@command(
    "retrain", example='mlwright retrain churn --reason "new price list"\nmlwright retrain churn --if-due'
)
@click.argument("endpoint")
@click.option("--reason", default="asked for by hand", show_default=True, help="Why; it is written down.")
@click.option("--if-due", is_flag=True, help="Only where a trigger asks for it and nothing forbids it now.")
def retrain(door: Door, endpoint: str, reason: str, if_due: bool) -> None:
    """Train a candidate on each window and let the gate compare them with the champion.

    The winner starts a rollout; where nobody wins, the champion stays.
    """
    retraining = door.platform.retraining
    with door.working("training candidates"):
        decision = retraining.consider(endpoint) if if_due else retraining.retrain(endpoint, reason=reason)
    door.show(decision, _decision)


@command("tick", example="mlwright tick")
def tick(door: Door) -> None:
    """Turn the loop once: watch, judge the rollout, decide about retraining, deliver alerts.

    ``mlwright up`` does this by itself; call it from your own scheduler where that does not run.
    """
    with door.working("turning the loop"):
        turns = door.platform.tick()
    bare = bool(door.platform.parts.settings.endpoints)
    door.show(turns, partial(_turns, bare=bare))


def _decision(decision: Decision | None) -> RenderableType:
    if decision is None:
        return "nothing is due, or it is held for now; next: mlwright decisions"
    about = pairs({"decision": decision.id, "at": decision.at, "outcome": decision.outcome})
    reasons = [pairs({"because": reason}) for reason in decision.reasons]
    compared = decision.evidence.get("comparisons")
    if not isinstance(compared, Sequence) or not compared:
        return Group(about, *reasons)
    rows = [each for each in compared if isinstance(each, Mapping)]
    columns = list(dict.fromkeys(key for each in rows for key in each))
    return Group(about, *reasons, table(columns, [[each.get(key) for key in columns] for each in rows]))


def _turns(turns: Sequence[Tick], *, bare: bool) -> RenderableType:
    rows = [
        (
            each.endpoint,
            len(each.watched.days),
            len(each.watched.months),
            ", ".join(f"{alert.rule} {alert.state}" for alert in each.watched.alerts),
            each.rollout and f"{each.rollout.model}/{each.rollout.challenger} {each.rollout.state}",
            each.decision and each.decision.outcome,
        )
        for each in turns
    ]
    empty = "no endpoint has a label, so there is no quality to watch" if bare else "no endpoints"
    return table(["endpoint", "days#", "months#", "alerts", "rollout", "decision"], rows, empty=empty)
