from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator

from mlwright.adapters.odcs import read_contract
from mlwright.adapters.odcs.validate import official_schema
from mlwright.errors import ContractInvalid
from mlwright.model.contracts import Action, Availability, Contract, RuleKind, Severity
from mlwright.stages.contracts.check import check

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"


def parse(folder: Path, text: str) -> Contract:
    path = folder / "c.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    return read_contract(path)


def of_property(folder: Path, lines: str, logical: str = "integer", name: str = "a") -> Contract:
    body = "".join(f"    {line}\n" for line in lines.strip("\n").split("\n"))
    return parse(
        folder,
        f"{HEAD}schema:\n- name: t\n  properties:\n  - name: {name}\n    logicalType: {logical}\n{body}",
    )


def of_object(folder: Path, lines: str) -> Contract:
    body = "".join(f"  {line}\n" for line in lines.strip("\n").split("\n"))
    properties = (
        "  properties:\n  - {name: a, logicalType: integer}\n  - {name: at, logicalType: timestamp}\n"
    )
    return parse(folder, f"{HEAD}schema:\n- name: t\n{properties}{body}")


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ContractInvalid) as caught:
        parse(folder, text)
    return [str(fault) for fault in caught.value.faults]


def test_a_property_states_its_rules(tmp_path: Path) -> None:
    contract = of_property(
        tmp_path,
        """
required: true
unique: true
description: " how many "
logicalTypeOptions: {minimum: 0, exclusiveMaximum: 10, multipleOf: 2}
customProperties: [{property: availableAt, value: later}, {property: owner, value: me}]
""",
    )
    (column,) = contract.columns
    assert (column.required, column.unique, column.minimum, column.description) == (
        True,
        True,
        0.0,
        "how many",
    )
    assert column.availability is Availability.LATER
    assert [rule.kind for rule in contract.rules] == [
        RuleKind.PRESENT, RuleKind.TYPE, RuleKind.NULLS, RuleKind.DUPLICATES, RuleKind.RANGE,
    ]  # fmt: skip
    assert all(rule.severity is Severity.ERROR and rule.action is Action.REJECT for rule in contract.rules)
    assert [text.partition(": ")[2] for text in contract.not_enforced] == ["multipleOf of a is not enforced"]
    data = pl.DataFrame({"a": [0, 9, 10, -1, None]})
    results = {result.rule.kind: result for result in check(contract, data).results}
    assert results[RuleKind.RANGE].examples == (2, 3)
    assert results[RuleKind.NULLS].examples == (4,)


def test_the_values_outside_of_a_range_can_be_dropped_or_kept(tmp_path: Path) -> None:
    text = """
logicalTypeOptions: {minimum: 0}
customProperties: [{property: action, value: ACTION}, {property: remedy, value: looked away}]
"""
    for action, severity in (("drop", Severity.ERROR), ("keep", Severity.WARNING)):
        rule = of_property(tmp_path, text.replace("ACTION", action)).rules[-1]
        assert (rule.kind, rule.action, rule.severity) == (RuleKind.RANGE, Action(action), severity)
        assert rule.remedy == "looked away"


def test_limits_of_instants(tmp_path: Path) -> None:
    contract = of_property(
        tmp_path,
        "logicalTypeOptions: {minimum: 2013-01-01, exclusiveMaximum: '2014-01-01T00:00:00Z'}",
        "timestamp",
    )
    data = pl.DataFrame({"a": ["2012-12-31 23:59:59", "2013-01-01 00:00:00", "2014-01-01 00:00:00"]})
    data = data.with_columns(pl.col("a").str.to_datetime(time_zone="UTC"))
    assert check(contract, data).results[-1].examples == (0, 2)


