"""The tests of PyTorch and of MLflow's own flavors, in environments that have these libraries."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.verify

ROOT = Path(__file__).parents[2]
OURS = [
    "httpx",
    "hypothesis",
    "msgspec",
    "numpy",
    "packaging",
    "polars",
    "pytest",
    "pytest-timeout",
    "pyyaml",
    "blake3",
]
RUN = """
import sys
sys.path.insert(0, {src!r})
import pytest
sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", *{files!r}]))
"""


def passed(said: str) -> int:
    """How many tests passed; none may have been skipped for want of the library."""
    assert "is not installed" not in said, said
    line = next(each for each in reversed(said.splitlines()) if " passed" in each)
    return int(line.split(" passed")[0].split()[-1])


def test_pytorch(torch_python, ask) -> None:
    files = ["tests/unit/runtimes/test_torch.py", "tests/conformance/test_pytorch_runtime.py"]
    assert passed(ask(torch_python, "-c", RUN.format(src=str(ROOT / "src"), files=files), cwd=ROOT)) >= 60


def test_mlflow_flavors(environment, ask) -> None:
    python = environment("mlflow-flavors", "mlflow-skinny>=3.1", "pandas>=2.2", "scikit-learn", *OURS)
    wanted = "tests/unit/runtimes/test_pyfunc.py::test_a_python_model_of_somebody"
    assert passed(ask(python, "-c", RUN.format(src=str(ROOT / "src"), files=[wanted]), cwd=ROOT)) == 1
