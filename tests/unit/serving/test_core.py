from collections import Counter
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from mlwright.errors import BadRequest, ModelError, ModelLoadFailed, SignatureMismatch, StorageError
from mlwright.model.endpoints import entity_bucket
from mlwright.model.registry import Field
from mlwright.model.settings import EdgeSettings, RecordSettings, ServingSettings
from mlwright.ports.online_store import FeatureRows
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import ERRORS, LABELS, REQUESTS, ROWS, VARIANT_ERRORS
from mlwright.stages.serving.journal import iter_blocks
from mlwright.stages.serving.log import PredictionLog
from mlwright.stages.serving.recording import RecordPolicy


def blocks(folder):
    return [each for path in sorted((folder / "journal").glob("pred*")) for each in iter_blocks(path)]


def scores(answer):
    return answer.outputs["score"].tolist()


def test_answer_and_record(kit, core, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=4))
    answer = core.predict(kit.ask(["UA 1", "AA 2"], request="q"))
    assert answer.prediction_ids == ["q.0", "q.1"]
    assert scores(answer) == [1.0, 1.001]
    assert list(answer.variants) == ["champion"] * 2
    assert list(answer.versions) == ["m/1"] * 2
    [block] = blocks(tmp_path)
    assert (block.endpoint, block.generation, block.served) == ("delay", 4, [])
    assert block.prediction_ids == ["q.0", "q.1"]
    assert block.entity_keys == ["UA 1", "AA 2"]
    assert block.event_times == [kit.noon] * 2
    assert block.scores == scores(answer)
    assert block.names == ("x",)
    assert np.frombuffer(block.matrix).tolist() == [0.0, 1.0]
    assert block.latency_us >= 0
    assert core.counters[REQUESTS] == 1
    assert core.counters[ROWS, "champion"] == 2
    assert PredictionLog(tmp_path).predictions(None)["score"].to_list() == [1.0, 1.001]


def test_without_a_route(kit, core) -> None:
    for call in (lambda: core.predict(kit.ask(["a"])), lambda: core.form):
        with pytest.raises(ModelLoadFailed, match="mlwright deploy delay"):
            call()
    assert core.counters[ERRORS, "ModelLoadFailed"] == 1
    assert core.answer([kit.ask(["a"])] * 2)[1].code == "ModelLoadFailed"
    assert core.curve is None


def test_no_asks_no_answers(kit, core, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    assert core.answer([]) == []
    assert blocks(tmp_path) == []


def test_unloaded(kit, core, models) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    core.apply(kit.route(generation=2))
    with pytest.raises(ModelLoadFailed, match="unloaded"):
        core.predict(kit.ask(["a"]))
    with pytest.raises(ModelLoadFailed, match="unloaded"):
        _ = core.form
    assert core.route.generation == 2
    assert models[1].closed == 1


def test_one_batch_for_all_asks(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    models[1].batches.clear()
    asks = [kit.ask([f"k{n}"] * n, request=f"r{n}", x=[float(n)] * n) for n in (1, 3, 2)]
    outcomes = core.answer(asks)
    assert [outcome.id for outcome in outcomes] == ["r1", "r3", "r2"]
    assert [scores(outcome) for outcome in outcomes] == [[1.001], [1.003] * 3, [1.002] * 2]
    assert [batch.rows for batch in models[1].batches] == [6]
    [block] = blocks(tmp_path)
    assert block.prediction_ids == ["r1.0", "r3.0", "r3.1", "r3.2", "r2.0", "r2.1"]
    assert block.entity_keys == ["k1"] + ["k3"] * 3 + ["k2"] * 2


def test_split_is_the_share(kit, core) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 0.9), kit.variant("challenger", 2, 0.1)))
    keys = [f"flight {number}" for number in range(4000)]
    counts = Counter(core.predict(kit.ask(keys)).variants)
    assert counts["challenger"] == sum(entity_bucket("grain", key) >= 9000 for key in keys)
    assert 330 < counts["challenger"] < 470
    assert core.counters[ROWS, "challenger"] == counts["challenger"]