def test_a_primary_key_is_one_rule_over_its_columns(tmp_path: Path) -> None:
    contract = parse(
        tmp_path,
        f"{HEAD}schema:\n- name: t\n  properties:\n"
        "  - {name: a, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}\n"
        "  - {name: b, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}\n",
    )
    data = pl.DataFrame({"a": [1, 1, 1], "b": [1, 2, 1]})
    broken = check(contract, data).broken
    assert [(result.rule.columns, result.examples) for result in broken] == [(("a", "b"), (2,))]
    assert [rule.columns for rule in contract.rules if rule.kind is RuleKind.NULLS] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("rule", "values", "logical", "examples"),
    [
        ("{metric: nullValues, mustBe: 0}", [1, None], "integer", (1,)),
        ("{metric: missingValues, mustBe: 0, arguments: {missingValues: [null, N]}}", ["N", None], "string", (0, 1)),
        ("{metric: missingValues, mustBe: 0, arguments: {missingValues: [-999]}}", [-999, 1, None], "integer", (0, 2)),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [a, b]}}", ["a", "c", None], "string", (1,)),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [1, 2]}}", [1, 3], "integer", (1,)),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [true]}}", [True, False], "boolean", (1,)),
        ("{metric: invalidValues, mustBe: 0, arguments: {pattern: 'a|b'}}", ["a", "ab", "xb"], "string", (1, 2)),
        ("{metric: invalidValues, mustBe: 0, arguments: {validValues: [ab, b], pattern: 'a.*'}}",
         ["ab", "b", "ac"], "string", (1, 2)),
        ("{metric: duplicateValues, mustBe: 0}", [1, 1, 2, 1], "integer", (1, 3)),
    ],
)  # fmt: skip
def test_library_metrics_of_a_property(
    tmp_path: Path, rule: str, values: list[object], logical: str, examples: tuple[int, ...]
) -> None:
    contract = of_property(tmp_path, f"quality:\n- {rule}", logical)
    result = check(contract, pl.DataFrame({"a": values})).results[-1]
    assert result.rule.path == "schema[0].properties[0].quality[0] (line 12)"
    assert not result.passed
    assert result.examples == examples


OPERATORS = {
    "mustBe: {}": lambda measured, bound: measured == bound,
    "mustNotBe: {}": lambda measured, bound: measured != bound,
    "mustBeGreaterThan: {}": lambda measured, bound: measured > bound,
    "mustBeGreaterOrEqualTo: {}": lambda measured, bound: measured >= bound,
    "mustBeLessThan: {}": lambda measured, bound: measured < bound,
    "mustBeLessOrEqualTo: {}": lambda measured, bound: measured <= bound,
    "mustBeBetween: [{}, 6]": lambda measured, bound: bound <= measured <= 6,
    "mustNotBeBetween: [{}, 6]": lambda measured, bound: not bound <= measured <= 6,
}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("unit", ["rows", "percent"])
def test_operators(tmp_path: Path, operator: str, unit: str) -> None:
    """With 100 rows a row is a percent, so that both units have to agree with plain arithmetic."""
    for bound in (0, 2, 2.5, 3):
        text = f"quality: [{{metric: nullValues, {operator.format(bound)}, unit: {unit}}}]"
        contract = of_property(tmp_path, text)
        for measured in (0, 1, 2, 3, 4, 7):
            data = pl.DataFrame({"a": [None] * measured + [1] * (100 - measured)}, schema={"a": pl.Int64})
            result = check(contract, data).results[-1]
            assert result.passed is OPERATORS[operator](measured, bound), (operator, bound, measured)


def test_rules_of_the_object_and_what_is_done(tmp_path: Path) -> None:
    contract = of_object(
        tmp_path,
        """
customProperties: [{property: timestamp, value: at}]
quality:
- {id: enough, metric: rowCount, mustBeGreaterThan: 0}
- {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, at]}, severity: warning}
- metric: duplicateValues
  arguments: {properties: [a, at]}
  mustBe: 0
  customProperties: [{property: action, value: drop}, {property: remedy, value: the first is kept}]
- {type: sql, query: SELECT 1, mustBe: 1, name: by hand}
- {type: text, description: looks fine}
- {type: custom, engine: soda, implementation: x}
- {metric: rowCount, mustBe: 3, unit: kilobytes}
""",
    )
    assert contract.timestamp == "at"
    count, warned, dropped = contract.rules[-3:]
    assert (count.id, count.lowest, count.highest) == ("enough", 1.0, None)
    assert (warned.severity, warned.action) == (Severity.WARNING, Action.KEEP)
    assert (dropped.action, dropped.remedy) == (Action.DROP, "the first is kept")
    assert dropped.id == f"{warned.id}-2"
    assert [text.partition(" (line")[0] for text in contract.not_enforced] == [
        f"schema[0].quality[{number}]" for number in (3, 4, 5, 6)
    ]


def test_service_levels(tmp_path: Path) -> None:
    contract = of_object(
        tmp_path,
        "customProperties: [{property: timestamp, value: at}]\n",
    )
    assert all(rule.kind is not RuleKind.FRESHNESS for rule in contract.rules)
    text = (tmp_path / "c.odcs.yaml").read_text()
    contract = parse(
        tmp_path,
        text + "slaProperties:\n- {property: latency, value: 2, unit: hours, element: t.at}\n"
        "- {property: freshness, value: 1}\n- {property: retention, value: 3, unit: y}\n",
    )
    fresh = [rule for rule in contract.rules if rule.kind is RuleKind.FRESHNESS]
    assert [(rule.columns, rule.highest) for rule in fresh] == [(("at",), 7200.0), (("at",), 86400.0)]
    assert len(contract.not_enforced) == 1
    assert "retention" in contract.not_enforced[0]


