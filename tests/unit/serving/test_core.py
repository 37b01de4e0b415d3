from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlwright.errors import BadRequest, ModelLoadFailed, SignatureMismatch, StorageError
from mlwright.model.endpoints import entity_bucket
from mlwright.model.registry import Field
from mlwright.ports.online_store import FeatureRows
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.journal import iter_blocks
from mlwright.stages.serving.log import PredictionLog


def blocks(folder):
    return [each for path in sorted((folder / "journal").glob("pred*")) for each in iter_blocks(path)]


def test_answer_and_record(kit, core, tmp_path, clock) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=4))
    answer = core.predict(kit.ask(["UA 1", "AA 2"], request="q"))
    assert answer.prediction_ids == ["q.0", "q.1"]
    assert answer.scores == [1.0, 1.001]
    assert answer.variants == ["champion"] * 2
    assert answer.model_versions == ["m/1"] * 2
    [block] = blocks(tmp_path)
    assert (block.endpoint, block.generation, block.served) == ("delay", 4, [True, True])
    assert block.entity_keys == ["UA 1", "AA 2"]
    assert block.event_times == [kit.noon] * 2
    assert block.scores == answer.scores
    assert block.features == {"x": [0.0, 1.0]}
    assert block.latency_us >= 0
    assert core.counters.requests == 1
    assert core.counters.rows == 2


def test_without_a_route(kit, core) -> None:
    for call in (lambda: core.predict(kit.ask(["a"])), core.inputs):
        with pytest.raises(ModelLoadFailed, match="mlwright deploy delay"):
            call()
    assert core.counters.errors == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30),
    parts=st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(any),
    values=st.randoms(use_true_random=False),
)
def test_each_row_is_answered_by_its_own_variant(
    kit, spec, models, clock, tmp_path_factory, keys, parts, values
) -> None:
    """Scores land on their rows, shadows score all rows, and the log says who answered."""
    from mlwright.stages.serving.journal import Journal

    folder = tmp_path_factory.mktemp("log")
    journal = Journal(folder, clock)
    core = EndpointCore(spec, [], None, lambda each: models[each.version], journal, clock)
    route = kit.route(*(kit.variant(f"v{i + 1}", i + 1, part / sum(parts)) for i, part in enumerate(parts)))
    core.apply(route)
    x = [values.randrange(1000) / 1.0 for _ in keys]
    answer = core.predict(kit.ask(keys, x=list(x)))
    owners = [route.variant_of(key) for key in keys]
    assert answer.variants == [owner.name for owner in owners]
    assert answer.model_versions == [f"m/{owner.version}" for owner in owners]
    assert answer.scores == [owner.version + each / 1000 for owner, each in zip(owners, x, strict=True)]
    logged = blocks(folder)
    assert [block.variant for block in logged] == [variant.name for variant in route.variants]
    for block, variant in zip(logged, route.variants, strict=True):
        assert block.scores == [variant.version + each / 1000 for each in x]
        assert block.served == [owner is variant for owner in owners]
    assert sum(map(sum, (block.served for block in logged))) == len(keys)
    assert [bool(block.features) for block in logged] == [True] + [False] * (len(parts) - 1)
    assert core.predict(kit.ask(keys, x=list(x))).variants == answer.variants
    journal.close()


def test_split_is_the_share(kit, core) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 0.9), kit.variant("challenger", 2, 0.1)))
    keys = [f"flight {number}" for number in range(4000)]
    counts = Counter(core.predict(kit.ask(keys)).variants)
    assert counts["challenger"] == sum(entity_bucket("grain", key) >= 9000 for key in keys)
    assert 330 < counts["challenger"] < 470


def test_a_challenger_that_raises_hurts_nobody(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("challenger", 2, 0.5)))
    models[2].broken = RuntimeError("boom")
    keys = [f"flight {number}" for number in range(40)]
    answer = core.predict(kit.ask(keys))
    assert set(answer.variants) == {"champion"}
    assert answer.scores == [1 + row / 1000 for row in range(40)]
    champion, challenger = blocks(tmp_path)
    assert champion.served == [True] * 40
    assert challenger.served == [False] * 40
    assert challenger.error == "RuntimeError: boom"
    assert core.counters.variant_errors == {"challenger": 1}
    frame = PredictionLog(tmp_path).predictions(None, served_only=False)
    assert frame.filter(variant="challenger")["score"].null_count() == 40
    models[2].broken = None
    assert set(core.predict(kit.ask(keys)).variants) == {"champion", "challenger"}


