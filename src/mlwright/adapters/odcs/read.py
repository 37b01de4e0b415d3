"""From an ODCS document to the contract that mlwright enforces.

Our extensions are ODCS ``customProperties``, so that the file stays valid for every other tool:
``availableAt`` (``prediction`` or ``later``) on a property, ``action`` (``reject``, ``drop``, ``keep``) and
``remedy`` (text) on a quality rule, or on a property for values outside its ``logicalTypeOptions``, and
``timestamp`` (a property's name) on the schema object.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlwright.adapters.odcs.document import Document, Place, refuse
from mlwright.adapters.odcs.rules import Notes, freshness_rules, own, property_rules, quality_rules
from mlwright.adapters.odcs.validate import schema_faults
from mlwright.errors import near_match
from mlwright.model.contracts import Availability, Column, Contract, Rule, RuleKind


def read_contract(path: Path) -> Contract:
    """Read and validate one contract.

    Args:
        path: an ODCS v3.1 YAML file with one schema object.

    Raises:
        ContractInvalid: the file is not valid; ``faults`` holds every fault with its YAML path and line.
    """
    document = Document(path)
    refuse(document, schema_faults(document))
    notes = Notes(document)
    objects = _mappings(document.value.get("schema"))
    if len(objects) != 1:
        notes.fault(("schema",), f"holds {len(objects)} objects; mlwright reads one object a contract")
        refuse(document, notes.faults)
    table = objects[0]
    place: Place = ("schema", 0)
    properties = _mappings(table.get("properties"))
    _require_distinct(properties, place, notes)
    columns = tuple(
        _column(found, (*place, "properties", number), notes) for number, found in enumerate(properties)
    )
    names = [column.name for column in columns]
    timestamp = _timestamp(table, place, names, notes)
    rules: list[Rule] = []
    for number, (column, found) in enumerate(zip(columns, properties, strict=True)):
        at = (*place, "properties", number)
        rules += property_rules(column, found, at, notes)
        rules += quality_rules(found.get("quality"), (*at, "quality"), column, names, notes)
    rules += _primary_key(columns, document.where((*place, "properties")))
    rules += quality_rules(table.get("quality"), (*place, "quality"), None, names, notes)
    rules += freshness_rules(document.value.get("slaProperties"), ("slaProperties",), timestamp, names, notes)
    refuse(document, notes.faults)
    return Contract(
        id=str(document.value["id"]),
        version=str(document.value["version"]),
        dataset=str(table["name"]),
        columns=columns,
        rules=tuple(_distinct_ids(rules)),
        timestamp=timestamp,
        source=str(path),
        not_enforced=tuple(notes.not_enforced),
    )


def _column(found: Mapping[str, object], place: Place, notes: Notes) -> Column:
    extensions = own(found, ("availableAt",), place, notes)
    availability = Availability.PREDICTION
    if "availableAt" in extensions:
        at, value = extensions["availableAt"]
        words = [word.value for word in Availability]
        if value in words:
            availability = Availability(value)
        else:
            notes.fault(at, f"{value!r} is none of {', '.join(words)}", near_match(str(value), words))
    options = found.get("logicalTypeOptions")
    limits = options if isinstance(options, dict) else {}
    pattern = limits.get("pattern")
    longest = limits.get("maxLength")
    return Column(
        name=str(found["name"]),
        logical_type=str(found.get("logicalType", "")),
        required=bool(found.get("required", False)),
        unique=bool(found.get("unique", False)),
        primary_key=bool(found.get("primaryKey", False)),
        minimum=_number(limits.get("minimum")),
        maximum=_number(limits.get("maximum")),
        pattern=pattern if isinstance(pattern, str) else None,
        max_length=longest if isinstance(longest, int) and not isinstance(longest, bool) else None,
        valid_values=_valid_values(found),
        availability=availability,
        description=str(found.get("description", "")).strip(),
    )


def _timestamp(table: Mapping[str, object], place: Place, names: list[str], notes: Notes) -> str | None:
    extensions = own(table, ("timestamp",), place, notes)
    if "timestamp" not in extensions:
        return None
    at, value = extensions["timestamp"]
    if value not in names:
        notes.fault(at, f"{value!r} is not a property of this object", near_match(str(value), names))
    return str(value)


def _primary_key(columns: tuple[Column, ...], path: str) -> list[Rule]:
    """One rule over all key properties together; that they are required is each property's own rule."""
    keys = tuple(column.name for column in columns if column.primary_key)
    if not keys:
        return []
    return [Rule(id="primary_key", kind=RuleKind.DUPLICATES, columns=keys, path=path)]


def _valid_values(found: Mapping[str, object]) -> tuple[str, ...]:
    """The valid values of the first rule that lists some, as text, for those who describe the column."""
    for rule in _mappings(found.get("quality")):
        arguments = rule.get("arguments")
        values = arguments.get("validValues") if isinstance(arguments, dict) else None
        if isinstance(values, list):
            return tuple(str(value) for value in values)
    return ()


def _require_distinct(properties: list[Mapping[str, object]], place: Place, notes: Notes) -> None:
    seen: dict[object, int] = {}
    for number, found in enumerate(properties):
        name = found["name"]
        if name in seen:
            text = f"{name!r} is already the name of properties[{seen[name]}]"
            notes.fault((*place, "properties", number, "name"), text)
        seen.setdefault(name, number)


def _distinct_ids(rules: list[Rule]) -> list[Rule]:
    """Rules with ids that occur once: the second ``a.nulls`` becomes ``a.nulls-2``."""

    used: dict[str, int] = {}
    distinct = []
    for rule in rules:
        used[rule.id] = used.get(rule.id, 0) + 1
        distinct.append(rule if used[rule.id] == 1 else replace(rule, id=f"{rule.id}-{used[rule.id]}"))
    return distinct


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
