"""Our tracking server beside MLflow's, both as a user would start them, asked by the real MLflow client.

MLflow's server runs with one worker and without its job runner: its default stalls at 19 calls a second by a fault of
its own (`peers`), and comparing with a stall would flatter us. The floor is an ASGI server that does nothing.

python bench/mlflow_server.py           everything, about 15 minutes
python bench/mlflow_server.py quick     without 20,000 runs and a million points, about 5 minutes
"""

import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from report import Result, clean, write

HERE = Path(__file__).parent
PEER = ("mlflow==3.17.2", "pandas==2.3.3")
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
METRICS, PARAMS = 20, 10
START = 1_700_000_000_000


@dataclass(slots=True)
class Server:
    """One server to measure: how it is started, where, and what was measured of it."""

    name: str
    command: list[str]
    folder: Path
    port: int
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server) -> Iterator[float]:
    """Start it, wait until it is healthy, and give the seconds that took."""
    with (server.folder / "log").open("a") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            server.command,
            cwd=server.folder,
            stdout=log,
            stderr=log,
            env=clean() | QUIET,
            start_new_session=True,
        )
        try:
            while not healthy(server.uri):
                if process.poll() is not None or time.perf_counter() - began > 180:
                    raise SystemExit(
                        f"{server.name} did not start: {(server.folder / 'log').read_text()[-2000:]}"
                    )
                time.sleep(0.01)
            server.figures["pid"] = process.pid
            yield time.perf_counter() - began
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)


def healthy(uri: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", int(uri.rsplit(":", 1)[1])), timeout=0.2):
            pass
        return httpx.get(f"{uri}/health", timeout=5).status_code == 200
    except (OSError, httpx.HTTPError):
        return False


def memory(pid: int) -> tuple[int, float]:
    """Processes of the tree, and their proportional memory in MB."""
    children = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True).stdout.split(
        "\n"
    )
    parents = {int(one): int(other) for one, other in (line.split() for line in children if line.strip())}
    tree = {pid}
    while grown := {each for each, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    total = 0.0
    for each in tree:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
        except (OSError, StopIteration):
            continue
    return len(tree), total


def ask(python: Path, server: Server, *stage: object) -> dict[str, float]:
    """One measurement in a process of the client's own."""
    command = [str(each) for each in (python, HERE / "clients" / "mlflow_client.py", server.uri, *stage)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean() | QUIET, cwd=server.folder)
    if done.returncode:
        raise SystemExit(f"{server.name} {stage}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def together(python: Path, server: Server, clients: int, number: int) -> float:
    """So many clients at once; their calls a second, added."""
    at = time.time() + 8 + 2 * clients
    command = [
        str(each) for each in (python, HERE / "clients" / "mlflow_client.py", server.uri, "calls", number, at)
    ]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean() | QUIET, cwd=server.folder)
        for _ in range(clients)
    ]
    said = [each.communicate()[0] for each in started]
    return sum(json.loads(each.splitlines()[-1])["total"] for each in said)


def rows(count: int) -> Iterator[tuple[str, list[tuple[str, float]], list[tuple[str, str]]]]:
    """The runs to search: id, metrics, params."""
    for number in range(count):
        metrics = [(f"m{m}", ((number * 37 + m * 11) % 1000) / 1000) for m in range(METRICS)]
        params = [(f"p{p}", f"v{(number + p) % 5}") for p in range(PARAMS)]
        yield f"{count:08x}{number:024x}", metrics, params


def fill_ours(server: Server, count: int) -> str:
    """Log the runs over the wire."""
    with httpx.Client(base_url=f"{server.uri}/api/2.0/mlflow", timeout=60) as client:
        made = client.post("/experiments/create", json={"name": f"{count} runs"}).json()["experiment_id"]
        for number, (_, metrics, params) in enumerate(rows(count)):
            run = client.post(
                "/runs/create", json={"experiment_id": made, "start_time": START + number}
            ).json()
            body = {
                "run_id": run["run"]["info"]["run_id"],
                "metrics": [{"key": k, "value": v, "timestamp": START, "step": 0} for k, v in metrics],
                "params": [{"key": k, "value": v} for k, v in params],
            }
            client.post("/runs/log-batch", json=body).raise_for_status()
    return str(made)


