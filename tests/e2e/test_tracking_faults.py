"""The tracking server, broken on purpose: what was acknowledged stays, what cannot be done is said, and it goes on."""

import json
import os
import random
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from mlwright.adapters.sql.engine import open_engine, reading
from mlwright.stages.ledger import store as ledger
from mlwright.wiring.tracking import open_tracking

OWN = runpy.run_path(str(Path(__file__).with_name("tracking_server.py")))
API, FILES, ENVIRONMENT = OWN["API"], OWN["FILES"], OWN["ENVIRONMENT"]
Client, Writer = OWN["Client"], OWN["Writer"]
content, free_port, serving, start, stop, until = (
    OWN[name] for name in ("content", "free_port", "serving", "start", "stop", "until")
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def database_is_whole(file: Path) -> None:
    """SQLite finds no damage, and the chain of the audit has no gap."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    engine = open_engine(f"sqlite:///{file}")
    with reading(engine).begin() as tx:
        assert ledger.verify_chain(tx) is None
    engine.dispose()


def begin_writers(port: int, folder: Path, count: int, **how) -> tuple[list, list[threading.Thread]]:
    writers = [
        Writer(port, f"writer-{number}", folder / f"ledger-{number}", **how) for number in range(count)
    ]
    for each in writers:
        each.begin()
    threads = [threading.Thread(target=each.write) for each in writers]
    for each in threads:
        each.start()
    return writers, threads


def end_writers(writers: list, threads: list[threading.Thread]) -> None:
    for each in writers:
        each.stop.set()
    for each in threads:
        each.join(60)
        assert not each.is_alive()


# What was acknowledged


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path, seed) -> None:
    moments = random.Random(seed)
    port = free_port()
    server = start(tmp_path, port=port)
    writers, threads = begin_writers(port, tmp_path, 4)
    try:
        for _ in range(4):
            time.sleep(moments.uniform(0.2, 0.9))
            stop(server)  # SIGKILL
            server = start(tmp_path, port=port)
        time.sleep(0.3)
        end_writers(writers, threads)
        assert [each.check() > 20 for each in writers] == [True] * 4
        assert sum(each.lost for each in writers) > 0
        assert [each.refused for each in writers] == [[]] * 4
        assert server.end() == 0
    finally:
        for each in writers:
            each.stop.set()
        stop(server)
    database_is_whole(tmp_path / ".mlwright" / "mlwright.db")
    # What was on its way when the server died is gone.
    assert [each for each in (tmp_path / ".mlwright" / "uploads").rglob("*") if each.is_file()] == []


def test_clients_of_up_only_see_a_pause_when_its_tracking_process_is_killed(tmp_path) -> None:
    (tmp_path / "mlwright.toml").write_text('[project]\nname = "clinic"\n')
    port = free_port()
    command = ["up", "--json", "--port", str(port), "--inference-port", str(free_port())]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlwright", *command],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    client = Client(port)
    try:
        until(lambda: client.raw("GET", "/health").status == 200)
        writers, threads = begin_writers(port, tmp_path, 3)
        seen: set[int] = set()
        for _ in range(2):

            def serving_anew():
                found = client.raw("GET", "/api/processes").json["processes"]["tracking"]
                return found["pid"] if found["state"] == "serving" and found["pid"] not in seen else None

            pid = until(serving_anew)
            seen.add(pid)
            time.sleep(0.7)
            os.kill(pid, signal.SIGKILL)
        until(serving_anew)
        time.sleep(0.5)
        end_writers(writers, threads)
        assert [each.check() > 10 for each in writers] == [True] * 3
        # Of each death a client sees at most the call that was under way; nobody is refused meanwhile.
        assert all(each.lost <= 4 for each in writers), [each.lost for each in writers]
        assert [each.refused for each in writers] == [[]] * 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        client.close()
        process.kill()
        process.wait()
        process.stdout.close()
    database_is_whole(tmp_path / ".mlwright" / "mlwright.db")


# The disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run([umount, "-l", str(place)], check=True)


def fill(place: Path, left: int) -> Path:
    """Fill the disk but for so many bytes."""
    ballast = place / "ballast"
    free = shutil.disk_usage(place).free - left
    # The writers may have filled it already, so that not even an empty file has room.
    with suppress(OSError), ballast.open("wb") as file:
        with suppress(OSError):
            while free > 0:
                free -= file.write(b"x" * min(free, 1 << 16))
        with suppress(OSError):
            file.flush()
    return ballast


def test_a_full_disk_is_said_and_what_is_freed_is_used_again(small_disk, tmp_path) -> None:
    with serving(tmp_path, "--state", str(small_disk / "state")) as server:
        client = server.client()
        experiment = client.good("POST", "experiments/create", {"name": "full"})["experiment_id"]
        run = client.good("POST", "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
        client.good("POST", "registered-models/create", {"name": "full"})
        place = f"{FILES}{experiment}/{run}/artifacts"
        batch = {
            "run_id": run,
            "metrics": [{"key": f"m{at}", "value": at / 7, "timestamp": 1, "step": 0} for at in range(900)],
            "params": [{"key": f"p{at}", "value": "x" * 6_000} for at in range(50)],
        }
        ballast = fill(small_disk, left=0)

        refused = [client.ask("POST", "runs/log-batch", batch), client.raw("PUT", f"{place}/a", b"x" * 9_000)]
        new = {"name": "full", "source": f"mlflow-artifacts:/{experiment}/{run}/artifacts/m", "run_id": run}
        refused.append(client.ask("POST", "model-versions/create", {**new, "description": "x" * 60_000}))
        for each in refused:
            assert each.status in (503, 507), each
            assert "disk" in each.json["message"], each
        assert client.raw("GET", "/health").body == b"OK"
        found = client.good("GET", "runs/get", run_id=run)["run"]["data"]
        assert ("metrics" in found, "params" in found) == (False, False)
        assert client.raw("GET", f"{place}/a").status == 404

        ballast.unlink()
        client.good("POST", "runs/log-batch", batch)
        assert client.raw("PUT", f"{place}/a", b"x" * 9_000).status == 200
        client.good("POST", "model-versions/create", new)
        assert client.raw("GET", f"{place}/a").body == b"x" * 9_000
        found = client.good("GET", "runs/get", run_id=run)["run"]["data"]
        assert (len(found["metrics"]), len(found["params"])) == (900, 50)
        # More than there is room for is refused before and while it comes, and nothing of it stays.
        used = shutil.disk_usage(small_disk).used
        assert client.raw("PUT", f"{place}/big", b"x" * (40 << 20)).status == 507
        assert shutil.disk_usage(small_disk).used < used + (1 << 20)
        assert "Traceback" not in server.said
        assert server.end() == 0
    database_is_whole(small_disk / "state" / "mlwright.db")


def test_a_disk_that_fills_under_load_loses_nothing_that_was_acknowledged(small_disk, tmp_path) -> None:
    with serving(tmp_path, "--state", str(small_disk / "state")) as server:
        writers, threads = begin_writers(server.port, tmp_path, 3)
        for left in (100_000, 0, 300_000):
            time.sleep(0.4)
            ballast = fill(small_disk, left)
            time.sleep(0.5)
            ballast.unlink(missing_ok=True)
        time.sleep(0.3)
        end_writers(writers, threads)
        assert [each.check() > 10 for each in writers] == [True] * 3
        answers = [answer for each in writers for _, _, answer in each.refused]
        assert {each.status for each in answers} <= {503, 507}, answers
        assert answers
        assert [each.lost for each in writers] == [0] * 3
        assert server.end() == 0
    database_is_whole(small_disk / "state" / "mlwright.db")


def test_a_state_folder_that_cannot_be_written_is_said_at_the_start(tmp_path, like_anybody) -> None:
    with serving(tmp_path) as server:
        assert server.end() == 0  # what SQLite keeps beside the file is gone as well
    state = tmp_path / ".mlwright"

    def refused() -> dict:
        command = [sys.executable, "-m", "mlwright", "tracking", "--port", str(free_port()), "--json"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            preexec_fn=like_anybody,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return {"exit": done.returncode, **json.loads(done.stdout)["error"]}

    try:
        (state / "mlwright.db").chmod(0o444)
        error = refused()
        assert (error["exit"], error["code"]) == (5, "DatabaseUnavailable"), error
        assert "mlwright.db" in error["where"]
        assert error["next"], error
        (state / "mlwright.db").chmod(0o644)
        state.chmod(0o555)
        error = refused()
        assert (error["exit"], error["code"]) == (5, "DatabaseUnavailable"), error
        (tmp_path / ".mlwright").chmod(0o755)
        shutil.rmtree(state)
        tmp_path.chmod(0o555)
        error = refused()
        assert (error["exit"], error["code"]) == (5, "StorageError"), error
        assert ".mlwright" in error["where"]
    finally:
        tmp_path.chmod(0o755)
        if state.exists():
            state.chmod(0o755)


def test_a_state_folder_that_becomes_read_only_is_said_and_the_server_goes_on(small_disk, tmp_path) -> None:
    state = small_disk / "state"
    with serving(tmp_path, "--state", str(state)) as server:
        client = server.client()
        experiment = client.good("POST", "experiments/create", {"name": "e"})["experiment_id"]
        run = client.good("POST", "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
        # Files that are open for writing hold a file system; so its folders are closed instead.
        place = f"{FILES}{experiment}/{run}/artifacts"
        for each in (state / "artifacts", state / "uploads"):
            shutil.rmtree(each, ignore_errors=True)
            each.write_text("a file is in the way")
        for number in range(2):
            answer = client.raw("PUT", f"{place}/{number}", b"data")
            assert answer.status in (500, 503, 507), answer
            assert answer.json["message"]
        client.good("POST", "runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1})
        for each in (state / "artifacts", state / "uploads"):
            each.unlink()
        assert client.raw("PUT", f"{place}/1", b"data").status == 200
        assert client.raw("GET", f"{place}/1").body == b"data"


# Many at once


def log_and_look(port: int, experiment: str, number: int, points: int) -> tuple[str, list[int]]:
    """One writer of one run; every now and then it reads what it wrote."""
    client = Client(port)
    run = client.good("POST", "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
    for at in range(points):
        if at % 3:
            point = {"key": "loss", "value": at, "timestamp": at, "step": at}
            client.good("POST", "runs/log-metric", {"run_id": run, **point})
        else:
            point = {"key": "loss", "value": at, "timestamp": at, "step": at}
            pair = [{"key": f"k{at}", "value": str(number)}]
            client.good(
                "POST", "runs/log-batch", {"run_id": run, "metrics": [point], "params": pair, "tags": pair}
            )
        if at % 10 == 9:
            found = client.good("GET", "metrics/get-history", run_id=run, metric_key="loss")["metrics"]
            assert [each["step"] for each in found] == list(range(at + 1))
            asked = {"experiment_ids": [experiment], "filter": f"params.k{at - at % 3} = '{number}'"}
            assert [each["info"]["run_id"] for each in client.good("POST", "runs/search", asked)["runs"]] == [
                run
            ]
    found = client.good("GET", "metrics/get-history", run_id=run, metric_key="loss")["metrics"]
    client.close()
    return run, [each["step"] for each in found]


def test_two_servers_and_a_program_write_one_sqlite_file_and_read_what_they_wrote(tmp_path) -> None:
    points = 60
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(tmp_path)) for _ in range(2)]
        first = servers[0].client()
        experiment = first.good("POST", "experiments/create", {"name": "shared"})["experiment_id"]
        state = tmp_path / ".mlwright"
        here = open_tracking(
            database=f"sqlite:///{state / 'mlwright.db'}", artifacts=str(state / "artifacts"), state=state
        )
        stack.callback(here.close)

        def in_process() -> str:
            run = here.runs.create(experiment).id
            for at in range(points):
                here.metrics.log_batch(run, params=[(f"k{at}", "here")], tags=[(f"t{at}", "x")])
            return run

        with ThreadPoolExecutor(9) as pool:
            mine = pool.submit(in_process)
            written = [
                pool.submit(log_and_look, servers[number % 2].port, experiment, number, points)
                for number in range(8)
            ]
            told = [each.result(120) for each in written]
            assert len(here.runs.get(mine.result(120)).params) == points
        assert [steps for _, steps in told] == [list(range(points))] * 8
        found = first.good("POST", "runs/search", {"experiment_ids": [experiment], "max_results": 100})[
            "runs"
        ]
        assert {each["info"]["run_id"] for each in found} == {run for run, _ in told} | {mine.result()}
        assert "locked" not in servers[0].said
        assert "Traceback" not in servers[0].said
    database_is_whole(state / "mlwright.db")
