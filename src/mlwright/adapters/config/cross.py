"""What the values of ``mlwright.toml`` say together.

These checks read the raw mapping, not the parsed models, so that they speak even when
another value has a fault.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from mlwright.adapters.config.kinds import Duration, Step
from mlwright.adapters.config.reading import names, tables, texts, unknown
from mlwright.adapters.config.watch_cross import watch_faults
from mlwright.errors import Fault
from mlwright.model.durations import format_duration
from mlwright.model.rollouts import RolloutPlan, RolloutStep

_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
_DEADLINE = RolloutPlan(steps=()).deadline
_STEP: TypeAdapter[RolloutStep] = TypeAdapter(Step)


def cross_faults(raw: Mapping[str, object]) -> list[Fault]:
    """Unknown names, names used twice, steps that do not rise or do not fit, ports that collide."""
    return [
        *_repeated(raw),
        *_unknown_names(raw),
        *_endpoints(raw),
        *_promotions(raw),
        *watch_faults(raw),
        *_ports(raw),
    ]


def _repeated(raw: Mapping[str, object]) -> Iterator[Fault]:
    for kind in ("dataset", "feature_view", "endpoint"):
        seen: dict[object, int] = {}
        for number, table in tables(raw, kind):
            name = table.get("name")
            if isinstance(name, str) and name in seen:
                yield Fault(where=f"{kind}[{number}].name", what=f"{name!r} is already {kind}[{seen[name]}]")
            seen.setdefault(name, number)
    for kind, key in (("feature_view", "features"), ("feature_view", "entity"), ("endpoint", "features")):
        for number, table in tables(raw, kind):
            listed = texts(table.get(key))
            for word in sorted({word for word in listed if listed.count(word) > 1}):
                yield Fault(where=f"{kind}[{number}].{key}", what=f"{word!r} is named twice")


def _unknown_names(raw: Mapping[str, object]) -> Iterator[Fault]:
    datasets, views = names(raw, "dataset"), names(raw, "feature_view")
    for number, table in tables(raw, "feature_view"):
        name = table.get("dataset")
        if isinstance(name, str) and name not in datasets:
            yield unknown(f"feature_view[{number}].dataset", "dataset", name, datasets)
    for number, table in tables(raw, "endpoint"):
        for place, name in enumerate(texts(table.get("features"))):
            if name not in views:
                yield unknown(f"endpoint[{number}].features[{place}]", "feature view", name, views)


def _endpoints(raw: Mapping[str, object]) -> Iterator[Fault]:
    for number, table in tables(raw, "endpoint"):
        where = f"endpoint[{number}]"
        yield from _alone(table, where)
        yield from _answering(table, where)
        rollout = table.get("rollout")
        if isinstance(rollout, dict):
            yield from _steps(rollout, _horizon(table.get("label")), f"endpoint[{number}].rollout")


def _alone(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    """Entity and timestamp go together; what judges quality needs both and a label."""
    for key, other in (("entity", "timestamp"), ("timestamp", "entity")):
        if key not in table and other in table:
            yield Fault(
                where=f"{where}.{key}", what=f"is missing; {other} says that rows are about something"
            )
    needs = [key for key in ("label", "rollout", "retrain", "monitor") if key in table]
    for key in needs:
        if "entity" not in table and "timestamp" not in table:
            yield Fault(where=f"{where}.entity", what=f"is missing, and so is timestamp; {key} needs both")
            break
        if key != "label" and "label" not in table:
            yield Fault(where=f"{where}.label", what=f"is missing; {key} needs to know what became true")
            break


def _answering(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    """Keys that say nothing without another."""
    for name, key, value, other in (
        ("batching", "mode", "window", "window"),
        ("fallback", "to", "default", "value"),
    ):
        part = table.get(name)
        if not isinstance(part, dict):
            continue
        if part.get(key) == value and other not in part:
            yield Fault(where=f"{where}.{name}.{other}", what=f"is missing; {key} is {value!r}")
        if part.get(key) != value and other in part:
            yield Fault(where=f"{where}.{name}.{other}", what=f"is only read where {key} is {value!r}")
    edge = table.get("edge")
    if isinstance(edge, dict) and edge.get("impute") and edge.get("invalid") != "impute":
        yield Fault(where=f"{where}.edge.impute", what="is only read where invalid is 'impute'")


def _horizon(label: object) -> timedelta:
    """How long labels take; none where it is not said or not said well, which is a fault of its own."""
    try:
        return _DURATION.validate_python(label["horizon"] if isinstance(label, dict) else "0s")
    except (KeyError, ValidationError):
        return timedelta(0)


def _steps(rollout: Mapping[str, object], horizon: timedelta, where: str) -> Iterator[Fault]:
    """Shares have to rise from step to step; all steps, and the labels of the last, have to fit before the deadline."""
    try:
        steps = [_STEP.validate_python(step) for step in texts(rollout.get("steps"))]
    except ValidationError:
        return
    for place in range(1, len(steps)):
        if steps[place].share <= steps[place - 1].share:
            text = f"{steps[place].name} follows {steps[place - 1].name}; the share has to rise at each step"
            yield Fault(where=f"{where}.steps[{place}]", what=text)
    try:
        deadline = _DURATION.validate_python(rollout.get("deadline", format_duration(_DEADLINE)))
    except ValidationError:
        return
    total = sum((step.at_least for step in steps), timedelta(0))
    if total + horizon > deadline:
        text = f"{format_duration(deadline)} is shorter than the steps together ({format_duration(total)})"
        if horizon:
            text += f" and the label's horizon ({format_duration(horizon)})"
        yield Fault(where=f"{where}.deadline", what=text)


def _promotions(raw: Mapping[str, object]) -> Iterator[Fault]:
    """One policy an alias; slices where the gate asks for them; enough people for the approvals asked for."""
    seen: dict[tuple[object, object], int] = {}
    for number, table in tables(raw, "promotion"):
        where, gates = f"promotion[{number}]", texts(table.get("gates"))
        key = (table.get("model"), table.get("alias", "champion"))
        if isinstance(key[0], str) and isinstance(key[1], str):
            if key in seen:
                said = f"{key[0]!r} with alias {key[1]!r} is already promotion[{seen[key]}]"
                yield Fault(where=f"{where}.model", what=said)
            seen.setdefault(key, number)
        if "slices" in gates and not table.get("slices"):
            yield Fault(where=f"{where}.slices", what="is missing; the gate 'slices' needs columns")
        for name in ("gates", "slices", "override"):
            listed = texts(table.get(name))
            for word in sorted({word for word in listed if listed.count(word) > 1}):
                yield Fault(where=f"{where}.{name}", what=f"{word!r} is named twice")
        yield from _approvals(table, where)


def _approvals(table: Mapping[str, object], where: str) -> Iterator[Fault]:
    roles: set[str] = set()
    for number, asked in tables(table, "approvals"):
        role, by, count = asked.get("role"), set(texts(asked.get("by"))), asked.get("count", 1)
        if isinstance(role, str) and role in roles:
            yield Fault(where=f"{where}.approvals[{number}].role", what=f"{role!r} is named twice")
        roles |= {role} if isinstance(role, str) else set()
        if isinstance(count, int) and by and count > len(by):
            said = f"{count} have to approve, but only {len(by)} may"
            yield Fault(where=f"{where}.approvals[{number}].count", what=said)


def _ports(raw: Mapping[str, object]) -> Iterator[Fault]:
    serve = raw.get("serve")
    if isinstance(serve, dict):
        pages, inference = serve.get("port", 8500), serve.get("inference_port", 8501)
        if pages == inference and serve.get("workers") != 0:
            yield Fault(where="serve.inference_port", what=f"{inference} is already the port of the pages")
