"""Our inference server beside seven others and two floors: one model, one generator (wrk), one run.

The model is a gradient boosting regressor of scikit-learn (100 trees of depth 3, 20 inputs), asked one row a request,
as JSON in each server's own protocol; ours validates, logs every prediction, counts and splits while the others do none
of it. Each server is asked by 1, 16 and 64 connections, a few seconds each, in rounds. With two cores generator and
server share them, so the CPU time of the server a request is the robust figure.

python bench/serving.py                 everything, 3 rounds, about 20 minutes
python bench/serving.py quick           ours, FastAPI and the floors, 1 round
python bench/serving.py only NAME …     these, 1 round
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from report import ROOT, Result, clean, write

HERE = Path(__file__).parent
PEERS = HERE / "peers"
COMMON = ("scikit-learn", "numpy", "joblib")
CONNECTIONS = (1, 16, 64)
TICK = os.sysconf("SC_CLK_TCK")
OIP = "/v2/models/gb/infer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server: its packages, how it is started, and how it is asked. ``{port}`` and ``{work}`` are filled in."""

    name: str
    packages: tuple[str, ...] = ()
    command: tuple[str, ...]
    path: str = "/infer"
    body: str = "oip"
    env: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, Path], None] | None = None
    copies: int = 1
    """Processes that are started by hand, sharing the port."""


def peers() -> list[Server]:
    """The servers of others, with as many processes as theirs do best with: one and two."""
    found = []
    for count in (1, 2):
        many = {"BENCH_WORKERS": str(count)}
        found += [
            Server(
                name=f"FastAPI + uvicorn, {count}",
                packages=("fastapi", "uvicorn[standard]"),
                command=("-m", "uvicorn", "fastapi_server:app", "--port", "{port}", "--workers", str(count)),
                env={"UVICORN_LOG_LEVEL": "warning", "UVICORN_ACCESS_LOG": "false"},
            ),
            Server(
                name=f"LitServe, {count}",
                packages=("litserve",),
                command=("litserve_server.py", "{port}", str(count)),
                path="/predict",
            ),
            Server(
                name=f"BentoML, {count}",
                packages=("bentoml",),
                command=(
                    "-m",
                    "bentoml",
                    "serve",
                    "bentoml_server:Scores",
                    "--port",
                    "{port}",
                    "--host",
                    "127.0.0.1",
                ),
                env={**many, "BENTOML_DO_NOT_TRACK": "True"},
            ),
            Server(
                name=f"KServe SDK, {count}",
                packages=("kserve",),
                command=("kserve_server.py", "{port}", str(count)),
                path=OIP,
            ),
            Server(
                name=f"mlflow models serve, {count}",
                packages=("mlflow==3.17.2", "pandas==2.3.3", "uvicorn", "fastapi", "skops"),
                command=(
                    *("-m", "mlflow", "models", "serve", "-m", "{work}/mlflow", "-p", "{port}"),
                    *("--env-manager", "local", "-w", str(count)),
                ),
                path="/invocations",
                body="mlflow",
                prepare=_mlflow_model,
            ),
        ]
    return [
        *found,
        Server(
            name="MLServer, 1",
            packages=("mlserver", "mlserver-sklearn", "uvloop<0.22"),
            command=("-c", "from mlserver.cli import main; main()", "start", "{work}/mlserver"),
            path=OIP,
            prepare=_mlserver_folder,
        ),
        Server(
            name="Ray Serve, 1",
            packages=("ray[serve]",),
            command=("ray_server.py", "{port}", "1"),
            env={"RAY_USAGE_STATS_ENABLED": "0"},
        ),
    ]


def ours_and_floors() -> list[Server]:
    """Ours with scikit-learn and with ONNX Runtime, and what is left when nothing but the model is called."""
    found = []
    for count in (1, 2):
        for kind, model in (("scikit-learn", "gb"), ("ONNX", "gb-onnx")):
            found.append(
                Server(
                    name=f"mlwright, {kind}, {count}",
                    packages=(f"mlwright[onnx] @ file://{ROOT}",),
                    command=(
                        *("-m", "mlwright", "serve", model, "--name", "gb", "--port", "{port}"),
                        *("--workers", str(count)),
                    ),
                    path=OIP,
                    prepare=_ours,
                )
            )
            found.append(
                Server(
                    name=f"floor, {kind}, {count}",
                    command=(
                        *("floor_server.py", "{port}", "onnx" if kind == "ONNX" else "sklearn"),
                        "{work}/gb.onnx" if kind == "ONNX" else "{work}/gb.joblib",
                    ),
                    copies=count,
                )
            )
    return found