def test_all_faults_of_the_schema_are_reported_once_with_place_line_and_near_miss(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
naem: x
schema:
- name: t
  propertees: []
  properties:
  - name: a
    logicalType: strin
    requird: true
    quality:
    - {metric: nullValuess, mustBe: 0}
    - {metric: nullValues, mustBeLesThan: 3}
    - {mustBe: 0}
    - {metric: nullValues, mustBe: 0, mustBeLessThan: 1, severity: 7}
  - {logicalType: number, logicalTypeOptions: {minimun: 3}}
""",
    )
    place = "schema[0].properties[0]"
    operators = ", ".join(sorted(operator.partition(":")[0] for operator in OPERATORS))
    assert found == [
        "status (line 1): is missing",
        "naem (line 5): is not a key of the standard here (did you mean 'name'?)",
        "schema[0].propertees (line 8): is not a key of the standard here (did you mean 'properties'?)",
        (
            f"{place}.logicalType (line 11): 'strin' is none of string, date, timestamp, time, number, "
            "integer, object, array, boolean (did you mean 'string'?)"
        ),
        f"{place}.requird (line 12): is not a key of the standard here (did you mean 'required'?)",
        (
            f"{place}.quality[0].metric (line 14): 'nullValuess' is none of nullValues, missingValues, invalidValues, "
            "duplicateValues, rowCount (did you mean 'nullValues'?)"
        ),
        f"{place}.quality[1] (line 15): needs one of {operators}",
        (
            f"{place}.quality[1].mustBeLesThan (line 15): is not a key of the standard here "
            "(did you mean 'mustBeLessThan'?)"
        ),
        f"{place}.quality[2] (line 16): the keys mustBe do not belong together; a rule with an operator needs 'metric'",
        f"{place}.quality[3] (line 17): has mustBe and mustBeLessThan; give one of them",
        f"{place}.quality[3].severity (line 17): 7 is not of type 'string'",
        "schema[0].properties[1].name (line 18): is missing",
        (
            "schema[0].properties[1].logicalTypeOptions.minimun (line 18): is not a key of the standard here "
            "(did you mean 'minimum'?)"
        ),
    ]


def test_all_faults_beyond_the_schema_are_reported(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        HEAD
        + """schema:
- name: t
  customProperties: [{property: timestamp, value: att}]
  quality:
  - {metric: nullValues, mustBe: 0}
  - {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, bb]}}
  - {metric: duplicateValues, mustBe: 0}
  - {metric: rowCount, mustBe: many}
  - {metric: rowCount, mustBeBetween: [3, 2]}
  - {metric: rowCount, mustBe: 0, customProperties: [{property: action, value: drop}]}
  properties:
  - name: a
    logicalType: string
    customProperties: [{property: availabelAt, value: later}]
    logicalTypeOptions: {pattern: '(?=x)'}
    quality:
    - {metric: rowCount, mustBe: 0}
    - {metric: nullValues, mustBe: 0, severity: eror}
    - {metric: invalidValues, mustBe: 0}
    - {metric: invalidValues, mustBe: 0, arguments: {validValue: [x]}}
    - {metric: invalidValues, mustBe: 0, arguments: {validValues: [1]}}
    - {metric: nullValues, mustBe: 0, customProperties: [{property: action, value: dorp}]}
  - {name: b, logicalType: integer, customProperties: [{property: availableAt, value: latre}]}
  - {name: b, logicalType: integer}
  - {name: at, logicalType: timestamp}
