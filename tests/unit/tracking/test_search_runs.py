"""Finding runs, against a plain model of what MLflow means: every filter, every order, both ways of searching."""

import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, insert, select, update

from mlwright.errors import UsageError
from mlwright.model.filter_subjects import RUNS
from mlwright.model.filters import Kind, parse_filter, parse_order
from mlwright.model.searching import View
from mlwright.stages.tracking import search_runs as searching
from mlwright.stages.tracking import tables
from mlwright.stages.tracking.search_runs import search_runs

VALUES = [
    "a",
    "A",
    "ab",
    "a%b",
    "a_b",
    "a*b",
    "[x]",
    "it's",
    "é",
    "É",
    "",
    "1",
    "10",
    "x" * 200,
    "x" * 200 + "y",
    "\\x",
]
NUMBERS = [0.0, 1.0, -1.0, 2.5, math.nan, math.inf, -math.inf]

a_text = st.sampled_from(VALUES)
a_run = st.fixed_dictionaries(
    {
        "experiment": st.sampled_from([1, 1, 2]),
        "name": st.sampled_from(["alpha", "Alpha", "beta"]),
        "status": st.sampled_from(["RUNNING", "FINISHED"]),
        "started": st.sampled_from([1000, 2000, 3000]),
        "ended": st.sampled_from([None, 4000, 5000]),
        "deleted": st.sampled_from([False, False, True]),
        "metric": st.dictionaries(st.sampled_from(["m", "n"]), st.sampled_from(NUMBERS)),
        "param": st.dictionaries(st.sampled_from(["p", "q"]), a_text),
        "tag": st.dictionaries(st.sampled_from(["t", "u"]), a_text),
        "datasets": st.lists(
            st.tuples(
                st.sampled_from(["d", "D"]), st.sampled_from(["1", "2"]), st.sampled_from([None, "train", "Eval"])
            ),
            max_size=2,
            unique_by=lambda each: each[:2],
        ),
    }
)  # fmt: skip


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


a_pattern = st.sampled_from(
    ["a%", "%B", "_", "a_b", "%", "A%", "x%", "%y", "É", "é", "a*b", "[x]", "", "\\x", "%'%"]
)
a_text_test = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["=", "!="]), a_text.map(quoted)),
    st.builds("{} {}".format, st.sampled_from(["LIKE", "ILIKE", "like"]), a_pattern.map(quoted)),
)
a_number_test = st.builds(
    "{} {}".format,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["0", "1", "-1", "2.5", "1e999"]),
)  # fmt: skip
a_null_test = st.sampled_from(["IS NULL", "IS NOT NULL"])
a_condition = st.one_of(
    st.builds("metrics.{} {}".format, st.sampled_from("mno"), a_number_test),
    st.builds("params.{} {}".format, st.sampled_from("pqr"), a_text_test | a_null_test),
    st.builds("tags.{} {}".format, st.sampled_from("tuv"), a_text_test | a_null_test),
    st.builds("{} {}".format, st.sampled_from(["status", "run_name"]), a_text_test),
    st.sampled_from(["status = 'FINISHED'", "run_name = 'alpha'", "run_name ILIKE 'ALPHA'", "run_name LIKE 'a%'"]),
    st.builds("{} {}".format, st.sampled_from(["start_time", "end_time"]),
              st.sampled_from(["> 1000", "= 4000", "!= 2000"])),
    st.builds("datasets.{} {}".format, st.sampled_from(["name", "digest", "context"]),
              st.sampled_from(["= 'd'", "!= 'train'", "LIKE '%D%'", "ILIKE 'e%'", "IN ('d', '1', 'train')",
                               "NOT IN ('d')"])),
)  # fmt: skip
AN_ORDER = [
    "metrics.m",
    "metrics.n",
    "params.p",
    "tags.t",
    "start_time",
    "end_time",
    "status",
    "run_name",
    "run_id",
]
orders = st.lists(st.sampled_from(AN_ORDER), unique=True, max_size=3).flatmap(
    lambda keys: st.tuples(*(st.sampled_from([key, f"{key} DESC"]) for key in keys))
)


@pytest.fixture(scope="module")
def engine():
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as tx:
        for number in (1, 2):
            row = {"id": number, "name": f"e{number}", "artifact_root": "x", "created_at": 1, "updated_at": 1}
            tx.execute(insert(tables.experiments).values(row))
    return engine


