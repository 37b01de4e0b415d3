"""A lineage as indented lines."""

from dataclasses import dataclass
from urllib.parse import quote

from mlwright.model.ledger import Node, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of a lineage: how far from the subject, by which relation, what."""

    depth: int
    relation: str
    node: Node
    href: str | None


def branches(trace: Trace) -> tuple[tuple[Branch, ...], tuple[Branch, ...]]:
    """Causes and effects of a thing; what is reached twice is opened where it comes first."""
    causes = _lines(trace.node, [(each.effect, each.relation, each.cause) for each in trace.causes])
    effects = _lines(trace.node, [(each.cause, each.relation, each.effect) for each in trace.effects])
    return causes, effects


def _lines(root: Node, edges: list[tuple[Node, str, Node]]) -> tuple[Branch, ...]:
    near: dict[Node, list[tuple[str, Node]]] = {}
    for start, relation, end in edges:
        near.setdefault(start, []).append((relation, end))
    opened = {root}
    lines: list[Branch] = []
    waiting = [(0, relation, end) for relation, end in reversed(near.get(root, []))]
    while waiting:
        depth, relation, node = waiting.pop()
        lines.append(Branch(depth=depth, relation=relation, node=node, href=href_of(node)))
        if node not in opened:
            opened.add(node)
            waiting += [(depth + 1, further, end) for further, end in reversed(near.get(node, []))]
    return tuple(lines)


def href_of(node: Node) -> str | None:
    """The page of a thing; None where it has none."""
    places = {"run": "/runs/", "model": "/models/", "logged-model": "/logged-models/"}
    place = places.get(node.kind)
    return None if place is None else place + quote(node.id, safe="/")
