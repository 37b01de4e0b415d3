"""An image of one endpoint, built and run by a real Docker engine without a network: ``mlwright build image``."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.verify.engines import BASE, Engine, Missing, docker_engine, import_base

from mlwright.adapters.images.engines import CommandEngine
from mlwright.doors.up.processes import free_port
from mlwright.model.images import ImageContext
from mlwright.stages.images.recipe import CHECK, PYTHON
from mlwright.testing.conformance.images import ImageEngineConformance

pytestmark = pytest.mark.verify

RULES = """
EXAMPLE = [{"months": 3.0, "plan": "basic"}, {"months": 40.0, "plan": None}]

def predict(months: float, plan: str | None) -> float:
    return 1 / (1 + months) + (0.5 if plan == "basic" else 0.0)
"""
WRITES = """
import errno
try:
    open("/opt/endpoint/x", "w")
except OSError as error:
    print(error.errno == errno.EROFS)
"""
ORPHAN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.2)
    os._exit(0)
"""
ZOMBIES = """
import os
found = [open(f"/proc/{each}/stat").read() for each in os.listdir("/proc") if each.isdigit()]
print(sum(each.rpartition(")")[2].split()[0] == "Z" for each in found))
"""
LIMITS = (
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
)


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    try:
        with docker_engine() as engine:
            import_base(engine)
            yield engine
    except Missing as why:
        pytest.skip(str(why))


@pytest.fixture
def engine(docker) -> Engine:
    return docker


@pytest.fixture(scope="module")
def made(docker, tmp_path_factory) -> dict[str, dict[str, object]]:
    """What the command line says of an image that it wrote, built and tried."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "rules.py").write_text(RULES)
    environment = {**os.environ, "DOCKER_HOST": docker.words[2]}

    def type_(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mlwright", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    type_("models", "register", "rules.py:predict", "--name", "risk")
    said = type_(
        *("build", "image", "risk", "--packages", "installed", "--base", BASE, "--engine", "docker", "--json")
    )
    made = json.loads(said)
    made["context"]["folder"] = str(folder / made["context"]["folder"])
    return made


@dataclass(slots=True)
class Container:
    """One that runs with as few rights as it can, on a port of this machine's loopback."""

    engine: Engine
    volume: str
    workers: int = 1
    port: int = field(default_factory=free_port)
    id: str = ""
    ready_s: float = 0.0

    def __enter__(self) -> "Container":
        told = {"HOST": "127.0.0.1", "PORT": self.port, "WORKERS": self.workers}
        variables = [f"--env=MLWRIGHT_{name}={value}" for name, value in told.items()]
        began = time.monotonic()
        state = f"--volume={self.volume}:/var/lib/mlwright"
        self.id = self.engine("run", "--detach", *LIMITS, state, *variables, "risk:1").split()[-1]
        while "ready" not in (said := self.engine("logs", self.id)):
            running = self.engine("inspect", "--format", "{{.State.Running}}", self.id).strip()
            assert running == "true", said
            assert time.monotonic() - began < 60, said
            time.sleep(0.02)
        self.ready_s = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        self.engine("rm", "--force", self.id)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def ask(self, months: float) -> float:
        inputs = [
            {"name": "months", "datatype": "FP64", "shape": [1], "data": [months]},
            {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["basic"]},
        ]
        body = json.dumps({"inputs": inputs}).encode()
        url = f"http://127.0.0.1:{self.port}/v2/models/risk/infer"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
            return json.loads(answer.read())["outputs"][0]["data"][0]

    def inside(self, code: str) -> str:
        return self.engine("exec", self.id, PYTHON, "-c", code).strip()

    def stop(self) -> int:
        """As an orchestrator ends it; the exit code."""
        began = time.monotonic()
        self.engine("stop", "--time", "20", self.id)
        assert time.monotonic() - began < 15
        return int(self.engine("wait", self.id))


def test_it_was_built_small_and_tried(made) -> None:
    image, checked = made["image"], made["checked"]
    assert image["tag"] == "risk:1"
    assert 0 < image["own_bytes"] < 150_000_000
    assert (checked["rows"], checked["compared"], checked["exit_code"]) == (2, 2, 0)
    assert made["context"]["offline"] is made["context"]["hashed"] is True
    assert len(made["context"]["pins"]) < 10


def test_it_says_what_it_is(made, engine) -> None:
    [described] = json.loads(engine("inspect", "risk:1"))
    config = described["Config"]
    assert (config["User"], config["StopSignal"]) == ("10001", "SIGTERM")
    assert config["Entrypoint"][0] == PYTHON
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "/var/lib/mlwright" in config["Volumes"]
    assert "8501/tcp" in config["ExposedPorts"]
    assert config["Labels"]["org.opencontainers.image.version"] == "1"
    assert re.fullmatch("blake3:[0-9a-f]{64}", config["Labels"]["org.opencontainers.image.revision"])


@pytest.mark.parametrize("workers", [1, 2])
def test_it_answers_ends_well_and_keeps_its_log(made, engine, workers) -> None:
    volume = f"state-{workers}"
    for turn in (1, 2):
        with Container(engine, volume, workers) as container:
            assert [container.ask(months) for months in (0.0, 1.0, 3.0)] == [1.5, 1.0, 0.75]
            metrics = container.get("/metrics")
            assert re.search(r'mlwright_requests_total\{[^}]*"risk"[^}]*\} \d', metrics)
            assert container.inside("import os; print(os.getuid())") == "10001"
            assert (
                container.inside("print(open('/proc/1/status').read().split('Uid:')[1].split()[1])")
                == "10001"
            )
            assert container.inside(WRITES) == "True"
            assert container.stop() == 0
        assert predictions(engine, volume) == 3 * turn


def predictions(engine: Engine, volume: str) -> int:
    """How many are in the log that a volume holds."""
    from datetime import UTC, datetime

    from mlwright.model.windows import Window
    from mlwright.stages.serving.log import PredictionLog

    place = Path(engine("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip())
    window = Window(start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
    return PredictionLog(place / "log").predictions(window, endpoint="risk").height


def test_it_listens_on_every_address_of_its_own_network(made, engine) -> None:
    container = CommandEngine(engine.words).start("risk:1")
    try:
        ready = engine("exec", container, *CHECK, "try")
        assert json.loads(ready)["compared"] == 2
        sockets = engine("exec", container, PYTHON, "-c", "print(open('/proc/net/tcp').read())")
        assert f"00000000:{8501:04X}" in sockets
        assert engine("exec", container, *CHECK, "health") == ""
    finally:
        assert CommandEngine(engine.words).stop(container, 20).code == 0


def test_process_one_leaves_no_zombies(made, engine) -> None:
    with Container(engine, "zombies") as container:
        for _ in range(3):
            container.inside(ORPHAN)
        deadline = time.monotonic() + 15
        while (left := container.inside(ZOMBIES)) != "0" and time.monotonic() < deadline:
            time.sleep(0.5)
        assert left == "0"
        assert container.ask(1.0) == 1.0


class TestDocker(ImageEngineConformance):
    @pytest.fixture
    def engine(self, docker) -> CommandEngine:
        return CommandEngine(docker.words)

    @pytest.fixture
    def context(self, made) -> ImageContext:
        told = made["context"]
        return ImageContext(**{**told, "folder": Path(told["folder"]), "pins": (), "notes": ()})

    @pytest.fixture
    def quick(self) -> tuple[str, ...]:
        return (*CHECK, "try")  # waits until it serves
