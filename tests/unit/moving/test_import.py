"""Moving in from a store in memory: what is carried, twice, broken off, grown, in the way."""

import math
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from mlwright.adapters.clock.system import SystemClock
from mlwright.errors import DataError, NotFound, ServerUnavailable
from mlwright.model.ids import ModelName, RunId
from mlwright.model.ledger import Node
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignFile,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
    LeftOut,
)
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    Lifecycle,
    LoggedModelStatus,
    Metric,
    ModelOutput,
    RunStatus,
)
from mlwright.platform.tracking.moved import FROM, INCOMPLETE, derived_id
from mlwright.stages.ledger import store as ledger
from mlwright.stages.registry import store as registry
from mlwright.stages.tracking import tables
from mlwright.stages.tracking.experiments import create_experiment
from mlwright.stages.tracking.history import append_history, read_history, read_summaries
from mlwright.stages.tracking.runs import add_run, find_run
from mlwright.testing.fakes.foreign_store import MemoryForeignStore, history

HEX = "0123456789abcdef0123456789abcdef"
CHILD = "c" * 32


class Shelf(MemoryForeignStore):
    """A store whose runs log models."""

    shelf: tuple[ForeignLoggedModel, ...] = ()

    def logged_models(self):
        yield from self.shelf


def run(id: str = HEX, **changed) -> ForeignRun:
    given = {
        "experiment": "churn",
        "name": "first",
        "status": RunStatus.FINISHED,
        "started_ms": 1000,
        "ended_ms": 2000,
        "actor": "ada",
        "params": {"depth": "3"},
        "tags": {"team": "größe"},
    }
    return ForeignRun(id=id, **(given | changed))


def version(number: int = 1, **changed) -> ForeignVersion:
    given = {"run": HEX, "path": "model", "source": "s3://bucket/model", "created_ms": 5000 + number}
    return ForeignVersion(version=number, **(given | changed))


@pytest.fixture
def store() -> Shelf:
    used = DatasetInput(dataset=Dataset(name="rows", digest="d1", source_type="local", source="{}"))
    made = Shelf(
        [
            run(inputs=(used,), outputs=(ModelOutput(model="m-1", step=3),)),
            run(CHILD, parent=HEX, name="inner"),
        ],
        histories={HEX: [history("loss", [3.0, math.nan, 1.0]), history("auc", [0.5])]},
        files={HEX: {"model/MLmodel": b"flavors: {}", "plot.png": b"\x89"}},
        models=[
            ForeignModel(
                name="churn",
                versions=(version(), version(3, stage="Production", description="third")),
                tags={"owner": "ada"},
                aliases={"champion": 3},
            )
        ],
        experiments=[ForeignExperiment(name="churn", tags={"mlflow.note.content": "why"})],
        tool="mlflow",
        source="sqlite:///mlflow.db",
    )
    made.shelf = (
        ForeignLoggedModel(
            id="m-1",
            experiment="churn",
            name="model",
            source_run=HEX,
            status=LoggedModelStatus.READY,
            created_ms=1500,
            updated_ms=1600,
            params={"depth": "3"},
            metrics=((HEX, Metric(key="auc", value=0.5, step=0, at_ms=0, model="m-1")),),
        ),
    )
    made.kept_files["m-1"] = {"MLmodel": b"flavors: {}"}
    return made


def counts(report) -> dict[str, tuple[int, int]]:
    return {each.what: (each.new, each.known) for each in report.carried}


def points(tracking, id: str, key: str) -> list[tuple[int, int, str]]:
    found = tracking.metrics.history(RunId(id), key)
    return [*zip(found.steps.tolist(), found.at_ms.tolist(), map(str, found.values.tolist()), strict=True)]


