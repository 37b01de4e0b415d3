"""What a model is run on before it answers anybody: the rows that it was saved with, else rows that say nothing."""

import numpy as np
import pytest

from mlwright.errors import ModelError, ModelLoadFailed, SignatureMismatch
from mlwright.model.registry import Field, Signature
from mlwright.stages.serving.core import EndpointCore

FIELDS = (Field(name="x", type="double"), Field(name="carrier", type="string"))
OUTPUTS = (Field(name="score", type="double"),)


class Watched:
    """Remembers what it was asked; ``refuses`` says what it does with a batch."""

    def __init__(self, inputs=FIELDS, refuses=lambda batch: None) -> None:
        self.signature = Signature(inputs=inputs, outputs=OUTPUTS)
        self.asked = []
        self._refuses = refuses
        self.closed = False

    def infer(self, batch):
        self.asked.append(batch)
        error = self._refuses(batch)
        if error is not None:
            raise error
        return {"score": np.zeros(batch.rows)}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def put(kit, spec, journal, clock):
    """Puts a model in force, with an example."""

    def put(model: Watched, example) -> EndpointCore:
        made = EndpointCore(spec, [], None, lambda _: model, journal, clock, example=lambda _: example)
        made.apply(kit.route(kit.variant("champion", 1, 1.0)))
        return made

    return put


def only_known(batch) -> Exception | None:
    """A model that fails on anything but the levels that it has learned."""
    known = set(batch.column("carrier").tolist()) <= {"AA", "UA"}
    return None if known else ModelError("an unknown carrier")


def test_the_example_is_what_it_is_tried_and_measured_on(put) -> None:
    model = Watched(refuses=only_known)  # neither missing nor empty texts would do
    core = put(model, {"x": [1.0, None], "carrier": ["AA", "UA"], "more": [0, 0]})
    assert core.curve is not None
    assert core.curve.rows == (1, 8, 64)
    assert {batch.rows for batch in model.asked} == {2, 1, 8, 64}
    eight = next(batch for batch in model.asked if batch.rows == 8)
    assert eight.column("carrier").tolist() == ["AA", "UA"] * 4
    assert np.isnan(eight.column("x")).tolist() == [False, True] * 4


def test_a_model_without_a_signature_is_measured_on_its_example(put) -> None:
    model = Watched(inputs=())
    core = put(model, {"anything": [1.5, 2.5], "else": ["a", None]})
    assert core.curve is not None
    assert {batch.rows for batch in model.asked} == {2, 1, 8, 64}
    assert model.asked[0].column("anything").dtype == np.float64
    assert put(Watched(inputs=()), None).curve is None


@pytest.mark.parametrize(
    "example", [None, {}, {"x": ["text"], "carrier": ["AA"]}, {"x": [1.0]}, {"x": [], "carrier": []}]
)
def test_without_a_sound_example_it_is_rows_that_say_nothing(put, example) -> None:
    model = Watched()
    core = put(model, example)
    assert core.curve is not None
    assert all(set(batch.column("x").tolist()) <= {0.0} for batch in model.asked if batch.rows)


def test_an_example_that_it_does_not_answer_is_no_reason_to_refuse_it(put) -> None:
    model = Watched(refuses=lambda batch: ModelError("no") if batch.column("x")[0] else None)
    assert put(model, {"x": [1.0], "carrier": ["AA"]}).curve is not None


def test_one_that_answers_nothing_is_refused_and_closed(put) -> None:
    model = Watched(refuses=lambda batch: RuntimeError("out of order"))
    with pytest.raises(ModelLoadFailed, match="cannot be used"):
        put(model, {"x": [1.0], "carrier": ["AA"]})
    assert model.closed


def test_one_that_takes_no_missing_values_serves(put) -> None:
    model = Watched(
        refuses=lambda batch: SignatureMismatch("no") if None in batch.column("carrier") else None
    )
    core = put(model, None)
    assert core.curve is not None  # measured on empty texts