def test_a_challenger_with_too_few_scores_is_an_error(kit, core, models, tmp_path, monkeypatch) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0), kit.variant("shadow", 2, 0.0)))
    monkeypatch.setattr(models[2], "predict", lambda columns: [0.5], raising=False)
    core.predict(kit.ask(["a", "b"]))
    assert blocks(tmp_path)[1].error == "ModelError: the model gave 1 scores for 2 rows"


def test_a_champion_that_raises(kit, core, models, tmp_path) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))
    models[1].broken = SignatureMismatch("row 1 of 'x' is 'b'")
    with pytest.raises(SignatureMismatch, match="row 1"):
        core.predict(kit.ask(["a"]))
    models[1].broken = ZeroDivisionError("1/0")
    with pytest.raises(Exception, match="ZeroDivisionError: 1/0"):
        core.predict(kit.ask(["a"]))
    assert blocks(tmp_path) == []
    assert core.counters.errors == core.counters.requests == 2


def test_no_answer_without_its_record(kit, core, journal, monkeypatch) -> None:
    core.apply(kit.route(kit.variant("champion", 1, 1.0)))

    def full(*blocks) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(StorageError):
        core.predict(kit.ask(["a"]))
    with pytest.raises(StorageError):
        core.feedback(kit.labels(["a.0"], [1.0]))


class TestRoutes:
    def test_a_model_is_loaded_once_and_dropped(self, kit, spec, journal, clock) -> None:
        loaded: list[int] = []

        def load(variant):
            loaded.append(variant.version)
            return kit.Echo(variant.version)

        core = EndpointCore(spec, [], None, load, journal, clock)
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        core.apply(kit.route(kit.variant("champion", 1, 0.5), kit.variant("c", 2, 0.5), generation=2))
        core.apply(kit.route(kit.variant("champion", 2, 1.0), generation=3))
        assert loaded == [1, 2]
        core.apply(kit.route(kit.variant("champion", 1, 1.0), generation=4))
        assert loaded == [1, 2, 1]
        assert core.predict(kit.ask(["a"])).scores == [1.0]

    def test_a_model_that_does_not_load_changes_nothing(self, kit, core) -> None:
        first = kit.route(kit.variant("champion", 1, 1.0))
        core.apply(first)
        with pytest.raises(ModelLoadFailed, match="m/9 cannot be used") as caught:
            core.apply(kit.route(kit.variant("champion", 9, 1.0), generation=2))
        assert "KeyError: 9" in str(caught.value)
        assert "mlwright doctor" in str(caught.value)
        assert core.route == first
        assert core.predict(kit.ask(["a"])).model_versions == ["m/1"]

    def test_warming_finds_a_model_that_cannot_run(self, kit, core, models) -> None:
        models[2].broken = RuntimeError("no such operator")
        with pytest.raises(ModelLoadFailed, match="no such operator"):
            core.apply(kit.route(kit.variant("champion", 2, 1.0)))
        models[2].broken = SignatureMismatch("takes no missing values")
        core.apply(kit.route(kit.variant("champion", 2, 1.0)))


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
        assert blocks(tmp_path)[0].features == seen

    def test_what_the_request_says_goes_first(self, kit, core, models) -> None:
        core.predict(kit.ask(["a"], origin=["JFK"], wind=[5.0]))
        assert models[1].seen[-1] == {"x": [0.0], "wind": [5.0], "rain": [0.1]}
        core.predict(kit.ask(["a"], wind=[5.0], rain=[1.0]))
        assert models[1].seen[-1] == {"x": [0.0], "wind": [5.0], "rain": [1.0]}

    def test_key_of_the_view_is_missing(self, kit, core) -> None:
        with pytest.raises(BadRequest, match="origin: the view's key was not sent"):
            core.predict(kit.ask(["a"]))

    def test_inputs_say_what_to_send(self, core) -> None:
        assert core.inputs() == (
            Field(name="flight", type="string"),
            Field(name="predicted_at", type="long"),
            Field(name="x", type="double"),
            Field(name="origin", type="string"),
        )

    def test_without_an_online_store(self, kit, spec, view, models, journal, clock) -> None:
        core = EndpointCore(spec, [view], None, lambda each: models[1], journal, clock)
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))
        with pytest.raises(BadRequest, match="no online store"):
            core.predict(kit.ask(["a"], origin=["JFK"]))


