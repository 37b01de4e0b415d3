"""A real MLflow server, runs logged with its own client: our reader sees them, over HTTP and in the file below it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.mlflow.opening import open_mlflow
from mlwright.model.running import ServerFacts

pytestmark = pytest.mark.verify

MLFLOW = ("mlflow==3.17.2", "pandas==2.3.3")

STORES = ("--backend-store-uri", "sqlite:///mlflow.db", "--default-artifact-root", "./artifacts")

# Runs under MLflow's Python, below a git repository of its own.
LOG = """
import sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("churn")
rows = pandas.DataFrame({"tenure": [1.0, 5.0], "churned": [0, 1]})

class Half(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)

with mlflow.start_run() as run:
    mlflow.log_params({"depth": 3})
    mlflow.log_metrics({"auc": 0.8, "loss": float("nan")})
    mlflow.log_input(mlflow.data.from_pandas(rows, name="rows"), context="training")
    signature = mlflow.models.infer_signature(rows[["tenure"]], [0.5])
    mlflow.pyfunc.log_model(name="model", python_model=Half(), signature=signature, registered_model_name="churn",
                            pip_requirements=["mlflow"])
    print("first", run.info.run_id)
with mlflow.start_run() as run:
    mlflow.pyfunc.log_model(name="model", python_model=Half(), registered_model_name="churn",
                            pip_requirements=["mlflow"])
    print("second", run.info.run_id)
try:
    with mlflow.start_run() as run:
        print("failed", run.info.run_id)
        raise RuntimeError
except RuntimeError:
    pass
mlflow.set_experiment("other")
for number in range(120):
    with mlflow.start_run():
        mlflow.log_metric("n", number)
client = mlflow.MlflowClient()
client.set_registered_model_alias("churn", "champion", "1")
client.update_model_version("churn", "1", description="the first")
client.register_prompt("greeting", "hello {{name}}")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A server with its folder, and the ids of the runs that were logged."""

    uri: str
    folder: Path
    runs: dict[str, str]


@pytest.fixture(scope="module")
def logged(environment, ask, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    python = environment("mlflow-server", *MLFLOW)
    folder = tmp_path_factory.mktemp("mlflow")
    commit = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "first"]
    (folder / "log.py").write_text(LOG, encoding="utf-8")
    for command in (["git", "init", "-q", "."], ["git", "add", "log.py"], commit):
        subprocess.run(command, cwd=folder, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    with (folder / "server.log").open("w") as said:
        server = subprocess.Popen(
            [python, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *STORES],
            cwd=folder,
            env=clean,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            uri = f"http://127.0.0.1:{port}"
            wait_for(f"{uri}/health", server)
            lines = [line.split() for line in ask(python, "log.py", uri, cwd=folder).splitlines()]
            runs = {line[0]: line[1] for line in lines if len(line) == 2 and len(line[1]) == 32}
            yield Logged(uri=uri, folder=folder, runs=runs)
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until the server answers; it makes its database first."""
    for _ in range(600):
        assert server.poll() is None, "mlflow server ended by itself"
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail("mlflow server did not begin to answer")


@pytest.fixture(scope="module", params=["http", "sqlite"])
def facts(request: pytest.FixtureRequest, logged: Logged) -> ServerFacts:
    uri = logged.uri if request.param == "http" else "sqlite:///mlflow.db"
    return open_mlflow(uri, {}, start=logged.folder).facts(SystemClock().now())


def test_runs(facts: ServerFacts, logged: Logged) -> None:
    assert len(facts.runs) == 123
    assert facts.notes == ()
    runs = {run.id: run for run in facts.runs}
    first, second, failed = (runs[logged.runs[each]] for each in ("first", "second", "failed"))
    assert (first.status, second.status, failed.status) == ("FINISHED", "FINISHED", "FAILED")
    assert (first.experiment, first.pipeline) == ("churn", "log.py")
    assert (first.params, first.metrics) == (("depth",), ("auc", "loss"))
    assert (first.datasets, second.datasets) == (1, 0)
    assert (first.environment, second.environment, failed.environment) == (True, True, None)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=logged.folder, capture_output=True, text=True)
    assert {run.commit for run in facts.runs} == {head.stdout.strip()}
    assert timedelta(0) <= facts.seen - first.started < timedelta(minutes=15)
    assert list(facts.runs) == sorted(facts.runs, key=lambda run: run.started, reverse=True)


def test_versions(facts: ServerFacts, logged: Logged) -> None:
    second, first = facts.versions
    assert (first.model, first.version, first.aliases) == ("churn", "1", ("champion",))
    assert (first.run, second.run) == (logged.runs["first"], logged.runs["second"])
    assert (first.described, second.described) == (True, False)
    assert (first.evaluated, second.evaluated) == (True, None)


def test_signatures_are_read_from_the_server(logged: Logged) -> None:
    facts = open_mlflow(logged.uri, {}, start=logged.folder).facts(SystemClock().now())
    assert {each.version: each.signature for each in facts.versions} == {"1": True, "2": False}


def test_one_experiment(logged: Logged) -> None:
    asked = [
        open_mlflow(uri, {}, start=logged.folder, experiments=("churn",)).facts(SystemClock().now())
        for uri in (logged.uri, "sqlite:///mlflow.db")
    ]
    for facts in asked:
        assert {run.id for run in facts.runs} == set(logged.runs.values())
        assert len(facts.versions) == 2
    over_http, in_file = asked
    assert over_http.runs == in_file.runs
    assert [replace(each, signature=None) for each in over_http.versions] == list(in_file.versions)
