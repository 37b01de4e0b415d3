"""Commands in a folder that only ``mlwright tracking`` keeps: no project, and records all the same."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli.main import cli
from mlwright.model.ids import RunId
from mlwright.wiring.tracking import open_tracking


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunId:
    """A run that a client logged, and one that it deleted."""
    monkeypatch.chdir(tmp_path)
    state = tmp_path / ".mlwright"
    url, artifacts = f"sqlite:///{state / 'mlwright.db'}", str(state / "artifacts")
    with open_tracking(database=url, artifacts=artifacts, state=state) as tracking:
        tracking.runs.delete(tracking.runs.create("0", name="gone").id)
        return tracking.runs.create("0", name="kept").id


def ask(*words: str) -> Result:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli, words)
    assert done.exit_code == 0, done.output
    return done


def test_the_runs_of_clients_are_listed_and_looked_at(run: RunId) -> None:
    assert run in [each["id"] for each in json.loads(ask("runs", "--json").stdout)]
    assert "kept" in ask("runs", run).stdout


def test_the_audit_chain_is_read_and_verified(run: RunId) -> None:
    assert "run.delete" in ask("audit").stdout
    assert "the audit chain is whole" in ask("audit", "--verify").stdout
    assert "nothing was decided yet" in ask("decisions").stdout


def test_elsewhere_there_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["runs"])
    assert done.exit_code == 2
    assert "no mlwright.toml" in done.output