def test_everything_is_carried(tracking, store) -> None:
    report = tracking.moving.carry(store)
    assert counts(report) == {
        "experiments": (1, 0),
        "runs": (2, 0),
        "params": (2, 0),
        "tags": (2, 0),
        "metrics": (2, 0),
        "points": (4, 0),
        "datasets": (1, 0),
        "artifacts": (3, 0),
        "logged models": (1, 0),
        "registered models": (1, 0),
        "model versions": (2, 0),
        "aliases": (1, 0),
    }
    assert report.left_out == ()
    first = tracking.runs.get(RunId(HEX))
    assert (first.name, first.status, first.started_ms, first.ended_ms) == (
        "first",
        RunStatus.FINISHED,
        1000,
        2000,
    )
    assert (first.actor, first.params, first.tags["team"]) == ("ada", {"depth": "3"}, "größe")
    assert first.tags[FROM] == "mlflow sqlite:///mlflow.db"
    assert INCOMPLETE not in first.tags
    assert (first.inputs[0].dataset.name, first.outputs[0].model) == ("rows", "m-1")
    assert points(tracking, HEX, "loss") == [(0, 0, "3.0"), (1, 1, "nan"), (2, 2, "1.0")]
    assert tracking.runs.get(RunId(CHILD)).tags["mlflow.parentRunId"] == HEX
    root, path = tracking.artifacts.place_of_run(HEX, "plot.png")
    assert root.startswith("mlflow-artifacts:/")
    with tracking.artifacts.open(path) as file:
        assert file.read() == b"\x89"
    model = tracking.logged_models.get("m-1")
    assert (model.source_run, model.params, model.metrics[0][1].value) == (HEX, {"depth": "3"}, 0.5)
    assert tracking.experiments.get_by_name("churn").tags["mlflow.note.content"] == "why"


def test_models_keep_numbers_stages_and_aliases_and_lead_to_the_run(tracking, store) -> None:
    tracking.moving.carry(store)
    with tracking.book.read() as tx:
        found = registry.list_versions(tx, ModelName("churn"))
        causes = ledger.trace(tx, Node(kind="model", id="churn/3")).causes
        audited = [row.action for row in ledger.list_audit(tx)]
    assert [each.version for each in found] == [3, 1]
    assert (found[0].stage, found[0].description, found[0].aliases) == ("Production", "third", ("champion",))
    assert found[0].source == f"{tracking.runs.get(RunId(HEX)).artifact_root}/model"
    assert {(each.relation, str(each.cause)) for each in causes} >= {
        ("imported from", "mlflow:sqlite:///mlflow.db#churn/3"),
        ("made by", f"run:{HEX}"),
        ("imported from", f"mlflow:sqlite:///mlflow.db#{HEX}"),
    }
    assert {"import", "alias"} <= set(audited)
    # The next version that is registered here goes on behind them.
    made = tracking.versions.register("churn", f"runs:/{HEX}/model", run=HEX)
    assert made.version == 4


def test_a_second_time_adds_nothing(tracking, store) -> None:
    tracking.moving.carry(store)
    with tracking.book.read() as tx:
        before = [(table.name, tx.execute(select(table)).all()) for table in tables.metadata.sorted_tables]
    again = tracking.moving.carry(store)
    assert {each.what: each.new for each in again.carried if each.new} == {}
    with tracking.book.read() as tx:
        after = [(table.name, tx.execute(select(table)).all()) for table in tables.metadata.sorted_tables]
    assert str(after) == str(before)


def test_a_run_that_grew_gets_what_is_new(tracking, store) -> None:
    tracking.moving.carry(store)
    store.kept[0] = replace(
        store.kept[0], status=RunStatus.FAILED, ended_ms=3000, params={"depth": "3", "lr": "1"}
    )
    store.kept_histories[HEX] = [history("loss", [3.0, math.nan, 1.0, 0.5]), history("new", [7.0])]
    store.kept_files[HEX]["late.txt"] = b"late"
    report = tracking.moving.carry(store)
    new = {each.what: each.new for each in report.carried if each.new}
    assert new == {"params": 1, "metrics": 2, "points": 2, "artifacts": 1}
    grown = tracking.runs.get(RunId(HEX))
    assert (grown.status, grown.ended_ms, grown.params["lr"]) == (RunStatus.FAILED, 3000, "1")
    assert len(points(tracking, HEX, "loss")) == 4


def test_a_run_whose_state_is_the_same_is_not_read_again(tracking, store) -> None:
    store.kept = [replace(each, state="7") for each in store.kept]
    tracking.moving.carry(store)
    store.histories = lambda run: pytest.fail("the histories were read again")
    assert tracking.moving.carry(store).count("points") == 0


class Killed(BaseException):
    """What nobody catches."""


@pytest.mark.parametrize("after", range(1, 9))
def test_whoever_was_killed_goes_on(tracking, store, after) -> None:
    whole = Shelf.open
    calls = iter(range(1, 99))

    def dying(self, owner: str, path: str):
        if next(calls) == after:
            raise Killed
        return whole(self, owner, path)

    store.kept_files[HEX] = {f"{number}.bin": bytes([number]) for number in range(8)}
    store.open = lambda owner, path: dying(store, owner, path)
    with pytest.raises(Killed):
        tracking.moving.carry(store)
    broken = tracking.runs.get(RunId(HEX))
    assert INCOMPLETE in broken.tags
    del store.open
    tracking.moving.carry(store)
    assert INCOMPLETE not in tracking.runs.get(RunId(HEX)).tags
    _, folder = tracking.artifacts.place_of_run(HEX)
    assert [each.size for each in tracking.artifacts.list(folder)] == [1] * 8
    assert points(tracking, HEX, "loss") == [(0, 0, "3.0"), (1, 1, "nan"), (2, 2, "1.0")]
    assert tracking.moving.carry(store).count("artifacts") == 0


