"""The real client tells the same story to MLflow's own server and to ours, answer by answer.

``tests/wire/mlflow_flows.py`` runs once against each. What differs must stand, with its reason, in
``tests/wire/differences.toml``; a reason that no longer applies must go.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.verify

WIRE = Path(__file__).parents[1] / "wire"
CLIENT = (
    "mlflow==3.17.2",
    "pandas==2.3.3",
    "scikit-learn",
    "xgboost-cpu",
    "lightgbm",
    "matplotlib",
)
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(slots=True)
class Difference:
    """Why something may differ, and how often it did."""

    flow: str
    at: str
    reason: str
    seen: list[str] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], folder: Path, port: int) -> Iterator[str]:
    folder.mkdir()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | QUIET)
        try:
            uri, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
            while not _healthy(uri):
                assert process.poll() is None, (folder / "log").read_text()[-3000:]
                assert time.monotonic() < deadline, "the server did not become healthy"
                time.sleep(0.1)
            yield uri
        finally:
            process.terminate()
            process.wait(timeout=60)


def _healthy(uri: str) -> bool:
    try:
        return httpx.get(f"{uri}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def told(python: Path, uri: str, folder: Path) -> dict[str, Any]:
    out = folder / "transcript.json"
    home = {"HOME": str(folder), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [python, WIRE / "mlflow_flows.py", uri, out],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | home,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="module")
def transcripts(environment, tmp_path_factory) -> tuple[dict[str, Any], dict[str, Any]]:
    python = environment("mlflow-flows", *CLIENT)
    folder = tmp_path_factory.mktemp("conformance")
    port = free_port()
    theirs = [
        str(python.parent / "mlflow"),
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    theirs += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts"]
    with serving(theirs, folder / "theirs", port) as uri:
        first = told(python, uri, folder / "theirs")
    port = free_port()
    ours = [sys.executable, "-m", "mlwright", "tracking", "--port", str(port)]
    with serving(ours, folder / "ours", port) as uri:
        second = told(python, uri, folder / "ours")
    return first, second


def test_every_flow_ends_well_with_both_servers(transcripts):
    for server, transcript in zip(("MLflow's", "ours"), transcripts, strict=True):
        failed = {
            name: each["seen"]["FAILED"] for name, each in transcript.items() if "FAILED" in each["seen"]
        }
        assert not failed, f"{server}: {failed}"
        assert len(transcript) >= 16


RACES = (
    ("", r"GET /server-info #\d+$"),  # asked at all in this flow, or remembered from one before
    ("prompts", r"registered-models/get #\d+\.body\.registered_model\.tags"),
)
"""What depends on how far the client's own threads and its memory of the server are: on a slow machine that differs
from run to run, and between the two servers."""


def test_what_the_client_saw_and_what_was_answered_differ_only_where_a_reason_stands(transcripts):
    sys.path.insert(0, str(WIRE))
    from transcript import differences

    listed = tomllib.loads((WIRE / "differences.toml").read_text("utf-8"))["difference"]
    known = [Difference(**each) for each in listed]
    unknown = []
    for name in transcripts[0]:
        for at, theirs, ours in differences(*(_labelled(name, each[name]) for each in transcripts)):
            reasons = [each for each in known if re.search(each.flow, name) and re.search(each.at, at)]
            for each in reasons:
                each.seen.append(at)
            if not reasons and not any(
                re.search(flow, name) and re.search(place, at) for flow, place in RACES
            ):
                unknown.append(f"{name}{at}: {str(theirs)[:300]!r} became {str(ours)[:300]!r}")
    assert not unknown, f"{len(unknown)} differences without a reason:\n" + "\n".join(unknown[:80])
    stale = [f"{each.flow} {each.at}: {each.reason}" for each in known if not each.seen]
    assert not stale, f"these differences are gone; take them from the list: {stale}"


# Autologging sends what it has when some time has passed: how many calls that makes, the machine decides. What they led
# to is compared: the run and its models, as a search finds them.
TIMED = re.compile(r"/(runs/log-batch|metrics/get-history)$")


def _labelled(name: str, flow: dict[str, Any]) -> dict[str, Any]:
    """Exchanges by call and its number, so that the path of a difference says where it is."""
    said: dict[str, object] = {}
    for each in flow["wire"]:
        if name.startswith("autolog") and TIMED.search(each["path"]):
            continue
        call = f"{each['method']} {each['path'].split('/mlflow', 1)[-1]}"
        number = sum(label.startswith(f"{call} #") for label in said)
        said[f"{call} #{number}"] = {"status": each["status"], **_body(each)}
    return {"wire": said, "seen": flow["seen"]}


def _body(exchange: dict[str, Any]) -> dict[str, Any]:
    body = exchange["body"]
    if exchange["status"] >= 400 and isinstance(body, dict):
        # The code is part of the protocol; the words are ours.
        return {"error_code": body.get("error_code")}
    return {"body": body}
