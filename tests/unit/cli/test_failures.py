"""Errors end as a message with the next command, or as JSON, and always as their exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mlwright.doors.cli.failures import exit_code_of
from mlwright.doors.cli.main import cli
from mlwright.errors import DatabaseNewer, Fault, ModelUntrusted, SettingsError


def run(*words: str):
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "there is no command 'chek'; did you mean 'check'?"),
        (["runs", "--faild"], "--failed"),
        (["models", "promote"], "missing argument 'REF'"),
        (["models", "promot", "churn/1"], "there is no command 'promot'; did you mean 'promote'?"),
        (["rollout", "strat", "churn"], "did you mean 'start'?"),
        (["rollout", "strat"], "did you mean 'start'?"),
        (["export", "date", "out"], "did you mean 'data'?"),
        (["alerts", "akc", "a1"], "did you mean 'ack'?"),
        (["monitor"], "missing argument 'ENDPOINT'"),
        (["monitor", "churn", "--by", "week"], "'week'"),
        (["runs", "--limit", "0"], "0 is not in the range"),
        (["--project", "/no/such/folder", "runs"], "/no/such/folder"),
    ],
)
def test_what_cannot_be_right_as_typed(words, said) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.splitlines()[-1].startswith("  next: mlwright")
    assert done.stdout == ""


def test_a_usage_error_as_json() -> None:
    done = run("chek", "--json")
    assert done.exit_code == 2
    assert done.stderr == ""
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "UsageError"
    assert error["exit_code"] == 2
    assert "'check'" in error["what"]
    assert error["next"] == "mlwright --help"


@pytest.mark.parametrize("kind", [SettingsError, DatabaseNewer, ModelUntrusted])
def test_ours_say_what_where_why_and_next(kind, capsys) -> None:
    def refuse() -> None:
        raise kind(
            "it is wrong",
            where="a.toml",
            why="because",
            next_command="mend it",
            faults=[Fault(where="k", what="bad")],
        )

    assert exit_code_of(refuse, as_json=False) == kind.exit_code
    text = capsys.readouterr().err
    assert text == "error: a.toml: it is wrong\n  - k: bad\n  why: because\n  next: mend it\n"
    assert exit_code_of(refuse, as_json=True) == kind.exit_code
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {
        "code": kind.__name__,
        "what": "it is wrong",
        "where": "a.toml",
        "why": "because",
        "faults": [{"where": "k", "what": "bad", "near": None}],
        "next": "mend it",
        "exit_code": kind.exit_code,
    }


def test_a_fault_of_ours_leaves_a_file_and_not_a_wall(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail() -> None:
        raise ZeroDivisionError("by zero")

    assert exit_code_of(fail, as_json=False) == 70
    text = capsys.readouterr().err
    (saved,) = tmp_path.iterdir()
    assert "ZeroDivisionError: by zero" in text
    assert str(saved) in text
    assert len(text.splitlines()) == 3
    assert "in fail" in saved.read_text(encoding="utf-8")
    monkeypatch.setenv("MLWRIGHT_DEBUG", "1")
    assert exit_code_of(fail, as_json=False) == 70
    assert "in fail" in capsys.readouterr().err


def test_ctrl_c_is_130(capsys) -> None:
    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_code_of(lambda: interrupted.main([], standalone_mode=False), as_json=False) == 130


def test_a_closed_pipe_is_quiet() -> None:
    code = "from mlwright.doors.cli.main import main; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code, "settings-schema"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_no_project_here(tmp_path: Path) -> None:
    done = run("--project", str(tmp_path), "runs")
    assert done.exit_code == 2
    assert "no mlwright.toml here" in done.stderr
    assert done.stderr.endswith("  next: mlwright init\n")


def test_an_unknown_key_in_the_settings(written, edit) -> None:
    edit(written.folder / "mlwright.toml", 'entity = "renewal_id"', 'entitty = "renewal_id"')
    done = written("runs")
    assert done.exit_code == 2
    assert "endpoint[0].entitty: is not a key here (did you mean 'entity'?)" in done.stderr
    error = written.json("runs", code=2)["error"]
    assert error["code"] == "SettingsError"
    what = "is missing; timestamp says that rows are about something"
    assert {"where": "endpoint[0].entity", "what": what, "near": None} in error["faults"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "renewal"], "did you mean 'renewals'?"),
        (["run", "train_chrn"], "did you mean 'train_churn'?"),
        (["run", "train_churn", "-p", "strat=2025-01-01"], "did you mean 'start'?"),
        (["run", "train_churn", "-p", "start"], "'start' is not of the form KEY=VALUE"),
        (["features", "usage_latly"], "did you mean 'usage_lately'?"),
        (["deploy", "chrn"], "did you mean 'churn'?"),
        (["deploy", "churn", "churn/7"], "churn"),
        (["models", "chrn@champion"], "churn"),
        (["endpoints", "chrn"], "did you mean 'churn'?"),
        (["predict", "chrn", "--example"], "did you mean 'churn'?"),
        (["predict", "churn"], "--example"),
        (["retrain", "chrn"], "did you mean 'churn'?"),
        (["runs", "nothing"], "Run with id=nothing not found"),
        (["alerts", "nothing"], "no alert is named 'nothing'"),
        (["rollout", "abort", "churn"], "no rollout is under way"),
        (["trace", "model:nothing/1"], "nothing is recorded"),
        (["monitor", "churn", "--from", "2025-01-02"], "--to"),
    ],
)
def test_unknown_names_are_met_with_the_nearest(deployed, words, said) -> None:
    done = deployed(*words)
    assert done.exit_code in (2, 3), done.output
    assert done.stderr.startswith("error: ")
    assert said in done.stderr


def test_nothing_listens(copied, edit, unused_port) -> None:
    edit(
        copied.folder / "mlwright.toml", "[project]", f"[serve]\ninference_port = {unused_port}\n\n[project]"
    )
    done = copied("predict", "churn", "--example")
    assert done.exit_code == 3
    assert f"nothing listens on 127.0.0.1:{unused_port}" in done.stderr
    assert done.stderr.endswith("  next: mlwright up\n")
