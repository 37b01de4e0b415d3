"""``gc``: what was deleted goes for good, what is in use stays."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli.main import cli
from mlwright.wiring.tracking import open_tracking


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gc(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["gc", *words])


def test_deleted_artifacts_give_the_disk_back(here: Path) -> None:
    state = here / ".mlwright"
    tracking = open_tracking(
        database=f"sqlite:///{state / 'mlwright.db'}", artifacts=str(state / "artifacts"), state=state
    )
    kept = tracking.artifacts.put_bytes("0/r/kept", b"kept")
    gone = tracking.artifacts.put_bytes("0/r/gone", b"gone!")
    tracking.artifacts.delete("0/r/gone")
    tracking.close()
    blobs = {each.name: each for each in (state / "artifacts").rglob("*") if each.is_file()}
    for each in blobs.values():
        os.utime(each, (0, 0))
    dry = gc("--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "1 blobs of together 5 bytes would be removed; 1 old ones are in use" in dry.output
    assert all(each.exists() for each in blobs.values())
    done = gc("--older-than", "2d", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["blobs"] == {
        "blobs": 1,
        "size": 5,
        "kept": 1,
        "unfinished": 0,
        "dry": False,
    }
    assert [blobs[each.digest[9:]].exists() for each in (kept, gone)] == [True, False]


def test_a_span_that_cannot_be_read(here: Path) -> None:
    done = gc("--older-than", "soon")
    assert done.exit_code == 2
    assert "mlwright gc --older-than 30d" in done.output
