"""``mlwright build image`` up to the door of the engine."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mlwright.doors.cli.main import cli
from mlwright.stages.images.baked import read_baked


@pytest.mark.slow
def test_the_context_of_an_endpoint(deployed, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")  # hashes are in the cache of uv, or there are none
    output = tmp_path / "image"
    words = ["build", "image", "churn", "--output", str(output), "--engine", "none"]
    made = deployed.json(*words)
    context = made["context"]
    assert (context["endpoint"], context["ref"], context["tag"]) == ("churn", "churn/1", "churn:1")
    assert context["offline"] is False
    assert ("--hash=" in (output / "requirements.txt").read_text()) is context["hashed"]
    assert made["next_command"] == f"docker build --tag churn:1 {output}"
    assert made["image"] is made["checked"] is None
    names = {each.partition("==")[0] for each in context["pins"]}
    assert {"scikit-learn", "uvloop"} <= names
    assert not names & {"mlwright", "pydantic", "sqlalchemy", "starlette", "click"}
    [own] = (output / "wheels").iterdir()
    assert own.name.startswith("mlwright-")
    assert read_baked(output / "endpoint").ref == "churn/1"


def test_what_is_typed_wrong(deployed, tmp_path) -> None:
    output = ["--output", str(tmp_path / "image"), "--engine", "none"]
    nobody = deployed("build", "image", "chrn", *output)
    assert nobody.exit_code == 3
    assert "churn" in nobody.output
    assert deployed("build", "image", "churn", "--tag", "A B", *output).exit_code == 2
    assert not (tmp_path / "image").exists()


def test_an_engine_that_is_not_there(deployed, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = deployed("build", "image", "churn", "--engine", "podman", "--output", str(tmp_path / "image"))
    assert done.exit_code == 6
    assert "podman is not on PATH" in done.output


def test_a_folder_without_a_project_and_state(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["build", "image", "churn", "--engine", "none"])
    assert done.exit_code == 2
    assert not list(Path(tmp_path).iterdir())
