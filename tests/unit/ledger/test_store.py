"""The chain shows every change to it, lineage is walked both ways, marks and decisions are kept."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, func, select, update

from mlwright.adapters.sql.engine import open_engine
from mlwright.model.ledger import Decision, Edge, Node
from mlwright.stages.ledger import store
from mlwright.stages.ledger.tables import audit, audit_head, edges, metadata

AT = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def append(tx, count=1, **details):
    return [
        store.append_audit(tx, AT + timedelta(seconds=number), "ada", "alias.set", "model:delay", details)
        for number in range(count)
    ]


def edge(effect, cause, relation="from"):
    return Edge(effect=Node.parse(f"n:{effect}"), relation=relation, cause=Node.parse(f"n:{cause}"))


def test_the_hash_is_sha256_over_canonical_json(tx):
    [row] = append(tx, version=3, name="é")
    # printf '%s' '{"action":"alias.set",…}' | sha256sum
    assert row.hash == "979086d939b5ceb18a28fe426d1114cc389e101054f529a935ac97cbffcd9d0c"
    assert (row.number, row.previous, row.at) == (1, store.NO_HASH, AT)


def test_rows_are_chained_and_the_chain_is_whole(tx):
    assert store.verify_chain(tx) is None
    rows = append(tx, 3)
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.previous for row in rows] == [store.NO_HASH, rows[0].hash, rows[1].hash]
    assert store.verify_chain(tx) is None
    assert store.list_audit(tx) == rows[::-1]
    assert store.list_audit(tx, limit=1) == rows[2:]
    assert store.list_audit(tx, subject="model:other") == []


@pytest.mark.parametrize("column", [column.name for column in audit.columns if column.name != "number"])
def test_any_changed_value_shows(tx, column):
    append(tx, 4)
    value = {"at": 5, "details": {"x": 1}}.get(column, "x")
    tx.execute(update(audit).where(audit.c.number == 3).values({column: value}))
    assert store.verify_chain(tx) == 3


@pytest.mark.parametrize("gone", [[1], [2], [4], [3, 4], [1, 2, 3, 4]])
def test_missing_rows_show_at_the_end_too(tx, gone):
    append(tx, 4)
    tx.execute(delete(audit).where(audit.c.number.in_(gone)))
    assert store.verify_chain(tx) == gone[0]


def test_a_row_slipped_in_at_the_end_shows(tx):
    append(tx, 2)
    head = tx.execute(select(audit_head)).one()
    append(tx)
    tx.execute(update(audit_head).values(number=head.number, hash=head.hash))
    assert store.verify_chain(tx) == 3


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), plain_values, max_size=3), max_size=4))
@settings(max_examples=30)
def test_whatever_the_details_the_chain_verifies_after_a_round_trip(all_details):
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        rows = [store.append_audit(tx, AT, "ada", "a", "s", details) for details in all_details]
        assert store.verify_chain(tx) is None
        assert store.list_audit(tx) == rows[::-1]
    engine.dispose()


def test_writers_at_the_same_time_do_not_break_the_chain(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    metadata.create_all(engine)
    together = threading.Barrier(4)

    def write(writer):
        together.wait()
        for count in range(15):
            with engine.begin() as tx:
                store.append_audit(tx, AT, f"writer-{writer}", "count", str(count), {})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with engine.begin() as tx:
        assert store.verify_chain(tx) is None
        assert tx.execute(select(func.count()).select_from(audit)).scalar_one() == 60
    engine.dispose()


def test_decisions_are_kept_newest_first_and_once(tx):
    made = [
        Decision(
            id=f"d{number}",
            at=AT + timedelta(days=number),
            kind="retrain" if number % 2 else "rollout",
            subject="endpoint:delay",
            outcome="PROMOTE",
            reasons=("better", "and not slower"),
            evidence={"auc": [0.6, 0.7]},
        )
        for number in range(4)
    ]
    for decision in [*made, made[0]]:
        store.add_decision(tx, decision)
    assert store.list_decisions(tx) == made[::-1]
    assert store.list_decisions(tx, kind="retrain", limit=1) == [made[3]]
    assert store.list_decisions(tx, subject="endpoint:delay", kind="rollout") == [made[2], made[0]]
    assert store.list_decisions(tx, subject="endpoint:other") == []


def test_evidence_that_is_not_a_number_is_kept_as_text(tx):
    store.add_decision(
        tx,
        Decision(
            id="d", at=AT, kind="k", subject="s", outcome="o", reasons=(), evidence={"auc": float("nan")}
        ),
    )
    assert store.list_decisions(tx)[0].evidence == {"auc": "NaN"}


def test_lineage_is_walked_both_ways_to_the_end(tx):
    # data → train → model → endpoint, and a second thing made of the data.
    store.add_edges(
        tx, [edge("train", "data"), edge("model", "train"), edge("endpoint", "model"), edge("chart", "data")]
    )
    found = store.trace(tx, Node.parse("n:model"))
    assert found.causes == (edge("model", "train"), edge("train", "data"))
    assert found.effects == (edge("endpoint", "model"),)
    assert set(store.trace(tx, Node.parse("n:data")).effects) == {
        edge("train", "data"),
        edge("chart", "data"),
        edge("model", "train"),
        edge("endpoint", "model"),
    }
    assert store.trace(tx, Node.parse("n:nothing")).causes == ()


def test_edges_are_kept_once_and_an_id_may_hold_colons(tx):
    one = Edge(
        effect=Node(kind="run", id="01J"), relation="read", cause=Node.parse("dataset:flights@blake3:aa")
    )
    store.add_edges(tx, [one, one])
    store.add_edges(tx, iter([one]))
    store.add_edges(tx, [])
    assert tx.execute(select(func.count()).select_from(edges)).scalar_one() == 1
    assert store.trace(tx, Node(kind="run", id="01J")).causes == (one,)


def test_depth_ends_the_walk(tx):
    store.add_edges(tx, [edge(number + 1, number) for number in range(30)])
    assert len(store.trace(tx, Node.parse("n:30")).causes) == 20
    assert store.trace(tx, Node.parse("n:30"), depth=2).causes == (edge(30, 29), edge(29, 28))


pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(pairs)
@settings(max_examples=50)
def test_a_trace_is_exactly_the_edges_that_can_be_reached_rings_or_not(drawn):
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        store.add_edges(tx, [edge(effect, cause) for effect, cause in drawn])
        found = store.trace(tx, Node.parse("n:0"))
    engine.dispose()

    def reached(steps):
        nodes = {0}
        for _ in range(9):
            nodes |= {there for here, there in steps if here in nodes}
        return {(here, there) for here, there in steps if here in nodes}

    assert len(found.causes) == len(set(found.causes))
    assert set(found.causes) == {edge(effect, cause) for effect, cause in reached(drawn)}
    backwards = reached([(cause, effect) for effect, cause in drawn])
    assert set(found.effects) == {edge(effect, cause) for cause, effect in backwards}


def test_a_mark_is_what_was_set_last(tx):
    assert store.get_mark(tx, "watched:delay") is None
    store.set_mark(tx, "watched:delay", "2013-04-01T00:00:00+00:00")
    store.set_mark(tx, "watched:delay", "2013-05-01T00:00:00+00:00")
    store.set_mark(tx, "watched:churn", "x")
    assert store.get_mark(tx, "watched:delay") == "2013-05-01T00:00:00+00:00"