def test_a_challenger_that_raises_hurts_nobody(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("challenger", 2, 0.5)))
    models[2].broken = RuntimeError("boom")
    keys = [f"flight {number}" for number in range(40)]
    answer = core.predict(kit.ask(keys))
    assert set(answer.variants) == {"champion"}
    assert scores(answer) == [1 + row / 1000 for row in range(40)]
    champion, challenger = blocks(tmp_path)
    assert champion.served == [True] * 40
    assert challenger.served == [False] * 40
    assert challenger.error == "RuntimeError: boom"
    assert core.counters[VARIANT_ERRORS, "challenger"] == 1
    frame = PredictionLog(tmp_path).predictions(None, served_only=False)
    assert frame.filter(variant="challenger")["score"].null_count() == 40
    models[2].broken = None
    assert set(core.predict(kit.ask(keys)).variants) == {"champion", "challenger"}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"score": np.zeros(1)}, "ModelError: the model gave 1 values of 'score' for 2 rows"),
        ({}, "ModelError: the model gave nothing"),
        ({"p": np.zeros(2)}, "ModelError: the outputs p[2] are not those of the champion, score[2]"),
        (
            {"score": np.zeros((2, 3))},
            "ModelError: the outputs score[2, 3] are not those of the champion, score[2]",
        ),
    ],
)
def test_a_challenger_with_other_outputs_is_an_error(
    kit, core, models, tmp_path, monkeypatch, given, error
) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0), kit.variant("shadow", 2, 0.0)))
    monkeypatch.setattr(models[2], "infer", lambda batch: given, raising=False)
    core.predict(kit.ask(["a", "b"]))
    assert blocks(tmp_path)[1].error == error


def test_a_champion_that_raises(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    models[1].broken = SignatureMismatch("row 1 of 'x' is 'b'")
    with pytest.raises(SignatureMismatch, match="row 1"):
        core.predict(kit.ask(["a"]))
    models[1].broken = ZeroDivisionError("1/0")
    with pytest.raises(ModelError, match="ZeroDivisionError: 1/0"):
        core.predict(kit.ask(["a"]))
    assert blocks(tmp_path) == []
    assert core.counters[ERRORS] == core.counters[REQUESTS] == 2


def test_a_poisonous_row_fails_its_own_request_only(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    models[1].poison = 7.0
    outcomes = core.answer([kit.ask(["a"], request=f"r{n}", x=[float(n)]) for n in range(5, 10)])
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Answer",
        "Answer",
        "ModelError",
        "Answer",
        "Answer",
    ]
    assert [scores(outcome) for outcome in outcomes if isinstance(outcome, Answer)] == [
        [1.005],
        [1.006],
        [1.008],
        [1.009],
    ]
    assert sorted(id for block in blocks(tmp_path) for id in block.prediction_ids) == [
        "r5.0",
        "r6.0",
        "r8.0",
        "r9.0",
    ]


def test_no_answer_without_its_record(kit, core, journal, monkeypatch) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))

    def full(*blocks, refuse=False) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(StorageError):
        core.predict(kit.ask(["a"]))
    assert [each.code for each in core.answer([kit.ask(["a"]), kit.ask(["b"])])] == ["StorageError"] * 2
    with pytest.raises(StorageError):
        core.feedback(kit.labels(["a.0"], [1.0]))


def test_what_nobody_expected_is_an_error_too(kit, core, monkeypatch, journal) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    monkeypatch.setattr(journal, "append", lambda: None)
    [outcome] = core.answer([kit.ask(["a"])])
    assert isinstance(outcome, ModelError)
    assert "TypeError" in str(outcome)


