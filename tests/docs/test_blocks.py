"""Blocks of code in pages: they run, parse, or stand word for word where they say."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlwright.adapters.config import load_settings

PROSE = {"mermaid", "text", ""}
KNOWN = {"python", "toml", "yaml", "console", "sh", *PROSE}


def test_every_block_says_what_it_is(page_blocks) -> None:
    """An unknown language would be a block that nothing looks at."""
    for block in page_blocks:
        assert block.language in KNOWN, f"{block.id}: {block.language}"
        for note in ("not run", "verify"):
            assert block.notes.get(note, "a reason"), f"{block.id}: say why it is not run"
        if block.language == "sh":
            assert "not run" in block.notes, (
                f"{block.id}: write it as console with '$ ', or say why it is not run"
            )


def test_excerpts_stand_in_their_files(page_blocks, repository) -> None:
    for block in page_blocks:
        if "from" in block.notes:
            whole = (repository / block.notes["from"]).read_text(encoding="utf-8")
            assert block.text in whole, f"{block.id} is not in {block.notes['from']} any more:\n{block.text}"


def test_python_runs(python_block, tmp_path) -> None:
    if {"not run", "verify", "from", "write"} & python_block.notes.keys():
        compile(python_block.text, python_block.id, "exec")
        return
    file = tmp_path / "block.py"
    file.write_text(python_block.text, encoding="utf-8")
    path = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, f"{python_block.id}\n{done.stderr}"


def test_toml_is_what_the_parser_takes(toml_block, tmp_path) -> None:
    if "mlwright.toml" not in toml_block.notes:
        assert {"from", "not run", "write"} & toml_block.notes.keys(), f"{toml_block.id}: nothing looks at it"
        return
    file = tmp_path / "mlwright.toml"
    file.write_text(toml_block.text, encoding="utf-8")
    environment = {
        "MLWRIGHT_DATABASE": "postgresql://user:secret@db.example/mlwright",
        "CHAT_URL": "https://chat.example.com/hook",
        "PAGER_KEY": "k" * 32,
        "OPS_KEY": "k" * 36,
        "MAIL_LOGIN": "ada:secret",
    }
    assert load_settings(file, environment).name


def test_yaml_parses_and_is_looked_at(yaml_block) -> None:
    assert {"from", "not run", "write"} & yaml_block.notes.keys(), f"{yaml_block.id}: nothing looks at it"
    assert yaml.safe_load(yaml_block.text)


@pytest.mark.parametrize("example", ["flights", "tabular"])
def test_settings_of_the_examples_are_valid(repository, example) -> None:
    assert load_settings(repository / "examples" / example / "mlwright.toml", {}).endpoints


def test_the_size_of_the_flights_example_is_the_one_the_page_says(repository) -> None:
    folder = repository / "examples/flights"
    python = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in folder.glob("*.py"))
    toml = len((folder / "mlwright.toml").read_text(encoding="utf-8").splitlines())
    page = (repository / "README.md").read_text(encoding="utf-8")
    assert f"The flights example is {python} lines of Python, {toml} of TOML" in page