def model(work: Path) -> float:
    """Train the model, save it as joblib, ONNX and as our folders, write the bodies; the expected answer."""
    import joblib
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingRegressor

    random = np.random.default_rng(7)
    rows = random.normal(size=(2000, 20))
    truth = rows[:, 0] * 2 - rows[:, 1] ** 2 + np.sin(rows[:, 2] * 3) + random.normal(size=2000) / 10
    fitted = GradientBoostingRegressor(n_estimators=100, max_depth=3, random_state=7).fit(rows, truth)
    joblib.dump(fitted, work / "gb.joblib")
    (work / "gb.onnx").write_bytes(
        to_onnx(fitted, rows[:1].astype(np.float32), target_opset=17).SerializeToString()
    )
    np.save(work / "rows.npy", rows[:64])
    one = [round(float(value), 4) for value in rows[0]]
    tensor = {"name": "input", "shape": [1, 20], "datatype": "FP64", "data": one}
    (work / "oip.json").write_text(json.dumps({"inputs": [tensor]}, separators=(",", ":")))
    (work / "mlflow.json").write_text(json.dumps({"inputs": [one]}, separators=(",", ":")))
    return float(fitted.predict(np.array([one]))[0])


def _mlflow_model(python: Path, work: Path) -> None:
    script = (
        "import joblib, mlflow, sys; w = sys.argv[1];"
        "mlflow.sklearn.save_model(joblib.load(w + '/gb.joblib'), w + '/mlflow', serialization_format='cloudpickle')"
    )
    if not (work / "mlflow").exists():
        subprocess.run([str(python), "-c", script, str(work)], check=True, capture_output=True, env=clean())


def _mlserver_folder(python: Path, work: Path) -> None:
    folder = work / "mlserver"
    folder.mkdir(exist_ok=True)
    ports = [free_port() for _ in range(3)]
    (folder / "port").write_text(str(ports[0]))
    settings = {
        "parallel_workers": 0,
        "http_port": ports[0],
        "grpc_port": ports[1],
        "metrics_port": ports[2],
        "host": "127.0.0.1",
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {
        "name": "gb",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(work / "gb.joblib")},
    }
    (folder / "model-settings.json").write_text(json.dumps(described))


def _ours(python: Path, work: Path) -> None:
    """Two registered models, as a user makes them: a folder each, and one command."""
    home = work / "ours"
    if home.exists():
        return
    home.mkdir()
    python = Path(sys.executable)  # makes models, which needs more packages than serving them
    subprocess.run(
        [str(python), str(PEERS / "our_models.py"), str(work), str(home)], check=True, env=clean(), cwd=home
    )
    for name in ("gb", "gb-onnx"):
        subprocess.run(
            [str(python), "-m", "mlwright", "models", "register", str(home / name), "--name", name],
            check=True,
            env=clean(),
            cwd=home,
            capture_output=True,
        )


_made: set[Path] = set()


def environment(packages: Sequence[str], cache: Path) -> Path:
    """The Python of an environment that holds the packages; those of others are kept from run to run."""
    ours = packages[0].startswith("mlwright")  # made anew, because it changes
    folder = cache / "".join(each if each.isalnum() else "_" for each in packages[0])
    if ours and folder not in _made:
        shutil.rmtree(folder, ignore_errors=True)
    _made.add(folder)
    if not folder.exists():
        uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        assert uv is not None
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        command = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
        subprocess.run([*command, *packages, *COMMON], check=True)
    return folder / "bin" / "python"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    server: Server, python: Path, work: Path, expected: float
) -> Iterator[tuple[str, list[int], float]]:
    """Start it; its URL, the processes that were started, and the seconds to its first right answer."""
    if server.prepare is not None:
        server.prepare(python, work)
    port = free_port()
    if server.name.startswith("MLServer"):
        port = int((work / "mlserver" / "port").read_text())
    command = [each.format(port=port, work=work) for each in server.command]
    env = clean() | server.env | {"BENCH_MODEL": str(work / "gb.joblib"), "OMP_NUM_THREADS": "1"}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    where = work / "ours" if "mlwright" in command else PEERS
    with (work / "log").open("w") as log:
        began = time.perf_counter()
        started = [
            subprocess.Popen(
                [str(python), *command], cwd=where, stdout=log, stderr=log, env=env, start_new_session=True
            )
            for _ in range(server.copies)
        ]
        try:
            url = f"http://127.0.0.1:{port}{server.path}"
            body = (work / f"{server.body}.json").read_bytes()
            while (said := answer(url, body)) is None:
                if any(each.poll() is not None for each in started) or time.perf_counter() - began > 120:
                    raise RuntimeError(f"{server.name} did not start: {(work / 'log').read_text()[-1500:]}")
                time.sleep(0.01)
            cold = time.perf_counter() - began
            if abs(said - expected) > 1e-3:
                raise RuntimeError(f"{server.name} answers {said}, not {expected}")
            yield url, [each.pid for each in started], cold
        finally:
            for each in started:
                each.send_signal(signal.SIGTERM)
            for each in started:
                with suppress(subprocess.TimeoutExpired):
                    each.wait(timeout=20)
                with suppress(ProcessLookupError):
                    os.killpg(each.pid, signal.SIGKILL)
                each.wait()


