"""Real processes on real files, broken in the ways that happen: each says what, where and what to type next."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import httpx
import pytest

from mlwright.stages.serving.log import PredictionLog

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NOON = int(datetime(2025, 3, 3, 12, tzinfo=UTC).timestamp()) * 1_000_000


def question(rows: int, first: int = 0) -> dict[str, object]:
    """A request of the Open Inference Protocol."""
    columns = {
        "visit_id": ("BYTES", [f"new-{first + row}" for row in range(rows)]),
        "at": ("INT64", [NOON + first + row for row in range(rows)]),
        "distance": ("FP64", [float(row) for row in range(rows)]),
        "age": ("INT64", [40] * rows),
    }
    return {
        "inputs": [
            {"name": name, "datatype": kind, "shape": [rows], "data": data}
            for name, (kind, data) in columns.items()
        ]
    }


def ask(port: int, endpoint: str, first: int = 0, rows: int = 3) -> list[str]:
    """Ask once; returns the prediction ids that were acknowledged."""
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v2/models/{endpoint}/infer", json=question(rows, first), timeout=10
    )
    answer.raise_for_status()
    return next(each["data"] for each in answer.json()["outputs"] if each["name"] == "prediction_id")


def wait_for(path: Path, process: "subprocess.Popen[str]", seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def test_an_unknown_key_is_named_with_its_near_one(clinic) -> None:
    clinic.rewrite("mlwright.toml", "source =", "sorce =")
    said = clinic.refused(2, "check")
    assert "mlwright.toml" in said
    assert "dataset[0].sorce" in said
    assert "did you mean 'source'?" in said
    clinic.rewrite("mlwright.toml", "sorce =", "source =")
    assert clinic.run("check").returncode == 0


def test_a_contract_that_names_a_missing_column_stops_training(clinic) -> None:
    clinic.rewrite("contracts/visits.odcs.yaml", "{name: distance", "{name: distnce")
    checked = clinic.run("check", "visits")
    assert checked.returncode == 1
    assert "distnce" in checked.stdout
    said = clinic.refused(1, "run", "train_missed")
    assert "dataset visits" in said
    assert "distnce" in said
    assert "next: mlwright check visits" in said
    clinic.rewrite("contracts/visits.odcs.yaml", "{name: distnce", "{name: distance")
    assert clinic.run("check", "visits").returncode == 0


def test_a_broken_row_of_a_csv_file_is_named_by_its_line(clinic) -> None:
    lines = (clinic.folder / "visits.csv").read_text().splitlines()
    sound = lines[1000]
    lines[1000] = sound.replace(",", ",far away,", 2)
    (clinic.folder / "visits.csv").write_text("\n".join(lines) + "\n")
    said = clinic.refused(7, "run", "train_missed")
    assert "visits.csv:1001" in said
    lines[1000] = sound
    (clinic.folder / "visits.csv").write_text("\n".join(lines) + "\n")
    assert clinic.run("check").returncode == 0


def test_a_damaged_model_keeps_its_endpoint_down_and_no_other(clinic, port) -> None:
    with clinic.platform() as platform:
        digest = platform.releases.version("late/1").digest.removeprefix("blake3:")
    (clinic.folder / ".mlwright" / "artifacts" / digest[:2] / digest[2:]).write_bytes(b"not what was stored")
    for copy in (clinic.folder / ".mlwright" / "cache").glob(f"*{digest}*"):
        (copy / "MLmodel").unlink()
    said = clinic.refused(5, "deploy", "late", "late/1")
    assert f"{digest[:2]}/{digest[2:]}" in said
    with clinic.worker(port) as process:
        assert len(ask(port, "early")) == 3
        answer = httpx.post(f"http://127.0.0.1:{port}/v2/models/late/infer", json=question(1))
        assert (answer.status_code, answer.json()["next_command"]) == (503, "mlwright deploy late")
        ready = httpx.get(f"http://127.0.0.1:{port}/v2/models/late/ready")
        assert ready.status_code == 503
        assert f"{digest[:2]}/{digest[2:]}" in ready.json()["error"]
        assert ready.json()["next_command"]
        process.terminate()
        assert process.wait(timeout=15) == 0
    with clinic.platform() as platform:
        platform.training.run("train_missed", {"model": "late", "seed": 7})
    assert clinic.json("deploy", "late", "late/2")["generation"] == 2


def test_a_port_that_is_taken_is_named_with_a_free_one(clinic, port) -> None:
    with closing(socket.create_server(("127.0.0.1", port))):
        said = clinic.refused(4, "up", "--port", str(port))
        assert str(port) in said
        suggested = said.rpartition("--port ")[2].split()[0]
        said = clinic.refused(4, "up", "--inference-port", str(port), "--port", suggested)
        assert str(port) in said
        assert "next: mlwright up --inference-port" in said
        command = [sys.executable, "-m", "mlwright.doors.up.worker", "--port", str(port)]
        worker = subprocess.run(
            command, env=clinic.environment, input=clinic.line(), capture_output=True, text=True, timeout=30
        )
        assert worker.returncode == 4
        assert f"cannot listen on 127.0.0.1:{port}" in worker.stderr
        assert "\n  next: mlwright up" in worker.stderr
    with closing(socket.create_server(("127.0.0.1", int(suggested)))):
        pass  # what was suggested is free


def test_a_database_of_a_newer_version_is_not_touched(clinic) -> None:
    file = clinic.folder / ".mlwright" / "mlwright.db"
    with closing(sqlite3.connect(file)) as database, database:
        (known,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    said = clinic.refused(5, "runs")
    assert "9999" in said
    assert "mlwright.db" in said
    assert "next: pip install -U mlwright" in said
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [known])
    assert len(clinic.json("runs")) == 2


def test_two_pipelines_may_run_at_once(clinic) -> None:
    both = [clinic.start("run", "train_missed", "-p", f"seed={seed}", "--json") for seed in (11, 12)]
    said = [each.communicate(timeout=60) for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    made = {json.loads(out)["tags"]["model"] for out, _ in said}
    assert made == {"early/2", "early/3"}
    with clinic.platform() as platform:
        assert platform.records.broken_audit_row() is None


def test_a_run_that_was_killed_is_said_to_be_and_its_steps_are_used_again(clinic) -> None:
    process = clinic.start("run", "slow", "-p", "seconds=60")
    wait_for(clinic.folder / "waiting", process)
    process.kill()
    process.communicate()
    killed = clinic.json("runs", "--recover")[0]
    assert (killed["name"], killed["status"]) == ("slow", "KILLED")
    again = clinic.json("run", "slow")
    assert again["status"] == "FINISHED"
    assert again["tags"]["step.1"].startswith("count from checkpoint")
    assert (clinic.folder / "counted").read_text() == "once\n"


def test_what_was_acknowledged_outlives_the_death_of_the_worker(clinic, port) -> None:
    predicted: list[str] = []
    labelled: list[str] = []

    def talk() -> None:
        base = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=base, timeout=10) as http:
            for first in range(0, 100_000, 3):
                try:
                    answer = http.post("/v2/models/early/infer", json=question(3, first)).raise_for_status()
                    ids = next(e["data"] for e in answer.json()["outputs"] if e["name"] == "prediction_id")
                    predicted.extend(ids)
                    body = {"endpoint": "early", "prediction_id": ids, "label": [1.0, 0.0, 1.0]}
                    http.post("/v1/feedback", json=body).raise_for_status()
                    labelled.extend(ids)
                except httpx.TransportError:
                    return

    with clinic.worker(port) as process:
        client = Thread(target=talk)
        client.start()
        while len(labelled) < 300:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        client.join(timeout=20)
    assert not client.is_alive()
    log = PredictionLog(clinic.folder / ".mlwright" / "log")
    for _ in range(2):  # as it was left, and after compaction
        assert set(predicted) <= set(log.predictions(None, endpoint="early")["prediction_id"])
        assert set(labelled) <= set(log.labels(None, endpoint="early")["prediction_id"])
        log.compact()
    with clinic.worker(port):
        assert len(ask(port, "early", first=900_000)) == 3


def test_a_state_folder_that_cannot_be_written_is_named(clinic, like_anybody) -> None:
    state = clinic.folder / ".mlwright"
    everything = [state, *state.rglob("*")]
    modes = {path: path.stat().st_mode for path in everything}
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    said = clinic.refused(5, "run", "train_missed", preexec_fn=like_anybody)
    assert ".mlwright" in said
    for path, mode in modes.items():
        path.chmod(mode)
    assert len(clinic.json("runs")) == 2


def test_a_folder_in_which_no_state_can_be_made_is_named(clinic, like_anybody, tmp_path) -> None:
    bare = tmp_path / "clinic"
    (bare / ".mlwright").rename(tmp_path / "elsewhere")
    bare.chmod(0o555)
    said = clinic.refused(5, "runs", preexec_fn=like_anybody)
    assert str(bare) in said
    bare.chmod(0o755)
    assert clinic.json("runs") == []
