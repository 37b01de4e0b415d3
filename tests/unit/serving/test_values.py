from dataclasses import replace

import numpy as np
import pytest

from mlwright.errors import BadRequest, SignatureMismatch
from mlwright.model.batches import array_of
from mlwright.model.contracts import Action, Column, Contract, Rule, RuleKind, Severity
from mlwright.model.registry import Field
from mlwright.model.settings import EdgeSettings, ServingSettings
from mlwright.model.value_rules import ValueRule, value_rules
from mlwright.stages.serving.asks import Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import FLAGGED
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.serving.values import ValueChecks

RULES = (
    ValueRule(field="age", minimum=0, maximum=120, nullable=False),
    ValueRule(field="carrier", allowed=("UA", "AA"), max_length=2),
    ValueRule(field="code", pattern="[A-Z]{3}"),
    ValueRule(field="nobody", minimum=0),
)


@pytest.fixture
def made(kit, spec, models, journal, clock):
    """Makes a core whose model takes x, age, carrier and code."""

    def make(invalid="reject", rules=RULES, **impute):
        edge = EdgeSettings(invalid=invalid, impute=impute)
        models[1].names = ("x", "age", "carrier", "code")
        models[1].kinds = {"age": "long", "carrier": "string", "code": "string"}
        core = EndpointCore(
            replace(spec, keyed=False, serving=ServingSettings(edge=edge)),
            [],
            None,
            lambda each: models[each.version],
            journal,
            clock,
            checks=ValueChecks(rules, edge),
        )
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        return core

    return make


def ask(rows=1, id="r", **columns):
    usual = {"x": [1.0] * rows, "age": [30] * rows, "carrier": ["UA"] * rows, "code": ["JFK"] * rows}
    return Ask(id=id, rows=rows, columns={**usual, **columns})


def test_values_outside_are_rejected_with_all_faults(made) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        made().predict(ask(3, age=[-1, 212, None], carrier=["UA", "DL", None], code=["JFK", "jfk", None]))
    assert [str(fault) for fault in caught.value.faults] == [
        "age[2]: expected a value, got a missing value",
        "age[0]: expected at least 0, got -1",
        "age[1]: expected at most 120, got 212",
        "carrier[1]: expected one of UA, AA, got 'DL'",
        "code[1]: expected the form [A-Z]{3}, got 'jfk'",
    ]


def test_only_the_guilty_is_rejected(made) -> None:
    core = made()
    outcomes = core.answer([ask(), ask(2, age=[5, 121]), ask(age=[120])])
    assert [getattr(each, "code", "fine") for each in outcomes] == ["fine", "SignatureMismatch", "fine"]
    assert [str(fault) for fault in outcomes[1].faults] == ["age[1]: expected at most 120, got 121"]


def test_many_faults_are_cut(made) -> None:
    with pytest.raises(SignatureMismatch, match="30 more are not listed") as caught:
        made().predict(ask(50, age=[200] * 50))
    assert len(caught.value.faults) == 20


def test_flagged(made, models, tmp_path) -> None:
    core = made("flag")
    first, second = core.answer([ask(), ask(2, "s", age=[5, 212], carrier=["LONG", "UA"])])
    assert list(first.flags) == []
    assert list(second.flags) == ["age[1]: 212 is above 120", "carrier[0]: 'LONG' is none of UA, AA"]
    assert models[1].seen[-1]["age"] == [30, 5, 212]
    assert core.counters[FLAGGED] == 2
    frame = PredictionLog(tmp_path).predictions(None)
    assert frame.height == 3


def test_flags_stand_at_their_rows_in_the_log(made, journal, monkeypatch) -> None:
    kept = []
    monkeypatch.setattr(journal, "append", lambda *blocks, refuse: kept.extend(blocks))
    made("flag").answer([ask(), ask(2, age=[5, 212], carrier=["UA", "DL"])])
    assert kept[0].flags == ["", "", "age[1]: 212 is above 120; carrier[1]: 'DL' is none of UA, AA"]


def test_imputed(made, models) -> None:
    answer = made("impute", age=40).predict(ask(3, age=[-1, 5, 300], carrier=["UA", "DL", "AA"]))
    assert models[1].seen[-1]["age"] == [40, 5, 40]
    assert models[1].seen[-1]["carrier"] == ["UA", None, "AA"]
    assert [flag.partition(":")[0] for flag in answer.flags] == ["age[0]", "age[2]", "carrier[1]"]


def test_a_wrong_type_is_imputed(made, models) -> None:
    core = made("impute", age=40, x=9.0)
    fine, answer = core.answer([ask(), ask(2, x=["much", 2.0], age=["old", 5], code=[3, "JFK"])])
    assert list(answer.flags) == [
        "x[0]: 'much' is no double",
        "age[0]: 'old' is no long",
        "code[0]: 3 is no string",
    ]
    assert answer.outputs["score"].tolist() == [1.009, 1.002]
    assert fine.outputs["score"].tolist() == [1.001]
    assert list(fine.flags) == []
    seen = models[1].seen[-1]
    assert (seen["age"], seen["code"]) == ([30, 40, 5], ["JFK", None, "JFK"])


def test_what_was_not_sent_is_imputed_where_declared(made) -> None:
    columns = {"x": [1.0], "carrier": ["UA"], "code": ["JFK"]}
    answer = made("impute", age=40).predict(Ask(id="r", rows=1, columns=columns))
    assert list(answer.flags) == ["age[0]: it was not sent"]
    with pytest.raises(BadRequest, match="age"):
        made("impute").predict(Ask(id="r", rows=1, columns=columns))