def fill_theirs(server: Server, count: int) -> str:
    """Write the runs into its database: over its wire they would take up to half an hour."""
    with closing(sqlite3.connect(server.folder / "mlflow.db")) as tx, tx:
        made = int(tx.execute("SELECT max(experiment_id) FROM experiments").fetchone()[0]) + 1
        known = {each[1] for each in tx.execute("PRAGMA table_info(experiments)")}
        workspace = {"workspace": "default"} if "workspace" in known else {}
        insert(
            tx,
            "experiments",
            [
                {
                    "experiment_id": made,
                    "name": f"{count} runs",
                    "lifecycle_stage": "active",
                    "artifact_location": "mlflow-artifacts:/0",
                    **workspace,
                }
            ],
        )
        for number, (run, metrics, params) in enumerate(rows(count)):
            insert(
                tx,
                "runs",
                [
                    {
                        "run_uuid": run,
                        "name": "r",
                        "source_type": "LOCAL",
                        "user_id": "u",
                        "status": "RUNNING",
                        "start_time": START + number,
                        "lifecycle_stage": "active",
                        "experiment_id": made,
                        "artifact_uri": f"mlflow-artifacts:/{made}/{run}/artifacts",
                    }
                ],
            )
            values = [
                {"key": k, "value": v, "timestamp": START, "run_uuid": run, "step": 0, "is_nan": 0}
                for k, v in metrics
            ]
            insert(tx, "metrics", values)
            insert(tx, "latest_metrics", values)
            insert(tx, "params", [{"key": k, "value": v, "run_uuid": run} for k, v in params])
    return str(made)


def insert(tx: sqlite3.Connection, table: str, values: Sequence[dict[str, object]]) -> None:
    names = list(values[0])
    marks = ", ".join("?" * len(names))
    tx.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", [list(v.values()) for v in values]
    )


