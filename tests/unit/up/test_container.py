"""The program of an image, outside a container: it serves what a folder holds with few packages, and ends well."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.doors.up.container_check import main as check
from mlwright.doors.up.processes import free_port
from mlwright.doors.up.trimming import unneeded
from mlwright.errors import ArtifactCorrupt
from mlwright.model.fitted import Fitted
from mlwright.model.images import Baked
from mlwright.model.settings import EndpointSettings
from mlwright.stages.images.baked import FILE, MODEL, digest_of, encode_baked, read_baked
from mlwright.stages.images.needs import SERVING

RULES = """
def predict(months: float, plan: str | None) -> float:
    return 1 / (1 + months) + (0.5 if plan == "basic" else 0.0)
"""
# Packages that are not of the image are not to be found, nor the parts of mlwright that it leaves out.
FENCED = """
import sys
from importlib.metadata import packages_distributions
allowed, gone = set(sys.argv[1].split(",")), tuple(sys.argv[2].split(","))
known = {name: {each.lower() for each in by} for name, by in packages_distributions().items()}
class Fence:
    def find_spec(self, name, path=None, target=None):
        head = name.partition(".")[0]
        if (head in known and head != "mlwright" and not known[head] & allowed) or name.startswith(gone):
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Fence())
del sys.argv[1:3]
from mlwright.doors.up.container import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """What an image has at /opt/endpoint."""
    source = tmp_path_factory.mktemp("source")
    (source / "container_rules.py").write_text(RULES)
    sys.path.insert(0, str(source))
    try:
        import container_rules  # type: ignore[import-not-found]

        fitted = Fitted.of(container_rules.predict)
    finally:
        sys.path.remove(str(source))
    place = tmp_path_factory.mktemp("endpoint")
    inputs = {"months": [3.0, 0.0], "plan": ["basic", None]}
    (place / MODEL).mkdir()
    FunctionRuntime().save(
        fitted.model, place / MODEL, signature=fitted.signature, example=inputs, categories=fitted.categories
    )
    files = {
        each.relative_to(place / MODEL).as_posix(): digest_of(each)
        for each in sorted((place / MODEL).rglob("*"))
        if each.is_file()
    }
    baked = Baked(
        endpoint=EndpointSettings(name="risk", model="risk/3", keyed=False),
        model="risk",
        version=3,
        digest="blake3:" + "0" * 64,
        flavor="mlwright_function",
        files=files,
        inputs=inputs,
        outputs={"output": [0.75, 1.0]},
    )
    (place / FILE).write_bytes(encode_baked(baked))
    return place


@contextmanager
def container(place: Path, state: Path, *, workers: int = 1) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    gone = ",".join(
        "mlwright." + str(each.relative_to("/x/mlwright")).replace("/", ".") for each in left_out(Path("/x"))
    )
    words = [
        sys.executable,
        "-c",
        FENCED,
        ",".join(SERVING),
        gone,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    words += ["--place", str(place), "--state", str(state), "--workers", str(workers)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def left_out(packages: Path) -> list[Path]:
    from mlwright.doors.up import trimming

    return [packages / "mlwright" / each for each in trimming._NOT_SERVING]


def test_it_serves_with_the_packages_of_the_image_alone(place, tmp_path, monkeypatch, capsys) -> None:
    with container(place, tmp_path / "state") as (process, port):
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready {port}\n", process.communicate()[1]
        monkeypatch.setenv("MLWRIGHT_PORT", str(port))
        monkeypatch.setenv("MLWRIGHT_PLACE", str(place))
        assert check(["health"]) == 0
        assert check(["try"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["rows"], said["compared"], said["greatest_difference"]) == (2, 2, 0.0)
        for path in ("/metrics", "/openapi.json", "/v2/models/risk"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert list((tmp_path / "state" / "log").rglob("*"))
        assert check(["health"]) == 1


@pytest.mark.slow
def test_several_processes_share_the_port(place, tmp_path) -> None:
    # Its workers are started without the fence: what they import is what the only process does.
    with container(place, tmp_path / "state", workers=2) as (process, port):
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready {port}\n", process.communicate()[1]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert not any(Path(f"/proc/{each}").exists() for each in children)


@pytest.mark.parametrize("after_s", [0.1, 0.3])
def test_a_container_that_is_stopped_while_it_starts_ends(place, tmp_path, after_s) -> None:
    with container(place, tmp_path / "state") as (process, _):
        time.sleep(after_s)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)  # the latter before Python had begun


def test_other_bytes_are_refused(place, tmp_path) -> None:
    copy = Path(shutil.copytree(place, tmp_path / "copy"))
    assert read_baked(copy).ref == "risk/3"
    (copy / MODEL / "MLmodel").write_text("flavors: {}\n")
    with pytest.raises(ArtifactCorrupt) as caught:
        read_baked(copy)
    assert [each.where for each in caught.value.faults] == ["model/MLmodel"]
    with container(copy, tmp_path / "state") as (process, _):
        assert process.wait(timeout=30) == ArtifactCorrupt.exit_code
        assert "MLmodel" in process.communicate()[1]


@pytest.mark.parametrize(
    ("outputs", "said"), [({"output": [0.75, 9.0]}, "value 1"), ({"nobody": [1.0, 1.0]}, "nobody")]
)
def test_another_answer_is_noticed(place, tmp_path, monkeypatch, capsys, outputs, said) -> None:
    with container(place, tmp_path / "state") as (process, port):
        assert process.stdout is not None
        process.stdout.readline()
        other = tmp_path / "other"
        other.mkdir()
        (other / FILE).write_bytes(encode_baked(replace(read_baked(place), outputs=outputs)))
        monkeypatch.setenv("MLWRIGHT_PORT", str(port))
        monkeypatch.setenv("MLWRIGHT_PLACE", str(other))
        assert check(["try"]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--workers", "0"], ["--port", "70000"], ["--workers", "many"]])
def test_settings_that_cannot_be(place, tmp_path, words) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlwright.doors.up.container", "--place", str(place), *words],
        capture_output=True, text=True, env={**os.environ}, timeout=50,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.search("MLWRIGHT_|invalid int", done.stderr)


def test_only_whole_folders_are_trimmed(tmp_path) -> None:
    for name in (
        "numpy/tests/data",
        "numpy/core",
        "mlwright/engineer/probes",
        "mlwright/doors/up",
        "mine/tests",
    ):
        (tmp_path / name).mkdir(parents=True)
    assert unneeded(tmp_path) == [tmp_path / "mlwright/engineer", tmp_path / "numpy/tests"]
