"""Runs: what is recorded comes back, history and latest, and what may not change."""

import math
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select, update

from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest, RunId
from mlwright.model.instants import from_micros
from mlwright.model.tracking import DatasetVersion, Environment, Metric, RunStatus
from mlwright.stages.tracking import store
from mlwright.stages.tracking.experiments import delete_experiment, find_experiment
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import add_run, find_run
from mlwright.stages.tracking.tables import experiments, metadata, runs

AT = datetime(2013, 4, 1, tzinfo=UTC)
ENVIRONMENT = Environment(
    python="3.11.7",
    system="Linux",
    packages={"numpy": "2.4.0"},
    lock_digest=None,
    git_commit="abc",
    git_branch=None,
    git_dirty=True,
    code_digest=Digest("blake3:00"),
    seed=7,
)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def begin(tx, **given):
    return store.create_run(tx, **{"experiment": "delay", "name": "train", "at": AT, "actor": "ada", **given})


def seconds(count):
    return AT + timedelta(seconds=count)


def test_a_run_comes_back_with_everything_recorded_about_it(tx):
    run = begin(tx).id
    flights = DatasetVersion(name="flights", digest=Digest("blake3:aa"), rows=10, contract="flights@1")
    weather = DatasetVersion(name="weather", digest=Digest("blake3:bb"), rows=20, contract="weather@1")
    store.log_params(tx, run, {"learning_rate": "0.1", "depth": "3"})
    store.log_metrics(tx, run, [Metric(key="auc", value=0.7, step=0, at_ms=0)])
    store.set_tags(tx, run, {"team": "delay"})
    store.add_datasets(tx, run, [weather, flights])
    store.add_datasets(tx, run, [flights])
    store.set_environment(tx, run, ENVIRONMENT)
    store.end_run(tx, run, RunStatus.FAILED, seconds(5), "ValueError: no rows")
    found = store.get_run(tx, run)
    assert (found.experiment, found.name, found.actor, found.started) == ("delay", "train", "ada", AT)
    assert (found.status, found.ended, found.error) == (RunStatus.FAILED, seconds(5), "ValueError: no rows")
    assert found.params == {"learning_rate": "0.1", "depth": "3"}
    assert found.metrics == {"auc": 0.7}
    assert found.tags == {"team": "delay"}
    assert found.datasets == (flights, weather)
    assert found.environment == ENVIRONMENT


def test_the_value_returned_at_the_start_is_the_value_that_is_stored(tx):
    run = begin(tx)
    assert store.get_run(tx, run.id) == run


@given(st.lists(st.integers(0, 2**52), min_size=2))
def test_run_ids_sort_by_time_to_the_microsecond(instants):
    instants = [from_micros(each) for each in sorted(set(instants))]
    ids = [store.new_run_id(at) for at in instants]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {26}


def test_run_ids_are_ulids_of_their_instant(tx):
    # The example of the ULID specification: 01ARYZ6S41 is 1469918176385 ms.
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1469918176385)
    assert store.new_run_id(at).startswith("01ARYZ6S41")
    assert len({store.new_run_id(at) for _ in range(1000)}) == 1000


def test_nan_and_the_infinities_survive(tx):
    run = begin(tx).id
    values = [math.inf, -math.inf, math.nan, 0.1, 5e-324]
    store.log_metrics(
        tx, run, [Metric(key="loss", value=value, step=step, at_ms=0) for step, value in enumerate(values)]
    )
    assert [repr(each.value) for each in store.metric_history(tx, run, "loss")] == [
        repr(value) for value in values
    ]
    store.log_metrics(tx, run, [Metric(key="loss", value=math.nan, step=9, at_ms=0)])
    assert math.isnan(store.get_run(tx, run).metrics["loss"])


logged = st.lists(
    st.builds(
        Metric,
        key=st.sampled_from(["auc", "loss"]),
        value=st.integers(0, 10**6).map(float),
        step=st.integers(0, 4),
        at_ms=st.integers(0, 3),
    ),
    max_size=12,
)


@given(st.lists(logged, max_size=4))
@settings(max_examples=30)
def test_latest_is_the_highest_step_then_instant_then_value_and_a_point_counts_once(batches):
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        run = begin(tx).id
        for batch in batches:
            store.log_metrics(tx, run, batch)
        flat = list(dict.fromkeys(each for batch in batches for each in batch))
        expected = {}
        for each in sorted(flat, key=lambda each: (each.step, each.at_ms, each.value)):
            expected[each.key] = each.value
        assert store.get_run(tx, run).metrics == expected
        auc = [each for each in flat if each.key == "auc"]
        # sorted() is stable, and the history keeps the order of logging among equals.
        assert store.metric_history(tx, run, "auc") == sorted(auc, key=lambda each: (each.step, each.at_ms))
    engine.dispose()


def test_a_param_never_changes_and_a_tag_may(tx):
    run = begin(tx).id
    store.log_params(tx, run, {"depth": "3"})
    store.log_params(tx, run, {"depth": "3", "rate": "0.1"})
    with pytest.raises(UsageError, match="Changing param values is not allowed") as caught:
        store.log_params(tx, run, {"depth": "4", "rate": "0.2", "new": "1"})
    assert {fault.where for fault in caught.value.faults} == {"depth", "rate"}
    assert store.get_run(tx, run).params == {"depth": "3", "rate": "0.1"}
    store.set_tags(tx, run, {"team": "a"})
    store.set_tags(tx, run, {"team": "b", "stage": "x"})
    assert store.get_run(tx, run).tags == {"team": "b", "stage": "x"}