def test_a_door_does_not_ask_for_what_is_imputed(made) -> None:
    def needed(core) -> list[str]:
        return [each.name for each in core.form.inputs if each.required]

    assert needed(made("impute", age=40)) == ["x", "carrier", "code"]
    assert needed(made("flag", age=40)) == ["x", "age", "carrier", "code"]


@pytest.mark.parametrize("invalid", ["flag", "reject"])
def test_a_wrong_type_is_rejected_otherwise(made, invalid) -> None:
    with pytest.raises(SignatureMismatch, match="expected long, got 'old'"):
        made(invalid).predict(ask(age=["old"]))


class TestMatrix:
    FIELDS = (Field(name="x", type="double"), Field(name="y", type="double"))

    @pytest.fixture
    def core(self, kit, spec, models, journal, clock):
        models[1].names = ("x", "y")

        def make(invalid, *rules, **impute):
            edge = EdgeSettings(invalid=invalid, impute=impute)
            checks = ValueChecks(rules, edge)
            free = replace(spec, keyed=False)
            core = EndpointCore(free, [], None, lambda each: models[1], journal, clock, checks=checks)
            core.apply(kit.route(kit.variant("champion", 1, 1.0)))
            return core

        return make

    def test_ranges(self, core) -> None:
        made = core("reject", ValueRule(field="y", minimum=0, maximum=5))
        asks = [
            Ask(id=f"r{n}", rows=1, matrix=[[-9.0, y]])
            for n, y in enumerate([0.0, 5.0, 5.1, None, float("nan")])
        ]
        assert [getattr(each, "code", "fine") for each in made.answer(asks)] == [
            "fine", "fine", "SignatureMismatch", "fine", "fine",
        ]  # fmt: skip

    def test_values(self, core) -> None:
        made = core("reject", ValueRule(field="y", allowed=(1.0, 2.0), nullable=False))
        [fine, wrong, missing] = made.answer(
            [Ask(id="r", rows=1, matrix=[[0.0, y]]) for y in (2.0, 3.0, None)]
        )
        assert not hasattr(fine, "faults")
        assert str(wrong.faults[0]) == "y[0]: expected one of 1.0, 2.0, got 3"
        assert str(missing.faults[0]) == "y[0]: expected a value, got a missing value"

    def test_imputed_in_a_copy(self, core, models) -> None:
        sent = np.array([[1.0, 9.0], [2.0, 1.0]])
        answer = core("impute", ValueRule(field="y", maximum=5), y=3.0).predict(
            Ask(id="r", rows=2, matrix=sent)
        )
        assert models[1].seen[-1]["y"] == [3.0, 1.0]
        assert list(answer.flags) == ["y[0]: 9 is above 5"]
        assert sent[0, 1] == 9.0


def test_instants() -> None:
    fields = (Field(name="at", type="datetime"),)
    checks = ValueChecks([ValueRule(field="at", minimum=1e6, maximum=2e6)]).bound(fields)
    from mlwright.model.batches import batch_of

    at = ["1970-01-01T00:00:01", "1970-01-01T00:00:03", None, "1970-01-01T00:00:00"]
    assert sorted(each.row for each in checks.breaches(batch_of(fields, {"at": at}))) == [1, 3]


def test_rules_of_a_contract() -> None:
    def rule(name, kind, **more):
        return Rule(id=f"{name}.{kind}", kind=kind, columns=(name,), **more)

    contract = Contract(
        id="c",
        version="1",
        dataset="d",
        columns=(
            Column(name="age", logical_type="integer", minimum=0, maximum=120, required=True),
            Column(name="code", logical_type="string", pattern="[A-Z]+", max_length=3),
            Column(name="free", logical_type="string"),
            Column(name="mostly", logical_type="string"),
        ),
        rules=(
            rule("age", RuleKind.RANGE, minimum=0, maximum=120),
            rule("age", RuleKind.NULLS),
            rule("code", RuleKind.PATTERN, pattern="[A-Z]+"),
            rule("code", RuleKind.VALUES, values=("JFK", "EWR")),
            rule("free", RuleKind.RANGE, minimum=0, severity=Severity.WARNING, action=Action.KEEP),
            rule("mostly", RuleKind.VALUES, values=("a",), highest=5.0, unit="percent"),
            Rule(id="pk", kind=RuleKind.DUPLICATES, columns=("age", "code")),
        ),
    )
    assert value_rules(contract) == (
        ValueRule(field="age", minimum=0, maximum=120, nullable=False),
        ValueRule(field="code", allowed=("JFK", "EWR"), pattern="[A-Z]+", max_length=3),
    )


@pytest.mark.parametrize(
    ("type_", "column"),
    [
        ("int8", [1.0, 300.0]),
        ("int16", np.array([1, 70000])),
        ("integer", np.array([1, 2**40])),
        ("long", [1.0, 2.0**63]),
        ("uint8", np.array([3, -1])),
        ("long", [1, 2**64]),
    ],
)
def test_whole_numbers_that_do_not_fit(type_, column) -> None:
    with pytest.raises(SignatureMismatch, match="row 1 of 'n'"):
        array_of(Field(name="n", type=type_), column)


def test_nan_among_whole_numbers_is_missing() -> None:
    array = array_of(Field(name="n", type="long"), [float("nan"), 2.0])
    assert array.dtype == np.float64
    assert np.isnan(array[0])
    assert array_of(Field(name="n", type="long"), np.array([1.0, 2.0])).dtype == np.int64