def test_many_points_are_carried_in_several_transactions(tracking) -> None:
    many = [history(f"m{number}", [float(number)] * 90_000) for number in range(5)]
    store = MemoryForeignStore([run()], histories={HEX: many}, tool="mlflow")
    seen = []
    report = tracking.moving.carry(store, on_progress=seen.append)
    assert report.count("points") == 450_000
    assert [each.points for each in seen][:1] == [450_000]
    with tracking.book.read() as tx:
        (found,) = read_summaries(tx, [find_run(tx, RunId(HEX)).number]).values()
    assert [(each.key, each.points, each.value) for each in found] == [
        (f"m{number}", 90_000, float(number)) for number in range(5)
    ]


def test_ids_of_other_tools_follow_from_tool_and_id(tracking) -> None:
    store = MemoryForeignStore([run("offline-run-1"), run("child", parent="offline-run-1")], tool="wandb")
    tracking.moving.carry(store)
    expected = derived_id("wandb", "offline-run-1")
    assert len(expected) == 32
    assert tracking.runs.get(RunId(expected)).tags["mlwright.imported.id"] == "offline-run-1"
    child = tracking.runs.get(RunId(derived_id("wandb", "child")))
    assert child.tags["mlflow.parentRunId"] == expected
    assert child.tags["mlflow.user"] == "ada"


def test_an_id_that_another_run_has_is_not_taken_from_it(tracking) -> None:
    tracking.moving.carry(MemoryForeignStore([run()], tool="mlflow", source="a"))
    other = MemoryForeignStore(
        [run(started_ms=77, name="other"), run(CHILD, parent=HEX)], tool="mlflow", source="b"
    )
    for _ in range(2):
        tracking.moving.carry(other)
    moved = derived_id("mlflow", HEX, 77)
    assert tracking.runs.get(RunId(HEX)).name == "first"
    assert tracking.runs.get(RunId(moved)).name == "other"
    assert tracking.runs.get(RunId(CHILD)).tags["mlflow.parentRunId"] == moved
    with tracking.book.read() as tx:
        assert len(tx.execute(select(tables.runs)).all()) == 3


def test_a_run_that_began_here_stays_as_it_is(tracking) -> None:
    mine = tracking.runs.create("0", name="mine", started_ms=1000)
    tracking.moving.carry(MemoryForeignStore([run(mine.id, name="theirs")], tool="mlflow"))
    assert tracking.runs.get(mine.id).name == "mine"


def test_a_version_whose_number_is_taken_gets_the_next_and_is_found_again(tracking, store) -> None:
    tracking.models.create("churn")
    mine = tracking.runs.create("0")
    tracking.versions.register("churn", f"runs:/{mine.id}/model", run=mine.id)
    report = tracking.moving.carry(store)
    assert [each.where for each in report.left_out if each.what == "a version's number"] == [
        "churn/1 became churn/2"
    ]
    again = tracking.moving.carry(store)
    assert again.count("model versions") == 0
    with tracking.book.read() as tx:
        assert [each.version for each in registry.list_versions(tx, ModelName("churn"))] == [3, 2, 1]


def test_an_alias_that_was_moved_here_stays(tracking, store) -> None:
    tracking.moving.carry(store)
    tracking.models.set_alias("churn", "champion", 1)
    report = tracking.moving.carry(store)
    (left,) = report.left_out
    assert left.where == "churn@champion → 3"
    assert tracking.models.by_alias("churn", "champion").version == 1


def test_only_some_experiments(tracking, store) -> None:
    store.kept.append(run("d" * 32, experiment="other"))
    store.kept_models[0] = replace(store.kept_models[0], versions=(version(), version(2, run="d" * 32)))
    report = tracking.moving.carry(store, experiments=["churn"])
    assert (report.count("runs"), report.count("model versions")) == (2, 1)
    with pytest.raises(NotFound, match="did you mean 'churn'"):
        tracking.moving.carry(store, experiments=["chrun"])


def test_a_look_writes_nothing(tracking, store) -> None:
    report = tracking.moving.look(store)
    assert report.dry
    assert counts(report)["runs"] == (2, 0)
    assert counts(report)["model versions"] == (2, 0)
    with tracking.book.read() as tx:
        assert tx.execute(select(tables.runs)).all() == []


