"""The command: gates, files, comparisons and mistakes, with an engineer who only reads a file of what to find."""

import json
import runpy
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli import door as doors
from mlwright.doors.cli.main import cli
from mlwright.engineer.probe import Probe
from mlwright.model.findings import Outcome

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))


@dataclass
class Reader:
    """Finds ``bad`` on lines of ``*.py``, and holds that there should be a README."""

    probes: dict[str, Probe] = field(
        default_factory=lambda: {n: made.probe(n) for n in ("code.readme", "x.bad")}
    )

    @property
    def engines(self):
        return SimpleNamespace(clock=SimpleNamespace(now=lambda: datetime(2026, 6, 1, tzinfo=UTC)))

    def probe(self, id: str) -> Probe:
        return self.probes[id]

    def assess(self, path: Path, *, mlflow=None, progress):
        progress("reading", 1, 1)
        at = [
            made.at(file.relative_to(path).as_posix(), number)
            for file in sorted(path.rglob("*.py"))
            for number, line in enumerate(file.read_text().splitlines(), start=1)
            if "bad" in line
        ]
        there = (path / "README.md").exists()
        findings = (
            made.finding("code.readme", Outcome.TRUE if there else Outcome.FALSE),
            made.finding("x.bad", Outcome.FALSE if at else Outcome.TRUE, *at),
        )
        return made.assessment(findings=findings, recommendations=(made.recommendation("x.bad", 2.0),)), None


@pytest.fixture
def type_in(tmp_path, monkeypatch):
    """Types ``mlwright assess`` with these words in a repository with one bad line."""
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/a.py").write_text("bad(1)\n")
    monkeypatch.chdir(tmp_path / "repo")
    monkeypatch.setattr(doors.Door, "engineer", Reader())

    def run(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(cli, ["assess", *words])

    return run


def test_without_a_gate_it_reports_and_is_content(type_in):
    done = type_in()
    assert done.exit_code == 0, done.output
    assert "Readiness" in done.stdout
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) <= 30


def test_json_is_the_assessment_and_the_same_each_time(type_in):
    once, again = type_in("--json"), type_in("--json")
    assert once.stdout == again.stdout
    document = json.loads(once.stdout)
    assert document["readiness"] == {"low": 34.25, "high": 61.0}
    assert [each["outcome"] for each in document["findings"]] == ["false", "false"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--fail-under", "34"), 0, ""),
        (("--fail-under", "34.5"), 1, "readiness: 34.25 is shown, and 34.5 was asked for"),
        (("--fail-on", "error"), 1, "gate: error: x.bad does not hold at a.py:1"),
        (("--fail-on", "error", "--only", "code.readme"), 1, "gate: error: code.readme does not hold"),
        (("--fail-under", "101"), 2, "101"),
        (("--fail-on", "fatal"), 2, "fatal"),
        (("--only", "x.bda"), 3, "did you mean 'x.bad'?"),
        (("--topic", "cod"), 3, "did you mean 'code'?"),
        (("--explain", "x.bda"), 3, "did you mean 'x.bad'?"),
        (("--rubric", "googel"), 3, "did you mean 'google'?"),
        (("--sarif", "-", "--json"), 2, "only one document"),
        (("--sarif", "-", "--html", "-"), 2, "only one document"),
        (("--only", "x.bad", "--write-baseline", "b.json"), 2, "a baseline keeps all"),
        (("--html", "no/such/folder.html"), 2, "cannot be written"),
        (("--baseline", "none.json"), 3, "no such baseline"),
        (("--changed-since", "main"), 2, "git"),
    ],
)
def test_exit_codes(type_in, words, code, said):
    done = type_in(*words)
    assert done.exit_code == code, done.output
    assert said in done.output


def test_only_some(type_in):
    said = type_in("--topic", "code").stdout
    assert "code.readme" in said
    assert "x.bad asks" not in said
    document = json.loads(type_in("--only", "x.bad", "--json").stdout)
    assert [each["id"] for each in document["findings"]] == ["x.bad"]


def test_explaining_and_listing(type_in):
    said = type_in("--explain", "x.bad").stdout
    assert "why: without x.bad the pager rings" in said
    assert "at a.py:1" in said
    assert json.loads(type_in("--list", "--json").stdout)[1]["id"] == "x.bad"
    assert type_in("--rubric", "ml-test-score").stdout.count("what item") == 28


def test_files_and_stdout(type_in):
    done = type_in("--html", "r.html", "--sarif", "-")
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["runs"][0]["results"]) == 2
    assert Path("r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_baseline_turns_the_gate_to_what_is_new(type_in):
    assert type_in("--write-baseline", "b.json").exit_code == 0
    assert type_in("--baseline", "b.json").exit_code == 0
    assert type_in("--baseline", "b.json", "--fail-on", "info").exit_code == 0
    Path("a.py").write_text("fine()\nbad(1)\nbad(2)\n")
    done = type_in("--baseline", "b.json")
    assert done.exit_code == 1
    assert "gate: new error: x.bad does not hold at a.py:3" in done.stderr
    document = json.loads(type_in("--baseline", "b.json", "--json").stdout)
    assert document["inherited"] == ["code.readme"]
    Path("a.py").write_text("fine()\n")
    assert "1 of the baseline are gone" in type_in("--baseline", "b.json").stdout


def test_accepted_with_a_reason_and_not_without(type_in):
    Path("README.md").write_text("")
    Path("a.py").write_text("bad(1)  # mlwright: accept x.bad -- a joke\n")
    assert type_in("--fail-on", "info").exit_code == 0
    Path("a.py").write_text("bad(1)  # mlwright: accept x.bad\n")
    done = type_in("--fail-on", "info", "--json")
    assert done.exit_code == 1
    assert "warning: a.py:1: there is no reason" in done.stderr


@pytest.mark.skipif(shutil.which("git") is None, reason="no git to make a repository with")
def test_the_change_and_not_the_legacy_fails_the_gate(type_in):
    pytest.importorskip("mlwright.engineer.collect.changes")
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *who, *words], check=True, capture_output=True)
    Path("a.py").write_text("fine()\nbad(1)\n")
    assert type_in("--changed-since", "main").exit_code == 0
    Path("b.py").write_text("bad(1)\n")
    done = type_in("--changed-since", "HEAD")
    assert done.exit_code == 1
    assert "new error: x.bad does not hold at b.py:1" in done.stderr
    assert "code.readme" not in done.stderr
    assert type_in("--changed-since", "nope").exit_code == 3
