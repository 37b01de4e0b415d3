"""Moving between MLflow and ours, with stores that MLflow itself made and looked at with its own client.

``moving_mlflow.py`` runs under MLflow's Python: ``log`` fills a store, ``see`` says everything that the client sees of
one: runs, histories, the bytes of every artifact, models, aliases.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.verify

MLFLOW = ("mlflow==3.17.2", "pandas==2.3.3")
HERE = Path(__file__).parent
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
Seen = dict[str, Any]


def run(*command: object, cwd: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=(environ or ENVIRON) | QUIET,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def ours(*words: object, cwd: Path) -> str:
    return run(sys.executable, "-m", "mlwright", *words, cwd=cwd, environ=dict(os.environ))


def see(python: Path, uri: str, cwd: Path) -> Seen:
    return dict(json.loads(run(python, HERE / "moving_mlflow.py", "see", uri, cwd=cwd)))


@contextmanager
def serving(*command: object, cwd: Path, environ: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (cwd / "server.log").open("w") as said:
        server = subprocess.Popen(
            [*map(str, command), "--port", str(port)],
            cwd=cwd,
            env=environ | QUIET,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            uri, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
            while not _answers(uri):
                assert server.poll() is None, (cwd / "server.log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield uri
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _answers(uri: str) -> bool:
    try:
        return httpx.get(f"{uri}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def theirs(python: Path, folder: Path) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    command = (
        python,
        "-m",
        "mlflow",
        "server",
        "--workers",
        "1",
        "--backend-store-uri",
        "sqlite:///mlflow.db",
    )
    with serving(*command, cwd=folder, environ=ENVIRON) as uri:
        yield uri


@contextmanager
def mine(folder: Path) -> Iterator[str]:
    with serving(sys.executable, "-m", "mlwright", "tracking", cwd=folder, environ=dict(os.environ)) as uri:
        yield uri


@pytest.fixture(scope="module")
def python(environment) -> Path:
    return environment("mlflow-server", *MLFLOW)


@pytest.fixture(scope="module")
def sources(python, tmp_path_factory) -> dict[str, tuple[str, Path, Seen]]:
    """Three stores that MLflow filled: where each is for ours, its folder, and what the client sees of it."""
    top = tmp_path_factory.mktemp("sources")
    found = {}
    for name, uri in (("sqlite", "sqlite:///mlflow.db"), ("folder", "file:mlruns")):
        folder = top / name
        folder.mkdir()
        run(python, HERE / "moving_mlflow.py", "log", uri, cwd=folder)
        found[name] = (uri, folder, see(python, uri, folder))
    return found


def importing(source: object, folder: Path, *words: str) -> Seen:
    folder.mkdir(exist_ok=True)
    return dict(json.loads(ours("import", source, "--json", *words, cwd=folder)))


def counts(report: Seen) -> dict[str, int]:
    return {each["what"]: each["new"] for each in report["carried"] if each["new"]}


def same_points(seen: Seen) -> Seen:
    """MLflow's file store writes a first point twice when a model is logged; ours keeps a point once."""
    for each in seen["runs"].values():
        each["metrics"] = {
            key: sorted({tuple(one) for one in points}) for key, points in each["metrics"].items()
        }
    return seen


@pytest.mark.parametrize("kind", ["sqlite", "folder"])
def test_a_store_moves_in_as_the_client_sees_it(kind, python, sources, tmp_path) -> None:
    _, folder, before = sources[kind]
    source = folder / "mlflow.db" if kind == "sqlite" else folder / "mlruns"
    first = importing(source, tmp_path / "ours")
    assert counts(first)["runs"] == len(before["runs"])
    assert {each["what"] for each in first["left_out"]} == {"traces"}
    again = importing(source, tmp_path / "ours")
    assert counts(again) == {}
    with mine(tmp_path / "ours") as ours_at:
        after = see(python, ours_at, tmp_path / "ours")
    assert same_points(after) == same_points(before)


def test_a_server_moves_in_and_out_and_back(python, sources, tmp_path) -> None:
    """MLflow's server → ours over HTTP → an empty server of theirs: the same runs, whatever ids they have there."""
    with theirs(python, tmp_path / "theirs") as uri:
        run(python, HERE / "moving_mlflow.py", "log", uri, cwd=tmp_path)
        before = see(python, uri, tmp_path)
        importing(uri, tmp_path / "ours")
        assert counts(importing(uri, tmp_path / "ours")) == {}
    with mine(tmp_path / "ours") as ours_at:
        assert see(python, ours_at, tmp_path) == before
    with theirs(python, tmp_path / "others") as uri:
        report = json.loads(ours("export", "mlflow", uri, "--json", cwd=tmp_path / "ours"))
        again = json.loads(ours("export", "mlflow", uri, "--json", cwd=tmp_path / "ours"))
        after = see(python, uri, tmp_path)
    assert counts(report)["runs"] == len(before["runs"])
    assert not {"points", "artifacts", "logged models", "model versions"} & set(counts(again))
    assert without_ids(after) == without_ids(before)


