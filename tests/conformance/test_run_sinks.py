"""The exam of run sinks: the fake, a folder in MLflow's layout, and a server, which is our own."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mlwright.adapters.mlflow.rest import MlflowRest
from mlwright.adapters.mlflow.sink_folder import MlflowFolderSink
from mlwright.adapters.mlflow.sink_server import MlflowServerSink
from mlwright.adapters.mlflow.store_folder import MlflowFolderStore
from mlwright.adapters.mlflow.store_server import MlflowServerStore
from mlwright.errors import ServerUnavailable
from mlwright.ports.run_sink import RunSink
from mlwright.testing.conformance.run_sinks import RunSinkConformance
from mlwright.testing.fakes.run_sink import MemoryRunSink


class TestMemoryRunSink(RunSinkConformance):
    @pytest.fixture
    def sink(self) -> MemoryRunSink:
        return MemoryRunSink()

    @pytest.fixture
    def read(self) -> Callable[[], None]:
        return lambda: None

    @pytest.fixture
    def broken(self) -> MemoryRunSink:
        return MemoryRunSink(broken=True)


class TestMlflowFolderSink(RunSinkConformance):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> MlflowFolderSink:
        return MlflowFolderSink(tmp_path / "mlruns")

    @pytest.fixture
    def read(self, tmp_path: Path) -> Callable[[], MlflowFolderStore]:
        return lambda: MlflowFolderStore(tmp_path / "mlruns", "file:mlruns")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> "LateFolderSink":
        return LateFolderSink(tmp_path)


class LateFolderSink:
    """A folder that cannot be made says so when it is opened, which here is with the first call."""

    def __init__(self, folder: Path) -> None:
        (folder / "file").write_text("")
        self._path = folder / "file" / "mlruns"

    def begin(self, *_: object) -> str:
        MlflowFolderSink(self._path)
        pytest.fail("a folder below a file was made")


class TestMlflowServerSink(RunSinkConformance):
    """Each call is a new conversation, so that what was made before has to be found there."""

    @pytest.fixture
    def sink(self, wire: httpx.BaseTransport) -> Iterator[RunSink]:
        rest = MlflowRest("http://127.0.0.1:8500", {}, transport=wire)
        yield MlflowServerSink(rest)
        rest.close()

    @pytest.fixture
    def read(self, wire: httpx.BaseTransport) -> Iterator[Callable[[], MlflowServerStore]]:
        rest = MlflowRest("http://127.0.0.1:8500", {}, transport=wire)

        def read() -> MlflowServerStore:
            store = MlflowServerStore(rest)
            store.about()
            return store

        yield read
        rest.close()

    @pytest.fixture
    def broken(self) -> Iterator[MlflowServerSink]:
        with socket.socket() as unheard:  # bound, and nobody listens
            unheard.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{unheard.getsockname()[1]}"
            rest = MlflowRest(uri, {}, sleep=lambda _: None)
            yield MlflowServerSink(rest)
            rest.close()


def test_a_busy_server_is_asked_again(wire: httpx.BaseTransport) -> None:
    answers = [503, 429, 502, 200]
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(answers.pop(0), json={"experiments": []})

    pauses: list[float] = []
    rest = MlflowRest("http://h", {}, transport=httpx.MockTransport(handle), sleep=pauses.append)
    assert rest.call("POST", "2.0/mlflow/experiments/search", body={}) == {"experiments": []}
    assert (len(asked), pauses) == (4, [0.2, 1.0, 3.0])
    rest.close()


@pytest.mark.parametrize(("status", "said"), [(401, "refuses"), (403, "refuses"), (302, "login page")])
def test_credentials_that_are_refused(status: int, said: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="no"))
    rest = MlflowRest("http://user:secret@h", {}, transport=transport)
    with pytest.raises(ServerUnavailable, match=said) as caught:
        rest.call("GET", "2.0/mlflow/runs/get")
    assert "secret" not in str(caught.value)
    rest.close()


def test_a_token_is_sent_as_databricks_takes_it() -> None:
    seen = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, content=json.dumps({}))

    rest = MlflowRest(
        "https://h",
        {"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p"},
        token="dapi1",
        transport=httpx.MockTransport(handle),
    )
    rest.call("GET", "2.0/mlflow/runs/get")
    assert seen == ["Bearer dapi1"]
    rest.close()
