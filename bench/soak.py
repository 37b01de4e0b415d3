"""A long run under load while everything changes: models are swapped, workers are killed, feedback arrives.

Two versions of a model whose answers tell them apart stand behind one endpoint of `mlwright up` with two inference
processes. At 80 % of the rate that this generator reaches, every 20 s the other version is put behind the endpoint,
and every 30 s one inference process is killed with SIGKILL. Each answer is held against the version that it names. At
the end every acknowledged prediction and every acknowledged label has to be in the log, and memory must not have grown.

python bench/soak.py             10 minutes
python bench/soak.py 60          so many seconds
"""

import asyncio
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from report import Result, clean, write

SWAP_S, KILL_S, LOAD = 20.0, 30.0, 0.8
CONNECTIONS = 32
FEATURES = 5
LABELLED = 20
"""Each so manieth answer gets a label."""
RECONNECT = 500
"""After so many answers a client connects anew, so that processes that were started late have clients as well."""
SETTINGS = """\
[project]
name = "soak"

[serve]
port = {port}
inference_port = {inference}
workers = 2

[[endpoint]]
name = "m"
model = "m@champion"
"""


@dataclass(slots=True)
class Seen:
    """What the clients saw."""

    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    broken: list[float] = field(default_factory=list)
    """When a connection broke before its answer came, in seconds of ``time.monotonic``."""
    ids: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)


class Client:
    """One connection that is opened again when it breaks."""

    def __init__(self, port: int, seen: Seen, seed: int) -> None:
        self.port, self.seen, self.random = port, seen, random.Random(seed)
        self.answers = seed * RECONNECT // CONNECTIONS
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, path: str, body: bytes) -> tuple[int, dict[str, object]]:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert self.reader is not None
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        said = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(said.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        answer = json.loads(await self.reader.readexactly(length))
        if b"connection: close" in said:
            self.close()
        return int(said[9:12]), answer

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def predict(self) -> None:
        row = [round(self.random.uniform(-1, 1), 3) for _ in range(FEATURES)]
        tensor = {"name": "rows", "shape": [1, FEATURES], "datatype": "FP64", "data": row}
        body = json.dumps({"inputs": [tensor]}).encode()
        began = time.monotonic()
        for _ in range(20):
            try:
                status, answer = await self.ask("/v2/models/m/infer", body)
                break
            except (OSError, asyncio.IncompleteReadError):
                self.seen.broken.append(time.monotonic())
                self.close()
                await asyncio.sleep(0.05)
        else:
            self.seen.refused.append("no connection for 1 s")
            return
        self.seen.waits.append(time.monotonic() - began)
        if status != 200:
            self.seen.refused.append(f"{status}: {str(answer)[:200]}")
            return
        await self.check(row, answer)

    async def check(self, row: Sequence[float], answer: dict[str, object]) -> None:
        outputs = {each["name"]: each["data"][0] for each in answer["outputs"]}  # type: ignore[union-attr, index]
        version = outputs["model_version"]
        expected = sum(row) + 1000 * int(version.rsplit("/", 1)[1])
        self.seen.answers += 1
        self.answers += 1
        if self.answers % RECONNECT == 0:
            self.close()
        self.seen.versions[version] = self.seen.versions.get(version, 0) + 1
        if abs(outputs["score"] - expected) > 1e-6:
            self.seen.wrong.append(f"{version} answered {outputs['score']}, not {expected}")
        self.seen.ids.add(outputs["prediction_id"])
        if self.seen.answers % LABELLED == 0:
            label = {"endpoint": "m", "prediction_id": outputs["prediction_id"], "label": expected}
            with suppress(OSError, asyncio.IncompleteReadError):
                status, _ = await self.ask("/v1/feedback", json.dumps(label).encode())
                if status == 200:
                    self.seen.labels.add(outputs["prediction_id"])
                return
            self.close()


async def drive(clients: Sequence[Client], seconds: float, rate: float | None) -> float:
    """Ask for so long, at that rate or as fast as it goes; the answers a second."""
    end = time.monotonic() + seconds
    before = clients[0].seen.answers
    turn = itertools.count()
    start = time.monotonic()

    async def one(client: Client) -> None:
        while (now := time.monotonic()) < end:
            if rate is not None:
                due = start + next(turn) / rate
                if due > now:
                    await asyncio.sleep(due - now)
            await client.predict()

    await asyncio.gather(*(one(each) for each in clients))
    return (clients[0].seen.answers - before) / seconds


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def tree(root: int) -> dict[int, str]:
    """The processes below one, and their command lines."""
    said = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in said.splitlines()]
    found = {root}
    while grown := {int(each[0]) for each in rows if int(each[1]) in found} - found:
        found |= grown
    return {int(each[0]): each[2] for each in rows if int(each[0]) in found and len(each) > 2}


