"""A version converted: registered where it answers the same and faster, refused with reasons where not."""

from dataclasses import replace

import numpy as np
import pytest

from mlwright.adapters.runtimes.converting import OnnxConverter
from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.errors import Unsupported, UsageError
from mlwright.model.evidence import EvidenceKind
from mlwright.model.ledger import Node
from mlwright.model.registry import Field, Signature
from mlwright.platform import optimizing
from mlwright.platform.facade import Platform
from mlwright.stages.ledger import store as ledger
from mlwright.stages.pipelines.shelf import ModelShelf
from mlwright.testing.fakes.converters import CopyingConverter
from mlwright.testing.fakes.measuring import ImaginedMeasuring


@pytest.fixture
def with_converter(released, monkeypatch):
    """The project with a converter; twice as fast, whatever this machine does meanwhile."""

    def make(by: float = 0.0, ratio: float = 2.0) -> Platform:
        def race(before, after, rows, sizes, *, seconds):
            return tuple(optimizing.Pace(rows=size, before_s=ratio * 1e-3, after_s=1e-3) for size in sizes)

        monkeypatch.setattr(optimizing, "race", race)
        parts = replace(
            released.platform.parts, converters=(CopyingConverter(by),), measuring=ImaginedMeasuring()
        )
        return Platform(parts)

    return make


def test_what_answers_the_same_and_faster_becomes_a_version(with_converter) -> None:
    platform = with_converter(by=1e-7)
    said: list[str] = []
    done = platform.optimizing.optimize("delay/1", to="copy", sample=50, say=said.append)
    assert (done.ref, done.source, done.reasons) == ("delay/2", "delay/1", ())
    assert done.parity.rows == 50
    assert 0 < done.parity.max_abs < 1e-6
    assert done.before is not None
    assert "converting delay/1 to copy" in said
    [found] = platform.dossiers.evidence("delay/2")
    assert found.kind == EvidenceKind.CONVERSION
    kept = found.details["conversion"]
    assert (kept["source"], kept["parity"]["rows"], kept["paces"][0]["rows"]) == ("delay/1", 50, 1)
    assert found.details["rank"] == optimizing.RANK
    source, made = platform.releases.version("delay/1"), platform.releases.version("delay/2")
    assert source.aliases == ("champion",)
    assert (made.aliases, made.trained_to, made.evaluation) == ((), source.trained_to, source.evaluation)
    with platform.parts.read() as tx:
        causes = ledger.trace(tx, Node(kind="model", id="delay/2"), depth=1).causes
    assert {(each.relation, each.cause.id) for each in causes} >= {("converted from", "delay/1")}
    assert done.next_command == "mlwright rollout start delay delay/2"


def test_a_version_converted_again_is_the_one_that_exists(with_converter) -> None:
    platform = with_converter()
    first = platform.optimizing.optimize("delay/1", to="copy", sample=20)
    assert platform.optimizing.optimize("delay/1", to="copy", sample=20).ref == first.ref


@pytest.mark.parametrize(
    ("by", "ratio", "options", "reason"),
    [
        (0.1, 2.0, {}, "50 of 50 rows have an answer outside the tolerance"),
        (1e-3, 2.0, {"tolerance": 1e-6}, "outside the tolerance"),
        (0.0, 0.9, {}, "it is not faster: 0.90 × at 1"),
        (0.1, 2.0, {"keep": True}, "outside the tolerance"),
    ],
)
def test_what_does_not_is_refused_and_nothing_is_registered(
    with_converter, by, ratio, options, reason
) -> None:
    platform = with_converter(by=by, ratio=ratio)
    done = platform.optimizing.optimize("delay/1", to="copy", sample=50, **options)
    assert done.ref is None
    assert reason in done.reasons[0]
    assert len(platform.releases.models("delay")) == 1
    assert not [
        each for each in platform.dossiers.evidence("delay/1") if each.kind == EvidenceKind.CONVERSION
    ]


def test_what_is_not_faster_is_kept_on_request(with_converter) -> None:
    platform = with_converter(ratio=0.5)
    assert platform.optimizing.optimize("delay/1", to="copy", sample=20, keep=True).ref == "delay/2"


def test_rows_of_the_log_come_first(released, with_converter) -> None:
    released.serve(released.clock.now(), label=False)
    platform = with_converter()
    parity = platform.optimizing.optimize("delay/1", to="copy", sample=100).parity
    assert parity.origins == {"log": 100}
    parity = platform.optimizing.optimize("delay/1", to="copy", sample=400).parity
    assert (parity.origins["log"], sum(parity.origins.values())) == (150, 400)


def test_masked_columns_are_no_rows(released, with_converter) -> None:
    released.serve(released.clock.now(), label=False)
    endpoint = released.settings.endpoints[0]
    record = replace(endpoint.serving.record, mask=("x",))
    released.change(serving=replace(endpoint.serving, record=record))
    done = with_converter().optimizing.optimize("delay/1", to="copy", sample=30)
    assert "log" not in done.parity.origins
    assert any("no x" in note for note in done.notes)


def test_an_unknown_format_or_model_is_refused(with_converter) -> None:
    platform = with_converter()
    with pytest.raises(Unsupported, match="nothing here converts to 'tflite'"):
        platform.optimizing.optimize("delay/1", to="tflite")
    with pytest.raises(UsageError, match="no quantisation 'int4'"):
        platform.optimizing.optimize("delay/1", quantize="int4")


@pytest.mark.filterwarnings("ignore")
def test_thresholds_that_collide_in_float32_are_found(released, tmp_path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    pytest.importorskip("onnxmltools")
    near = np.repeat([1.0, 1.0 + 1e-9], 60)
    model = lightgbm.LGBMRegressor(n_estimators=20, learning_rate=0.5, n_jobs=1, verbose=-1)
    model.fit(np.column_stack([near, near]), (near > 1).astype(float))
    folder = tmp_path / "collide"
    folder.mkdir()
    runtime = next(each for each in all_runtimes() if each.accepts(model))
    signature = Signature(
        inputs=(Field(name="a", type="double"), Field(name="b", type="double")),
        outputs=(Field(name="score", type="double"),),
    )
    runtime.save(
        model,
        folder,
        signature=signature,
        example={"a": [1.0, 1.0 + 1e-9], "b": [1.0, 1.0 + 1e-9]},
        categories={},
    )
    shelf = ModelShelf(artifacts=released.artifacts, runtimes=all_runtimes(), cache=tmp_path / "cache")
    parts = replace(released.platform.parts, shelf=shelf, converters=(OnnxConverter(),))
    platform = Platform(parts)
    version = platform.releases.register(str(folder), "collide")
    done = platform.optimizing.optimize(version.ref, sample=2, seconds=0.1, keep=True)
    assert done.ref is None
    assert done.parity.beyond == 1
    worst = done.parity.worst
    assert worst is not None
    assert worst.inputs == {"a": 1.0 + 1e-9, "b": 1.0 + 1e-9} or worst.inputs == {"a": 1.0, "b": 1.0}
    assert abs(float(worst.before) - float(worst.after)) > 0.5
    assert "most in row" in done.reasons[0]
    assert len(platform.releases.models("collide")) == 1
