"""The exam of :class:`mlwright.ports.run_sink.RunSink`.

::

    class TestMySink(RunSinkConformance):
        @pytest.fixture
        def sink(self) -> RunSink: ...      # empty

        @pytest.fixture
        def read(self) -> Callable[[], ForeignStore | None]: ...   # reads what was written; None where nothing can

        @pytest.fixture
        def broken(self) -> RunSink: ...    # cannot be written
"""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from mlwright.errors import ServerUnavailable
from mlwright.model.moving import (
    ForeignExperiment,
    ForeignLoggedModel,
    ForeignModel,
    ForeignRun,
    ForeignVersion,
)
from mlwright.model.tracking import (
    Dataset,
    DatasetInput,
    History,
    LoggedModelStatus,
    ModelOutput,
    RunStatus,
)
from mlwright.ports.foreign_store import ForeignModelShelf, ForeignStore
from mlwright.ports.run_sink import RunSink
from mlwright.testing.conformance.gaps import Conformance

Read = Callable[[], ForeignStore | None]

_ID = "0123456789abcdef0123456789abcdef"
_MODEL = "m-0123456789abcdef0123456789abcdef"
_EXPERIMENT = ForeignExperiment(name="churn", tags={"why": "they leave"})
_DATA = Dataset(name="rows", digest="d1", source_type="local", source="{}", schema="{}", profile="{}")
_RUN = ForeignRun(
    id=_ID,
    experiment="churn",
    name="first",
    status=RunStatus.RUNNING,
    started_ms=1_700_000_000_000,
    ended_ms=None,
    actor="ada",
    params={"depth": "3", "train/lr": "0.1"},
    tags={"team": "größe", "mlflow.runName": "first"},
    inputs=(DatasetInput(dataset=_DATA, tags={"mlflow.data.context": "training"}),),
)
_ENDED = replace(
    _RUN, status=RunStatus.FAILED, ended_ms=1_700_000_001_000, outputs=(ModelOutput(model=_MODEL, step=2),)
)
_LOGGED = ForeignLoggedModel(
    id=_MODEL,
    experiment="churn",
    name="model",
    source_run=_ID,
    status=LoggedModelStatus.READY,
    created_ms=1_700_000_000_500,
    updated_ms=1_700_000_000_600,
    params={"depth": "3"},
)
_VERSION = ForeignVersion(version=2, run=_ID, path="model", source="", created_ms=5, description="the second")
_REGISTERED = ForeignModel(
    name="churn", versions=(_VERSION,), description="who", tags={"t": "v"}, aliases={"champion": 2}
)
_LOSS = History(
    key="loss",
    steps=np.array([0, 1, 2], np.int64),
    at_ms=np.array([5, 6, 7], np.int64),
    values=np.array([1.0, np.nan, 0.25]),
)


def _write(sink: RunSink) -> None:
    sink.begin(_RUN, _EXPERIMENT)
    sink.log(_ID, _LOSS)
    sink.put_file(_ID, "model/a b.txt", 5, lambda: BytesIO(b"hello"))
    sink.put_file(_ID, "empty", 0, lambda: BytesIO(b""))
    sink.put_logged_model(_LOGGED, _EXPERIMENT)
    sink.put_file(_MODEL, "MLmodel", 2, lambda: BytesIO(b"{}"))
    sink.end(_ENDED)
    sink.put_model(_REGISTERED)


class RunSinkConformance(Conformance):
    """What every run sink promises. Subclasses supply ``sink``, ``read`` and ``broken``."""

    def test_says_what_was_new(self, sink: RunSink) -> None:
        """The second time nothing is."""
        sink.begin(_RUN, _EXPERIMENT)
        assert (sink.log(_ID, _LOSS), sink.log(_ID, _LOSS)) == (3, 0)
        for expected in (True, False):
            assert sink.put_file(_ID, "empty", 0, lambda: BytesIO(b"")) is expected
            assert sink.put_file(_ID, "f/g", 1, lambda: BytesIO(b"x")) is expected
            assert sink.put_logged_model(_LOGGED, _EXPERIMENT) is expected
        assert sink.put_model(_REGISTERED) == 1
        assert sink.put_model(_REGISTERED) == 0

    def test_a_run_keeps_its_id_there(self, sink: RunSink) -> None:
        """Whoever asks again is told the same."""
        assert sink.begin(_RUN, _EXPERIMENT) == sink.begin(_RUN, _EXPERIMENT)

    def test_a_run_is_there_as_it_was_here(self, sink: RunSink, read: Read) -> None:
        """Written twice, and read back."""
        for _ in range(2):
            _write(sink)
        if (store := read()) is None:
            return
        (run,) = store.runs()
        assert (run.experiment, run.name, run.status) == ("churn", "first", RunStatus.FAILED)
        assert (run.started_ms, run.ended_ms, run.actor) == (1_700_000_000_000, 1_700_000_001_000, "ada")
        assert run.params == _RUN.params
        assert run.tags.items() >= _RUN.tags.items()
        assert run.inputs == _RUN.inputs
        assert len(run.outputs) == 1
        assert run.outputs[0].step == 2
        (loss,) = store.histories(run.id)
        for name in ("steps", "at_ms", "values"):
            np.testing.assert_array_equal(getattr(loss, name), getattr(_LOSS, name))
        assert [(each.path, each.size or 0) for each in store.files(run.id)] == [
            ("empty", 0),
            ("model/a b.txt", 5),
        ]
        with store.open(run.id, "model/a b.txt") as file:
            assert file.read() == b"hello"

    def test_models_are_there_as_they_were_here(self, sink: RunSink, read: Read) -> None:
        """A number stays although a smaller one is free."""
        for _ in range(2):
            _write(sink)
        if (store := read()) is None:
            return
        (run,) = store.runs()
        (model,) = store.models()
        (version,) = model.versions
        assert (model.name, model.description, model.aliases) == ("churn", "who", {"champion": 2})
        assert model.tags == {"t": "v"}
        assert (version.version, version.description) == (2, "the second")
        assert (version.run, version.path) == (run.id, "model")
        assert isinstance(store, ForeignModelShelf)
        (logged,) = store.logged_models()
        assert (logged.name, logged.status, logged.params) == (
            "model",
            LoggedModelStatus.READY,
            {"depth": "3"},
        )
        assert (logged.source_run, logged.id) == (run.id, run.outputs[0].model)
        assert [each.path for each in store.files(logged.id)] == ["MLmodel"]

    def test_a_run_that_grows(self, sink: RunSink, read: Read) -> None:
        """Only what is new is written, and everything is there."""
        sink.begin(_RUN, _EXPERIMENT)
        part = History(key="loss", steps=_LOSS.steps[:1], at_ms=_LOSS.at_ms[:1], values=_LOSS.values[:1])
        sink.log(_ID, part)
        sink.begin(replace(_RUN, params={**_RUN.params, "late": "1"}), _EXPERIMENT)
        assert sink.log(_ID, _LOSS) == 2
        if (store := read()) is not None:
            (run,) = store.runs()
            (loss,) = store.histories(run.id)
            assert (run.params["late"], len(loss.steps)) == ("1", 3)

    def test_one_that_does_not_work_says_so(self, broken: RunSink) -> None:
        """With the error of a server that is away."""
        with pytest.raises(ServerUnavailable):
            broken.begin(_RUN, _EXPERIMENT)
