"""Runs of pipelines at another server: recorded here first, sent when it answers, and never in a run's way."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlwright.adapters.config import load_settings
from mlwright.adapters.sql.engine import open_engine
from mlwright.errors import SettingsError, UsageError
from mlwright.model.ids import Digest, RunId
from mlwright.model.moving import LeftOut
from mlwright.model.settings import TrackingSettings
from mlwright.model.tracking import DatasetVersion, Environment, Metric, RunStatus
from mlwright.platform.mirroring import STATE, WHERE, RunMirror
from mlwright.stages.tracking import store
from mlwright.testing.fakes.run_sink import MemoryRunSink
from mlwright.wiring.moving import open_tracking_server

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ENVIRONMENT = Environment(
    python="3.11.7",
    system="Linux",
    packages={"polars": "1"},
    lock_digest=None,
    git_commit="abc",
    git_branch="main",
    git_dirty=False,
    code_digest=Digest("blake3:1"),
    seed=7,
)


@pytest.fixture
def parts(tracking, tmp_path: Path) -> Any:
    engine = open_engine(f"sqlite:///{tmp_path / 'tracking.db'}")
    sink = MemoryRunSink()
    made = SimpleNamespace(
        sink=sink, read=tracking.book.read, write=tracking.book.write, open_sink=lambda: sink, engine=engine
    )
    yield made
    engine.dispose()


def begin(parts, *, ended: bool = True) -> RunId:
    with parts.write() as tx:
        run = store.create_run(tx, experiment="churn", name="train", at=NOW, actor="ada").id
        store.log_params(tx, run, {"depth": "3"})
        store.log_metrics(tx, run, [Metric(key="auc", value=0.5, step=0, at_ms=5)])
        store.set_tags(tx, run, {"gate.1": "passed: ok", STATE: "waiting: it was not sent yet"})
        store.set_environment(tx, run, ENVIRONMENT)
        store.add_datasets(
            tx, run, [DatasetVersion(name="rows", digest=Digest("blake3:2"), rows=3, contract="rows@1")]
        )
        if ended:
            store.end_run(tx, run, RunStatus.FINISHED, NOW)
    return run


def tags(parts, run: RunId) -> dict[str, str]:
    with parts.read() as tx:
        return store.get_run(tx, run).tags


def test_a_run_is_there_with_everything(parts) -> None:
    run = begin(parts)
    assert RunMirror(parts).send(run) == "sent"
    told = parts.sink.ended[run]
    assert (told.params, told.status, told.experiment) == ({"depth": "3"}, RunStatus.FINISHED, "churn")
    assert told.tags["gate.1"] == "passed: ok"
    assert told.tags["mlflow.source.git.commit"] == "abc"
    assert not any(key.startswith("mlwright.remote") for key in told.tags)
    assert told.inputs[0].dataset.digest == "blake3:2"
    assert parts.sink.points == {(run, "auc"): {(0, 5, "0.5"): None}}
    assert b'"polars": "1"' in parts.sink.files[run, "environment.json"]
    assert (tags(parts, run)[STATE], tags(parts, run)[WHERE]) == ("sent", f"there-{run}")


def test_a_server_that_is_away_costs_no_run(parts) -> None:
    parts.sink.broken = True
    runs = [begin(parts) for _ in range(3)]
    mirror = RunMirror(parts)
    mirror.follow(runs[0])()
    assert tags(parts, runs[0])[STATE] == "waiting: nobody answers"
    # The first that fails is the last that is tried.
    assert [run for run, _ in mirror.send_waiting()] == runs[:1]
    parts.sink.broken = False
    assert [state for _, state in mirror.send_waiting()] == ["sent"] * 3
    assert mirror.send_waiting() == ()
    assert set(parts.sink.ended) == set(runs)


def test_a_run_is_followed_while_it_goes_on(parts) -> None:
    run = begin(parts, ended=False)
    told = threading.Event()
    plain = parts.sink.end
    parts.sink.end = lambda each: (plain(each), told.set())
    end = RunMirror(parts).follow(run)
    assert told.wait(20)
    assert parts.sink.ended[run].status is RunStatus.RUNNING
    with parts.write() as tx:
        store.log_metrics(tx, run, [Metric(key="auc", value=0.75, step=1, at_ms=6)])
        store.end_run(tx, run, RunStatus.FAILED, NOW, "broke")
    end()
    assert parts.sink.ended[run].status is RunStatus.FAILED
    assert len(parts.sink.points[run, "auc"]) == 2
    assert tags(parts, run)[STATE] == "sent"


def test_what_waited_goes_with_the_next_run(parts) -> None:
    parts.sink.broken = True
    mirror = RunMirror(parts)
    early = begin(parts)
    mirror.send(early)
    parts.sink.broken = False
    mirror.follow(begin(parts))()
    assert tags(parts, early)[STATE] == "sent"


def test_runs_that_go_on_are_left_to_their_process(parts) -> None:
    run = begin(parts, ended=False)
    assert RunMirror(parts).send_waiting() == ()
    assert RunMirror(parts).send(run) == "waiting: the run goes on"


def test_what_the_server_refuses_is_said(parts) -> None:
    run = begin(parts)
    parts.sink.kept_left_out = [LeftOut(what="a param", where="x", why="too long")]
    assert RunMirror(parts).send(run) == "sent; left out: a param x: too long"


BASE = "[project]\nname = 'churn'\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('tracking = "https://h"\n' + BASE, TrackingSettings(uri="https://h")),
        (
            BASE + '[tracking]\nuri = "env:WHERE"\ntoken = "env:TOKEN"\nexperiment = "/Users/me/churn"\n',
            TrackingSettings(uri="https://u:p@h", token="env:TOKEN", experiment="/Users/me/churn"),
        ),
        (BASE, None),
    ],
)
def test_settings(tmp_path: Path, text: str, expected: TrackingSettings | None) -> None:
    (tmp_path / "mlwright.toml").write_text(text)
    settings = load_settings(tmp_path / "mlwright.toml", {"WHERE": "https://u:p@h", "TOKEN": "t"})
    assert settings.tracking == expected
    assert "u:p" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tracking = "ftp://h"\n' + BASE, "tracking.uri: is not an http or https URL"),
        ('tracking = "https://u:secret@h"\n' + BASE, "holds a user or password"),
        (BASE + '[tracking]\nuri = "http://h"\ntoken = "env:T"\n', "would be sent in the clear"),
        (BASE + '[tracking]\nuri = "https://h"\ntoken = "dapi123secret"\n', "must say where the token is"),
        (BASE + '[tracking]\nurl = "https://h"\n', "did you mean 'uri'"),
        (BASE + "[tracking]\nuri = 'env:MISSING'\n", "MISSING is not set"),
    ],
)
def test_faults_of_settings_show_no_secret(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mlwright.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "mlwright.toml", {})
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_token_is_found_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrackingSettings(uri="https://h", token="file:token")
    with pytest.raises(UsageError, match="its file cannot be read"):
        open_tracking_server(settings, tmp_path)
    (tmp_path / "token").write_text("dapi1\n")
    sink = open_tracking_server(settings, tmp_path)
    assert sink.rest.source == "https://h"
    sink.rest.close()
