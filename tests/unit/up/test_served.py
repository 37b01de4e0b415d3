"""What ``mlwright serve`` makes of what it is given: settings of one endpoint, and what stands behind it."""

import pytest

from mlwright.errors import ModelLoadFailed, NotFound, UsageError
from mlwright.wiring.inference import open_following
from mlwright.wiring.serving import served_settings

RULES = """
EXAMPLE = [{"a": 1.0}]


def add(a: float) -> float:
    return a + 1
"""


def test_a_function_is_registered_once(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rules = tmp_path / "rules.py"
    rules.write_text(RULES, encoding="utf-8")
    refs, generations = [], []
    for text in (RULES, RULES, RULES.replace("+ 1", "+ 2")):
        rules.write_text(text, encoding="utf-8")
        settings = served_settings(tmp_path, "rules.py:add")
        refs.append(settings.endpoints[0].model)
        [route] = open_following(settings).routes()
        generations.append(route.generation)
    assert refs == ["add/1", "add/1", "add/2"]
    assert generations == [1, 1, 2]


def test_what_is_not_there_and_what_is_here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFound, match="there is no such folder") as missing:
        served_settings(tmp_path, "./missing")
    assert missing.value.next_command == "mlwright models register --help"  # it came out of another process
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}", encoding="utf-8")
    monkeypatch.chdir(model)
    with pytest.raises(UsageError, match="lies in the folder of this model"):
        served_settings(model, ".")
    assert [each.name for each in model.iterdir()] == ["MLmodel"]


def test_a_file_that_ends_the_process_that_looks_at_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.py").write_text("import os\n\nos._exit(3)\n", encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="the process that looked at the model ended"):
        served_settings(tmp_path, "rules.py:add")
