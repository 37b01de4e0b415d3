"""A database of the first release comes over whole."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import inspect, select

from mlwright.adapters.sql.engine import open_engine
from mlwright.adapters.sql.migrate import migrate
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.tracking import DatasetVersion, Environment, Lifecycle, RunStatus
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import store
from mlwright.stages.tracking.experiments import create_experiment, named_experiment, read_experiments
from mlwright.stages.tracking.history import read_history, read_summaries
from mlwright.stages.tracking.records import read_records
from mlwright.stages.tracking.runs import find_run
from mlwright.stages.tracking.tables import history

FIRST = runpy.run_path(str(Path(__file__).with_name("first_schema.py")))
ENVIRONMENT, LOSSES, POINTS, seconds = (
    FIRST[name] for name in ("ENVIRONMENT", "LOSSES", "POINTS", "seconds")
)

A, B, C = RunId("A"), RunId("B"), RunId("C")


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    engine = open_engine(f"sqlite:///{folder / 'a.db'}")
    FIRST["make_first"](engine, folder)
    migrate(engine, backups=folder / "backups", at=seconds(60))
    yield engine
    engine.dispose()


@pytest.fixture
def tx(moved):
    with moved.connect() as tx:
        yield tx


def test_experiments_get_ids_in_the_order_of_their_making_and_default_is_0(tx):
    found = read_experiments(tx, [0, 1, 2, 3])
    assert [(each.id, each.name, each.artifact_root) for each in found] == [
        ("0", "Default", "mlflow-artifacts:/0"),
        ("1", "delay", "mlflow-artifacts:/1"),
        ("2", "Frühling", "mlflow-artifacts:/2"),
    ]
    assert {each.lifecycle for each in found} == {Lifecycle.ACTIVE}
    assert found[1].created == found[1].updated == seconds(0)


def test_everything_recorded_about_a_run_is_there(tx):
    found = store.get_run(tx, A)
    assert (found.experiment, found.name, found.actor) == ("delay", "train A", "ada")
    assert (found.status, found.error) == (RunStatus.FAILED, "ValueError: no")
    # To the millisecond, as the protocol has it.
    assert (found.started, found.ended) == (seconds(1), seconds(2.501))
    assert found.params == {"depth": "3", "länge": "x" * 10_000}
    assert found.tags == {"gate.1": "passed: ünicode"}
    flights = DatasetVersion(name="flights", digest=Digest("blake3:aa"), rows=10, contract="flights@1")
    assert found.datasets == (flights,)
    assert store.get_run(tx, B).datasets[0].contract == "flights@2"
    assert found.environment == Environment(**ENVIRONMENT)
    assert store.get_run(tx, C).experiment == "Default"
    assert [run.id for run in store.list_runs(tx)] == [C, B, A]


def test_a_client_of_the_protocol_sees_names_and_places(tx):
    [record] = read_records(tx, [find_run(tx, A).number])
    assert record.artifact_root == "mlflow-artifacts:/1/A/artifacts"
    assert record.tags == {
        "gate.1": "passed: ünicode",
        "mlflow.runName": "train A",
        "mlflow.user": "somebody else",
        "mlflow.source.name": "train A",
        "mlflow.source.type": "LOCAL",
    }


def test_every_point_of_a_metric_is_there(tx):
    assert [repr(each.value) for each in store.metric_history(tx, A, "loss")] == [
        repr(each) for each in reversed(LOSSES)
    ]
    number = find_run(tx, B).number
    found = read_history(tx, number, "auc")
    assert np.array_equal(found.steps, np.arange(POINTS))
    assert np.array_equal(found.values, np.arange(POINTS) / 8)
    assert found.at_ms[-1] - found.at_ms[0] == POINTS - 1
    blocks = tx.execute(select(history.c.points).where(history.c.run == number, history.c.key == "auc"))
    assert len(blocks.all()) == 3


def test_latest_values_and_ranges_are_there(tx):
    a, b = find_run(tx, A).number, find_run(tx, B).number
    found = read_summaries(tx, [a, b])
    [loss] = found[a]
    assert (loss.value, loss.step, loss.points) == (math.inf, 5, len(LOSSES))
    assert (loss.lowest, loss.highest) == (-3.5, 0.25)
    auc, nothing = found[b]
    assert (auc.value, auc.points, auc.lowest, auc.highest) == (
        (POINTS - 1) / 8,
        POINTS,
        0.0,
        (POINTS - 1) / 8,
    )
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.lowest)


def test_the_registry_keeps_its_versions_and_aliases(tx):
    found = registry.resolve(tx, "delay@champion")
    assert (found.model, found.version, found.digest, found.run) == (ModelName("delay"), 1, "blake3:cc", A)
    assert found.tags == {"a": "b"}


def test_nothing_of_the_old_tables_is_left(moved):
    names = inspect(moved).get_table_names()
    assert [
        name for name in names if name.startswith(("old_", "_alembic_tmp")) or name == "tracking_metrics"
    ] == []


def test_an_empty_database_has_the_experiment_default(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine, backups=tmp_path, at=seconds(60))
    with engine.begin() as tx:
        default = named_experiment(tx, "Default")
        assert (default.id, default.created) == ("0", seconds(60))
        assert create_experiment(tx, "first", seconds(61)) == 1
    engine.dispose()