def answer(url: str, body: bytes) -> float | None:
    """The score that the server gives, whatever form it gives it in; None while there is none."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            found = json.load(response)
    except (OSError, ValueError):
        return None
    if "predictions" in found:
        return float(found["predictions"][0])
    value = found["outputs"][0]["data"]
    while isinstance(value, list):
        value = value[0]
    return float(value)


def tree(roots: Sequence[int]) -> set[int]:
    said = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = {int(one): int(other) for one, other in (line.split() for line in said.splitlines())}
    found = set(roots)
    while grown := {each for each, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def memory(pids: set[int], key: str) -> float:
    """Resident (Rss) or proportional (Pss) memory of the processes, in MB."""
    total = 0.0
    for each in pids:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024
    return total


def cpu(pids: set[int]) -> float:
    """CPU seconds that the processes have used."""
    total = 0
    for each in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def load(url: str, connections: int, seconds: float, body: Path) -> dict[str, float]:
    command = [
        "wrk",
        "-t",
        "1",
        "-c",
        str(connections),
        "-d",
        f"{seconds:.0f}s",
        "-s",
        str(PEERS / "post.lua"),
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=clean() | {"BENCH_BODY": str(body)})
    line = next((each for each in done.stdout.splitlines() if each.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk: {done.stdout[-500:]} {done.stderr[-500:]}")
    return dict(json.loads(line.removeprefix("RESULT ")))


def measured(server: Server, python: Path, work: Path, expected: float, seconds: float) -> dict[str, float]:
    """One round of one server."""
    found: dict[str, float] = {}
    with running(server, python, work, expected) as (url, roots, cold):
        body = work / f"{server.body}.json"
        load(url, 16, 2, body)
        for connections in CONNECTIONS:
            pids = tree(roots)
            before = cpu(pids)
            seen = load(url, connections, seconds, body)
            used = cpu(pids) - before
            found[f"rps {connections}"] = seen["requests"] / seen["seconds"]
            found[f"p50 {connections}"] = seen["p50_ms"]
            found[f"p99 {connections}"] = seen["p99_ms"]
            found[f"cpu {connections}"] = used / max(seen["requests"], 1) * 1e6
            found["errors"] = found.get("errors", 0) + seen["bad"]
        found["rss"] = memory(tree(roots), "Rss")
        found["pss"] = memory(tree(roots), "Pss")
        found["processes"] = len(tree(roots))
        found["cold"] = cold
    return found


def row(name: str, rounds: Sequence[dict[str, float]]) -> dict[str, object]:
    middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    shown: dict[str, object] = {"server, processes": name}
    for connections in CONNECTIONS:
        shown[f"requests/s, c={connections}"] = round(middle[f"rps {connections}"])
        shown[f"p99 ms, c={connections}"] = round(middle[f"p99 {connections}"], 2)
    shown["CPU µs a request, c=16 / 64"] = f"{middle['cpu 16']:.0f} / {middle['cpu 64']:.0f}"
    shown["RSS / PSS MB (processes)"] = (
        f"{middle['rss']:.0f} / {middle['pss']:.0f} ({middle['processes']:.0f})"
    )
    shown["first answer s"] = round(middle["cold"], 2)
    shown["errors"] = int(sum(each["errors"] for each in rounds))
    return shown


def main(arguments: Sequence[str]) -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    quick, only = arguments[:1] == ["quick"], arguments[1:] if arguments[:1] == ["only"] else ()
    servers = [*ours_and_floors(), *(peers()[:1] + peers()[5:6] if quick else peers())]
    if only:
        servers = [each for each in servers if any(word in each.name for word in only)]
    rounds, seconds = (1, float(os.environ.get("BENCH_SECONDS", "3"))) if quick or only else (3, 4.0)
    kept: dict[str, list[dict[str, float]]] = {each.name: [] for each in servers}
    failed: dict[str, str] = {}
    cache = Path(os.environ.get("BENCH_CACHE", tempfile.gettempdir())) / "mlwright-bench-serving"
    with tempfile.TemporaryDirectory(prefix="mlwright-bench-") as folder:
        work = Path(folder)
        expected = model(work)
        for number in range(rounds):
            for server in servers:
                python = environment(server.packages, cache) if server.packages else Path(sys.executable)
                try:
                    kept[server.name].append(measured(server, python, work, expected, seconds))
                except (RuntimeError, subprocess.CalledProcessError) as error:
                    failed[server.name] = str(error).strip().splitlines()[-1][:200]
                print(f"round {number + 1}: {server.name}", failed.get(server.name, ""), flush=True)
    rows = [row(name, found) for name, found in kept.items() if found]
    note = (
        "one row of 20 numbers a request as JSON, wrk with 1 thread on the same machine; medians of "
        f"{rounds} round(s); floors are a bare httptools protocol that calls the model and does nothing else"
    )
    if failed:
        note += "; did not start: " + "; ".join(f"{name} ({why})" for name, why in failed.items())
    result = Result(name="serving", title="Serving one row a request", note=note, rows=rows)
    if only:
        print(json.dumps(result.rows, indent=1, ensure_ascii=False))
    else:
        write(result)


if __name__ == "__main__":
    main(sys.argv[1:])
