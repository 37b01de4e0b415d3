"""The demo killed in the middle of its replay goes on where it was, and what it had acknowledged is still there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlwright.doors.cli.projects import write_project
from mlwright.wiring.project import close, open_platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

START, MAY = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)


FEWER = """    raw = raw.filter(pl.col("flight") % 3 == 0, (pl.col("month") != 4) | ~pl.col("day").is_between(9, 28))
    return raw.with_columns("""


def smaller(folder: Path) -> None:
    """Write the demo's project with fewer flights, most days of April left out, and a small model."""
    write_project("flights", folder)
    for file, old, new in (
        ("data.py", "    return raw.with_columns(", FEWER),
        (
            "pipeline.py",
            "learning_rate: float = 0.05, trees: int = 100",
            "learning_rate: float = 0.2, trees: int = 15",
        ),
    ):
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))


@pytest.fixture
def begin(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts the demo as the leader of a process group of its own."""
    command = [sys.executable, "-m", "mlwright", "demo", str(tmp_path / "demo"), "--months", "1", "--json"]
    begun: list[subprocess.Popen[bytes]] = []

    def one() -> "subprocess.Popen[bytes]":
        with (tmp_path / "said.txt").open("ab") as said, (tmp_path / "result.json").open("wb") as result:
            begun.append(
                subprocess.Popen(command, env=environment, stdout=result, stderr=said, start_new_session=True)
            )
        return begun[-1]

    yield one
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def through(folder: Path) -> datetime:
    """The instant up to which the replay says that it came."""
    mark = folder / "demo" / ".mlwright" / "replay.json"
    return datetime.fromisoformat(json.loads(mark.read_text())["through"]) if mark.exists() else START


def test_a_demo_that_was_killed_goes_on_and_has_lost_nothing(tmp_path, begin) -> None:
    smaller(tmp_path / "demo")
    first = begin()
    while (through(tmp_path) - START).days < 4:
        assert first.poll() is None, (tmp_path / "said.txt").read_text()
        time.sleep(0.05)
    time.sleep(0.2)  # into the middle of a day
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    came = through(tmp_path)

    platform = open_platform(tmp_path / "demo")
    try:
        flights = platform.data.load("flights").frame.filter(
            pl.col("predict_at").is_between(START, MAY, closed="left")
        )
        before = platform.parts.log.predictions(None, served_only=True)["prediction_id"]
        answered = platform.parts.log.predictions(None, served_only=True)["entity_key"]
        known = platform.parts.log.labels(None)["entity_key"]
        asked = flights.filter(pl.col("predict_at") < came)["flight_id"]
        landed = flights.filter(pl.col("arrived") < came, pl.col("late").is_not_null())["flight_id"]
        assert asked.len() > 1000
        assert set(asked) <= set(answered)
        assert set(landed) <= set(known)

        second = begin()
        assert second.wait(timeout=200) == 0, (tmp_path / "said.txt").read_text()
        assert f"resuming at {came:%d %B %Y}" in (tmp_path / "said.txt").read_text()
        served = platform.parts.log.predictions(None, served_only=True)
        # Each flight once, and under the name it was acknowledged with, though a part of a day was asked for twice.
        assert set(before) <= set(served["prediction_id"])
        assert sorted(served["entity_key"]) == sorted(flights["flight_id"])
        assert platform.records.broken_audit_row() is None
    finally:
        close(platform)

    (month,) = json.loads((tmp_path / "result.json").read_bytes())["months"]
    assert month["month"] == "2013-04"
    assert month["labelled"] == flights["late"].drop_nulls().len()
    assert len(month["auc"]) == 4