slaProperties:
- {property: latency, value: 1, element: t.att}
""",
    )
    for words in (
        "schema[0].customProperties[0].value (line 8): 'att' is not a property of this object (did you mean 'at'?)",
        "schema[0].quality[0].metric (line 10): nullValues is about a property, not about the schema object",
        "schema[0].quality[1].arguments.properties[1] (line 11): 'bb' is not a property (did you mean 'b'?)",
        "schema[0].quality[2].arguments.properties (line 12): duplicateValues of an object needs a list of properties",
        "schema[0].quality[3].mustBe (line 13): 'many' is not a number",
        "schema[0].quality[4].mustBeBetween (line 14): the smaller number comes first: [2, 3]",
        "schema[0].quality[5].customProperties[0].value (line 15): a rule about the number of rows has no rows to drop",
        (
            "schema[0].properties[0].customProperties[0].property (line 19): 'availabelAt' is not known to mlwright "
            "(did you mean 'availableAt'?)"
        ),
        "schema[0].properties[0].quality[0].metric (line 22): rowCount is about a schema object, not about a property",
        (
            "schema[0].properties[0].quality[1].severity (line 23): 'eror' is none of error, warning, info "
            "(did you mean 'error'?)"
        ),
        "schema[0].properties[0].quality[2].arguments (line 24): invalidValues needs validValues or pattern",
        (
            "schema[0].properties[0].quality[3].arguments.validValue (line 25): is not an argument of invalidValues "
            "(did you mean 'validValues'?)"
        ),
        "schema[0].properties[0].quality[4].arguments.validValues[0] (line 26): 1 is not of type string; quote it",
        (
            "schema[0].properties[0].quality[5].customProperties[0].value (line 27): 'dorp' is none of reject, "
            "drop, keep (did you mean 'drop'?)"
        ),
        (
            "schema[0].properties[1].customProperties[0].value (line 28): 'latre' is none of prediction, later "
            "(did you mean 'later'?)"
        ),
        "schema[0].properties[2].name (line 29): 'b' is already the name of properties[1]",
        "slaProperties[0].element (line 32): 'att' is not a property (did you mean 'at'?)",
    ):
        assert words in found
    assert any(
        "logicalTypeOptions.pattern (line 20): '(?=x)' is not a pattern that can be checked" in one
        for one in found
    )


def test_files_that_are_no_contract(tmp_path: Path) -> None:
    with pytest.raises(ContractInvalid, match="no such contract file"):
        read_contract(tmp_path / "absent.yaml")
    with pytest.raises(ContractInvalid) as caught:
        parse(tmp_path, "a: [1\nb: 2\n")
    assert caught.value.where == f"{tmp_path / 'c.odcs.yaml'}:2:2"
    assert faults(tmp_path, "- 1\n") == ["(root): a contract is a mapping of keys"]
    assert faults(tmp_path, f"{HEAD}id: d\n") == ["id (line 6): the key appears twice, first on line 3"]
    assert faults(tmp_path, HEAD) == [
        "schema (line 1): holds 0 objects; mlwright reads one object a contract"
    ]


ODD = st.sampled_from([None, True, 0, 2.5, "a", "b", "drop", "later", [], {}, ["a"], [1, None], {"a": 1}])
METRICS = st.sampled_from(["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"])
CUSTOM = st.lists(
    st.fixed_dictionaries({
        "property": st.sampled_from(["availableAt", "action", "remedy", "timestamp", "availableat"]),
        "value": ODD,
    }),
    max_size=2,
)  # fmt: skip
ARGUMENTS = st.dictionaries(
    st.sampled_from(["validValues", "pattern", "missingValues", "properties", "validValue"]), ODD, max_size=2
)
QUALITY = st.fixed_dictionaries(
    {"metric": METRICS, "mustBe": st.one_of(st.just(0), ODD)},
    optional={
        "arguments": st.one_of(ODD, ARGUMENTS),
        "severity": ODD,
        "unit": ODD,
        "customProperties": CUSTOM,
        "id": ODD,
    },
)
LOGICAL = st.sampled_from(["string", "number", "integer", "timestamp", "date", "boolean", "array", "object"])
PROPERTY = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c"])},
    optional={
        "logicalType": LOGICAL,
        "logicalTypeOptions": st.dictionaries(st.sampled_from(["minimum", "exclusiveMaximum", "pattern"]), ODD),
        "required": ODD,
        "quality": st.lists(QUALITY, max_size=2),
        "customProperties": CUSTOM,
    },
)  # fmt: skip
OBJECT = st.fixed_dictionaries(
    {"name": st.just("t")},
    optional={
        "properties": st.lists(PROPERTY, max_size=3),
        "quality": st.lists(QUALITY, max_size=2),
        "x": ODD,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"schema": st.one_of(ODD, st.lists(OBJECT, min_size=1, max_size=1))},
    optional={"slaProperties": st.one_of(ODD, st.just([{"property": "latency", "value": None}]))},
)


@settings(max_examples=40)
@given(parts=DOCUMENTS)
def test_a_document_is_read_or_refused_with_faults_and_never_against_the_official_schema(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.odcs.yaml"
    document = {**yaml.safe_load(HEAD), **parts}
    path.write_text(yaml.dump(document, Dumper=NoAliases))
    valid = Draft201909Validator(official_schema()).is_valid(document)
    try:
        contract = read_contract(path)
    except ContractInvalid as error:
        assert error.faults  # noqa: PT017
    else:
        assert valid
        assert len({rule.id for rule in contract.rules}) == len(contract.rules)
        frame = pl.DataFrame({column.name: [None, None] for column in contract.columns})
        assert check(contract, frame).rows in (0, 2)


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True
