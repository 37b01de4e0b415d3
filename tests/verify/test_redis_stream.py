"""Streams on a real Redis: the exam, and consumers that are killed in the middle."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlwright.adapters.redis.streams import RedisRecordStream
from mlwright.ports.streams import Result
from mlwright.testing.conformance.streams import RecordStreamConformance

pytestmark = pytest.mark.verify

redis = pytest.importorskip("redis", reason="the extra redis is not installed")

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools/redis/usr"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A Redis of our own, that keeps nothing."""

    program: str
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, decode_responses=True, protocol=2)

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        libraries = os.pathsep.join(str(each) for each in (TOOLS / "lib").glob("*-linux-gnu"))
        path = os.pathsep.join(filter(None, [libraries, os.environ.get("LD_LIBRARY_PATH")]))
        command = [self.program, "--port", str(self.port), "--save", "", "--dir", str(folder)]
        process = subprocess.Popen(
            command, env=os.environ | {"LD_LIBRARY_PATH": path}, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while True:
            with self.client() as asked:
                try:
                    asked.ping()
                    return process
                except redis.ConnectionError:
                    assert process.poll() is None, "redis-server does not start"
                    assert time.monotonic() < deadline
                    time.sleep(0.05)


def program() -> str:
    found = shutil.which("redis-server", path=os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]]))
    if found is None:
        pytest.skip("redis-server is not on PATH (Debian: the package redis-server)")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(program(), free_port())
    process = server.start(tmp_path_factory.mktemp("redis"))
    yield server
    process.terminate()
    process.wait(timeout=30)


class RedisBench:
    """One stream of its own, looked at by another client."""

    def __init__(self, server: Server, client: "redis.Redis", *, apart: bool) -> None:
        self.server = server
        self.client = client
        self.name = f"rows-{time.monotonic_ns()}"
        self.output = f"redis://127.0.0.1:{server.port}/{1 if apart else 0}/{self.name}-scored"
        self.apart = apart

    def consumer(self) -> RedisRecordStream:
        return RedisRecordStream(f"{self.server.url}/{self.name}", self.output, "g")

    def send(self, fields: dict[str, str]) -> str:
        return str(self.client.xadd(self.name, fields))

    def results(self) -> list[dict[str, str]]:
        with redis.Redis(
            port=self.server.port, db=int(self.apart), decode_responses=True, protocol=2
        ) as other:
            return [fields for _, fields in other.xrange(f"{self.name}-scored")]

    def buried(self) -> list[dict[str, str]]:
        return [fields for _, fields in self.client.xrange(f"{self.name}:dead")]


class TestRedis(RecordStreamConformance):
    @pytest.fixture
    def bench(self, server: Server) -> Iterator[RedisBench]:
        with server.client() as client:
            yield RedisBench(server, client, apart=False)

    def test_one_result_of_two_that_finish(self, bench: RedisBench) -> None:
        bench.send({"x": "1"})
        slow, quick = bench.consumer(), bench.consumer()
        slow.read(1, 0)
        time.sleep(0.02)
        [claimed] = quick.claim(1, 0.01)
        for stream in (quick, slow):
            stream.finish([Result(source=claimed.id, fields={"score": "1"})])
            stream.close()
        assert len(bench.results()) == 1

    def test_a_stream_that_was_deleted(self, bench: RedisBench) -> None:
        bench.send({"x": "1"})
        stream = bench.consumer()
        bench.client.delete(bench.name)
        bench.send({"x": "2"})
        [record] = stream.read(5, 0)
        assert record.fields["x"] == "2"
        stream.close()


class TestRedisWithTheOutputElsewhere(RecordStreamConformance):
    """Another database stands for another server: results are written, then records are let go of."""

    @pytest.fixture
    def bench(self, server: Server) -> Iterator[RedisBench]:
        with server.client() as client:
            yield RedisBench(server, client, apart=True)


RULES = """
import os, time

EXAMPLE = [{"x": 1.0}]

def predict(x: float) -> float:
    if x == 13 and not os.path.exists(os.environ.get("CALM", "nowhere")):
        os._exit(9)
    time.sleep(0.001)
    return x * 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "rules.py").write_text(RULES)
    (tmp_path / "mlwright.toml").write_text('[project]\nname = "streams"\n[registry]\nprove = "files"\n')
    run(tmp_path, "models", "register", "rules.py:predict", "--name", "double").communicate(timeout=120)
    return tmp_path


def run(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    path = {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-m", "mlwright", *words],
        cwd=folder,
        env=os.environ | path | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def consumer(folder: Path, server: Server, *words: str, **environment: str) -> subprocess.Popen[str]:
    addresses = ["--input", f"{server.url}/rows", "--output", f"{server.url}/scored"]
    spans = ["--claim-after", "1s", "--idle", "3s"]
    return run(folder, "predict", "double", *addresses, *spans, "--json", *words, **environment)


def test_killed_consumers_lose_nothing(project: Path, server: Server) -> None:
    """Some come as JSON, some as fields; one is no number, one kills whoever scores it."""
    with server.client() as client:
        client.flushall()
        sent = {}
        for number in range(3000):
            row = {"x": float(number)}
            fields = {"json": json.dumps(row)} if number % 2 else {"x": repr(row["x"]), "id": f"k{number}"}
            sent[str(client.xadd("rows", fields))] = number
        wrong = str(client.xadd("rows", {"x": "many"}))
        calm = project / "calm"
        calm.touch()
        for _ in range(2):  # killed by hand, anywhere
            process = consumer(project, server, CALM=str(calm))
            while client.xlen("scored") < 200 * (_ + 1):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert client.xlen("scored") < 3000
        last = [consumer(project, server, CALM=str(calm)) for _ in range(2)]
        reports = [json.loads(each.communicate(timeout=120)[0]) for each in last]
        found = [fields for _, fields in client.xrange("scored")]
        assert sorted(each["source"] for each in found) == sorted(sent)
        assert all(float(each["output"]) == 2 * sent[each["source"]] for each in found)
        assert all(each["prediction_id"] == f"mlwright-{each['source']}.0" for each in found)
        assert {each.get("id") for each in found if sent[each["source"]] == 4} == {"k4"}
        [dead] = [fields for _, fields in client.xrange("rows:dead")]
        assert dead["source"] == wrong
        assert "expected double" in dead["reason"]
        assert sum(each["claimed"] for each in reports) > 0
        assert client.xpending("rows", "mlwright")["pending"] == 0


def test_a_record_that_kills_is_put_aside(project: Path, server: Server) -> None:
    with server.client() as client:
        client.flushall()
        ids = [str(client.xadd("rows", {"x": str(number)})) for number in range(10, 20)]
        for _ in range(12):
            process = consumer(project, server)
            process.communicate(timeout=120)
            if process.returncode == 0:
                break
        found = sorted(fields["source"] for _, fields in client.xrange("scored"))
        assert found == sorted(set(ids) - {ids[3]})
        [dead] = [fields for _, fields in client.xrange("rows:dead")]
        assert dead["source"] == ids[3]
        assert "never finished" in dead["reason"]


def test_sigterm_finishes_what_is_in_hand(project: Path, server: Server) -> None:
    with server.client() as client:
        client.flushall()
        for number in range(100, 1100):
            client.xadd("rows", {"x": str(number)})
        process = consumer(project, server)
        while not client.xlen("scored"):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        report = json.loads(process.communicate(timeout=60)[0])
        assert process.returncode == 0
        assert report["written"] == client.xlen("scored")
        assert client.xpending("rows", "mlwright")["pending"] == 0
