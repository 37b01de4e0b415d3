"""Environments for programs that nobody here wrote: one below .verify for each, made by uv and kept."""

import fcntl
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.verify.serving import IRIS_ROWS, Serving, started

from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.model.batches import batch_of

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

Environment = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first run installs packages: the limit of one minute is for the tests of ./dev test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


def find_uv() -> str | None:
    """The uv that ./dev found, the one on PATH, or the one in .tools: the first that runs."""
    for candidate in (os.environ.get("UV"), "uv", str(ROOT / ".tools/uv/bin/uv")):
        if not candidate or shutil.which(candidate) is None:
            continue
        if subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.fixture(scope="session")
def environment() -> Environment:
    """Makes ``.verify/NAME`` with exactly these packages, and returns its Python.

    ``pip=True`` lets pip install them, which reads settings of this machine that uv does not: an index of its own for
    the builds of torch without a GPU, for one.
    """
    uv = find_uv()

    def make(name: str, *packages: str, pip: bool = False) -> Path:
        if uv is None:
            pytest.skip("uv is not on PATH and not in .tools: run ./dev verify")
        place = ROOT / ".verify" / name
        place.parent.mkdir(exist_ok=True)
        with (place.parent / f"{name}.lock").open("w") as lock:  # two workers may want the same one
            fcntl.flock(lock, fcntl.LOCK_EX)
            return made(uv, place, *packages, pip=pip)

    def made(uv: str | Path, place: Path, *packages: str, pip: bool) -> Path:
        python, stamp = place / "bin" / "python", place / "stamp"
        wanted = "\n".join([sys.version, *packages])
        if not (python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
            venv = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, *["--seed"] * pip, place]
            subprocess.run(venv, check=True, stdin=subprocess.DEVNULL)
            install = [uv, "pip", "install", "--quiet", "--python", python, *packages]
            if pip:
                install = [python, "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(install, check=True, stdin=subprocess.DEVNULL)
            stamp.write_text(wanted, encoding="utf-8")
        return python

    return make


TESTING = ("httpx", "hypothesis", "pytest", "pytest-timeout")


@pytest.fixture(scope="session")
def torch_python(environment: Environment) -> Path:
    """A Python with PyTorch, MLflow's models, what we need, and what our tests need; made once, because it is large."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = (
        "torch==2.13.0+cpu",
        "mlflow-skinny==3.17.2",
        "pandas==2.3.3",
        *TESTING,
        *about["dependencies"],
    )
    try:
        return environment("torch", *packages, pip=True)
    except subprocess.CalledProcessError:
        pytest.skip("no index that pip asks here has torch built without a GPU (one with it is 5 GB)")


Ask = Callable[..., str]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Runs a program of another environment and returns what it printed; its own words are the failure."""

    def run(*command: str | Path, cwd: Path | None = None) -> str:
        # None of our environment's settings reach it: it must see what any user's machine would see.
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=clean)
        assert done.returncode == 0, f"{command[:2]} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running inference process: where it listens, and where its model and its journal are."""

    port: int
    folder: Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Our inference server, in a process of its own, with one endpoint ``delay``."""
    folder = tmp_path_factory.mktemp("served")
    with (folder / "stderr").open("w+", encoding="utf-8") as said:
        command = [sys.executable, HERE / "served.py", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            process.wait(timeout=30)
            said.seek(0)
            pytest.fail(f"the inference process did not start:\n{said.read()[-4000:]}")
        yield Served(port=int(port), folder=folder)
        process.terminate()
        process.communicate(timeout=30)


Serve = Callable[..., Serving]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers, which end with the session. Called with several lists of arguments, they start side by side."""
    running: list[Serving] = []

    def start(*each: list[str], grpc: bool = False) -> Serving | list[Serving]:
        found = [started(tmp_path_factory.mktemp("serve"), *arguments, grpc=grpc) for arguments in each]
        running.extend(found)
        for one in found:
            assert one.process.stdout is not None
            if not one.process.stdout.readline():
                one.process.wait(timeout=30)
                pytest.fail(f"mlwright serve did not start:\n{(one.folder / 'stderr').read_text()[-4000:]}")
        return found[0] if len(found) == 1 else found

    yield start
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.communicate(timeout=60)


@pytest.fixture(scope="session")
def serving_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of serving_models.py's models."""
    for library in ("onnxruntime", "onnx", "skl2onnx"):
        pytest.importorskip(library)
    home = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, HERE / "serving_models.py", home], check=True)
    return home


@pytest.fixture(scope="session")
def iris(serve: Serve, serving_models: Path) -> Serving:
    """The model ``iris`` in two processes that speak HTTP and one that speaks gRPC."""
    pytest.importorskip("grpc")
    return serve([str(serving_models / "iris"), "--name", "iris", "--workers", "2"], grpc=True)


@pytest.fixture(scope="session")
def probabilities(serving_models: Path) -> np.ndarray:
    """What ``iris`` gives for ``IRIS_ROWS``: asked here, without a server."""
    model = OnnxRuntime().load(serving_models / "iris")
    try:
        return model.infer(batch_of(model.signature.inputs, {"X": IRIS_ROWS}))["probabilities"]
    finally:
        model.close()
