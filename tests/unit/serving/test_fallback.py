from dataclasses import replace

import numpy as np
import pytest

from mlwright.errors import ModelError, Overloaded, SignatureMismatch
from mlwright.model.batches import Batch
from mlwright.model.settings import FallbackSettings, ServingSettings
from mlwright.stages.serving.asks import Answer
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import DEGRADED
from mlwright.stages.serving.fallback import Fallback, digests

DOWN = ModelError("its process is down")


@pytest.fixture
def logged(journal, monkeypatch):
    kept = []
    monkeypatch.setattr(journal, "append", lambda *blocks, refuse: kept.extend(blocks))
    return kept


@pytest.fixture
def made(kit, spec, models, journal, clock, logged):
    def make(**fallback):
        serving = ServingSettings(fallback=FallbackSettings(**fallback))
        core = EndpointCore(
            replace(spec, serving=serving), [], None, lambda each: models[each.version], journal, clock
        )
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        return core

    return make


def test_none(kit, made, models) -> None:
    core = made()
    models[1].broken = RuntimeError("boom")
    assert core.answer([kit.ask(["a"])])[0].code == "ModelError"
    assert core.degraded(kit.ask(["a"]), DOWN) is DOWN


class TestPrevious:
    def test_the_version_before_answers(self, kit, made, models, logged) -> None:
        core = made(to="previous")
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        assert models[1].closed == 0
        models[2].broken = RuntimeError("boom")
        answers = core.answer([kit.ask(["a"], request="q", x=[5.0]), kit.ask(["b"], request="p", x=[6.0])])
        assert [each.outputs["score"].tolist() for each in answers] == [[1.005], [1.006]]
        assert [each.degraded for each in answers] == ["previous"] * 2
        assert [list(each.versions) for each in answers] == [["m/1"]] * 2
        assert [(block.model_version, block.degraded, block.prediction_ids) for block in logged] == [
            ("m/1", "previous", ["q.0"]),
            ("m/1", "previous", ["p.0"]),
        ]
        assert core.counters[DEGRADED, "previous"] == 2
        assert core.degraded(kit.ask(["a"], x=[7.0]), DOWN).outputs["score"].tolist() == [1.007]

    def test_it_is_closed_when_another_takes_its_place(self, kit, made, models) -> None:
        core = made(to="previous")
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        core.apply(kit.route(kit.variant("champion", 2, 1.0), kit.variant("shadow", 3, 0.0), generation=3))
        assert [models[n].closed for n in (1, 2, 3)] == [0, 0, 0]
        core.apply(kit.route(kit.variant("champion", 3, 1.0), generation=4))
        assert [models[n].closed for n in (1, 2, 3)] == [1, 0, 0]

    def test_going_back(self, kit, made, models) -> None:
        core = made(to="previous")
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=3))
        models[1].broken = RuntimeError("boom")
        assert list(core.predict(kit.ask(["a"])).versions) == ["m/2"]
        assert [models[n].closed for n in (1, 2)] == [0, 0]

    def test_nobody_served_before(self, kit, made, models) -> None:
        core = made(to="previous")
        assert core.degraded(kit.ask(["a"]), DOWN) is DOWN

    def test_an_overload_is_not_made_worse(self, kit, made) -> None:
        core = made(to="previous")
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        full = Overloaded("the queue is full")
        assert core.degraded(kit.ask(["a"]), full) is full

    def test_when_it_fails_too(self, kit, made, models) -> None:
        core = made(to="previous")
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        models[1].broken = models[2].broken = RuntimeError("boom")
        assert core.answer([kit.ask(["a"])])[0].code == "ModelError"


class TestDefault:
    def test_the_value_a_row(self, kit, made, models, logged) -> None:
        models[1].vector = True
        core = made(to="default", value=0.5)
        models[1].broken = RuntimeError("boom")
        answer = core.predict(kit.ask(["a", "b"]))
        assert answer.outputs["score"].tolist() == [0.5, 0.5]
        assert answer.outputs["pair"].tolist() == [[0.5, 0.5]] * 2
        assert (answer.degraded, logged[0].degraded, logged[0].scores) == ("default", "default", [0.5, 0.5])

    def test_a_bad_request_stays_one(self, kit, made, models) -> None:
        core = made(to="default", value=0.5)
        assert core.degraded(kit.ask(["a"], x=["one"]), DOWN).code == "SignatureMismatch"
        assert core.degraded(kit.ask(["a"], x=[]), DOWN).code == "BadRequest"
        models[1].broken = SignatureMismatch("takes no missing values")
        assert core.answer([kit.ask(["a"])])[0].code == "SignatureMismatch"

    def test_overloaded(self, kit, made) -> None:
        answer = made(to="default", value=0.5).degraded(kit.ask(["a"]), Overloaded("full"))
        assert isinstance(answer, Answer)
        assert answer.degraded == "default"


class TestCached:
    def test_the_last_answer_to_the_same_row(self, kit, made, models, logged) -> None:
        core = made(to="cached")
        core.predict(kit.ask(["a", "b"], x=[5.0, 6.0]))
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        core.predict(kit.ask(["a"], x=[7.0]))
        logged.clear()
        answer = core.degraded(kit.ask(["z", "z"], x=[7.0, 5.0]), Overloaded("full"))
        assert answer.outputs["score"].tolist() == [2.007, 1.005]
        assert list(answer.versions) == ["m/2", "m/1"]
        assert answer.degraded == "cached"
        assert [(block.model_version, block.served) for block in logged] == [
            ("m/2", [True, False]),
            ("m/1", [False, True]),
        ]
        full = Overloaded("full")
        assert core.degraded(kit.ask(["z", "z"], x=[7.0, 8.0]), full) is full

    def test_it_is_bounded(self, made) -> None:
        fallback = Fallback(FallbackSettings(to="cached"), most=2)
        arms = made()._generations.now.arms
        for x in (1.0, 2.0, 1.0, 3.0):
            batch = Batch(1, matrix=np.array([[x]]), names=("x",))
            fallback.remember(batch, [{"score": np.array([x])}], [0], arms)
        known = [
            key in fallback._cache
            for key in digests(Batch(3, matrix=np.array([[1.0], [2.0], [3.0]]), names=("x",)))
        ]
        assert known == [True, False, True]


def test_digests_tell_rows_apart() -> None:
    columns = {"a": np.array([1.0, 1.0, 2.0, np.nan]), "b": np.array(["x", "y", "x", None], dtype=object)}
    assert len(set(digests(Batch(4, columns)))) == 4
    again = dict(reversed(columns.items()))
    assert digests(Batch(4, again)) == digests(Batch(4, columns))
