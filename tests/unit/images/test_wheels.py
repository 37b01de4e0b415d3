"""Wheels of what is installed, and which packages an endpoint needs."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest

from mlwright.adapters.images.packages import InstalledPackages
from mlwright.adapters.images.wheels import pack_installed, pack_source
from mlwright.errors import EnvironmentFailed, EnvironmentUndecided
from mlwright.model.images import Ended, Pin
from mlwright.model.settings import EdgeSettings, EndpointSettings, ServingSettings
from mlwright.stages.images.needs import SERVING, libraries, roots

PINS = (Pin(name="numpy", version="2.1"), Pin(name="scikit-learn", version="1.5"))


@pytest.fixture
def installed(tmp_path) -> Path:
    """A package of one module, a script and a file beside, as an installer leaves it."""
    site = tmp_path / "env" / "lib" / "site-packages"
    source = tmp_path / "source" / "tiny_thing"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("NAME = 'tiny'\n")
    (source / "data.bin").write_bytes(bytes(range(256)))
    wheel = pack_source("tiny-thing", "1.2", source, None, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    script = site.parents[1] / "bin" / "tiny"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    info = site / "tiny_thing-1.2.dist-info"
    (info / "INSTALLER").write_text("somebody")
    with (info / "RECORD").open("a") as record:
        record.write("../../bin/tiny,,\ntiny_thing-1.2.dist-info/INSTALLER,,\n")
    return info


def test_an_installed_package_becomes_the_same_wheel_again(installed, tmp_path) -> None:
    wheel = pack_installed(PathDistribution(installed), tmp_path / "out")
    assert wheel.name == "tiny_thing-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read("tiny_thing/data.bin") == bytes(range(256))
        assert archive.getinfo("tiny_thing-1.2.data/scripts/tiny").external_attr >> 16 & 0o111
        assert not [each for each in names if each.endswith("INSTALLER")]
        assert archive.testzip() is None
    assert sorted(names[:-1]) == names[:-1]


def test_what_was_changed_since_is_not_packed(installed, tmp_path) -> None:
    (installed.parent / "tiny_thing" / "__init__.py").write_text("NAME = 'evil'\n")
    (installed.parent / "tiny_thing" / "data.bin").unlink()
    with pytest.raises(EnvironmentFailed) as caught:
        pack_installed(PathDistribution(installed), tmp_path / "out")
    assert {each.where for each in caught.value.faults} == {"tiny_thing/__init__.py", "tiny_thing/data.bin"}


@pytest.mark.slow
def test_pip_installs_what_was_packed(tmp_path) -> None:
    """With compiled code, several tags and a metadata file that pip reads."""
    wheel = pack_installed(distribution("msgspec"), tmp_path)
    target = tmp_path / "target"
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip")
    assert done.returncode == 0, done.stderr
    code = "import msgspec; print(msgspec.__file__, msgspec.json.encode([1]).decode())"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(target)}
    )
    assert said.stdout.startswith(str(target)), said.stderr
    assert said.stdout.strip().endswith("[1]")


def test_a_lock_comes_from_uv_or_not_at_all(tmp_path) -> None:
    asked: list[list[str]] = []

    def packages(answer: Ended | Exception | None) -> InstalledPackages:
        def uv(words) -> Ended:
            asked.append(list(words))
            assert Path(words[2]).read_text() == "numpy==2.1\nscikit-learn==1.5\n"
            if isinstance(answer, Exception):
                raise answer
            assert answer is not None
            return answer

        return InstalledPackages(tmp_path, "1", None if answer is None else uv)

    whole = "numpy==2.1 \\\n    --hash=sha256:aa\nscikit_learn==1.5 \\\n    --hash=sha256:bb\n"
    assert packages(Ended(code=0, out=whole)).lock(PINS, "3.12", "linux/arm64") == whole
    assert asked[0][-4:] == ["--python-version", "3.12", "--python-platform", "aarch64-manylinux_2_28"]
    assert packages(Ended(code=0, out=whole[:40])).lock(PINS, "3.12", "") is None
    assert packages(Ended(code=1, out="", err="no network")).lock(PINS, "3.12", "") is None
    assert packages(EnvironmentUndecided("no uv")).lock(PINS, "3.12", "") is None
    assert packages(None).lock(PINS, "3.12", "") is None


ENDPOINT = EndpointSettings(name="churn", model="churn/1")
THERE = (
    *SERVING,
    "scikit-learn",
    "xgboost-cpu",
    "polars",
    "jsonschema",
    "pandas",
    "mlflow",
    "mlwright",
    "skops",
)


@pytest.mark.parametrize(
    ("flavor", "requirements", "more"),
    [
        ("mlwright_function", ["mlwright==0.1"], set()),
        ("sklearn", ["scikit_learn==1.5", "skops", "mlflow==3.1", "not-here"], {"scikit-learn", "skops"}),
        ("xgboost", [], {"xgboost-cpu"}),
        ("onnx", [], {"onnxruntime"}),
        ("python_function", ["mlflow==3.1"], {"mlflow", "pandas"}),
    ],
)
def test_what_an_endpoint_needs(flavor, requirements, more) -> None:
    assert set(roots(flavor, requirements, ENDPOINT, THERE)) == {*SERVING, *more}


def test_views_and_contracts_need_data_frames() -> None:
    edge = ServingSettings(edge=EdgeSettings(contract="churn.yaml"))
    assert {"polars", "jsonschema"} <= set(roots("sklearn", [], replace(ENDPOINT, serving=edge), THERE))
    assert "polars" in roots("sklearn", [], replace(ENDPOINT, features=("plans",)), THERE)
    assert libraries(["lightgbm", "numpy"]) == ("libgomp1",)
