"""``decisions``, ``trace`` and ``audit``: what happened, and why."""

from collections.abc import Callable, Sequence

import click
from rich.console import Group, RenderableType
from rich.tree import Tree

from mlwright.doors.cli.door import Door, command
from mlwright.doors.cli.show import table
from mlwright.model.ledger import AuditRow, Decision, Edge, Node, Trace

_LIMIT = click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, latest first."
)


@command("decisions", example="mlwright decisions\nmlwright decisions churn --limit 5")
@click.argument("subject", required=False)
@_LIMIT
def decisions(door: Door, subject: str | None, limit: int) -> None:
    """List what was decided, about one subject (such as an endpoint) or about all, and why."""
    door.show(door.any_platform.records.decisions(subject, limit=limit), _decisions)


@command("trace", example="mlwright trace churn/1\nmlwright trace dataset:customers")
@click.argument("subject")
def trace(door: Door, subject: str) -> None:
    """Show what a thing came from and what came from it.

    SUBJECT is kind:id, such as run:…, dataset:NAME@DIGEST, endpoint:churn, or a model version. A data set's
    name, or the first six letters of an id, are enough where only one begins so.
    """
    door.show(door.any_platform.records.trace(subject), _trace)


@command("audit", example="mlwright audit --limit 5\nmlwright audit --verify")
@_LIMIT
@click.option(
    "--verify", is_flag=True, help="Check that no row was changed or removed; exits with 1 if one was."
)
def audit(door: Door, limit: int, verify: bool) -> None:
    """List changes of state, or verify the chain that they form."""
    records = door.any_platform.records
    if not verify:
        door.show(records.audit(limit=limit), _audit)
        return
    broken = records.broken_audit_row()
    door.show({"intact": broken is None, "first_broken_row": broken}, _verified)
    door.finish(well=broken is None)


def _decisions(found: Sequence[Decision]) -> RenderableType:
    rows = [(each.at, each.kind, each.subject, each.outcome, "\n".join(each.reasons)) for each in found]
    return table(["at", "kind", "subject", "outcome", "because"], rows, empty="nothing was decided yet")


def _audit(found: Sequence[AuditRow]) -> RenderableType:
    rows = [
        (each.number, each.at, each.actor, each.action, each.subject, _details(each.details))
        for each in found
    ]
    return table(
        ["row#", "at", "actor", "action", "subject", "details"], rows, empty="nothing was changed yet"
    )


def _details(details: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in details.items())


def _verified(result: dict[str, int | None]) -> RenderableType:
    if result["intact"]:
        return "the audit chain is whole"
    return f"the audit chain is broken at row {result['first_broken_row']}; next: mlwright doctor"


def _trace(found: Trace) -> RenderableType:
    came = _tree(f"{found.node} came from", found.node, found.causes, lambda edge: (edge.effect, edge.cause))
    led = _tree(f"{found.node} led to", found.node, found.effects, lambda edge: (edge.cause, edge.effect))
    return Group(came, led)


def _tree(title: str, root: Node, edges: Sequence[Edge], ends: Callable[[Edge], tuple[Node, Node]]) -> Tree:
    """Every edge once: a thing that is reached twice is opened where it is reached first."""
    drawn = Tree(title)
    waiting = [(root, drawn)]
    opened: set[Node] = set()
    while waiting:
        node, branch = waiting.pop(0)
        if node in opened:
            continue
        opened.add(node)
        for edge in edges:
            near, far = ends(edge)
            if near == node:
                waiting.append((far, branch.add(f"{edge.relation} {_short(far)}")))
    return drawn


def _short(node: Node) -> str:
    head, digest, rest = node.id.partition("blake3:")
    return f"{node.kind}:{head}{digest}{rest[:12]}" if digest else str(node)
