"""A small project on disk, trained and deployed once; each test breaks a copy of its own from the command line."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

import mlwright
from mlwright.adapters.config.load import load_settings
from mlwright.platform.facade import Platform
from mlwright.wiring.inference import encode_settings
from mlwright.wiring.project import close, open_platform

# The children stand in other folders; they shall import the same mlwright as this process. Without bytecode each would
# compile everything anew, which takes longer than what is tested.
# Many small processes share few cores: threads that wait for each other in a loop would take most of the time.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(mlwright.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)

SETTINGS = """\
[project]
name = "clinic"

[[dataset]]
name = "visits"
source = "visits.csv"
contract = "contracts/visits.odcs.yaml"

[[endpoint]]
name = "early"
model = "early@champion"
entity = "visit_id"
timestamp = "at"
label = { column = "missed", horizon = "1d" }

[[endpoint]]
name = "late"
model = "late@champion"
entity = "visit_id"
timestamp = "at"
label = { column = "missed", horizon = "1d" }
"""

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
schema:
  - name: visits
    physicalType: table
    properties:
      - {name: visit_id, logicalType: string, required: true}
      - {name: at, logicalType: timestamp, required: true}
      - {name: distance, logicalType: number, required: true}
      - {name: age, logicalType: integer}
      - name: missed
        logicalType: boolean
        customProperties: [{property: availableAt, value: later}]
"""

PIPELINE = """\
import time
from datetime import date
from pathlib import Path

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from mlwright import Fitted, encode, evaluate, examples, gate, pipeline, register, split, step


@step
def train(rows: pl.DataFrame, seed: int) -> Fitted:
    x = encode(rows, ["distance", "age"])
    return x.fitted(HistGradientBoostingClassifier(max_iter=10, random_state=seed).fit(x.matrix, rows["missed"]))


@pipeline
def train_missed(model: str = "early", seed: int = 1):
    rows = examples(
        endpoint="early", dataset="visits", inputs=["distance", "age"], start=date(2025, 1, 1), end=date(2025, 3, 2)
    )
    fit, hold = split(rows, last="14d", by="at")
    scores = evaluate(train(fit, seed), hold)
    gate(scores.auc > 0.6, "better than a coin")
    return register(train(rows, seed), model, evidence=scores, trained_on=rows)


@step
def count(limit: int) -> int:
    with (Path(__file__).parent / "counted").open("a") as file:
        file.write("once\\n")
    return limit * 2


@step(checkpoint=False)
def wait(seconds: float) -> None:
    (Path(__file__).parent / "waiting").touch()
    time.sleep(seconds)


@pipeline
def slow(seconds: float = 0.0):
    count(21)
    wait(seconds)
"""


@dataclass(frozen=True)
class Clinic:
    """The project's folder, and a shell in it."""

    folder: Path
    environment = ENVIRONMENT

    def start(self, *words: str, **how: object) -> "subprocess.Popen[str]":
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "mlwright", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,  # type: ignore[arg-type]
        )

    def run(self, *words: str, **how: object) -> "subprocess.CompletedProcess[str]":
        """Type a command and wait for its end."""
        process = self.start(*words, **how)
        out, said = process.communicate(timeout=45)
        return subprocess.CompletedProcess(words, process.returncode, out, said)

    def json(self, *words: str):
        """Type a command that must succeed; returns what it gives to machines."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def refused(self, code: int, *words: str, **how: object) -> str:
        """Type a command that must fail; returns what it said, which says what to type next."""
        done = self.run(*words, **how)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr
        assert "\n  next: " in done.stderr, done.stderr
        return done.stderr

    def rewrite(self, file: str, old: str, new: str) -> None:
        """Change one of the project's files."""
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """The project's platform in this process, to look at what the others left."""
        platform = open_platform(self.folder)
        try:
            yield platform
        finally:
            close(platform)

    def line(self) -> str:
        """The settings as a worker reads them."""
        return f"{encode_settings(load_settings(self.folder / 'mlwright.toml')).decode()}\n"

    @contextmanager
    def worker(self, port: int) -> Iterator["subprocess.Popen[str]"]:
        """One inference process, ready."""
        command = [sys.executable, "-m", "mlwright.doors.up.worker", "--port", str(port)]
        with subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(self.line())
                process.stdin.flush()
                assert process.stdout.readline() == f"ready {port}\n"
                yield process
            finally:
                process.kill()


def visits() -> pl.DataFrame:
    """Sixty days of appointments; who lives far away misses more of them."""
    random = np.random.default_rng(2)
    distance = random.gamma(2.0, 3.0, size=2400).round(2)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "visit_id": [f"v{number:04d}" for number in range(2400)],
            "at": [start + timedelta(minutes=36 * number) for number in range(2400)],
            "distance": distance,
            "age": random.integers(18, 90, size=2400),
            "missed": random.random(2400) < 1 / (1 + np.exp(3 - 0.4 * distance)),
        }
    )


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """Two models, each behind its endpoint, made in this process because that is faster. Nobody may change this one."""
    made = Clinic(tmp_path_factory.mktemp("clinic"))
    (made.folder / "contracts").mkdir()
    (made.folder / "mlwright.toml").write_text(SETTINGS)
    (made.folder / "contracts" / "visits.odcs.yaml").write_text(CONTRACT)
    (made.folder / "pipeline.py").write_text(PIPELINE)
    visits().write_csv(made.folder / "visits.csv")
    with threadpool_limits(1), made.platform() as platform:
        for place, name in enumerate(("early", "late")):
            platform.training.run("train_missed", {"model": name, "seed": place})
            platform.releases.deploy(name, f"{name}/1")
    return made


@pytest.fixture
def clinic(opened: Clinic, tmp_path: Path) -> Clinic:
    """The test's own copy."""
    shutil.copytree(opened.folder, tmp_path / "clinic")
    return Clinic(tmp_path / "clinic")


@pytest.fixture
def environment() -> dict[str, str]:
    """What a child process is given."""
    return ENVIRONMENT


@pytest.fixture
def port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def like_anybody() -> Callable[[], None]:
    """Makes a child process of root obey the permissions of files, as everybody else has to."""

    def drop() -> None:
        if os.geteuid() == 0:
            ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE

    return drop
