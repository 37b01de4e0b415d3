import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.errors import ContractBroken
from mlwright.model.contracts import Action, Column, Contract, Rule, RuleKind, RuleResult, Severity
from mlwright.stages.contracts.check import admit, check, describe_limit, require

KEYS = st.one_of(st.none(), st.integers(0, 3))
NUMBERS = st.one_of(st.none(), st.just(math.nan), st.floats(-5, 5).map(lambda value: round(value, 1)))
TEXTS = st.one_of(st.none(), st.sampled_from(["ab", "ba", "abc", "", "NA", "é"]))
ROWS = st.lists(st.tuples(KEYS, NUMBERS, TEXTS), max_size=12)


def rule(kind: RuleKind, *columns: str, **more: object) -> Rule:
    return Rule(id=f"{'_'.join(columns)}.{kind}.{len(more)}", kind=kind, columns=columns, **more)  # type: ignore[arg-type]


RULES = (
    rule(RuleKind.NULLS, "key"),
    rule(RuleKind.NULLS, "number"),
    rule(RuleKind.NULLS, "text", values=("NA", "")),
    rule(RuleKind.DUPLICATES, "key"),
    rule(RuleKind.DUPLICATES, "number"),
    rule(RuleKind.DUPLICATES, "key", "text"),
    rule(RuleKind.RANGE, "number", minimum=-1.0, maximum=2.5),
    rule(RuleKind.RANGE, "key", minimum=1.0),
    rule(RuleKind.VALUES, "text", values=("ab", "é")),
    rule(RuleKind.VALUES, "key", values=(0, 2)),
    rule(RuleKind.PATTERN, "text", pattern="a|ab.*"),
    rule(RuleKind.TYPE, "key"),
)


def contract(*rules: Rule, timestamp: str | None = None) -> Contract:
    return Contract(
        id="c",
        version="1",
        dataset="d",
        columns=(
            Column(name="key", logical_type="integer"),
            Column(name="number", logical_type="number"),
            Column(name="text", logical_type="string"),
        ),
        rules=rules,
        timestamp=timestamp,
    )


