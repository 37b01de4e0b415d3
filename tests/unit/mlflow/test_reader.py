"""The reader of MLflow servers, against a local server that plays from a script: well-behaved, closed, strange."""

import json
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlwright.adapters.mlflow.opening import open_mlflow
from mlwright.adapters.mlflow.records import MOST_RUNS
from mlwright.adapters.mlflow.server import MlflowServer
from mlwright.errors import ServerUnavailable, UsageError
from mlwright.model.running import RunFact, VersionFact
from mlwright.testing.fakes.mlflow_wire import MlflowWire

SEEN = datetime(2026, 3, 31, tzinfo=UTC)
START = datetime(2026, 3, 1, tzinfo=UTC)
API = "/api/2.0/mlflow/"
EMPTY: dict[str, str] = {}


def run(number: int, **values: object) -> RunFact:
    return RunFact(
        id=f"run{number:04d}", experiment="churn", started=START + timedelta(minutes=number), **values
    )  # type: ignore[arg-type]


def version(number: int, **values: object) -> VersionFact:
    created = START + timedelta(hours=number)
    return VersionFact(model="churn", version=str(number), created=created, **values)  # type: ignore[arg-type]


def refused(wire: MlflowWire, environ: dict[str, str] = EMPTY) -> ServerUnavailable:
    with pytest.raises(ServerUnavailable) as caught:
        MlflowServer(wire.uri, environ).facts(SEEN)
    assert caught.value.next_command
    assert caught.value.where == wire.uri
    return caught.value


def test_every_page_is_asked_for_once_and_no_more_than_the_bound() -> None:
    with MlflowWire([run(number) for number in range(MOST_RUNS + 30)]) as wire:
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
        pages = [given.get("page_token") for path, given, _ in wire.asked if path.endswith("runs/search")]
    assert len(facts.runs) == MOST_RUNS
    assert facts.runs[0].id == f"run{MOST_RUNS + 29:04d}"
    assert facts.notes == (f"only the newest {MOST_RUNS} runs were read",)
    assert pages == [None, "100", "200", "300", "400"]


def test_what_mlflow_cannot_tell_is_none() -> None:
    with MlflowWire([run(1)], [version(1)]) as wire:
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
    assert (facts.rollouts, facts.endpoints, facts.checks, facts.audited, facts.channels) == (None,) * 5
    [only] = facts.runs
    assert (only.dirty, only.environment, only.gates, only.scheduled) == (None,) * 4
    assert (facts.versions[0].gated, facts.versions[0].evaluated) == (None, None)


def test_a_logged_model_carries_its_environment_and_a_version_its_signature() -> None:
    with MlflowWire([run(1, environment=True)], [version(1, signature=True), version(2)]) as wire:
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
    assert facts.runs[0].environment is True
    assert {each.version: each.signature for each in facts.versions} == {"1": True, "2": None}


@pytest.mark.parametrize("name", ["data_version", "dataset.digest", "DVC.rev", "delta_version", "data-md5"])
def test_a_param_may_name_the_version_of_the_data(name: str) -> None:
    with MlflowWire([run(1, params=(name,)), run(2, params=("depth", "data_path"))]) as wire:
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
    assert {each.id: each.datasets for each in facts.runs} == {"run0001": 1, "run0002": 0}


def test_only_the_experiments_that_were_named() -> None:
    other = replace(run(2), experiment="fraud")
    made = [version(1, run="run0001"), version(2, run="run0002")]
    with MlflowWire([run(1), other], made) as wire:
        facts = MlflowServer(wire.uri, {}, experiments=("fraud",)).facts(SEEN)
        assert [each.id for each in facts.runs] == ["run0002"]
        assert [each.version for each in facts.versions] == ["2"]
        with pytest.raises(ServerUnavailable, match="Could not find experiment fruad"):
            MlflowServer(wire.uri, {}, experiments=("fruad",)).facts(SEEN)


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({}, ""),
        ({"MLFLOW_TRACKING_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "pw"}, "Basic YWRhOnB3"),
    ],
)
def test_credentials_come_from_the_environment(environ: dict[str, str], sent: str) -> None:
    with MlflowWire([run(1)]) as wire:
        MlflowServer(wire.uri, environ).facts(SEEN)
        assert {credentials for _, _, credentials in wire.asked} == {sent}


def test_credentials_in_the_uri_are_sent_and_never_shown() -> None:
    with MlflowWire([run(1)]) as wire:
        server = MlflowServer(wire.uri.replace("//", "//ada:s3cret@") + "/?token=s3cret#s3cret", {})
        facts = server.facts(SEEN)
        assert wire.asked[0][2].startswith("Basic ")
        wire.scripted[f"{API}experiments/search"] = (401, b"no s3cret")
        with pytest.raises(ServerUnavailable) as caught:
            server.facts(SEEN)
    assert "s3cret" not in str(caught.value) + repr(facts) + server.source
    assert facts.source == wire.uri


@pytest.mark.parametrize("status", [301, 302, 401, 403])
def test_a_closed_server_asks_for_credentials(status: int) -> None:
    with MlflowWire() as wire:
        wire.scripted[f"{API}experiments/search"] = (status, b"")
        error = refused(wire, {"MLFLOW_TRACKING_TOKEN": "t0ken"})
    assert str(status) in error.what
    assert "MLFLOW_TRACKING_TOKEN" in str(error.next_command)
    assert "t0ken" not in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>welcome</html>"),
        (200, b"[]"),
        (200, b'{"experiments": 7}'),
        (200, b'{"experiments": [{"name": "no id"}]}'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe"),
        (404, b"not here"),
        (500, b"<html>oops</html>"),
    ],
)
def test_what_is_no_mlflow_server_is_said_to_be_none(answer: tuple[int, bytes]) -> None:
    with MlflowWire() as wire:
        wire.scripted[f"{API}experiments/search"] = answer
        assert "does not look like an MLflow server" in refused(wire).what


