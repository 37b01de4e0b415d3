"""Versions are numbered once and for all, aliases move at once, references find what they mean."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine

from mlwright.adapters.sql.engine import open_engine
from mlwright.errors import NotFound, UsageError
from mlwright.model.ids import Digest, ModelName, RunId
from mlwright.model.registry import Evaluation, Field, Signature
from mlwright.stages.registry import store
from mlwright.stages.registry.tables import metadata

AT = datetime(2013, 4, 1, tzinfo=UTC)
DELAY = ModelName("flight-delay")
SIGNATURE = Signature(
    inputs=(Field(name="carrier", type="string"), Field(name="hour", type="long", required=False)),
    outputs=(Field(name="late", type="double"),),
)


@pytest.fixture
def tx():
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as tx:
        yield tx
    engine.dispose()


def register(tx, number, model=DELAY, **given):
    digest = Digest(f"blake3:{number}")
    return store.create_version(
        tx, model, digest, **{"run": None, "at": AT, "signature": SIGNATURE, "flavor": "sklearn", **given}
    )


def test_a_version_comes_back_with_its_evidence(tx):
    evaluation = Evaluation(
        metrics={"auc": 0.7, "lift": math.inf},
        rows=1000,
        start=AT - timedelta(days=14),
        end=AT,
        holdout=Digest("blake3:ff"),
    )
    made = register(
        tx,
        1,
        run=RunId("r1"),
        trained_from=AT - timedelta(days=90),
        trained_to=AT - timedelta(days=14),
        evaluation=evaluation,
        tags={"window": "3 months"},
    )
    assert made == store.get_version(tx, DELAY, 1)
    assert (made.ref, made.run, made.created, made.flavor) == ("flight-delay/1", "r1", AT, "sklearn")
    assert made.signature == SIGNATURE
    assert made.evaluation == evaluation
    assert made.trained_to - made.trained_from == timedelta(days=76)
    assert made.tags == {"window": "3 months"}
    assert made.aliases == ()


def test_numbers_count_up_for_each_model(tx):
    assert [register(tx, number).version for number in (1, 2, 3)] == [1, 2, 3]
    assert register(tx, 1, ModelName("churn")).version == 1
    assert [each.version for each in store.list_versions(tx, DELAY)] == [3, 2, 1]
    assert store.list_models(tx) == ["churn", "flight-delay"]


def test_the_same_folder_again_is_the_version_that_exists(tx):
    first = register(tx, 1, tags={"a": "1"})
    register(tx, 2)
    assert register(tx, 1, tags={"a": "2"}, flavor="other") == first
    assert register(tx, 3).version == 3


def test_an_alias_moves_and_tells_where_it_was(tx):
    for number in (1, 2):
        register(tx, number)
    assert store.set_alias(tx, DELAY, "champion", 1) is None
    assert store.set_alias(tx, DELAY, "challenger", 2) is None
    assert store.set_alias(tx, DELAY, "champion", 2) == 1
    assert store.get_version(tx, DELAY, 1).aliases == ()
    assert store.get_version(tx, DELAY, 2).aliases == ("challenger", "champion")
    assert store.delete_alias(tx, DELAY, "challenger") == 2
    assert store.get_version(tx, DELAY, 2).aliases == ("champion",)


def test_references_find_what_they_mean(tx):
    for number in (1, 2, 3):
        register(tx, number)
    store.set_alias(tx, DELAY, "champion", 2)
    assert store.resolve(tx, "flight-delay").version == 3
    assert store.resolve(tx, "flight-delay/1").version == 1
    assert store.resolve(tx, "flight-delay@champion").version == 2


@pytest.mark.parametrize(
    ("ref", "hint", "command"),
    [
        ("flight-dealy", "'flight-delay'", "mlwright models"),
        ("flight-delay@champoin", "'champion'", "mlwright models flight-delay"),
        ("flight-delay/9", "the newest is 1", "mlwright models flight-delay"),
    ],
)
def test_a_near_miss_is_suggested(tx, ref, hint, command):
    register(tx, 1)
    store.set_alias(tx, DELAY, "champion", 1)
    with pytest.raises(NotFound, match=hint) as caught:
        store.resolve(tx, ref)
    assert caught.value.next_command == command


def test_an_alias_cannot_point_at_nothing(tx):
    register(tx, 1)
    with pytest.raises(NotFound):
        store.set_alias(tx, DELAY, "champion", 2)
    with pytest.raises(NotFound):
        store.delete_alias(tx, DELAY, "champion")
    with pytest.raises(NotFound):
        store.list_versions(tx, ModelName("none"))


@pytest.mark.parametrize("name", ["", "a/b", "a@b", "a:b", " a", "a\n", "a "])
def test_names_that_would_break_references_are_refused(tx, name):
    with pytest.raises(UsageError):
        register(tx, 1, ModelName(name))
    register(tx, 1)
    with pytest.raises(UsageError):
        store.set_alias(tx, DELAY, name, 1)


@pytest.mark.parametrize("ref", ["flight-delay/x", "flight-delay/0", "flight-delay/-1"])
def test_a_reference_of_no_known_form_is_refused(tx, ref):
    with pytest.raises(UsageError, match="version number"):
        store.resolve(tx, ref)


def test_tags_can_be_set_and_replaced(tx):
    register(tx, 1, tags={"a": "1"})
    store.tag_version(tx, DELAY, 1, "a", "2")
    store.tag_version(tx, DELAY, 1, "b", "3")
    assert store.get_version(tx, DELAY, 1).tags == {"a": "2", "b": "3"}


def test_two_writers_never_get_the_same_number(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    metadata.create_all(engine)
    together = threading.Barrier(4)

    def write(writer):
        together.wait()
        numbers = []
        for count in range(10):
            with engine.begin() as tx:
                # Every second folder is one that all writers register.
                name = f"shared-{count}" if count % 2 else f"{writer}-{count}"
                numbers.append(register(tx, name).version)
        return numbers

    with ThreadPoolExecutor(4) as pool:
        given = [number for numbers in pool.map(write, range(4)) for number in numbers]
    with engine.begin() as tx:
        kept = [each.version for each in store.list_versions(tx, DELAY)]
    engine.dispose()
    assert sorted(set(given)) == sorted(kept) == list(range(1, 4 * 5 + 5 + 1))
