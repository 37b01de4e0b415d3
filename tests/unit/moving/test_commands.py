"""``mlwright import`` and ``mlwright export mlflow`` as typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlwright.doors.cli.main import cli
from mlwright.testing.fakes.foreign_files import write_tensorboard


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a source in it."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "mlruns" / "1" / ("d" * 32)
    (run / "params").mkdir(parents=True)
    (run / "params" / "depth").write_text("3")
    (run / "meta.yaml").write_text("run_id: x\nstart_time: 5\nend_time: 6\nstatus: 3\nrun_name: first\n")
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: churn\n")
    return tmp_path


def mlwright(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_import_into_a_folder_without_a_project(folder: Path) -> None:
    looked = mlwright("import", "mlruns", "--dry-run", "--json")
    assert looked.exit_code == 0, looked.output
    assert json.loads(looked.stdout)["dry"] is True
    done = mlwright("import", "mlruns", "--json")
    assert {each["what"]: each["new"] for each in json.loads(done.stdout)["carried"]} == {
        "experiments": 1,
        "runs": 1,
        "params": 1,
    }
    again = mlwright("import", "mlruns")
    assert again.exit_code == 0
    assert "there already" in again.stdout
    assert (folder / ".mlwright" / "mlwright.db").is_file()


def test_what_is_not_carried_stands_in_the_table(folder: Path) -> None:
    bad = folder / "mlruns" / "1" / ("e" * 32)
    bad.mkdir()
    (bad / "meta.yaml").write_text("a: [")
    done = mlwright("import", "mlruns")
    assert done.exit_code == 0
    assert "meta.yaml cannot be read" in done.stdout


def test_another_tool(folder: Path) -> None:
    (folder / "logs").mkdir()
    write_tensorboard(folder / "logs")
    done = mlwright("import", "logs", "--from", "tensorboard", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["tool"] == "tensorboard"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("import", "mlrun"), 3, "did you mean 'mlruns'"),
        (("import", "htps://h"), 2, "did you mean https://"),
        (("import", "mlruns", "--from", "wandbb"), 2, "wandbb"),
        (("import", "mlruns", "--experiment", "chrn"), 3, "did you mean 'churn'"),
        (("import", "sqlite:///none.db"), 7, "no such database"),
        (("export", "mlflow", "gopher://h"), 2, "nothing can be written"),
        (("export", "mlflow", "out", "--experiment", "none"), 3, "no experiment is named"),
    ],
)
def test_mistakes(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = mlwright(*words)
    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_out_again(folder: Path) -> None:
    mlwright("import", "mlruns")
    done = mlwright("export", "mlflow", "out", "--json")
    assert done.exit_code == 0, done.output
    assert (folder / "out" / "1" / ("d" * 32) / "params" / "depth").read_text() == "3"
    refused = mlwright("export", "mlflow", ".")
    assert refused.exit_code == 7
    assert "holds other things" in refused.stderr
