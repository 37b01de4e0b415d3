"""Alerting rules of Prometheus, of PrometheusRule objects and of Grafana's provisioning."""

from collections.abc import Iterator, Sequence

from mlwright.engineer.facts.configuration import AlertRule, Document, DocumentKind, KubernetesObject, Plain


def alerts_of(documents: Sequence[Document], objects: Sequence[KubernetesObject]) -> tuple[AlertRule, ...]:
    """Every alerting rule, in order of path and line; recording rules are none."""
    found: list[AlertRule] = []
    for document in documents:
        if document.kind is DocumentKind.PROMETHEUS:
            found += _rules(document, ()) if isinstance(document.data, dict) else _listed(document, ())
        elif document.kind is DocumentKind.GRAFANA:
            found += _rules(document, ())
    for one in objects:
        if one.kind == "PrometheusRule":
            found += _rules(one.document, ("spec",))
    return tuple(sorted(found, key=lambda each: (each.at.path, each.at.line or 0, each.name)))


def _rules(document: Document, above: tuple[str | int, ...]) -> Iterator[AlertRule]:
    groups = document.get(*above, "groups")
    for position in range(len(groups) if isinstance(groups, list) else 0):
        yield from _listed(document, (*above, "groups", position, "rules"))


def _listed(document: Document, keys: tuple[str | int, ...]) -> Iterator[AlertRule]:
    rules = document.get(*keys)
    for position, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        name = rule.get("alert") if "alert" in rule else rule.get("title") if "data" in rule else None
        if isinstance(name, str):
            yield AlertRule(
                name=name,
                expression=_expression(rule),
                labels=_texts(rule.get("labels")),
                annotations=_texts(rule.get("annotations")),
                at=document.at(*keys, position, "alert" if "alert" in rule else "title"),
            )


def _expression(rule: dict[str, Plain]) -> str:
    """The query: ``expr``, or those of Grafana's models joined."""
    if "expr" in rule:
        return str(rule["expr"])
    data = rule.get("data")
    models = [each.get("model") for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    return "; ".join(
        str(each.get("expr") or each.get("expression") or "")
        for each in models
        if isinstance(each, dict) and (each.get("expr") or each.get("expression"))
    )


def _texts(value: Plain) -> dict[str, str]:
    return {str(key): str(each) for key, each in sorted(value.items())} if isinstance(value, dict) else {}