def without_ids(seen: Seen) -> list[str]:
    """Runs, models and versions without what a server decides: ids, and the instants of models."""
    found: list[object] = []
    for each in seen["runs"].values():
        tags = {key: value for key, value in each["tags"].items() if key not in ("mlflow.parentRunId",)}
        steps = [step for _, step in each["outputs"]]
        found.append(each | {"tags": tags, "outputs": steps, "nested": "mlflow.parentRunId" in each["tags"]})
    for name, model in seen["models"].items():
        versions = {
            number: {key: value for key, value in each.items() if key not in ("run", "created", "files")}
            | {
                "files": {
                    path: hash for path, hash in each["files"].items() if path != "registered_model_meta"
                }
            }
            for number, each in model["versions"].items()
        }
        found.append([name, model | {"versions": versions}])
    for each in seen["logged"].values():
        plain = {key: each[key] for key in ("name", "status", "params", "type")}
        found.append(plain | {"tags": {key: value for key, value in each["tags"].items() if key == "kind"}})
    return sorted(json.dumps(each, sort_keys=True, default=str) for each in found)


@pytest.mark.parametrize("kind", ["folder", "database"])
def test_ours_is_written_as_mlflow_would(kind, python, sources, tmp_path) -> None:
    """A folder in the layout of its file store, and the database that its own program makes of that."""
    _, folder, before = sources["sqlite"]
    importing(folder / "mlflow.db", tmp_path / "ours")
    target = tmp_path / "out" / "mlruns" if kind == "folder" else f"sqlite:///{tmp_path / 'out.db'}"
    ours("export", "mlflow", target, "--python", python, cwd=tmp_path / "ours")
    uri = f"file:{target}" if kind == "folder" else str(target)
    after = see(python, uri, tmp_path)
    # Experiments that hold nothing stay behind; the report names them.
    for name in set(before["experiments"]) - set(after["experiments"]):
        assert name in ("Default", "away")
    kept = before | {"experiments": after["experiments"]}
    assert same_points(after) == same_points(kept)


def test_who_was_killed_goes_on(python, sources, tmp_path) -> None:
    """``kill -9`` at several moments of an import, then once more to the end: nothing is doubled or missing."""
    _, folder, before = sources["sqlite"]
    home = tmp_path / "ours"
    home.mkdir()
    killed = 0
    for delay in (0.6, 0.9, 1.1, 1.3, 1.5, 1.8):
        command = [sys.executable, "-m", "mlwright", "import", str(folder / "mlflow.db")]
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed >= 2
    importing(folder / "mlflow.db", home)
    with mine(home) as uri:
        assert same_points(see(python, uri, home)) == same_points(before)


def test_pipelines_log_to_a_server_of_theirs(python, tmp_path) -> None:
    """``tracking = "http://…"``: a run is recorded here, waits while the server is away, and is there afterwards."""
    project = tmp_path / "project"
    project.mkdir()
    ours("init", cwd=project)
    settings = project / "mlwright.toml"
    plain = settings.read_text()
    with socket.socket() as unheard:  # bound, and nobody listens
        unheard.bind(("127.0.0.1", 0))
        settings.write_text(f'tracking = "http://127.0.0.1:{unheard.getsockname()[1]}"\n' + plain)
        ours("run", "train_churn", cwd=project)
    (waiting,) = json.loads(ours("runs", "--json", cwd=project))
    assert waiting["status"] == "FINISHED"
    assert waiting["tags"]["mlwright.remote.state"].startswith(
        "waiting: the tracking server cannot be reached"
    )
    with theirs(python, tmp_path / "theirs") as uri:
        settings.write_text(f'tracking = "{uri}"\n' + plain)
        (sent,) = json.loads(ours("runs", "--send", "--json", cwd=project))
        seen = see(python, uri, tmp_path)
    assert sent["tags"]["mlwright.remote.state"] == "sent"
    there = seen["runs"][sent["tags"]["mlwright.remote"]]
    assert (there["experiment"], there["name"], there["status"]) == ("churn", "train_churn", "FINISHED")
    assert there["params"] == sent["params"]
    assert {key: float(points[0][2]) for key, points in there["metrics"].items()} == sent["metrics"]
    assert sorted(each[0] for each in there["inputs"]) == ["renewals", "usage"]
    assert there["tags"]["gate.1"] == sent["tags"]["gate.1"]
    assert set(there["files"]) == {"environment.json"}
