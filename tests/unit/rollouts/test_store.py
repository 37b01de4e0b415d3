from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, update

from mlwright.errors import Conflict, NotFound
from mlwright.model.ids import EndpointName, ModelName, RolloutId
from mlwright.model.rollouts import (
    Guardrail,
    Rollout,
    RolloutPlan,
    RolloutState,
    RolloutStep,
    RolloutVerdict,
    Verdict,
)
from mlwright.stages.rollouts import store, tables
from mlwright.stages.rollouts.machine import abort

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
GUARDRAILS = st.builds(
    Guardrail,
    name=st.text(max_size=8),
    n=st.integers(0, 10**9),
    estimate=st.none() | NUMBERS,
    lower=st.none() | NUMBERS,
    upper=st.none() | NUMBERS,
    e_value=st.none() | NUMBERS,
    limit=NUMBERS,
    verdict=st.sampled_from(Verdict),
    assumption=st.text(max_size=8),
)
VERDICTS = st.builds(
    RolloutVerdict,
    at=INSTANTS,
    verdict=st.sampled_from(Verdict),
    reason=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    guardrails=st.lists(GUARDRAILS, max_size=3).map(tuple),
)
ROLLOUTS = st.builds(
    Rollout,
    id=st.just(RolloutId("ro-h")),
    endpoint=st.just(EndpointName("delay")),
    model=st.just(ModelName("m")),
    champion=st.integers(1, 99),
    challenger=st.integers(1, 99),
    plan=st.builds(
        RolloutPlan,
        steps=st.lists(st.builds(RolloutStep, share=st.floats(0, 1), at_least=SPANS), max_size=4).map(tuple),
        loss_margin=NUMBERS,
        latency_margin=NUMBERS,
        alpha=st.floats(0, 1),
        deadline=SPANS,
        min_labels=st.integers(0, 10**6),
    ),
    state=st.sampled_from(RolloutState),
    step=st.integers(0, 3),
    started=INSTANTS,
    step_started=INSTANTS,
    ended=st.none() | INSTANTS,
    last=st.none() | VERDICTS,
    history=st.just(()),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def tx(connection: Connection) -> Iterator[Connection]:
    with connection.begin() as transaction:
        yield connection
        transaction.rollback()


@given(ROLLOUTS)
@settings(deadline=None, max_examples=30)
def test_a_rollout_comes_back_as_it_was(connection: Connection, value: Rollout) -> None:
    with connection.begin() as transaction:
        store.save(connection, value)
        assert store.get(connection, value.id) == value
        transaction.rollback()


@given(VERDICTS)
@settings(deadline=None, max_examples=30)
def test_a_verdict_comes_back_as_it_was(connection: Connection, value: RolloutVerdict) -> None:
    with connection.begin() as transaction:
        connection.execute(tables.rollouts.insert().values(ROW))
        store.add_verdict(connection, RolloutId("ro-v"), value)
        assert store.verdicts(connection, RolloutId("ro-v")) == (value,)
        transaction.rollback()


ROW = {
    "id": "ro-v",
    "endpoint": "delay",
    "model": "m",
    "champion": 1,
    "challenger": 2,
    "plan": {},
    "state": "running",
    "step": 0,
    "started_at": 0,
    "step_started_at": 0,
}


def test_saving_again_replaces(tx: Connection, rollout: Rollout) -> None:
    store.save(tx, rollout)
    later = replace(rollout, step=1)
    store.save(tx, later)
    assert store.list_rollouts(tx) == (later,)
    assert store.running(tx, rollout.endpoint) == later


def test_an_endpoint_runs_one_rollout_at_a_time(tx: Connection, rollout: Rollout) -> None:
    second = replace(rollout, id=RolloutId("ro-2"), challenger=5)
    store.save(tx, rollout)
    with pytest.raises(Conflict, match="ro-1 of flight-delay/4 is already running") as caught:
        store.save(tx, second)
    assert caught.value.next_command == "mlwright rollout abort delay"
    store.save(tx, replace(second, endpoint=EndpointName("other")))
    store.save(tx, abort(rollout, rollout.started, "make room"))
    assert store.running(tx, rollout.endpoint) is None
    store.save(tx, replace(second, id=RolloutId("ro-3")))
    assert store.running(tx, rollout.endpoint) == replace(second, id=RolloutId("ro-3"))


def test_the_database_refuses_what_two_processes_start_at_once(tx: Connection, rollout: Rollout) -> None:
    store.save(tx, replace(rollout, state=RolloutState.ABORTED))
    tx.execute(tables.rollouts.insert().values(ROW | {"endpoint": "hidden"}))
    # A race cannot be staged in one connection; the index that decides it can be asked directly.
    with pytest.raises(Exception, match="UNIQUE"):
        tx.execute(
            update(tables.rollouts)
            .where(tables.rollouts.c.id == "ro-1")
            .values(ROW | {"endpoint": "hidden", "id": "x"})
        )


def test_the_latest_come_first(tx: Connection, rollout: Rollout) -> None:
    ended = replace(rollout, state=RolloutState.ROLLED_BACK, ended=rollout.started)
    for number in range(3):
        store.save(
            tx, replace(ended, id=RolloutId(f"ro-{number}"), started=rollout.started + timedelta(days=number))
        )
    store.save(tx, replace(ended, id=RolloutId("ro-9"), endpoint=EndpointName("other")))
    found = store.list_rollouts(tx, rollout.endpoint, limit=2)
    assert [each.id for each in found] == ["ro-2", "ro-1"]
    assert len(store.list_rollouts(tx)) == 4


def test_verdicts_are_kept_in_order_and_the_latest_are_given(tx: Connection, rollout: Rollout) -> None:
    store.save(tx, rollout)
    given_ = [
        RolloutVerdict(
            at=rollout.started + timedelta(hours=hour), verdict=Verdict.HOLD, reason=f"hour {hour}"
        )
        for hour in range(5)
    ]
    for verdict in given_:
        store.add_verdict(tx, rollout.id, verdict)
    assert store.verdicts(tx, rollout.id) == tuple(given_)
    assert store.verdicts(tx, rollout.id, limit=2) == tuple(given_[-2:])


def test_an_unknown_rollout_is_named_with_the_nearest(tx: Connection, rollout: Rollout) -> None:
    store.save(tx, rollout)
    with pytest.raises(NotFound, match="did you mean 'ro-1'"):
        store.get(tx, RolloutId("ro-l"))
    verdict = RolloutVerdict(at=rollout.started, verdict=Verdict.HOLD, reason="")
    with pytest.raises(NotFound, match="no rollout is named"):
        store.add_verdict(tx, RolloutId("nowhere"), verdict)