def store(tx, runs):
    """Write the runs, each with its number and an id that sorts in another order."""
    sets = {}
    for at, run in enumerate(runs):
        run |= {"number": at + 1, "id": f"{(at * 7919) % 1000:03}-{at}"}
        row = {
            "name": run["name"],
            "status": run["status"],
            "started_ms": run["started"],
            "ended_ms": run["ended"],
        }
        tx.execute(
            insert(tables.runs).values(
                number=run["number"],
                id=run["id"],
                experiment=run["experiment"],
                actor="ada",
                artifact_root="x",
                deleted_at=1 if run["deleted"] else None,
                **row,
            )
        )
        of = {"run": run["number"]}
        measured = {"step": 0, "at_ms": 0, "points": 1, "lowest": 0, "highest": 0}
        for table, rows in (
            (
                tables.latest_metrics,
                [of | measured | {"key": k, "value": v} for k, v in run["metric"].items()],
            ),
            (tables.params, [of | {"key": k, "value": v} for k, v in run["param"].items()]),
            (tables.tags, [of | {"key": k, "value": v} for k, v in run["tag"].items()]),
        ):
            if rows:
                tx.execute(insert(table), rows)
        for name, digest, context in run["datasets"]:
            key = run["experiment"], name, digest
            if key not in sets:
                made = insert(tables.datasets).values(
                    experiment=key[0], name=name, digest=digest, source_type="local", source="x"
                )
                sets[key] = tx.execute(made).inserted_primary_key[0]
            tags = {"mlflow.data.context": context} if context else {}
            tx.execute(insert(tables.inputs).values(run=run["number"], dataset=sets[key], tags=tags))


def like(value, pattern, flags=0):
    parts = (".*" if each == "%" else "." if each == "_" else re.escape(each) for each in pattern)
    return re.fullmatch("".join(parts), value, flags | re.DOTALL) is not None


def meets(value, comparator, wanted):
    if value is None:
        return False
    tests = {
        "=": lambda: value == wanted,
        "!=": lambda: value != wanted,
        "<": lambda: value < wanted,
        "<=": lambda: value <= wanted,
        ">": lambda: value > wanted,
        ">=": lambda: value >= wanted,
        "LIKE": lambda: like(value, wanted),
        # As SQLite: only the letters of ASCII have two forms.
        "ILIKE": lambda: like(value, wanted, re.IGNORECASE | re.ASCII),
        "IN": lambda: value in wanted,
        "NOT IN": lambda: value not in wanted,
    }
    return tests[comparator]()


ATTRIBUTES = {
    "start_time": "started",
    "end_time": "ended",
    "run_name": "name",
    "run_id": "id",
    "status": "status",
}


def matches(run, condition):
    key, comparator, wanted = condition.key, condition.comparator, condition.value
    if condition.kind is Kind.ATTRIBUTE:
        return meets(run[ATTRIBUTES[key]], comparator, wanted)
    if condition.kind is Kind.DATASET:
        at = ("name", "digest", "context").index(key)
        return any(meets(each[at], comparator, wanted) for each in run["datasets"])
    value = run[condition.kind.value].get(key)
    if comparator.startswith("IS"):
        return (value is None) == (comparator == "IS NULL")
    return meets(value, comparator, wanted)


def in_order(runs, orders):
    found = sorted(runs, key=lambda run: (-run["started"], run["id"]))
    for order in reversed(orders):

        def value_of(run, order=order):
            if order.kind is Kind.ATTRIBUTE:
                return run[ATTRIBUTES[order.key]]
            return run[order.kind.value].get(order.key)

        def rank(run, value_of=value_of):
            value = value_of(run)
            return 2 if value is None else 1 if value != value else 0

        valued = [run for run in found if rank(run) == 0]
        valued.sort(key=value_of, reverse=not order.ascending)
        found = valued + sorted((run for run in found if rank(run)), key=rank)
    return found


def all_pages(tx, experiments, filter, order_by, view, limit):
    found, token = [], None
    while True:
        numbers, token = search_runs(
            tx,
            experiments,
            parse_filter(filter, RUNS),
            parse_order(order_by, RUNS),
            view=view,
            limit=limit,
            token=token,
        )
        assert len(numbers) == limit or token is None
        found += numbers
        if token is None:
            return found


