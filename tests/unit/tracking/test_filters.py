"""The grammar of filters: what it takes, how it refuses, and that no text makes it do anything else."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlwright.errors import UsageError
from mlwright.model.filter_subjects import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    TRACES,
)
from mlwright.model.filters import Condition, Kind, Order, parse_filter, parse_order
from mlwright.model.searching import MeasuredOn, parse_model_order, query_digest, read_token, write_token

SUBJECTS = [RUNS, EXPERIMENTS, LOGGED_MODELS, REGISTERED_MODELS, MODEL_VERSIONS, TRACES]


def read(text, subject=RUNS):
    return [(each.kind.value, each.key, each.comparator, each.value) for each in parse_filter(text, subject)]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("metrics.x > 1", ("metric", "x", ">", 1)),
        ("metric.`a b`>=1e-3", ("metric", "a b", ">=", 0.001)),
        ("metrics.é <= -.5", ("metric", "é", "<=", -0.5)),
        ("metrics.x = 1e999", ("metric", "x", "=", float("inf"))),
        ("params.\"a b\" = 'x'", ("param", "a b", "=", "x")),
        ('parameter.p liKe "it\'s"', ("param", "p", "LIKE", "it's")),
        ("params.p = 'it''s'", ("param", "p", "=", "it's")),
        ("params.p = 'it\\'s'", ("param", "p", "=", "it's")),
        (r"params.p = 'C:\'", ("param", "p", "=", "C:\\")),
        (r"params.p = 'C:\temp'", ("param", "p", "=", r"C:\temp")),
        ("params.p = ''", ("param", "p", "=", "")),
        ("tags.mlflow.source.name != 'x'", ("tag", "mlflow.source.name", "!=", "x")),
        ("tag.`mlflow.user` IS  NOT\nNULL", ("tag", "mlflow.user", "IS NOT NULL", None)),
        ("tags.`a``b` is null", ("tag", "a`b", "IS NULL", None)),
        ("status = 'FINISHED'", ("attribute", "status", "=", "FINISHED")),
        ("run.`Run name` ILIKE 'A%'", ("attribute", "run_name", "ILIKE", "A%")),
        ("Created < 5", ("attribute", "start_time", "<", 5)),
        ("attr.end_time < 99999999999999999999", ("attribute", "end_time", "<", 1e20)),
        ("run_id NOT IN ('a' , \"b\",)", ("attribute", "run_id", "NOT IN", ("a", "b"))),
        ("datasets.context IN ('train')", ("dataset", "context", "IN", ("train",))),
    ],
)
def test_one_condition_on_runs(text, condition):
    assert read(text) == [condition]


def test_conditions_are_joined_by_and():
    expected = [("metric", "a", ">", 1), ("param", "b", "=", "x"), ("tag", "c", "IS NULL", None)]

    assert read("metrics.a > 1 AND params.b='x'and tags.c IS NULL") == expected
    # As MLflow: programs that glue filters together leave some over.
    assert read(" AND metrics.a > 1 params.b = 'x' AND AND tags.c IS NULL AND ") == expected
    assert read("") == read(None) == read("  \n") == []


@pytest.mark.parametrize(
    ("subject", "text", "condition"),
    [
        (EXPERIMENTS, "name LIKE 'a%'", ("attribute", "name", "LIKE", "a%")),
        (EXPERIMENTS, "experiment_id IN ('1','2')", ("attribute", "experiment_id", "IN", ("1", "2"))),
        (EXPERIMENTS, "creation_time > 5", ("attribute", "creation_time", ">", 5)),
        (LOGGED_MODELS, "creation_timestamp_ms > 5", ("attribute", "creation_timestamp", ">", 5)),
        (LOGGED_MODELS, "attributes.model_type IN ('a')", ("attribute", "model_type", "IN", ("a",))),
        (REGISTERED_MODELS, "name IN ('a')", ("attribute", "name", "IN", ("a",))),
        (MODEL_VERSIONS, "version_number = '3'", ("attribute", "version_number", "=", 3)),
        (MODEL_VERSIONS, "tags.`mlflow.prompt.is_prompt` = 'true'",
         ("tag", "mlflow.prompt.is_prompt", "=", "true")),
        (TRACES, "timestamp > 5", ("attribute", "timestamp_ms", ">", 5)),
        (TRACES, "name = 'x'", ("tag", "mlflow.traceName", "=", "x")),
        (TRACES, "trace.run_id = 'x'", ("metadata", "mlflow.sourceRun", "=", "x")),
        (TRACES, "text LIKE '%x%'", ("span", "content", "LIKE", "%x%")),
        (TRACES, "span.attributes.`llm model` RLIKE 'x'", ("span", "attributes.llm model", "RLIKE", "x")),
        (TRACES, "feedback.ok > 0.5", ("feedback", "ok", ">", 0.5)),
        (TRACES, "expectation.ok = 'true'", ("expectation", "ok", "=", "true")),
    ],
)  # fmt: skip
def test_one_condition_on_other_subjects(subject, text, condition):
    assert read(text, subject) == [condition]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("metrics.a>1 OR metrics.b<2", 13, "OR cannot stand here"),
        ("(metrics.a > 1)", 1, "( cannot stand here"),
        ("metrics.a > 1;", 14, "; cannot stand here"),
        ("NOT metrics.a > 1", 1, "NOT cannot stand here"),
        ("stats = 'x'", 1, "did you mean 'status'?"),
        ("metrcs.a > 1", 1, "did you mean 'metrics'?"),
        ("datasets.nme = 'a'", 1, "did you mean 'name'?"),
        ("params.a == 'x'", 10, "did you mean '='?"),
        ("params.a <> 'x'", 10, "did you mean '!='?"),
        ("tags.a-b = 'x'", 7, "did you mean 'tags.`a-b`'?"),
        ("accuracy > 1", 1, "no attribute 'accuracy'"),
        ("params.a > 'x'", 10, "cannot be compared by >"),
        ("params.a NOT LIKE 'x'", 10, "cannot be compared by NOT LIKE"),
        ("status IS NULL", 8, "cannot be compared by IS NULL"),
        ("status IN ('a')", 8, "cannot be compared by IN"),
        ("metrics.a > 'x'", 13, "compared with a number"),
        ("metrics.a > 0x10", 13, "compared with a number"),
        ("metrics.a > 1.0.0", 13, "compared with a number"),
        ("params.a = x", 12, "compared with a text"),
        ("params.a = 5", 12, "compared with a text"),
        ("params.a = 'x", 12, "has no end"),
        ("run_id IN ()", 13, "the list is empty"),
        ("run_id IN (1)", 12, "compared with a text"),
        ("run_id IN 'a'", 11, "compared with a list"),
        ("run_id IN ('a' 'b')", 16, "does not go on"),
        ("metrics.a", 10, "a comparator is missing"),
        ("metrics. a > 1", 9, "a name is missing"),
        ("metrics.`` > 1", 1, "has no name"),
        ("'a' = 'a'", 1, "no attribute 'a'"),
        ("1 = 1", 1, "no attribute '1'"),
        ("metrics.a > 1 -- x", 15, "a name is missing"),
        ("params.a = 'x' '; DROP TABLE tracking_runs; --", 16, "has no end"),
        ("params.a = '\0'", 13, "no text"),
        ("params.a = '\ud800'", 13, "no text"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, where, what):
    with pytest.raises(UsageError) as refused:
        parse_filter(text, RUNS)
    assert what in str(refused.value)
    assert refused.value.where.startswith(f"filter, character {where} ")


def test_an_unknown_name_says_how_own_keys_are_written():
    with pytest.raises(UsageError, match=r"metrics\.accuracy or params\.accuracy or tags\.accuracy"):
        parse_filter("accuracy > 1", RUNS)


@pytest.mark.parametrize(
    ("clause", "order"),
    [
        ("metrics.`a b` DESC", (Kind.METRIC, "a b", False)),
        ('params."a b"', (Kind.PARAM, "a b", True)),
        ("attributes.start_time asc", (Kind.ATTRIBUTE, "start_time", True)),
        ("Created DESC", (Kind.ATTRIBUTE, "start_time", False)),
        ("tags.desc desc", (Kind.TAG, "desc", False)),
    ],
)
def test_orders_of_runs(clause, order):
    (found,) = parse_order([clause], RUNS)
    assert (found.kind, found.key, found.ascending) == order


@pytest.mark.parametrize(
    "clauses",
    [["metrics.a b"], ["metrics.a DESC NULLS LAST"], ["foo"], ["dataset.name"], [""], ["metrics.a", "metrics.a DESC"],
     ["Created", "start_time"], ["metrics.a; DROP TABLE x"], ["status"] * 30],
)  # fmt: skip
def test_orders_that_cannot_be(clauses):
    with pytest.raises(UsageError):
        parse_order(clauses, RUNS)


def test_logged_models_are_ordered_by_a_metric_on_a_data_set():
    found = parse_model_order("metrics.val-loss", ascending=False, dataset="d", digest="x")

    assert found.order == Order(kind=Kind.METRIC, key="val-loss", ascending=False)
    assert found.on == MeasuredOn(dataset="d", digest="x")
    assert parse_model_order("creation_time").order.key == "creation_timestamp"
    for wrong in ({"field_name": "params.x"}, {"field_name": "name", "digest": "x"}, {"field_name": "no"}):
        with pytest.raises(UsageError):
            parse_model_order(**wrong)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\\"), max_size=12)


@given(key=NAMES, value=TEXTS, quote=st.sampled_from("'\""))
def test_every_key_and_value_can_be_written(key, value, quote):
    doubled = value.replace(quote, quote * 2)
    text = f"tags.`{key.replace('`', '``')}` = {quote}{doubled}{quote} AND status = 'x'"

    assert read(text)[0] == ("tag", key, "=", value)
    assert len(read(text)) == 2


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_as_it_is_written(value):
    assert parse_filter(f"metrics.x > {value!r}", RUNS) == (
        Condition(kind=Kind.METRIC, key="x", comparator=">", value=value),
    )


PIECES = st.sampled_from(
    ["metrics.x", "params.`a b`", "tags", ".", "`", "'", '"', "''", "\\", "(", ")", ",", " ", "AND", "OR", "NOT", "IN",
     "LIKE", "IS", "NULL", "=", "!=", ">", "<=", "1", "-1.5e3", "'x'", "run_id", "status", "span.attributes.", ";",
     "--", "/*", "DROP TABLE", "\0", "\ud800", "é", "٣", "\u2028", "%"]
)  # fmt: skip


@given(text=st.lists(PIECES, max_size=12).map("".join) | st.text(), subject=st.sampled_from(SUBJECTS))
@example(text="'" * 5000, subject=RUNS)
@example(text="(" * 5000, subject=RUNS)
def test_no_text_makes_anything_but_conditions_or_a_refusal(text, subject):
    for parse in (parse_filter, lambda text, subject: parse_order([text], subject)):
        said = ""
        try:
            parse(text, subject)
        except UsageError as refused:
            said = str(refused)
        assert len(said) < 3000


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "'" * 1_000_001, "\\'" * 500_000, "metrics.x > " + "9" * 1_000_000, "(" * 1_000_000,
     "params.p = '" + "\\'" * 400_000, "a." * 500_000, "AND " * 250_000, "metrics.x > 1 AND " * 50_000,
     "run_id IN (" + "'a'," * 200_000 + ")", " " * 3_000_000, "params.p LIKE '" + "%a" * 10_000 + "'",
     "metrics.`" + "x" * 1_000_000],
)  # fmt: skip
def test_huge_filters_are_answered_at_once(text):
    began, said, found = time.process_time(), "", ()
    try:
        found = parse_filter(text, RUNS)
    except UsageError as refused:
        said = str(refused)
    assert len(said) < 3000
    assert len(found) <= 1
    assert time.process_time() - began < 2


def test_a_token_goes_with_its_search_and_holds_what_it_was_given():
    query = query_digest("a", 1)
    marks = (None, 1, -2.5, float("inf"), "é\n")
    kinds = [str, int, float, float, str]
    token = write_token(query, marks)

    assert read_token(token, query, kinds) == marks
    assert query_digest("a", 2) != query
    for broken in (token[:-3], "x" + token, "", "é", "e30=", write_token(query, [1]), write_token("other", marks),
                   write_token(query, (None, 1.5, 1, 1, "")), write_token(query, (None, 2**70, 1, 1, "")),
                   write_token(query, (None, 1, 1, 1, "\0"))):  # fmt: skip
        with pytest.raises(UsageError):
            read_token(broken, query, kinds)