class TestBadRequests:
    @pytest.fixture(autouse=True)
    def live(self, kit, core) -> None:
        core.apply(kit.route(kit.variant("champion", 1, 1.0)))

    def faults(self, core, request) -> list[str]:
        with pytest.raises(BadRequest) as caught:
            core.predict(request)
        return [str(fault) for fault in caught.value.faults]

    def test_lengths(self, kit, core) -> None:
        assert self.faults(core, kit.ask(["a", "b"], x=[1.0], y=[1, 2, 3])) == [
            "x: 1 values, but flight has 2",
            "y: 3 values, but flight has 2",
        ]

    def test_no_rows(self, kit, core) -> None:
        assert self.faults(core, kit.ask([])) == ["flight: no rows were sent"]

    def test_keys_and_times(self, kit, core) -> None:
        request = kit.ask(["a", "", "c"])
        request.event_times[2] = kit.noon * 1000  # nanoseconds
        assert self.faults(core, request) == [
            "flight[1]: must be a text that is not empty, not ''",
            f"predicted_at[2]: must be microseconds since 1970-01-01 UTC, not {kit.noon * 1000}",
        ]

    def test_missing_input_names_the_near_one(self, kit, core, models) -> None:
        models[3].names = ("distance", "x")
        core.apply(kit.route(kit.variant("champion", 3, 1.0), generation=2))
        [fault] = self.faults(core, kit.ask(["a"], distanse=[3.0]))
        assert fault.startswith("distance: the model needs this double; it was not sent")
        assert fault.endswith("(did you mean 'distanse'?)")

    def test_many_faults_are_cut(self, kit, core) -> None:
        assert len(self.faults(core, kit.ask([""] * 500))) == 20


class TestFeedback:
    def test_receipt_and_record(self, kit, core, tmp_path) -> None:
        receipt = core.feedback(kit.labels(["q.0", "q.1"], [1.0, 0.0]))
        assert (receipt.endpoint, receipt.accepted) == ("delay", 2)
        core.feedback(kit.labels(["q.0", "q.1"], [1.0, 0.0]))
        assert PredictionLog(tmp_path).labels(None)["label"].to_list() == [1.0, 0.0]

    def test_nothing_is_fine(self, kit, core, tmp_path) -> None:
        assert core.feedback(kit.labels([], [])).accepted == 0
        assert not (tmp_path / "journal").exists()

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"prediction_ids": ["a.0"]}, "prediction_id: 1 values, but label has 2"),
            ({"observed_at": [0]}, "observed_at: 1 values, but label has 2"),
            ({"labels": [float("nan"), 1.0]}, "label[0]: must be a finite number, not nan"),
            ({"labels": [1.0, float("-inf")]}, "label[1]: must be a finite number, not -inf"),
            ({"prediction_ids": ["a.0", ""]}, "prediction_id[1]: must not be empty"),
            ({"prediction_ids": []}, "prediction_id: send prediction_id or entity_key"),
            (
                {"observed_at": [0, 10**18]},
                f"observed_at[1]: must be microseconds since 1970-01-01 UTC, not {10**18}",
            ),
        ],
    )
    def test_bad_labels(self, kit, core, tmp_path, changes, fault) -> None:
        with pytest.raises(BadRequest) as caught:
            core.feedback(kit.labels(["a.0", "a.1"], [1.0, 0.0], **changes))
        assert [str(each) for each in caught.value.faults] == [fault]
        assert not (tmp_path / "journal").exists()