def test_deleted_runs_stay_deleted(tracking) -> None:
    gone = ForeignExperiment(name="gone", deleted=True)
    store = MemoryForeignStore([run(deleted=True, experiment="gone")], experiments=[gone], tool="mlflow")
    tracking.moving.carry(store)
    assert tracking.runs.get(RunId(HEX)).lifecycle is Lifecycle.DELETED
    assert tracking.experiments.get_by_name("gone").lifecycle is Lifecycle.DELETED


def test_a_deletion_here_is_not_taken_back(tracking, store) -> None:
    tracking.moving.carry(store)
    tracking.runs.delete(RunId(HEX))
    tracking.moving.carry(store)
    assert tracking.runs.get(RunId(HEX)).lifecycle is Lifecycle.DELETED


@pytest.mark.parametrize("key", ["x[0]", "a//b", "../up", "ü" * 300, "näme\x00", "tab\tkey", "."])
def test_a_name_that_cannot_be_one_is_changed_and_told(tracking, key) -> None:
    store = MemoryForeignStore(
        [run(params={key: "1"}, tags={key: "2"})], histories={HEX: [history(key, [1.0])]}, tool="neptune"
    )
    for _ in range(2):
        report = tracking.moving.carry(store)
    found = tracking.runs.get(RunId(HEX))
    assert [*found.params.values()] == ["1"]
    assert len(found.metrics) == 1
    assert {each.what for each in report.left_out} == {
        "the name of a param",
        "the name of a tag",
        "the name of a metric",
    }


def test_what_cannot_be_read_is_left_out_by_name(tracking, store) -> None:
    store.kept_left_out = [LeftOut(what="traces", where="churn", why="3 of them are not carried")]
    store.files = lambda owner: iter([ForeignFile(path="gone.bin", size=3), ForeignFile(path="a#b", size=1)])
    report = tracking.moving.carry(store)
    assert {(each.what, each.where) for each in report.left_out} >= {
        ("traces", "churn"),
        ("an artifact", f"{HEX}: gone.bin"),
        ("an artifact", f"{HEX}: a#b"),
    }
    assert tracking.runs.get(RunId(HEX)).status is RunStatus.FINISHED


def test_many_alike_are_counted(tracking) -> None:
    store = MemoryForeignStore([run()], tool="mlflow")
    store.files = lambda owner: (ForeignFile(path=f"{number}", size=1) for number in range(500))
    report = tracking.moving.carry(store)
    assert len(report.left_out) == 21
    assert report.left_out[-1].where == "480 more"


def test_a_source_that_is_silent_is_an_error(tracking) -> None:
    with pytest.raises(ServerUnavailable):
        tracking.moving.carry(MemoryForeignStore(broken=True))
    with pytest.raises(DataError):
        tracking.moving.look(MemoryForeignStore(broken=True))


POINTS = st.lists(
    st.tuples(st.integers(-3, 5), st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf])),
    max_size=30,
)


@pytest.fixture(scope="module")
def number():
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as tx:
        experiment = create_experiment(tx, "e", SystemClock().now())

    def fresh(tx):
        return add_run(
            tx, RunId(uuid4().hex), experiment=experiment, name="n", started_ms=0, actor="", values={}
        )

    return engine, fresh


def arrays(points) -> History:
    steps, at_ms, values = zip(*points, strict=True) if points else ((), (), ())
    return History(
        key="k",
        steps=np.array(steps, np.int64),
        at_ms=np.array(at_ms, np.int64),
        values=np.array(values, np.float64),
    )


@given(st.lists(POINTS, min_size=1, max_size=4))
def test_histories_grow_to_the_set_of_their_points(number, parts) -> None:
    engine, fresh = number
    with engine.begin() as tx:
        run = fresh(tx)
        added = sum(append_history(tx, run, arrays(part)) for part in parts)
        found = read_history(tx, run, "k")
        (summary,) = read_summaries(tx, [run]).values()
    plain = [(s, a, "nan" if v != v else repr(v + 0.0)) for part in parts for s, a, v in part]
    kept = [
        *zip(
            found.steps.tolist(),
            found.at_ms.tolist(),
            ["nan" if v != v else repr(v + 0.0) for v in found.values.tolist()],
            strict=True,
        )
    ]
    assert sorted(kept) == sorted(set(plain))
    assert added == len(kept)
    if kept:
        assert summary[0].points == len(kept)
        assert (summary[0].step, summary[0].at_ms) == max((s, a) for s, a, _ in kept)