def test_nothing_logged_is_nothing_stored(tx):
    run = begin(tx).id
    store.log_params(tx, run, {})
    store.log_metrics(tx, run, [])
    store.set_tags(tx, run, {})
    store.add_datasets(tx, run, [])
    assert store.get_run(tx, run).metrics == {}
    assert store.metric_history(tx, run, "auc") == []


@pytest.mark.parametrize(
    "call",
    [
        lambda tx, run: store.get_run(tx, run),
        lambda tx, run: store.log_params(tx, run, {}),
        lambda tx, run: store.log_metrics(tx, run, []),
        lambda tx, run: store.set_tags(tx, run, {}),
        lambda tx, run: store.add_datasets(tx, run, []),
        lambda tx, run: store.set_environment(tx, run, ENVIRONMENT),
        lambda tx, run: store.end_run(tx, run, RunStatus.FINISHED, AT),
        lambda tx, run: store.metric_history(tx, run, "auc"),
    ],
)
def test_an_unknown_run_is_not_found_and_the_near_one_is_named(tx, call):
    run = begin(tx).id
    with pytest.raises(NotFound, match=run):
        call(tx, RunId(run[:-1] + ("0" if run[-1] != "0" else "1")))


def test_runs_are_listed_newest_first_and_can_be_narrowed(tx):
    first = begin(tx, at=seconds(1)).id
    second = begin(tx, at=seconds(2)).id
    other = begin(tx, at=seconds(3), experiment="churn").id
    store.end_run(tx, first, RunStatus.FINISHED, seconds(9))
    store.log_metrics(tx, second, [Metric(key="auc", value=0.6, step=0, at_ms=0)])
    assert [run.id for run in store.list_runs(tx)] == [other, second, first]
    assert [run.id for run in store.list_runs(tx, experiment="delay", limit=1)] == [second]
    assert [run.id for run in store.list_runs(tx, status=RunStatus.FINISHED)] == [first]
    assert store.list_runs(tx, experiment="delay")[0].metrics == {"auc": 0.6}
    assert store.list_runs(tx, experiment="none") == []
    assert tx.execute(select(func.count()).select_from(experiments)).scalar_one() == 2


def test_runs_whose_process_is_gone_become_killed(tx):
    gone = begin(tx, pid=100).id
    living = begin(tx, pid=200).id
    elsewhere = begin(tx, pid=100, host="another").id
    ended = begin(tx, pid=100).id
    store.end_run(tx, ended, RunStatus.FINISHED, seconds(1))
    assert store.mark_interrupted(tx, seconds(9), lambda pid: pid == 200) == [gone]
    status = {run.id: run.status for run in store.list_runs(tx)}
    assert status == {gone: "KILLED", living: "RUNNING", elsewhere: "RUNNING", ended: "FINISHED"}
    assert store.get_run(tx, gone).ended == seconds(9)
    assert store.mark_interrupted(tx, seconds(10), lambda pid: pid == 200) == []


def test_runs_of_clients_have_no_process_and_are_never_touched(tx):
    own = begin(tx, pid=100)
    theirs = RunId("0" * 32)
    experiment = find_run(tx, own.id).experiment
    add_run(tx, theirs, experiment=experiment, name="n", started_ms=1, actor="", values={})
    assert store.mark_interrupted(tx, seconds(9), lambda pid: False) == [own.id]
    assert store.get_run(tx, theirs).status is RunStatus.RUNNING


def test_a_client_of_the_protocol_sees_our_runs_with_name_place_and_source(tx):
    run = begin(tx)
    [record] = read_records(tx, [find_run(tx, run.id).number])
    assert record.artifact_root == f"mlflow-artifacts:/{record.experiment_id}/{run.id}/artifacts"
    assert record.tags == {
        "mlflow.runName": "train",
        "mlflow.user": "ada",
        "mlflow.source.name": "train",
        "mlflow.source.type": "LOCAL",
    }


def test_a_deleted_run_is_not_listed_and_a_new_one_restores_its_experiment(tx):
    first = begin(tx).id
    delete_experiment(tx, str(find_run(tx, first).experiment), AT)
    assert store.list_runs(tx) == []
    second = begin(tx).id
    assert [run.id for run in store.list_runs(tx, experiment="delay")] == [second]
    assert find_experiment(tx, str(find_run(tx, second).experiment), active=True)


def test_by_default_the_run_belongs_to_this_process(tx):
    seen = []
    run = begin(tx).id
    store.mark_interrupted(tx, AT, lambda pid: bool(seen.append(pid)) or True)

    assert seen == [os.getpid()]
    assert store.get_run(tx, run).status is RunStatus.RUNNING


@pytest.mark.parametrize(("started_ms", "year"), [(10**17, 9999), (-(10**17), 1)])
def test_a_run_of_another_clock_can_be_read(tx, started_ms, year):
    run = begin(tx)
    tx.execute(update(runs).where(runs.c.id == run.id).values(started_ms=started_ms, ended_ms=started_ms))
    assert store.get_run(tx, run.id).started.year == year
    assert store.list_runs(tx)[0].ended.year == year