def test_what_mlflow_says_about_its_own_trouble_is_passed_on() -> None:
    said = json.dumps({"error_code": "INTERNAL_ERROR", "message": "database is locked"}).encode()
    with MlflowWire([run(1)]) as wire:
        wire.scripted[f"{API}runs/search"] = (500, said)
        error = refused(wire)
    assert "INTERNAL_ERROR: database is locked" in str(error)


def test_a_registry_that_cannot_be_asked_is_a_note() -> None:
    said = json.dumps({"error_code": "FEATURE_DISABLED", "message": "no registry"}).encode()
    with MlflowWire([run(1)], [version(1)]) as wire:
        wire.scripted[f"{API}registered-models/search"] = (400, said)
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
    assert (len(facts.runs), facts.versions) == (1, ())
    assert "FEATURE_DISABLED" in facts.notes[0]


def test_a_server_that_lists_versions_of_one_model_only() -> None:
    said = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "filter needed"}).encode()
    with MlflowWire([run(1)], [version(1), version(2, aliases=("champion",))]) as wire:
        wire.scripted[f"{API}model-versions/search"] = (400, said)
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
    assert [(each.version, each.aliases) for each in facts.versions] == [("2", ("champion",))]
    assert facts.notes == ("only the latest versions of each model were read",)


def test_numbers_as_texts_nan_and_unknown_keys_are_read() -> None:
    body = (
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "0", "status": "FINISHED", "start_time": "1772323200000",'
        b' "new": {}}, "data": {"metrics": [{"key": "auc", "value": NaN}]}}], "other": 1}'
    )
    with MlflowWire([run(1)]) as wire:
        wire.scripted[f"{API}runs/search"] = (200, body)
        [only] = MlflowServer(wire.uri, {}).facts(SEEN).runs
    assert (only.started, only.metrics) == (datetime(2026, 3, 1, tzinfo=UTC), ("auc",))


@pytest.mark.parametrize("instant", [-1, 10**18, 0])
def test_instants_that_no_calendar_has_are_cut(instant: int) -> None:
    body = json.dumps({"runs": [{"info": {"run_id": "a", "experiment_id": "0", "start_time": instant}}]})
    with MlflowWire([run(1)]) as wire:
        wire.scripted[f"{API}runs/search"] = (200, body.encode())
        [only] = MlflowServer(wire.uri, {}).facts(SEEN).runs
    assert 1970 <= only.started.year <= 9999


def test_prompts_are_no_models() -> None:
    prompt = {"name": "greeting", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
    listed = {"model_versions": [{"name": "greeting", "version": "1", "creation_timestamp": 1}]}
    with MlflowWire([run(1)]) as wire:
        wire.scripted[f"{API}registered-models/search"] = (
            200,
            json.dumps({"registered_models": [prompt]}).encode(),
        )
        wire.scripted[f"{API}model-versions/search"] = (200, json.dumps(listed).encode())
        assert MlflowServer(wire.uri, {}).facts(SEEN).versions == ()


def test_pages_that_never_end_are_given_up() -> None:
    endless = json.dumps({"registered_models": [], "next_page_token": "again"}).encode()
    with MlflowWire([run(1)]) as wire:
        wire.scripted[f"{API}registered-models/search"] = (200, endless)
        wire.scripted[f"{API}runs/search"] = (200, json.dumps({"runs": [], "next_page_token": "x"}).encode())
        facts = MlflowServer(wire.uri, {}).facts(SEEN)
        assert len([path for path, _, _ in wire.asked if path.endswith("runs/search")]) == 1
    assert "only 200 registered models were read" in facts.notes


def test_a_silent_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnavailable, match="does not answer in time"):
            MlflowServer(uri, {}, timeout_s=0.1).facts(SEEN)


def test_a_server_that_drips_is_given_up() -> None:
    """Each read comes in time, the answer never ends."""
    with socket.socket() as slow:
        slow.bind(("127.0.0.1", 0))
        slow.listen()

        def drip() -> None:
            talk, _ = slow.accept()
            with talk:
                talk.recv(10_000)
                talk.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                try:
                    for _ in range(500):
                        talk.sendall(b" ")
                        time.sleep(0.01)
                except OSError:
                    return  # the other end hung up, as it should

        thread = threading.Thread(target=drip)
        thread.start()
        uri = f"http://127.0.0.1:{slow.getsockname()[1]}"
        with pytest.raises(ServerUnavailable, match=r"not done within 0\.2 s"):
            MlflowServer(uri, {}, patience_s=0.2).facts(SEEN)
        thread.join()


@pytest.mark.parametrize(
    "uri",
    [
        "databricks",
        "databricks://ada:s3cret@x",
        "postgresql://ada:s3cret@h/db",
        "sqlite:///",
        "sqlite://",
        "",
        "http://",
        "file://elsewhere/s3cret",
        "http://[s3cret",
        "https://ada:s3cret@",
    ],
)
def test_other_uris_are_refused_at_once_and_not_repeated(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_mlflow(uri, {}, start=tmp_path)
    assert "s3cret" not in str(caught.value)
    assert caught.value.next_command


def test_an_absolute_path_is_not_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "mlruns").mkdir()
    for uri in (f"file://{tmp_path}/mlruns", str(tmp_path / "mlruns"), f"sqlite:///{tmp_path}/mlruns"):
        server = open_mlflow(uri, {}, start=Path("/"))
        with pytest.raises(ServerUnavailable) as caught:
            server.facts(SEEN)
        assert server.source.endswith("mlruns")
        assert str(tmp_path) not in server.source + str(caught.value)
