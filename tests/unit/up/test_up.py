"""``mlwright up`` as a user meets it: real processes, real ports, real signals."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from mlwright.doors.up.processes import free_port

MLWRIGHT = [sys.executable, "-c", "from mlwright.doors.cli.main import main; main()"]


def ports() -> tuple[int, int]:
    return free_port(), free_port()


@contextmanager
def up(project: Path, *ports: int) -> Iterator[tuple["subprocess.Popen[str]", dict]]:
    """The running program and what it said when it was ready."""
    options = ["--json", "--port", str(ports[0]), "--inference-port", str(ports[1])]
    with (project / "stderr").open("w+") as said:
        process = subprocess.Popen(
            [*MLWRIGHT, "--project", str(project), "up", *options],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            lines = []
            while not lines or lines[-1] != "}\n":
                lines.append(process.stdout.readline())
                assert lines[-1], (project / "stderr").read_text()
            yield process, json.loads("".join(lines))
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
            process.stdout.close()


def refused(project: Path, *options: str) -> dict:
    done = subprocess.run(
        [*MLWRIGHT, "--project", str(project), "up", "--json", *options],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return {"exit": done.returncode, **json.loads(done.stdout)["error"]}


def until(what, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while True:
        with suppress(httpx.HTTPError, AssertionError):
            found = what()
            if found:
                return found
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A child that init has not collected yet is gone as well.
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " in status.read_text()


@pytest.fixture
def receiver(monkeypatch) -> Iterator:
    """Takes metrics by OpenTelemetry's protocol."""
    made = runpy.run_path(str(Path(__file__).parents[1] / "otel" / "test_metrics.py"))["Receiver"]()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{made.address}/v1/metrics")
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_serves_heals_and_ends_well(project, receiver) -> None:
    pages, inference = ports()
    with up(project, pages, inference) as (process, said):
        assert said["page"] == f"http://127.0.0.1:{pages}"
        assert said["ask"] == [f"http://127.0.0.1:{inference}/v2/models/delay/infer"]
        with httpx.Client(base_url=said["page"], timeout=20) as http:
            assert http.get("/health").text == "OK"
            assert "mlwright deploy delay" in http.get("/").text
            until(lambda: http.get("/api/processes").json()["turns"]["turns"] == 1)
            (worker,) = http.get("/api/processes").json()["processes"]["workers"]
            assert httpx.get(f"http://127.0.0.1:{inference}/v2/health/live").json() == {"live": True}

            os.kill(worker["pid"], signal.SIGKILL)
            until(lambda: http.get("/api/processes").json()["processes"]["workers"][0]["restarts"] == 1)
            until(lambda: httpx.get(f"http://127.0.0.1:{inference}/v2/health/live").status_code == 200)

            second = refused(project, "--port", str(free_port()))
            assert (second["code"], second["exit"]) == ("AlreadyRunning", 4)
            assert str(process.pid) in second["why"]
            (again,) = http.get("/api/processes").json()["processes"]["workers"]
            tracking = http.get("/api/processes").json()["processes"]["tracking"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert is_gone(again["pid"])
        assert is_gone(tracking["pid"])
    last = receiver.metrics()  # sent at the end, by one process: the pause is a minute
    assert len(receiver.exports) <= 3
    assert last["mlwright.turns"].sum.data_points[0].as_int == 1
    assert last["mlwright.slo.target"].gauge.data_points
    assert (project / ".mlwright" / "up.lock").read_text() == ""
    assert not (project / ".mlwright" / "control.sock").exists()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tracking_has_a_process_of_its_own(project) -> None:
    api = "/api/2.0/mlflow/experiments"
    with up(project, *ports()) as (process, said):
        assert said["tracking"] == said["page"]
        with httpx.Client(base_url=said["page"], timeout=30) as http:
            assert http.post(f"{api}/create", json={"name": "mine"}).json()["experiment_id"]
            first = http.get("/api/processes").json()["processes"]["tracking"]
            assert (first["state"], first["restarts"]) == ("serving", 0)
            assert first["pid"] != process.pid

            # Pages come from the control process; clients of tracking do not wait for it.
            os.kill(process.pid, signal.SIGSTOP)
            try:
                assert http.get(f"{api}/get-by-name", params={"experiment_name": "mine"}).status_code == 200
                with pytest.raises(httpx.ReadTimeout):
                    http.get("/api/loop", timeout=0.5)
            finally:
                os.kill(process.pid, signal.SIGCONT)

            os.kill(first["pid"], signal.SIGKILL)
        # Nobody is refused meanwhile: the supervisor holds the socket, and who calls waits.
        with httpx.Client(base_url=said["page"], timeout=30) as http:
            assert http.get(f"{api}/get-by-name", params={"experiment_name": "mine"}).status_code == 200
            again = until(lambda: http.get("/api/processes").json()["processes"]["tracking"])
            assert (again["state"], again["restarts"]) == ("serving", 1)
            assert again["pid"] != first["pid"]

            refused = http.get("/api/loop", headers={"host": "evil.example"})
            assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
            assert http.post("/api/tick", headers={"origin": "http://evil.example"}).status_code == 403
            assert "default-src 'none'" in http.get("/").headers["content-security-policy"]
        process.kill()
        process.wait()
        until(lambda: is_gone(again["pid"]))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_kill_9_leaves_nothing_that_has_to_be_tidied_up(project) -> None:
    both = ports()
    with up(project, *both) as (process, said):
        workers = httpx.get(f"{said['page']}/api/processes", timeout=20).json()["processes"]["workers"]
        process.kill()
        process.wait()
        until(lambda: is_gone(workers[0]["pid"]))  # it ends with whoever started it
    with up(project, *both) as (process, said):
        assert httpx.get(f"{said['page']}/health", timeout=20).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("option", ["--port", "--inference-port"])
def test_a_port_in_use_is_named_with_one_that_is_free(project, option) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--inference-port" if option == "--port" else "--port"
        error = refused(project, option, str(port), other, str(free_port()))
    assert (error["code"], error["exit"]) == ("PortInUse", 4)
    assert str(port) in error["what"]
    assert error["next"].startswith(f"mlwright up {option} ")
    assert error["next"].rpartition(" ")[2] != str(port)