def points_ours(server: Server, count: int) -> str:
    with httpx.Client(base_url=f"{server.uri}/api/2.0/mlflow", timeout=60) as client:
        run = client.post("/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        for first in range(0, count, 1000):
            metrics = [
                {"key": "loss", "value": n * 0.5, "timestamp": START + n, "step": n}
                for n in range(first, first + 1000)
            ]
            client.post("/runs/log-batch", json={"run_id": run, "metrics": metrics}).raise_for_status()
    return str(run)


def points_theirs(server: Server, count: int) -> str:
    run = f"{count:032x}"
    with closing(sqlite3.connect(server.folder / "mlflow.db")) as tx, tx:
        insert(
            tx,
            "runs",
            [
                {
                    "run_uuid": run,
                    "name": "r",
                    "source_type": "LOCAL",
                    "user_id": "u",
                    "status": "RUNNING",
                    "start_time": START,
                    "lifecycle_stage": "active",
                    "experiment_id": 0,
                    "artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts",
                }
            ],
        )
        insert(
            tx,
            "metrics",
            [
                {
                    "key": "loss",
                    "value": n * 0.5,
                    "timestamp": START + n,
                    "run_uuid": run,
                    "step": n,
                    "is_nan": 0,
                }
                for n in range(count)
            ],
        )
        insert(
            tx,
            "latest_metrics",
            [
                {
                    "key": "loss",
                    "value": count * 0.5,
                    "timestamp": START + count,
                    "run_uuid": run,
                    "step": count,
                    "is_nan": 0,
                }
            ],
        )
    return run


def start_cost(server: Server, rounds: int = 5) -> None:
    """Time to healthy: in an empty folder, then on its database; memory a moment after."""
    taken = []
    for number in range(rounds):
        with running(server) as seconds:
            taken.append(seconds)
            if number == rounds - 1:
                time.sleep(2)
                server.figures["processes"], server.figures["memory"] = memory(
                    int(str(server.figures["pid"]))
                )
    server.figures["first start"] = taken[0]
    server.figures["start"] = statistics.median(taken[1:])


def measure(
    python: Path, server: Server, sizes: list[int], lengths: list[int], clients: Sequence[int]
) -> None:
    ours = server.name == "mlwright"
    floor = server.name == "floor"
    figures = server.figures
    with running(server):
        figures["log_metric, 1 client"] = ask(python, server, "calls", 400)["median"]
        for number in clients:
            figures[f"log_metric, {number} clients"] = together(python, server, number, 200)
        for keys in (1, 20, 1000):
            figures[f"log_batch, {keys} keys"] = ask(python, server, "batch", 20, keys)["median"]
            figures[f"log_batch without the client, {keys} keys"] = ask(
                python, server, "raw-batch", 30, keys
            )["median"]
        if not floor:
            figures.update(ask(python, server, "versions", 500))
    if floor:
        return
    experiments, runs = {}, {}
    if not ours:  # its server is stopped: its database is written directly
        experiments = {size: fill_theirs(server, size) for size in sizes}
        runs = {length: points_theirs(server, length) for length in lengths}
    with running(server):
        if ours:
            experiments = {size: fill_ours(server, size) for size in sizes}
            runs = {length: points_ours(server, length) for length in lengths}
        for size, made in experiments.items():
            figures[f"search, {size} runs"] = ask(python, server, "search", made, 10)["median"]
            figures[f"search without the client, {size} runs"] = ask(python, server, "raw-search", made, 10)[
                "median"
            ]
        for length, run in runs.items():
            times = 3 if length <= 100_000 else 1
            figures[f"history, {length} points"] = ask(python, server, "history", run, times)["median"]
            figures[f"history without the client, {length} points"] = ask(
                python, server, "raw-history", run, times
            )["median"]


def table(servers: dict[str, Server]) -> list[dict[str, object]]:
    """Every figure side by side; a ratio above 1 is in our favour."""
    ours, theirs, floor = (servers[name].figures for name in ("mlwright", "MLflow", "floor"))
    found = []
    for name, value in ours.items():
        other = theirs.get(name)
        if name == "pid" or not isinstance(value, int | float) or not isinstance(other, int | float):
            continue
        smaller = name.startswith(("search", "history", "start", "first", "memory", "processes"))
        low = floor.get(name)
        found.append(
            {
                "what": f"{name} {UNITS.get(name.split(',')[0].split(' without')[0], '')}".strip(),
                "mlwright": shown(value),
                "MLflow, 1 worker": shown(other),
                "ratio": f"{(other / value if smaller else value / other):.1f}",
                "floor": shown(low) if isinstance(low, int | float) else "",
            }
        )
    return found


UNITS = {
    "log_metric": "(calls/s)",
    "log_batch": "(metrics/s)",
    "search": "(ms)",
    "history": "(ms)",
    "memory": "(MB, PSS)",
    "first start": "(s)",
    "start": "(s)",
    "per second": "(model versions registered a second)",
    "search ms": "(500 versions)",
}


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    quick = sys.argv[1:] == ["quick"]
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        peer = folder / "peer"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, peer], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", peer / "bin" / "python", *PEER], check=True
        )
        python = peer / "bin" / "python"
        commands = {
            "mlwright": [sys.executable, "-m", "mlwright", "tracking", "--port"],
            "MLflow": [
                str(peer / "bin" / "mlflow"),
                "server",
                "--workers",
                "1",
                "--backend-store-uri",
                "sqlite:///mlflow.db",
                "--artifacts-destination",
                "./artifacts",
                "--port",
            ],
            "floor": [sys.executable, str(HERE / "clients" / "floor.py")],
        }
        servers = {}
        for name, command in commands.items():
            port = free_port()
            servers[name] = Server(name=name, command=[*command, str(port)], folder=folder / name, port=port)
            servers[name].folder.mkdir()
        sizes, lengths = ([2_000], [100_000]) if quick else ([2_000, 20_000], [100_000, 1_000_000])
        for server in servers.values():
            start_cost(server)
            measure(python, server, sizes, lengths, (8,) if quick else (4, 8))
            print(server.name, {k: v for k, v in server.figures.items() if k != "pid"}, flush=True)
    note = (
        "`mlwright tracking` and `mlflow server --workers 1` (jobs off) in empty folders on SQLite, asked by "
        "MLflow's own client in a process of its own; medians. Without the client: the same requests, answers not "
        "parsed; it shows the server where the client is the limit. The floor answers `{}` at once. A ratio above 1 "
        "is in our favour. MLflow's runs and points were written into its database directly, ours over the wire."
    )
    write(
        Result(name="mlflow_server", title="Tracking server beside MLflow's", note=note, rows=table(servers))
    )


if __name__ == "__main__":
    main()