def memory(pids: Sequence[int]) -> float:
    total = 0.0
    for each in pids:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def run(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mlwright", *arguments], cwd=home, capture_output=True, text=True, env=clean()
    )
    if done.returncode:
        raise SystemExit(f"mlwright {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def project(home: Path, port: int, inference: int) -> None:
    """Two registered versions: the sum of the inputs, and a thousand for each version."""
    (home / "mlwright.toml").write_text(SETTINGS.format(port=port, inference=inference))
    (home / "pipeline.py").write_text("")
    script = Path(__file__).parent / "peers" / "soak_models.py"
    subprocess.run([sys.executable, str(script), str(home)], check=True, env=clean())
    for version in (1, 2):
        run(home, "models", "register", str(home / f"m{version}"), "--name", "m")
    run(home, "models", "promote", "m/1")
    run(home, "deploy", "m")


def swap(inference: int, version: int) -> None:
    body = json.dumps({"parameters": {"version": str(version)}}).encode()
    url = f"http://127.0.0.1:{inference}/v2/repository/models/m/load"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
        answer.read()


async def disturb(inference: int, root: int, seconds: float, deaths: list[float], peaks: list[float]) -> int:
    """Swap and kill on time; how often the version was changed."""
    start, swaps, kills = time.monotonic(), 0, 0
    while (past := time.monotonic() - start) < seconds:
        await asyncio.sleep(0.2)
        if past >= SWAP_S * (swaps + 1):
            swaps += 1
            with suppress(OSError):
                await asyncio.to_thread(swap, inference, 1 + swaps % 2)
        if past >= KILL_S * (kills + 1):
            kills += 1
            workers = [pid for pid, args in tree(root).items() if "doors.up.worker" in args]
            deaths.append(time.monotonic())
            with suppress(ProcessLookupError, IndexError):
                os.kill(random.choice(workers), signal.SIGKILL)
        if int(past) % 10 == 0:
            peaks.append(memory(list(tree(root))))
    return swaps


def lost(home: Path, seen: Seen) -> tuple[int, int]:
    """Acknowledged predictions and labels that the log does not hold."""
    from mlwright.stages.serving.log import PredictionLog

    log = PredictionLog(home / ".mlwright" / "log")
    kept = set(log.predictions(None, endpoint="m")["prediction_id"].to_list())
    labels = set(log.labels(None, endpoint="m")["prediction_id"].to_list())
    return len(seen.ids - kept), len(seen.labels - labels)


async def soak(home: Path, inference: int, root: int, seconds: float) -> dict[str, object]:
    seen = Seen()
    clients = [Client(inference, seen, seed) for seed in range(CONNECTIONS)]
    capacity = await drive(clients, min(10.0, seconds / 4), None)
    rate = capacity * LOAD
    deaths: list[float] = []
    peaks: list[float] = []
    first = memory(list(tree(root)))
    reached, swaps = await asyncio.gather(
        drive(clients, seconds, rate), disturb(inference, root, seconds, deaths, peaks)
    )
    for each in clients:
        each.close()
    unexplained = [at for at in seen.broken if not any(0 <= at - death < 5 for death in deaths)]
    waits = sorted(seen.waits)
    return {
        "seconds": round(seconds),
        "answers": seen.answers,
        "answers/s": round(reached),
        "capacity/s": round(capacity),
        "versions swapped": swaps,
        "workers killed": len(deaths),
        "wrong answers": len(seen.wrong),
        "refused": len(seen.refused),
        "connections broken by kills": len(seen.broken) - len(unexplained),
        "connections broken otherwise": len(unexplained),
        "p99 ms": round(1000 * waits[int(len(waits) * 0.99)], 1),
        "labels": len(seen.labels),
        "PSS MB first / last": f"{first:.0f} / {(peaks or [first])[-1]:.0f}",
        "_seen": seen,
    }


def main(arguments: Sequence[str]) -> None:
    seconds = float(arguments[0]) if arguments else 600.0
    port, inference = free_ports()
    with tempfile.TemporaryDirectory(prefix="mlwright-soak-") as folder:
        home = Path(folder)
        project(home, port, inference)
        with (home / "up.log").open("w") as log:
            up = subprocess.Popen(
                [sys.executable, "-m", "mlwright", "up"], cwd=home, stdout=log, stderr=log, env=clean()
            )
            try:
                while True:
                    with suppress(OSError), socket.create_connection(("127.0.0.1", inference), timeout=1):
                        break
                    if up.poll() is not None:
                        raise SystemExit((home / "up.log").read_text())
                    time.sleep(0.1)
                found = asyncio.run(soak(home, inference, up.pid, seconds))
            finally:
                up.terminate()
                up.wait(timeout=60)
        seen = found.pop("_seen")
        assert isinstance(seen, Seen)
        found["lost predictions"], found["lost labels"] = lost(home, seen)
        for each in (*seen.wrong[:5], *seen.refused[:5]):
            print(each, file=sys.stderr)
    write(
        Result(
            name="soak",
            title="Under load while models are swapped and workers killed",
            note=f"{CONNECTIONS} connections at {LOAD:.0%} of what the generator reached; each answer is held against "
            "the version that it names; lost: acknowledged, and not in the log at the end",
            rows=[{"figure": name, "value": value} for name, value in found.items()],
        )
    )
    bad = ("wrong answers", "refused", "connections broken otherwise", "lost predictions", "lost labels")
    if any(found[each] for each in bad):
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
