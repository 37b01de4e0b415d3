"""``predict --output``: the project's endpoint and models, without a server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from mlwright.doors.cli.commands.predicting import _until_told

ROWS = pl.DataFrame(
    {
        "renewal_id": ["x1", "x2", "x3"],
        "customer_id": ["c001", "c002", "c003"],
        "asked_at": ["2025-11-03T10:00:00Z", "2025-11-03T11:00:00Z", "2025-11-03T12:00:00Z"],
        "plan": ["basic", "pro", "family"],
        "months": [3, 30, 7],
        "price": [9.0, 29.0, 15.0],
        "tickets": [2, None, 0],
    }
)


@pytest.fixture
def rows(tmp_path) -> Path:
    ROWS.write_csv(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


def test_files_of_an_endpoint_with_features(deployed, rows, tmp_path) -> None:
    done = deployed("predict", "churn", "--input", str(rows), "--output", str(tmp_path / "out.parquet"))
    assert done.exit_code == 0, done.output
    assert "churn/1" in done.stdout
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found.columns == ["renewal_id", "asked_at", "score", "model_version", "flags"]
    assert found["score"].is_between(0, 1).all()
    again = deployed.json("predict", "churn", "--input", str(rows), "--output", str(tmp_path / "out.parquet"))
    assert (again["found_done"], again["written"], again["missed"]) == (1, 3, {})
    refused = deployed.json(
        "predict",
        "churn",
        "--input",
        str(rows),
        "--output",
        str(tmp_path / "out.parquet"),
        "--limit",
        "2",
        code=4,
    )
    assert "--restart" in json.dumps(refused)


@pytest.mark.parametrize("what", ["churn/1", "churn@champion"])
def test_a_version_alone_takes_all_its_inputs(deployed, rows, tmp_path, what) -> None:
    output = str(tmp_path / "out.csv")
    done = deployed("predict", what, "--input", str(rows), "--output", output)
    assert "not in the input, and taken as missing: minutes, sessions" in done.stdout
    ROWS.with_columns(sessions=pl.lit(3), minutes=pl.lit(20.0)).write_csv(rows)
    words = ["--input", str(rows), "--output", output, "--restart"]
    done = deployed.json("predict", what, *words)
    assert (done["written"], done["absent"]) == (3, [])


def test_rejected_rows_end_it_with_1(deployed, rows, tmp_path) -> None:
    rows.write_text(rows.read_text().replace("29.0", "dear"), encoding="utf-8")
    done = deployed("predict", "churn", "--input", str(rows), "--output", str(tmp_path / "out"))
    assert done.exit_code == 1, done.output
    assert "price" in done.stdout
    [line] = (tmp_path / "out" / "_rejected-00000.ndjson").read_text().splitlines()
    assert json.loads(line)["row"] == 1
    imputed = ["--output", str(tmp_path / "imputed"), "--invalid", "impute"]
    assert deployed.json("predict", "churn", "--input", str(rows), *imputed)["flagged"] == 1


def test_a_folder_of_files(deployed, rows, tmp_path) -> None:
    (tmp_path / "inbox").mkdir()
    rows.rename(tmp_path / "inbox" / "rows.csv")
    (tmp_path / "inbox" / "poison.parquet").write_bytes(b"poison")
    words = ["--watch", str(tmp_path / "inbox"), "--output", str(tmp_path / "out"), "--idle", "100ms"]
    assert deployed.json("predict", "churn", *words, code=1) == {
        "folder": str(tmp_path / "inbox"),
        "files": 2,
        "failed": 1,
    }
    assert pl.read_parquet(tmp_path / "out" / "rows.csv.parquet").height == 3
    assert (tmp_path / "inbox" / "failed" / "poison.parquet.reason.json").exists()
    assert deployed.json("predict", "churn", *words)["files"] == 0


def test_logged(copied, rows, tmp_path) -> None:
    words = ["--input", str(rows), "--output", str(tmp_path / "out.parquet"), "--log"]
    assert copied("predict", "churn", *words).exit_code == 0
    ids = pl.read_parquet(tmp_path / "out.parquet")["prediction_id"]
    assert ids.n_unique() == 3
    window = ["--from", "2025-11-03", "--to", "2025-11-04"]
    assert copied.json("monitor", "churn", *window)["performance"][0]["predictions"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--input FILE or --example"),
        (["--example", "--keep", "x"], "--keep means nothing without --output"),
        (["--watch", "inbox"], "give --output"),
        (["--input", "redis://127.0.0.1/rows"], "give --output"),
        (["--output", "out"], "give --input"),
        (["--watch", ".", "--output", "o", "--idle", "soon"], "--idle cannot be read"),
    ],
)
def test_what_cannot_be_meant(deployed, words, said) -> None:
    done = deployed("predict", "churn", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_near_endpoints_are_suggested(deployed, rows, tmp_path) -> None:
    done = deployed("predict", "chrn", "--input", str(rows), "--output", str(tmp_path / "out"))
    assert done.exit_code == 3
    assert "did you mean" in done.stderr


def test_signals_are_waited_for() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _until_told() as stopped:
        assert not stopped(0)
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        assert stopped(10)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_several_processes_killed_and_gone_on_with(deployed, tmp_path) -> None:
    """kill -9 leaves nobody behind, and what goes on afterwards is what one process would have written."""
    big = pl.concat([ROWS] * 200).with_columns(renewal_id=pl.int_range(600).cast(pl.String))
    big.write_parquet(tmp_path / "big.parquet")
    words = ["predict", "churn", "--input", str(tmp_path / "big.parquet"), "--chunk-rows", "10"]
    command = [sys.executable, "-m", "mlwright", "--project", deployed.folder, *words]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path / "out"), "--workers", "2"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list((tmp_path / "out").glob("part-*")):
        assert process.poll() is None
        time.sleep(0.02)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    )
    pids = [int(each) for each in children.stdout.split()]
    process.kill()
    process.wait()
    assert len(pids) >= 2
    deadline = time.monotonic() + 30
    while [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.05)
    done = deployed.json(*words, "--output", str(tmp_path / "out"), "--workers", "1")
    assert (done["written"], done["parts"]) == (600, 60)
    deployed.json(*words, "--output", str(tmp_path / "one"), "--workers", "1")
    one, two = (pl.read_parquet(tmp_path / name / "part-*.parquet") for name in ("one", "out"))
    assert one.equals(two)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