def test_without_keys(kit, spec, models, journal, clock, tmp_path) -> None:
    core = EndpointCore(
        replace(spec, keyed=False), [], None, lambda each: models[each.version], journal, clock
    )
    core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("challenger", 2, 0.5)))
    asks = [Ask(id=f"r{n}", rows=1, columns={"x": [float(n)]}) for n in range(40)]
    asks.append(Ask(id="named", rows=2, columns={"x": [1.0, 2.0]}, keys=["UA 1", "UA 2"], times=[1, 2]))
    variants = [list(each.variants) for each in core.answer(asks)]
    assert variants[:-1] == [[core.route.variant_of(f"r{n}.0").name] for n in range(40)]
    assert variants[-1] == [core.route.variant_of(key).name for key in ("UA 1", "UA 2")]
    [first, _] = blocks(tmp_path)
    assert first.entity_keys == [f"r{n}.0" for n in range(40)] + ["UA 1", "UA 2"]
    core.answer(asks[:1])
    assert blocks(tmp_path)[2].entity_keys == blocks(tmp_path)[2].event_times == []


def test_several_outputs(kit, core, models, tmp_path) -> None:
    models[1].vector = models[2].vector = True
    core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("challenger", 2, 0.5)))
    keys = [f"k{n}" for n in range(20)]
    answer = core.predict(kit.ask(keys, x=[5.0] * 20))
    version = [core.route.variant_of(key).version for key in keys]
    assert answer.outputs["score"].tolist() == [each + 0.005 for each in version]
    assert answer.outputs["pair"].tolist() == [[each + 0.005, -each - 0.005] for each in version]
    assert set(version) == {1, 2}
    champion = blocks(tmp_path)[0]
    assert champion.outputs["pair"] == [[1.005, -1.005]] * 20
    assert champion.scores == [1.005] * 20
    [alone] = core.answer([kit.ask(["k0"], x=[5.0])])
    assert alone.outputs["pair"].tolist() == [[version[0] + 0.005, -version[0] - 0.005]]


def test_texts_as_output(kit, core, models, monkeypatch, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    monkeypatch.setattr(
        models[1],
        "infer",
        lambda batch: {"score": np.array(["late", "on time"], dtype=object)},
        raising=False,
    )
    assert core.predict(kit.ask(["a", "b"])).outputs["score"].tolist() == ["late", "on time"]
    [block] = blocks(tmp_path)
    assert (block.scores, block.outputs) == ([], {"score": ["late", "on time"]})


def test_what_is_logged_is_the_policys(kit, spec, models, journal, clock, tmp_path) -> None:
    policy = RecordPolicy(RecordSettings(leave_out=("x",)), b"k" * 32)
    core = EndpointCore(spec, [], None, lambda each: models[each.version], journal, clock, record=policy)
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    core.predict(kit.ask(["a"]))
    [block] = blocks(tmp_path)
    assert (block.names, block.features, block.scores) == ((), {}, [1.0])


class TestRoutes:
    def test_a_model_is_loaded_once_and_closed(self, kit, spec, journal, clock) -> None:
        loaded = []

        def load(variant):
            loaded.append(kit.Echo(variant.version))
            return loaded[-1]

        core = EndpointCore(spec, [], None, load, journal, clock)
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("c", 2, 0.5), generation=2))
        assert [each.closed for each in loaded] == [0, 0]
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=3))
        assert [(each.version, each.closed) for each in loaded] == [(1, 1), (2, 0)]
        core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=4))
        assert [(each.version, each.closed) for each in loaded] == [(1, 1), (2, 1), (1, 0)]
        assert scores(core.predict(kit.ask(["a"]))) == [1.0]

    def test_those_in_flight_end_on_the_old_model(self, kit, core, models, monkeypatch) -> None:
        inside, go = Event(), Event()
        infer = kit.Echo.infer

        def slow(batch):
            inside.set()
            assert go.wait(10)
            return infer(models[1], batch)

        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        monkeypatch.setattr(models[1], "infer", slow, raising=False)
        found = []
        thread = Thread(target=lambda: found.extend(core.answer([kit.ask(["a"])])))
        thread.start()
        assert inside.wait(10)
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=2))
        assert models[1].closed == 0
        assert list(core.predict(kit.ask(["a"])).versions) == ["m/2"]
        go.set()
        thread.join()
        assert list(found[0].versions) == ["m/1"]
        assert models[1].closed == 1

    def test_a_model_that_does_not_load_changes_nothing(self, kit, core) -> None:
        first = kit.route(kit.variant("champion", 1, 1.0))
        core.apply(first)
        with pytest.raises(ModelLoadFailed, match="m/9 cannot be used") as caught:
            core.apply(kit.route(kit.variant("champion", 9, 1.0), generation=2))
        assert "KeyError: 9" in str(caught.value)
        assert "mlwright doctor" in str(caught.value)
        assert core.route == first
        assert list(core.predict(kit.ask(["a"])).versions) == ["m/1"]

    def test_what_was_loaded_for_nothing_is_closed(self, kit, core, models) -> None:
        with pytest.raises(ModelLoadFailed):
            core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("c", 9, 0.5)))
        assert models[1].closed == 1
        assert core.route is None

    def test_warming_finds_a_model_that_cannot_run(self, kit, core, models) -> None:
        models[2].broken = RuntimeError("no such operator")
        with pytest.raises(ModelLoadFailed, match="no such operator"):
            core.apply(kit.route(kit.variant("champion", 2, 1.0)))
        assert models[2].closed == 1
        models[3].broken = SignatureMismatch("takes no missing values")
        core.apply(kit.route(kit.variant("champion", 3, 1.0)))
        assert core.curve is None

    def test_the_curve_is_measured_for_all_variants(self, kit, core, models) -> None:
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        alone = core.curve
        assert alone is not None
        assert alone.rows == (1, 8, 64)
        core.apply(kit.route(kit.variant("champion", 1, 1.0), kit.variant("shadow", 2, 0.0), generation=2))
        assert core.curve is not alone
        assert {batch.rows for batch in models[2].batches} == {1, 8, 64}


