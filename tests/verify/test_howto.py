"""The how-to pages with what the suite does without: the real mlflow client, and environments made by uv."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
CLIENT = ("mlflow==3.17.2", "pandas==2.3.3", "scikit-learn", "skops")


def module_of(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.replace("/", "_").removesuffix(".py"), ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def blocks() -> Callable[[str], list]:
    """The blocks of a page, by its path in the repository."""
    pages = module_of("tests/docs/conftest.py")
    return lambda path: list(pages.blocks_of(ROOT / path))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator:
    """Somebody at a terminal in an empty folder."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on PATH")
    somebody = module_of("tests/docs/player.py").Player(tmp_path)
    yield somebody
    somebody.close()


@pytest.fixture
def with_client(reader, environment):
    """Their ``python`` is one that has mlflow and nothing of ours."""
    python = environment("mlflow-pages", *CLIENT)
    (reader.programs / "python").write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec {python} "$@"\n')
    port = reader.ports[0]
    reader.environment |= {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": str(reader.folder),
    }
    return reader


def test_track_with_mlflow_clients(with_client, blocks) -> None:
    assert with_client.play(blocks("docs/how-to/track-with-mlflow-clients.md"), verify=True) >= 7


def test_receive_webhooks(with_client, blocks) -> None:
    assert with_client.play(blocks("docs/how-to/receive-webhooks.md"), verify=True) >= 6


@pytest.fixture
def with_torch(reader, torch_python):
    """Their ``python`` and their ``mlwright`` have torch and MLflow."""
    for program in reader.programs.iterdir():
        text = program.read_text(encoding="utf-8")
        program.write_text(text.replace(sys.executable, str(torch_python)), encoding="utf-8")
    return reader


def test_deploy_a_pytorch_model(with_torch, blocks) -> None:
    assert with_torch.play(blocks("docs/how-to/deploy-a-pytorch-model.md"), verify=True) >= 6


def test_score_a_stream(reader, blocks) -> None:
    tools = ROOT / ".tools/redis/usr"
    path = os.pathsep.join([str(tools / "bin"), os.environ["PATH"]])
    if shutil.which("redis-server", path=path) is None or importlib.util.find_spec("redis") is None:
        pytest.skip("redis-server is not on PATH (Debian), or the extra redis is not installed")
    for program in ("redis-server", "redis-cli"):
        found = shutil.which(program, path=path)
        libraries = ":".join(str(each) for each in (tools / "lib").glob("*-linux-gnu"))
        script = reader.programs / program
        script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries}:$LD_LIBRARY_PATH exec {found} "$@"\n')
        script.chmod(0o755)
    for line in ("init churn", "features", "run train_churn", "deploy churn churn/1"):
        reader.type(f"mlwright {line}")
        if line.startswith("init"):
            reader.type("cd churn")
    page = [each for each in blocks("docs/how-to/score-a-stream.md") if "verify" in each.notes]
    try:
        assert reader.play(page, verify=True) == 8
    finally:
        stop = [reader.programs / "redis-cli", "-p", str(reader.ports[2]), "SHUTDOWN", "NOSAVE"]
        subprocess.run(stop, capture_output=True, check=False)


def test_prove_a_model(reader, blocks) -> None:
    for line in ("init churn", "features", "run train_churn -p end=2025-11-01"):
        reader.type(f"mlwright {line}")
        if line.startswith("init"):
            reader.type("cd churn")
    page = blocks("docs/how-to/prove-a-model.md")
    [isolated] = [each for each in page if "verify" in each.notes]
    assert reader.play([isolated], verify=True) == 1
