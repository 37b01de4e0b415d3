"""Rules from properties, quality entries and service levels; what cannot be enforced is said, not dropped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches

import polars as pl

from mlwright.adapters.odcs.document import Document, Place
from mlwright.errors import Fault, near_match
from mlwright.model.contracts import Action, Column, Rule, RuleKind, Severity
from mlwright.model.instants import to_micros

_ARGUMENTS = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": (),
    "rowCount": (),
}
_ENFORCED_OPTIONS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern")
_SLA_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600}
_SLA_SECONDS |= {"d": 86400, "day": 86400, "w": 604800, "week": 604800, "y": 31557600, "yr": 31557600}
_SLA_SECONDS |= {"year": 31557600}
_FRESHNESS = ("latency", "ly", "freshness")


@dataclass(slots=True)
class Notes:
    """What came up while a document was mapped."""

    document: Document
    faults: list[Fault] = field(default_factory=list)
    not_enforced: list[str] = field(default_factory=list)

    def fault(self, place: Place, what: str, near: str | None = None) -> None:
        """Keep one fault with the place where it is."""
        self.faults.append(Fault(where=self.document.where(place), what=what, near=near))

    def skip(self, place: Place, what: str) -> None:
        """Keep one thing that the contract says and nobody checks."""
        self.not_enforced.append(f"{self.document.where(place)}: {what}")


def own(
    found: Mapping[str, object], names: Sequence[str], place: Place, notes: Notes
) -> dict[str, tuple[Place, object]]:
    """The custom properties of these names, each with its place.

    Custom properties of other tools are left alone, but one that is a near miss of ours is a fault: a
    misspelt ``availableAt`` would let the future in.
    """
    extensions: dict[str, tuple[Place, object]] = {}
    entries = found.get("customProperties")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        at = (*place, "customProperties", number)
        name = str(entry["property"])
        near = get_close_matches(name, names, n=1, cutoff=0.8)
        if name in names:
            extensions[name] = ((*at, "value"), entry["value"])
        elif near:
            notes.fault((*at, "property"), f"{name!r} is not known to mlwright", near[0])
    return extensions


def property_rules(column: Column, found: Mapping[str, object], place: Place, notes: Notes) -> list[Rule]:
    """The rules that a property states without a quality entry."""
    path = notes.document.where(place)
    name = column.name
    extensions = own(found, ("action", "remedy"), place, notes)
    action = _action(extensions, Action.REJECT, RuleKind.RANGE, notes)
    remedy = str(extensions.get("remedy", (place, ""))[1]).strip()
    severity = Severity.WARNING if action is Action.KEEP else Severity.ERROR

    def rule(kind: RuleKind, word: str) -> Rule:
        return Rule(id=f"{name}.{word}", kind=kind, columns=(name,), path=path)

    rules = [rule(RuleKind.PRESENT, "present")]
    if column.logical_type:
        rules.append(rule(RuleKind.TYPE, "type"))
    else:
        notes.skip(place, f"{name} has no logicalType, so its type is not checked")
    if column.required or column.primary_key:
        rules.append(rule(RuleKind.NULLS, "required"))
    if column.unique:
        rules.append(rule(RuleKind.DUPLICATES, "unique"))
    options = found.get("logicalTypeOptions")
    if isinstance(options, dict):
        at = (*place, "logicalTypeOptions")
        minimum, maximum = _range(options, column, at, notes)
        if minimum is not None or maximum is not None:
            ranged = replace(rule(RuleKind.RANGE, "range"), minimum=minimum, maximum=maximum)
            rules.append(replace(ranged, action=action, remedy=remedy, severity=severity))
        if column.pattern is not None:
            _require_pattern(column.pattern, (*at, "pattern"), notes)
            matched = replace(rule(RuleKind.PATTERN, "pattern"), pattern=column.pattern)
            rules.append(replace(matched, action=action, remedy=remedy, severity=severity))
        for key in options:
            if key not in _ENFORCED_OPTIONS:
                notes.skip((*at, key), f"{key} of {name} is not enforced")
    return rules


def quality_rules(
    entries: object, place: Place, column: Column | None, names: Sequence[str], notes: Notes
) -> list[Rule]:
    """The rules of a ``quality`` list, of one property or (without ``column``) of the schema object."""
    rules = []
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        at = (*place, number)
        if "metric" not in entry:
            title = entry.get("name") or entry.get("description") or "rule"
            notes.skip(at, f"{title}: a rule of type {entry.get('type', 'text')} is not enforced")
        elif (unit := entry.get("unit", "rows")) not in ("rows", "percent"):
            notes.skip(at, f"a rule in {unit!r} is not enforced; rows and percent are")
        else:
            made = _library_rule(entry, at, column, names, notes)
            rules += [made] if made else []
    return rules


def freshness_rules(
    entries: object, place: Place, timestamp: str | None, names: Sequence[str], notes: Notes
) -> list[Rule]:
    """FRESHNESS from ``latency`` (the standard's word) or ``freshness``; other levels are not enforced."""
    rules = []
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        at = (*place, number)
        element = str(entry.get("element") or timestamp or "").rpartition(".")[2]
        unit = str(entry.get("unit", "d")).lower()
        seconds = _SLA_SECONDS.get(unit) or _SLA_SECONDS.get(unit.removesuffix("s"))
        value = _number(entry["value"])
        if str(entry["property"]).lower() not in _FRESHNESS or seconds is None or value is None:
            notes.skip(at, f"the service level {entry['property']} is not enforced")
        elif element not in names:
            notes.fault((*at, "element"), f"{element!r} is not a property", near_match(element, names))
        else:
            rules.append(
                Rule(
                    id=f"{element}.freshness",
                    kind=RuleKind.FRESHNESS,
                    columns=(element,),
                    highest=value * seconds,
                    unit="seconds",
                    severity=Severity.WARNING,
                    action=Action.KEEP,
                    path=notes.document.where(at),
                )
            )
    return rules


def _library_rule(
    entry: Mapping[str, object], at: Place, column: Column | None, names: Sequence[str], notes: Notes
) -> Rule | None:
    metric = str(entry["metric"])
    arguments = entry.get("arguments")
    given = arguments if isinstance(arguments, dict) else {}
    before = len(notes.faults)
    if metric == "rowCount" and column is not None:
        notes.fault((*at, "metric"), "rowCount is about a schema object, not about a property")
    if column is None and metric not in ("rowCount", "duplicateValues"):
        notes.fault((*at, "metric"), f"{metric} is about a property, not about the schema object")
    allowed = ("properties",) if column is None and metric == "duplicateValues" else _ARGUMENTS[metric]
    for key in given:
        if key not in allowed:
            text = f"is not an argument of {metric}"
            notes.fault((*at, "arguments", key), text, near_match(str(key), allowed))
    kind, values, pattern = _criterion(metric, given, at, column, notes)
    columns = (column.name,) if column else _key_columns(metric, given, at, names, notes)
    lowest, highest, outside = _limits(entry, at, notes)
    severity, action, remedy = _consequence(entry, at, kind, notes)
    if len(notes.faults) > before:
        return None
    title = entry.get("id") or entry.get("name") or f"{'_'.join(columns) or 'rows'}.{kind.value}"
    return Rule(
        id=str(title),
        kind=kind,
        columns=columns,
        lowest=lowest,
        highest=highest,
        outside=outside,
        unit=str(entry.get("unit", "rows")),
        severity=severity,
        action=action,
        remedy=remedy,
        path=notes.document.where(at),
        values=values,
        pattern=pattern,
    )


def _criterion(
    metric: str, given: Mapping[str, object], at: Place, column: Column | None, notes: Notes
) -> tuple[RuleKind, tuple[str | float | bool, ...], str | None]:
    if metric == "rowCount":
        return RuleKind.ROW_COUNT, (), None
    if metric == "duplicateValues":
        return RuleKind.DUPLICATES, (), None
    if metric == "nullValues":
        return RuleKind.NULLS, (), None
    logical = column.logical_type if column else ""
    if metric == "missingValues":
        return RuleKind.NULLS, _values(given, "missingValues", logical, at, notes), None
    values = _values(given, "validValues", logical, at, notes)
    pattern = given.get("pattern")
    if isinstance(pattern, str):
        _require_pattern(pattern, (*at, "arguments", "pattern"), notes)
    elif pattern is not None:
        notes.fault((*at, "arguments", "pattern"), "must be text")
    if not values and pattern is None:
        notes.fault((*at, "arguments"), "invalidValues needs validValues or pattern")
    kind = RuleKind.VALUES if values else RuleKind.PATTERN
    return kind, values, pattern if isinstance(pattern, str) else None


def _values(
    given: Mapping[str, object], key: str, logical: str, at: Place, notes: Notes
) -> tuple[str | float | bool, ...]:
    """The listed values without null, each of which has to be of the property's type."""
    listed = given.get(key, [])
    if not isinstance(listed, list):
        notes.fault((*at, "arguments", key), "must be a list")
        return ()
    needed: tuple[type, ...] = {"integer": (int, float), "number": (int, float), "boolean": (bool,)}.get(
        logical, (str,)
    )
    values: list[str | float | bool] = []
    for number, value in enumerate(listed):
        numeric_bool = isinstance(value, bool) and bool not in needed
        if value is None and key == "missingValues":
            continue
        if isinstance(value, (str, float, int)) and isinstance(value, needed) and not numeric_bool:
            values.append(value)
        else:
            hint = "; quote it" if str in needed else ""
            text = f"{value!r} is not of type {logical or 'string'}{hint}"
            notes.fault((*at, "arguments", key, number), text)
    return tuple(values)


def _key_columns(
    metric: str, given: Mapping[str, object], at: Place, names: Sequence[str], notes: Notes
) -> tuple[str, ...]:
    if metric != "duplicateValues":
        return ()
    listed = given.get("properties")
    if not isinstance(listed, list) or not listed:
        text = "duplicateValues of an object needs a list of properties"
        notes.fault((*at, "arguments", "properties"), text)
        return ()
    for number, name in enumerate(listed):
        if name not in names:
            near = near_match(str(name), names)
            notes.fault((*at, "arguments", "properties", number), f"{name!r} is not a property", near)
    return tuple(str(name) for name in listed)


def _limits(entry: Mapping[str, object], at: Place, notes: Notes) -> tuple[float | None, float | None, bool]:
    """The interval of an operator, closed: a strict bound moves to the next number that is allowed."""
    operator = next(key for key in entry if key.startswith(("mustBe", "mustNotBe")))
    value = entry[operator]
    if operator.endswith("Between"):
        low, high = (float(bound) for bound in value) if isinstance(value, list) else (0.0, 0.0)
        if low > high:
            notes.fault((*at, operator), f"the smaller number comes first: [{high:g}, {low:g}]")
        return low, high, operator == "mustNotBeBetween"
    bound = _number(value)
    if bound is None:
        notes.fault((*at, operator), f"{value!r} is not a number")
        return None, None, False
    if entry.get("unit", "rows") == "rows":
        above, below = math.floor(bound) + 1.0, math.ceil(bound) - 1.0
    else:
        above, below = math.nextafter(bound, math.inf), math.nextafter(bound, -math.inf)
    return {
        "mustBe": (bound, bound, False),
        "mustNotBe": (bound, bound, True),
        "mustBeGreaterOrEqualTo": (bound, None, False),
        "mustBeLessOrEqualTo": (None, bound, False),
        "mustBeGreaterThan": (above, None, False),
        "mustBeLessThan": (None, below, False),
    }[operator]


def _consequence(
    entry: Mapping[str, object], at: Place, kind: RuleKind, notes: Notes
) -> tuple[Severity, Action, str]:
    severity = Severity.ERROR
    severities = [word.value for word in Severity]
    if (text := entry.get("severity", "error")) in severities:
        severity = Severity(text)
    else:
        near = near_match(str(text), severities)
        notes.fault((*at, "severity"), f"{text!r} is none of {', '.join(severities)}", near)
    extensions = own(entry, ("action", "remedy"), at, notes)
    default = Action.REJECT if severity is Severity.ERROR else Action.KEEP
    action = _action(extensions, default, kind, notes)
    return severity, action, str(extensions.get("remedy", (at, ""))[1]).strip()


def _action(
    extensions: Mapping[str, tuple[Place, object]], default: Action, kind: RuleKind, notes: Notes
) -> Action:
    if "action" not in extensions:
        return default
    place, value = extensions["action"]
    actions = [word.value for word in Action]
    if value not in actions:
        notes.fault(place, f"{value!r} is none of {', '.join(actions)}", near_match(str(value), actions))
    elif value == Action.DROP and kind is RuleKind.ROW_COUNT:
        notes.fault(place, "a rule about the number of rows has no rows to drop")
    else:
        return Action(value)
    return default


def _range(
    options: Mapping[str, object], column: Column, at: Place, notes: Notes
) -> tuple[float | None, float | None]:
    """The allowed ends, closed; instants and dates as microseconds UTC."""
    ends: dict[str, float | None] = {"minimum": None, "maximum": None}
    for key, value in options.items():
        if key not in _ENFORCED_OPTIONS or key == "pattern":
            continue
        number = _number(value)
        if isinstance(value, str) and column.logical_type in ("timestamp", "date"):
            number = _instant(value)
        if number is None:
            notes.skip((*at, key), f"{key} {value!r} of {column.name} is not enforced")
            continue
        end = "minimum" if key.lower().endswith("minimum") else "maximum"
        if key.startswith("exclusive"):
            number = math.nextafter(number, math.inf if end == "minimum" else -math.inf)
        known = ends[end]
        if known is not None:
            number = max(known, number) if end == "minimum" else min(known, number)
        ends[end] = number
    return ends["minimum"], ends["maximum"]


def _instant(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return float(to_micros(at if at.tzinfo else at.replace(tzinfo=UTC)))


def _require_pattern(pattern: str, place: Place, notes: Notes) -> None:
    """Refuse patterns that polars' regular expressions (no look-around, no back-references) cannot run."""
    try:
        pl.Series([""]).str.contains(rf"\A(?:{pattern})\z")
    except pl.exceptions.PolarsError as error:
        reason = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
        notes.fault(place, f"{pattern!r} is not a pattern that can be checked: {reason}")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