class TestForm:
    def test_what_is_sent_and_given(self, kit, core, models) -> None:
        models[1].names = ("x", "wind", "flight")
        models[1].kinds = {"flight": "string"}
        core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=7))
        form = core.form
        assert form.inputs == (Field(name="x", type="double"), Field(name="origin", type="string"))
        assert (form.endpoint, form.model, form.version, form.generation) == ("delay", "m", "1", 7)
        assert (form.entity, form.timestamp, form.keyed) == ("flight", "predicted_at", True)
        assert [each.name for each in form.outputs] == ["score"]

    def test_what_only_a_challenger_needs_is_not_required(
        self, kit, spec, models, journal, clock, tmp_path
    ) -> None:
        core = EndpointCore(spec, [], None, lambda each: models[each.version], journal, clock)
        models[2].names = ("x", "distance")
        core.apply(kit.route(kit.variant("champion", 1, 1.0), kit.variant("shadow", 2, 0.0)))
        assert [(each.name, each.required) for each in core.form.inputs] == [("x", True), ("distance", False)]
        assert scores(core.predict(kit.ask(["a"]))) == [1.0]
        assert not models[1].batches[-1].has("distance")
        times = [kit.noon]
        old = Ask(id="old", rows=1, matrix=[[5.0]], keys=["a"], times=times)
        new = Ask(id="new", rows=1, matrix=[[5.0, 9.0]], keys=["a"], times=times)
        assert [scores(each) for each in core.answer([old, new])] == [[1.005], [1.005]]
        errors = {
            id: block.error
            for block in blocks(tmp_path)
            for id in block.prediction_ids
            if block.variant == "shadow"
        }
        assert errors["new.0"] is None
        assert "distance" in errors["old.0"]

    def test_the_entity_as_an_input(self, kit, core, models) -> None:
        models[1].names = ("x", "flight", "predicted_at")
        models[1].kinds = {"flight": "string", "predicted_at": "long"}
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        core.predict(kit.ask(["UA 1"]))
        assert models[1].seen[-1] == {"x": [0.0], "flight": ["UA 1"], "predicted_at": [kit.noon]}