@given(
    runs=st.lists(a_run, max_size=8),
    filters=st.lists(st.lists(a_condition, max_size=3).map(" AND ".join), min_size=1, max_size=4),
    order_by=orders,
    view=st.sampled_from(View),
    limit=st.sampled_from([1, 2, 3, 50]),
    wide=st.booleans(),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_search_finds_what_a_plain_reading_finds(
    engine, monkeypatch, runs, filters, order_by, view, limit, wide
):
    # Which way is faster depends on how many runs there are; what is found does not.
    monkeypatch.setattr(searching, "_FEW", 0 if wide else 10**9)
    monkeypatch.setattr(searching, "_SHARE", 10**9)
    with engine.connect() as tx:
        store(tx, runs)
        for filter in filters:
            wanted = [
                run["number"]
                for run in in_order(runs, parse_order(order_by, RUNS))
                if view is View.ALL or run["deleted"] == (view is View.DELETED_ONLY)
                if all(matches(run, each) for each in parse_filter(filter, RUNS))
            ]
            assert all_pages(tx, [1, 2, 77], filter, order_by, view, limit) == wanted
        tx.rollback()


@pytest.fixture
def many(engine):
    with engine.connect() as tx:
        runs = [
            {
                "experiment": 1,
                "name": "n",
                "status": "FINISHED",
                "started": at % 10,
                "ended": None,
                "deleted": False,
                "metric": {"m": float(at % 7)},
                "param": {"p": str(at % 5)},
                "tag": {},
                "datasets": [],
            }
            for at in range(400)
        ]
        store(tx, runs)
        yield tx
        tx.rollback()


def plan(tx, statements):
    return " ".join(
        row[3]
        for each, given in statements
        for row in tx.exec_driver_sql(f"explain query plan {each}", given)
    )


@pytest.mark.parametrize(
    ("filter", "order_by", "index"),
    [
        ("metrics.m > 3", [], "ix_tracking_latest_metrics_value (key=? AND value>?)"),
        ("params.p = '3'", [], "ix_tracking_params_value (key=? AND <expr>=?)"),
        ("tags.t = '3'", ["metrics.m"], "ix_tracking_tags_value (key=? AND <expr>=?)"),
        ("", ["metrics.m DESC"], "ix_tracking_latest_metrics_value (key=? AND value>?)"),
        ("", ["params.p"], "ix_tracking_params_value (key=?)"),
        ("", [], "ix_tracking_runs_experiment (experiment=?)"),
    ],
)  # fmt: skip
def test_a_search_of_many_runs_goes_by_the_indexes(many, filter, order_by, index):
    said = []
    event.listen(
        many.engine, "before_cursor_execute", lambda c, cursor, sql, given, *_: said.append((sql, given))
    )
    search_runs(
        many, [1], parse_filter(filter, RUNS), parse_order(order_by, RUNS), view=View.ACTIVE_ONLY, limit=5
    )
    steps = plan(many, list(said))

    assert index in steps
    assert "SCAN" not in steps.replace("SCAN (subquery", "")


def test_runs_that_come_between_two_pages_move_nothing(many):
    first, token = search_runs(many, [1], (), (), view=View.ACTIVE_ONLY, limit=100)
    row = many.execute(select(tables.runs).where(tables.runs.c.number == 1)).mappings().one()
    many.execute(insert(tables.runs).values({**row, "number": 5000, "id": "new", "started_ms": 99}))
    many.execute(update(tables.runs).where(tables.runs.c.number == first[0]).values(deleted_at=1))
    rest, _ = search_runs(many, [1], (), (), view=View.ACTIVE_ONLY, limit=1000, token=token)

    assert sorted(first + rest) == list(range(1, 401))


def test_a_token_of_another_search_is_refused(many):
    _, token = search_runs(many, [1], (), (), view=View.ACTIVE_ONLY, limit=10)
    with pytest.raises(UsageError, match="no page token of this search"):
        search_runs(many, [2], (), (), view=View.ACTIVE_ONLY, limit=10, token=token)


def test_limits_of_a_statement_are_refusals(many):
    with pytest.raises(UsageError, match="30,001 experiments"):
        search_runs(many, list(range(30_001)), (), (), view=View.ACTIVE_ONLY, limit=10)
    ids = "run_id IN (" + ",".join(f"'{at}'" for at in range(10_000)) + ")"
    worst = " AND ".join([ids] + ["tags.t IS NULL"] * 199)
    found, _ = search_runs(many, list(range(20_000)), parse_filter(worst, RUNS), (), view=View.ALL, limit=10)
    assert found == []
    pattern = "params.p LIKE '" + "*" * 10_000 + "'"
    assert search_runs(many, [1], parse_filter(pattern, RUNS), (), view=View.ALL, limit=10)[0] == []
