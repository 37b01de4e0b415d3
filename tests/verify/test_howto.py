"""The how-to pages with what the suite does without: the real mlflow client, and environments made by uv."""

import importlib.util
import shutil
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


def test_prove_a_model(reader, blocks) -> None:
    for line in ("init churn", "features", "run train_churn -p end=2025-11-01"):
        reader.type(f"mlwright {line}")
        if line.startswith("init"):
            reader.type("cd churn")
    page = blocks("docs/how-to/prove-a-model.md")
    [isolated] = [each for each in page if "verify" in each.notes]
    assert reader.play([isolated], verify=True) == 1