class TestFeatures:
    @pytest.fixture(autouse=True)
    def weather(self, kit, core, models, online, view) -> None:
        models[1].names = ("x", "wind", "rain")
        rows = FeatureRows(
            keys=[("JFK",), ("JFK",), ("EWR",)],
            times=[kit.noon - kit.hour, kit.noon + 1, kit.noon],
            columns={"wind": [10.0, 99.0, 20.0], "rain": [0.1, 9.9, None]},
        )
        online.write(view, rows)
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))

    def test_values_as_of_the_event_time(self, kit, core, models, tmp_path) -> None:
        core.predict(kit.ask(["a", "b", "c", "d"], origin=["EWR", "JFK", "LGA", None]))
        seen = {"x": [0.0, 1.0, 2.0, 3.0], "wind": [20.0, 10.0, None, None], "rain": [None, 0.1, None, None]}
        assert models[1].seen[-1] == seen
        # With the key of the look-up: what was served can be computed again.
        assert blocks(tmp_path)[0].features == {**seen, "origin": ["EWR", "JFK", "LGA", None]}

    def test_one_look_up_for_all(self, kit, core, models, online, monkeypatch) -> None:
        calls = []
        read = online.read
        monkeypatch.setattr(online, "read", lambda *given: calls.append(given) or read(*given))
        core.answer([kit.ask(["a"], request=f"r{n}", origin=["EWR"]) for n in range(5)])
        assert len(calls) == 1
        assert models[1].seen[-1]["wind"] == [20.0] * 5

    def test_what_the_request_says_goes_first(self, kit, core, models) -> None:
        core.predict(kit.ask(["a"], origin=["JFK"], wind=[5.0]))
        assert models[1].seen[-1] == {"x": [0.0], "wind": [5.0], "rain": [0.1]}
        core.predict(kit.ask(["a"], wind=[5.0], rain=[1.0]))
        assert models[1].seen[-1] == {"x": [0.0], "wind": [5.0], "rain": [1.0]}

    def test_key_of_the_view_is_missing(self, kit, core) -> None:
        with pytest.raises(BadRequest, match="origin: the view's key was not sent"):
            core.predict(kit.ask(["a"]))

    def test_without_an_online_store(self, kit, spec, view, models, journal, clock) -> None:
        core = EndpointCore(spec, [view], None, lambda each: models[1], journal, clock)
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        with pytest.raises(BadRequest, match="no online store"):
            core.predict(kit.ask(["a"], origin=["JFK"]))


