"""Which model is asked: typed, environment, project; never unasked, and never with a key in the open."""

from datetime import timedelta
from pathlib import Path

import pytest

from mlwright.adapters.advisor import choose_advisor
from mlwright.adapters.config import FILE_NAME, load_settings
from mlwright.errors import SettingsError, UsageError
from mlwright.model.settings import AdvisorSettings

PROJECT = AdvisorSettings(model="openai:theirs", base_url="https://models.example/v1", key="env:THEIR_KEY")


def test_nobody_is_asked_unasked(tmp_path: Path) -> None:
    assert choose_advisor(None, PROJECT, root=tmp_path, environment={"THEIR_KEY": "k"}) is None


def test_what_was_typed_comes_before_the_environment(tmp_path: Path) -> None:
    found = choose_advisor(
        "openai:typed", PROJECT, root=tmp_path, environment={"MLWRIGHT_ADVISOR": "openai:set"}
    )
    assert found is not None
    assert found.name == "openai:typed"


def test_the_environment_speaks_where_nothing_was_typed(tmp_path: Path) -> None:
    environment = {"MLWRIGHT_ADVISOR": "openai:set", "MLWRIGHT_ADVISOR_KEY": "env:K", "K": "secret"}
    found = choose_advisor(None, None, root=tmp_path, environment=environment)
    assert found is not None
    assert found.name == "openai:set"


def test_a_project_speaks_only_when_it_is_named(tmp_path: Path) -> None:
    found = choose_advisor("project", PROJECT, root=tmp_path, environment={"THEIR_KEY": "k"})
    assert found is not None
    assert found.name == "openai:theirs"
    with pytest.raises(UsageError, match="names no advisor"):
        choose_advisor("project", None, root=tmp_path, environment={})


def test_another_model_than_the_projects_gets_neither_its_address_nor_its_key(tmp_path: Path) -> None:
    """A folder must not be able to redirect the key that a person uses elsewhere: THEIR_KEY is not even looked up."""
    assert choose_advisor("openai:mine", PROJECT, root=tmp_path, environment={}) is not None


@pytest.mark.parametrize("reference", ["env:NOPE", "file:nope", "sk-the-key-itself", "env:", "file:empty"])
def test_a_key_that_cannot_be_found_is_told_and_never_shown(tmp_path: Path, reference: str) -> None:
    (tmp_path / "empty").touch()
    settings = AdvisorSettings(model="openai:x", key=reference)
    with pytest.raises(UsageError) as caught:
        choose_advisor("project", settings, root=tmp_path, environment={"OTHER": "v"})
    assert "sk-the-key-itself" not in str(caught.value)


def test_a_key_from_a_file_is_read_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("secret\n")
    settings = AdvisorSettings(model="openai:x", key="file:key.txt")
    assert choose_advisor("project", settings, root=tmp_path, environment={}) is not None


@pytest.mark.parametrize("model", ["gpt-5", "", ":", "openai:"])
def test_a_model_needs_its_provider(tmp_path: Path, model: str) -> None:
    if not model:
        assert choose_advisor(model, None, root=tmp_path, environment={}) is None
        return
    with pytest.raises(UsageError):
        choose_advisor(model, None, root=tmp_path, environment={})


def test_the_settings_are_read_and_all_their_faults_told(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    head = '[project]\nname = "p"\n[advisor]\n'
    file.write_text(
        head
        + 'model = "openai:gpt-5"\nkey = "env:NOT_SET"\nbase_url = "http://localhost:11434/v1"\ntime_limit = "2m"\n'
    )
    assert load_settings(file, {}).advisor == AdvisorSettings(
        model="openai:gpt-5",
        key="env:NOT_SET",
        base_url="http://localhost:11434/v1",
        time_limit=timedelta(minutes=2),
    )
    file.write_text(
        head + 'model = "gpt"\nkey = "sk-1"\nbase_url = "http://far.example/v1"\ntime_limit = "soon"\n'
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert [each.where for each in caught.value.faults] == [
        f"advisor.{key}" for key in ("model", "base_url", "key", "time_limit")
    ]
    assert "sk-1" not in str(caught.value)


def test_without_the_table_there_is_no_advisor(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text('[project]\nname = "p"\n')
    assert load_settings(file, {}).advisor is None