def frame(rows: list[tuple[int | None, float | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"key": pl.Int64, "number": pl.Float64, "text": pl.String}, orient="row")


def naive(one: Rule, rows: list[tuple[int | None, float | None, str | None]]) -> list[int]:
    """The failing rows, counted the slow way."""
    names = ("key", "number", "text")
    seen: set[object] = set()
    failing = []
    for number, row in enumerate(rows):
        values = [row[names.index(name)] for name in one.columns]
        absent = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
        value = values[0]
        if one.kind is RuleKind.NULLS:
            bad = absent[0] or value in one.values
        elif any(absent):
            bad = False
        elif one.kind is RuleKind.DUPLICATES:
            bad = tuple(values) in seen
            seen.add(tuple(values))
        elif one.kind is RuleKind.RANGE:
            assert isinstance(value, (int, float))
            low, high = one.minimum, one.maximum
            bad = (low is not None and value < low) or (high is not None and value > high)
        elif one.kind is RuleKind.VALUES:
            bad = value not in one.values
        elif one.kind is RuleKind.PATTERN:
            bad = not (value == "a" or str(value).startswith("ab"))
        else:
            bad = False
        if bad:
            failing.append(number)
    return failing


@settings(max_examples=40)
@given(rows=ROWS)
def test_counts_and_examples_agree_with_a_naive_count(
    rows: list[tuple[int | None, float | None, str | None]],
) -> None:
    report = check(contract(*RULES), frame(rows))
    assert [result.rule for result in report.results] == list(RULES)
    for result in report.results:
        expected = naive(result.rule, rows)
        assert result.failing_rows == len(expected), result.rule
        assert result.examples == tuple(expected[:5]), result.rule
        assert result.passed is (not expected)


@settings(max_examples=40)
@given(rows=ROWS)
def test_what_is_admitted_keeps_every_drop_rule(
    rows: list[tuple[int | None, float | None, str | None]],
) -> None:
    dropping = tuple(
        Rule(id=one.id, kind=one.kind, columns=one.columns, action=Action.DROP, minimum=one.minimum,
             maximum=one.maximum, values=one.values, pattern=one.pattern)
        for one in (RULES[4], RULES[5], RULES[6], RULES[8])
    )  # fmt: skip
    data = frame(rows).with_row_index("row")
    admitted, report = admit(contract(*dropping), data)
    assert check(contract(*dropping), admitted).broken == ()
    assert report.rows == len(rows)
    assert report.admitted == admitted.height == len(rows) - sum(result.dropped for result in report.results)
    assert admitted["row"].is_sorted()
    assert report.passed
    require(report)
    bad = {number for one in (RULES[6], RULES[8]) for number in naive(one, rows)}
    assert not bad & set(admitted["row"])


def test_of_duplicates_the_first_is_kept_and_surplus_rows_are_counted() -> None:
    unique = rule(RuleKind.DUPLICATES, "key", action=Action.DROP)
    data = frame(
        [(1, 0.0, "a"), (1, 1.0, "b"), (2, 2.0, "c"), (1, 3.0, "d"), (None, 4.0, "e"), (None, 5.0, "f")]
    )
    admitted, report = admit(contract(unique), data)
    (result,) = report.results
    assert (result.failing_rows, result.examples, result.dropped) == (2, (1, 3), 2)
    assert admitted["text"].to_list() == ["a", "c", "e", "f"]


def test_a_duplicate_is_judged_after_the_first_of_its_kind_was_dropped_for_another_reason() -> None:
    rules = (
        rule(RuleKind.DUPLICATES, "key", action=Action.DROP),
        rule(RuleKind.RANGE, "number", minimum=0.0, action=Action.DROP),
    )
    admitted, _ = admit(contract(*rules), frame([(1, -1.0, "bad"), (1, 1.0, "good")]))
    assert admitted["text"].to_list() == ["good"]


def test_a_limit_above_zero_bounds_what_may_be_dropped() -> None:
    data = frame([(1, None, "a"), (2, None, "a"), (3, 1.0, "a"), (4, 1.0, "a")])
    loose = rule(RuleKind.NULLS, "number", highest=50.0, unit="percent", action=Action.DROP)
    tight = rule(RuleKind.NULLS, "number", highest=49.0, unit="percent", action=Action.DROP)
    for one, fine in ((loose, True), (tight, False)):
        admitted, report = admit(contract(one), data)
        assert admitted.height == 2
        assert report.passed is fine


def test_keep_leaves_rows_and_severity_decides_about_the_data() -> None:
    data = frame([(None, 1.0, "a")])
    kept = rule(RuleKind.NULLS, "key", action=Action.KEEP, severity=Severity.WARNING)
    admitted, report = admit(contract(kept), data)
    assert admitted.height == 1
    assert report.passed
    assert [result.rule.id for result in report.broken] == [kept.id]
    require(report)


def test_require_names_every_broken_rule_of_severity_error_and_the_next_command() -> None:
    rules = (
        rule(RuleKind.NULLS, "key"),
        rule(RuleKind.RANGE, "number", maximum=1.0),
        rule(RuleKind.NULLS, "text", severity=Severity.WARNING),
    )
    report = check(contract(*rules), frame([(None, 2.0, None), (1, 7.0, "x")]))
    with pytest.raises(ContractBroken) as caught:
        require(report)
    assert [fault.where for fault in caught.value.faults] == [rules[0].id, rules[1].id]
    assert "key: 1 of 2 rows without a value (50 %); must be exactly 0 rows" in str(caught.value)
    assert "as in 2.0; must be exactly 0 rows; first at row 0, 1" in str(caught.value)
    assert caught.value.next_command == "mlwright check d"


def test_an_absent_column_breaks_its_present_rule_and_leaves_the_others_unknown() -> None:
    rules = (rule(RuleKind.PRESENT, "number"), rule(RuleKind.NULLS, "number"), rule(RuleKind.NULLS, "key"))
    report = check(contract(*rules), frame([(1, 1.0, "x")]).rename({"number": "nunber"}))
    present, other = report.results
    assert not present.passed
    assert present.detail == "the data has no column 'number'; did you mean 'nunber'?"
    assert other.rule.columns == ("key",)
    assert report.not_measured == (f"{rules[1].id}: the data has no column 'number'",)


@pytest.mark.parametrize(
    ("logical", "good", "bad"),
    [
        ("integer", pl.Series([1, None], dtype=pl.Int8), pl.Series(["1", "2"])),
        ("integer", pl.Series([1.0, math.nan, None]), pl.Series([1.0, 1.5, 2.5])),
        ("number", pl.Series([1, 2]), pl.Series([True, False])),
        ("number", pl.Series([1.5, math.nan]), pl.Series(["1", "2"])),
        ("string", pl.Series(["a", "b"], dtype=pl.Categorical()), pl.Series([1, 2])),
        ("boolean", pl.Series([True, None]), pl.Series([0, 1])),
        ("timestamp", pl.Series([datetime(2013, 1, 1, tzinfo=UTC)]), pl.Series(["2013-01-01", "x"])),
        ("date", pl.Series([None, datetime(2013, 1, 1).date()]), pl.Series([datetime(2013, 1, 1)] * 2)),  # noqa: DTZ001
        ("time", pl.Series([None], dtype=pl.Time), pl.Series([1, 2])),
        ("array", pl.Series([[1], []]), pl.Series([1, 2])),
        ("object", pl.Series([{"a": 1}]), pl.Series([1, 2])),
        ("integer", pl.Series([None, None]), pl.Series([math.inf, -math.inf])),
    ],
)
def test_logical_types(logical: str, good: pl.Series, bad: pl.Series) -> None:
    typed = Contract(
        id="c",
        version="1",
        dataset="d",
        columns=(Column(name="x", logical_type=logical),),
        rules=(rule(RuleKind.TYPE, "x"),),
    )
    assert check(typed, pl.DataFrame({"x": good})).passed
    (result,) = check(typed, pl.DataFrame({"x": bad})).results
    assert not result.passed
    assert result.failing_rows == 2
    assert str(bad.dtype) in result.detail


def test_a_value_rule_on_a_column_of_the_wrong_type_is_not_measured() -> None:
    report = check(
        contract(rule(RuleKind.TYPE, "number"), rule(RuleKind.RANGE, "number", minimum=0.0)),
        pl.DataFrame({"number": ["1", "x"]}),
    )
    assert [result.rule.kind for result in report.results] == [RuleKind.TYPE]
    assert report.not_measured[0].endswith("number holds String, not number")


def test_ranges_of_instants_are_in_microseconds_utc() -> None:
    at = datetime(2013, 1, 1, tzinfo=UTC)
    ranged = rule(RuleKind.RANGE, "at", minimum=at.timestamp() * 1e6)
    for unit in ("ms", "us", "ns"):
        data = pl.DataFrame({"at": [at - timedelta(seconds=1), at, None]}).with_columns(
            pl.col("at").dt.cast_time_unit(unit)  # type: ignore[arg-type]
        )
        (result,) = check(contract(ranged), data).results
        assert result.examples == (0,)


def test_row_count_and_freshness_are_about_the_whole_frame() -> None:
    now = datetime(2013, 1, 2, tzinfo=UTC)
    data = pl.DataFrame({"at": [now - timedelta(hours=5), now - timedelta(hours=3)]}).with_columns(
        pl.col("at").dt.convert_time_zone("America/New_York")
    )
    rules = (
        rule(RuleKind.ROW_COUNT, lowest=3.0, highest=None),
        rule(RuleKind.FRESHNESS, "at", highest=3 * 3600.0, unit="seconds"),
    )
    count, fresh = check(contract(*rules), data, now=now).results
    assert (count.measured, count.passed) == (2.0, False)
    assert (fresh.measured, fresh.passed) == (3 * 3600.0, True)
    later = check(contract(*rules), data, now=now + timedelta(seconds=1)).results[1]
    assert not later.passed
    assert check(contract(*rules), data).not_measured == ("at.freshness.2: no present instant was given",)


@pytest.mark.parametrize(
    ("more", "measured", "passed", "words"),
    [
        ({"highest": 0.0}, 1, False, "exactly 0 rows"),
        ({"highest": 2.0}, 2, True, "at most 2 rows"),
        ({"lowest": 2.0, "highest": None}, 1, False, "at least 2 rows"),
        ({"lowest": 1.0, "highest": 2.0}, 2, True, "between 1 and 2 rows"),
        ({"lowest": 1.0, "highest": 2.0, "outside": True}, 2, False, "not between 1 and 2 rows"),
        ({"lowest": 2.0, "highest": 2.0, "outside": True}, 1, True, "not exactly 2 rows"),
        ({"highest": 5.0, "unit": "percent"}, 1, False, "at most 5 percent"),
    ],
)
def test_limits(more: dict[str, object], measured: int, passed: bool, words: str) -> None:
    one = rule(RuleKind.NULLS, "key", **more)
    result: RuleResult = check(
        contract(one), frame([(None, 1.0, "x")] * measured + [(1, 1.0, "x")] * (10 - measured))
    ).results[0]
    assert result.passed is passed
    assert describe_limit(one) == words


def test_an_empty_frame_breaks_nothing_but_its_row_count() -> None:
    percent = rule(RuleKind.NULLS, "key", unit="percent")
    report = check(contract(*RULES, percent, rule(RuleKind.ROW_COUNT, lowest=1.0, highest=None)), frame([]))
    assert [result.rule.kind for result in report.broken] == [RuleKind.ROW_COUNT]