class TestBadRequests:
    @pytest.fixture(autouse=True)
    def live(self, kit, core) -> None:
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))

    def faults(self, core, ask, error=BadRequest) -> list[str]:
        with pytest.raises(error) as caught:
            core.predict(ask)
        assert f"request {ask.id}" in str(caught.value)
        return [str(fault) for fault in caught.value.faults]

    def test_lengths(self, kit, core) -> None:
        assert self.faults(core, kit.ask(["a", "b"], x=[1.0], y=[1, 2, 3])) == [
            "x: 1 values for 2 rows",
            "y: 3 values for 2 rows",
        ]

    def test_lengths_that_add_up_over_requests(self, kit, core) -> None:
        outcomes = core.answer([kit.ask(["a"], x=[1.0, 2.0]), kit.ask(["b"], x=[]), kit.ask(["c"], x=[3.0])])
        assert [getattr(each, "code", "fine") for each in outcomes] == ["BadRequest", "BadRequest", "fine"]

    def test_no_rows(self, kit, core) -> None:
        assert self.faults(core, kit.ask([])) == ["rows: no rows were sent"]
        assert self.faults(core, Ask(id="r", rows=0, matrix=[])) == ["rows: no rows were sent"]

    def test_keys_and_times(self, kit, core) -> None:
        ask = Ask(
            id="r",
            rows=3,
            columns={"x": [1.0] * 3},
            keys=["a", "", "c"],
            times=[kit.noon] * 2 + [kit.noon * 1000],
        )
        assert self.faults(core, ask) == [
            "flight[1]: must be a text that is not empty, not ''",
            f"predicted_at[2]: must be microseconds since 1970-01-01 UTC, not {kit.noon * 1000}",
        ]
        assert self.faults(core, Ask(id="r", rows=1, columns={"x": [1.0]})) == [
            "flight: it was not sent, and each row needs it",
            "predicted_at: it was not sent, and each row needs it",
        ]

    def test_missing_input_names_the_near_one(self, kit, core, models) -> None:
        models[3].names = ("distance", "x")
        core.apply(kit.route(kit.variant("champion", 3, 1.0), generation=2))
        [fault] = self.faults(core, kit.ask(["a"], distanse=[3.0]))
        assert fault.startswith("distance: the model needs this double; it was not sent")
        assert fault.endswith("(did you mean 'distanse'?)")

    def test_many_faults_are_cut(self, kit, core) -> None:
        assert len(self.faults(core, kit.ask([""] * 500))) == 20

    def test_all_wrong_types_are_named(self, kit, core) -> None:
        ask = kit.ask(["a", "b", "c"], x=["one", 2.0, True])
        assert self.faults(core, ask, SignatureMismatch) == [
            "x[0]: expected double, got 'one' (str)",
            "x[2]: expected double, got True (bool)",
        ]
        matrix = Ask(id="r", rows=2, matrix=[[1.0], ["two"]], keys=["a", "b"], times=[kit.noon] * 2)
        assert self.faults(core, matrix, SignatureMismatch) == ["x[1]: expected double, got 'two' (str)"]

    @pytest.mark.parametrize(
        "matrix",
        [[[1.0, 2.0]], [[]], np.ones((1, 2)), np.ones(1), np.ones((1, 1, 1)), np.array([["a"]]), [[10**400]]],
    )
    def test_rows_of_another_shape(self, kit, core, matrix) -> None:
        ask = Ask(id="r", rows=1, matrix=matrix, keys=["a"], times=[kit.noon])
        [outcome, fine] = core.answer([ask, kit.ask(["b"])])
        assert isinstance(outcome, SignatureMismatch)
        assert isinstance(fine, Answer)

    def test_fields_that_nobody_asked_for(self, kit, spec, models, journal, clock) -> None:
        strict = replace(spec, serving=ServingSettings(edge=EdgeSettings(extra="reject")))
        core = EndpointCore(strict, [], None, lambda each: models[each.version], journal, clock)
        models[1].names = ("x", "delay")
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        for extra in ({"dely": [1.0]}, {"dely": [1.0], "delay": [1.0]}):
            with pytest.raises(BadRequest, match="dely: nobody asked for this field"):
                core.predict(kit.ask(["a"], **extra))
        assert scores(core.predict(kit.ask(["a"], delay=[1.0]))) == [1.0]


class TestFeedback:
    def test_receipt_and_record(self, kit, core, tmp_path) -> None:
        receipt = core.feedback(kit.labels(["q.0", "q.1"], [1.0, 0.0]))
        assert (receipt.endpoint, receipt.accepted, receipt.repeated) == ("delay", 2, 0)
        assert core.feedback(kit.labels(["q.0", "q.1"], [1.0, 0.0])).repeated == 2
        assert PredictionLog(tmp_path).labels(None)["label"].to_list() == [1.0, 0.0]
        assert core.counters[LABELS] == 4

    def test_nothing_is_fine(self, kit, core, tmp_path) -> None:
        assert core.feedback(kit.labels([], [])).accepted == 0
        assert not (tmp_path / "journal").exists()

    def test_bad_labels_are_not_logged(self, kit, core, tmp_path) -> None:
        with pytest.raises(BadRequest, match="must be a finite number"):
            core.feedback(kit.labels(["a.0"], [float("nan")]))
        assert not (tmp_path / "journal").exists()
