"""What the tables about watching have to say together."""

from collections.abc import Iterator, Mapping
from typing import Final

from mlwright.adapters.config.reading import names, tables, texts, unknown
from mlwright.errors import Fault, near_match
from mlwright.model.metrics import METRICS, is_metric

_NEEDS: Final = {
    "webhook": ("url",),
    "alertmanager": ("url",),
    "slack": ("url",),
    "pagerduty": ("key",),
    "opsgenie": ("key",),
    "email": ("url", "to", "sender"),
}
_WORTH: Final = {
    "binary": ("true_positive", "false_positive", "true_negative", "false_negative"),
    "classes": ("right", "wrong"),
    "regression": ("error",),
    "ranking": ("right", "wrong"),
}


def watch_faults(raw: Mapping[str, object]) -> Iterator[Fault]:
    """Faults of channels, escalations, values and triggers that no single key shows."""
    yield from _notify(raw)
    yield from _escalations(raw)
    for number, table in tables(raw, "endpoint"):
        yield from _value(table, f"endpoint[{number}]")
        yield from _retrain(table, f"endpoint[{number}].retrain")
        yield from _monitor(table, f"endpoint[{number}].monitor")


def _notify(raw: Mapping[str, object]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for number, table in tables(raw, "notify"):
        kind = str(table.get("kind"))
        name = str(table.get("name", kind))
        if name in seen:
            said = (
                f"{name!r} is the name of notify[{seen[name]}] already; give each channel a name of its own"
            )
            yield Fault(where=f"notify[{number}].name", what=said)
        seen.setdefault(name, number)
        for key in _NEEDS.get(kind, ()):
            if not table.get(key):
                article = "an" if kind[:1] in "aeo" else "a"
                yield Fault(where=f"notify[{number}].{key}", what=f"is missing; {article} {kind} needs one")
        if kind == "log" and table.get("url") is not None:
            yield Fault(where=f"notify[{number}].url", what="belongs to a webhook; the log has no url")
        known = names(raw, "endpoint")
        for place, endpoint in enumerate(texts(table.get("endpoints"))):
            if endpoint not in known:
                yield unknown(f"notify[{number}].endpoints[{place}]", "endpoint", endpoint, known)


def _escalations(raw: Mapping[str, object]) -> Iterator[Fault]:
    channels = [str(table.get("name", table.get("kind"))) for _, table in tables(raw, "notify")]
    endpoints = names(raw, "endpoint")
    for number, table in tables(raw, "escalation"):
        for place, endpoint in enumerate(texts(table.get("endpoints"))):
            if endpoint not in endpoints:
                yield unknown(f"escalation[{number}].endpoints[{place}]", "endpoint", endpoint, endpoints)
        for place, step in tables(table, "steps"):
            for at, channel in enumerate(texts(step.get("to"))):
                if channel not in channels:
                    yield unknown(
                        f"escalation[{number}].steps[{place}].to[{at}]", "notify", channel, channels
                    )


def _value(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    value = table.get("value")
    if not isinstance(value, dict):
        return
    monitor = table.get("monitor")
    task = str(monitor.get("task", "binary")) if isinstance(monitor, dict) else "binary"
    fit = _WORTH.get(task, ())
    said = [key for keys in _WORTH.values() for key in keys if key in value]
    for key in dict.fromkeys(said):
        if key not in fit:
            yield Fault(
                where=f"{where}.value.{key}", what=f"is not read where the task is {task!r}: {', '.join(fit)}"
            )
    if not said:
        yield Fault(
            where=f"{where}.value", what=f"says what nothing is worth; one of {', '.join(fit)} is needed"
        )
    if "label" not in table:
        yield Fault(where=f"{where}.label", what="is missing; value needs to know what became true")


def _retrain(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    retrain = table.get("retrain")
    if isinstance(retrain, dict):
        on = texts(retrain.get("on"))
        if "data" in on and not retrain.get("new_rows"):
            yield Fault(
                where=f"{where}.new_rows", what="is missing; the trigger 'data' waits for so many labels"
            )
        if "data" not in on and retrain.get("new_rows"):
            yield Fault(where=f"{where}.new_rows", what="is only read where on has 'data'")


def _monitor(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    monitor = table.get("monitor")
    if not isinstance(monitor, dict):
        return
    task, metric = str(monitor.get("task", "binary")), monitor.get("metric", "auc")
    known = METRICS.get(task, ())
    if known and isinstance(metric, str) and not is_metric(metric, task):
        said = f"{metric!r} is not measured where the task is {task!r}: {', '.join(known)}"
        yield Fault(where=f"{where}.metric", what=said, near=near_match(metric.partition("@")[0], known))
    if task == "ranking" and "group" not in monitor:
        yield Fault(where=f"{where}.group", what="is missing; a ranking is judged within each query or user")
