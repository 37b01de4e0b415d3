"""``assess --fix``: the diff first, then consent, then what turned."""

import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli import door as doors
from mlwright.doors.cli.commands import fixing
from mlwright.doors.cli.main import cli

fixable = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fixable.py"))))


class Terminal:
    """Stands for the module ``sys`` with somebody at stdin."""

    stdin = SimpleNamespace(isatty=lambda: True)


@pytest.fixture(scope="module")
def engineer():
    return fixable.engineer()


@pytest.fixture
def type_in(engineer, make_repository, monkeypatch):
    """Types ``mlwright assess`` with these words in a sick repository; ``answer`` is typed where somebody asks."""
    root = make_repository(fixable.FILES)
    monkeypatch.chdir(root)
    monkeypatch.setattr(doors.Door, "engineer", engineer)

    def run(*words: str, answer: str | None = None, **environment: str) -> Result:
        if answer is not None:
            monkeypatch.setattr(fixing, "sys", Terminal)
        return CliRunner(env={"COLUMNS": "160", **environment}).invoke(cli, ["assess", *words], input=answer)

    run.root = root
    return run


def test_nobody_to_ask(type_in) -> None:
    before = fixable.everything(type_in.root)
    for words in (("--fix",), ("--fix", "gitignore"), ("--fix", "gitignore", "--json")):
        done = type_in(*words)
        assert done.exit_code == 2, done.output
        assert "--yes" in done.output
        assert "--dry-run" in done.output
    assert fixable.everything(type_in.root) == before


def test_the_diff_then_the_question_then_what_turned(type_in) -> None:
    done = type_in("--fix", "gitignore,seed", answer="y\n")
    assert done.exit_code == 0, done.output
    said = done.stdout
    assert said.index("+++ b/.gitignore") < said.index("mends security.env_ignored") < said.index("Holds now")
    assert re.search(r"Readiness  [\d.–]+ → [\d.–]+ of 100", said)
    assert "data.split_seeded" in said.partition("Holds now")[2]
    assert "Write these changes?" in done.stderr
    assert "random_state=SEED" in Path("train.py").read_text()


def test_no_means_no(type_in) -> None:
    before = fixable.everything(type_in.root)
    done = type_in("--fix", "gitignore", answer="n\n")
    assert done.exit_code == 1
    assert fixable.everything(type_in.root) == before


def test_a_dry_run_writes_nothing(type_in) -> None:
    before = fixable.everything(type_in.root)
    done = type_in("--fix", "gitignore", "--fix", "model-card", "--dry-run", NO_COLOR="1")
    assert done.exit_code == 0
    assert "+++ b/MODEL_CARD.md" in done.stdout
    assert "\x1b" not in done.stdout
    assert fixable.everything(type_in.root) == before


def test_json_is_plan_and_result(type_in) -> None:
    dry = json.loads(type_in("--fix", "gitignore", "--dry-run", "--json").stdout)
    assert dry["result"] is None
    assert dry["plan"]["changes"][0]["path"] == ".gitignore"
    assert dry["plan"]["path"] == "."
    done = json.loads(type_in("--fix", "gitignore", "--yes", "--json").stdout)
    assert done["plan"] == dry["plan"]
    assert done["result"]["written"] == [".gitignore"]
    assert done["result"]["after"]["low"] > done["result"]["before"]["low"]
    again = json.loads(type_in("--fix", "gitignore", "--yes", "--json").stdout)
    assert again["plan"]["changes"] == []
    assert "would change nothing" in type_in("--fix", "gitignore", "--yes").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--fix", "gitingore", "--yes"), 3, "did you mean 'gitignore'?"),
        (("--yes",), 2, "are for --fix"),
        (("--dry-run",), 2, "are for --fix"),
        (("--fix", "--yes", "--html", "a.html"), 2, "--fix mends and reports nothing else"),
        (("no/such", "--fix", "--yes"), 3, "no such folder"),
    ],
)
def test_exit_codes(type_in, words, code, said) -> None:
    done = type_in(*words)
    assert done.exit_code == code, done.output
    assert said in done.output


def test_a_folder_behind_fix_is_a_folder(type_in, monkeypatch) -> None:
    monkeypatch.chdir(type_in.root.parent)
    done = type_in("--fix", "repository", "--dry-run", "--json")
    assert json.loads(done.stdout)["plan"]["subject"] == "repository"


def test_a_fix_that_was_named_and_cannot_be_done_is_a_no(type_in) -> None:
    Path("data/churn.csv").unlink()
    done = type_in("--fix", "contract", "--yes")
    assert done.exit_code == 1
    assert "cannot be done: no CSV, Parquet" in done.stdout


def test_what_stands_in_a_file_cannot_steer_the_terminal(type_in) -> None:
    text = fixable.TRAIN.replace("X = frame", "note = '\x1b]0;title\x07 [red]x[/red] \u202e'\n    X = frame")
    Path("train.py").write_text(text)
    said = type_in("--fix", "seed", "--dry-run").stdout
    assert "\x1b]0" not in said
    assert "\u202e" not in said
    assert "[red]x[/red]" in said
