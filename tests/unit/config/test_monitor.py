"""How often all features are compared together, as it is written in ``mlwright.toml``."""

from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mlwright.adapters.config import FILE_NAME, load_settings, settings_schema
from mlwright.errors import SettingsError

PROJECT = """
[project]
name = "p"

[[endpoint]]
name = "delay"
model = "flight-delay@champion"
entity = "id"
timestamp = "at"
label = { column = "late", horizon = "12h" }
"""


def load(folder: Path, line: str):
    (folder / FILE_NAME).write_text(PROJECT + line, encoding="utf-8")
    return load_settings(folder / FILE_NAME, {}).endpoint("delay").monitor.joint_every


@pytest.mark.parametrize(
    ("line", "every"),
    [
        ("", timedelta(days=7)),
        ('monitor = { joint_every = "4w" }', timedelta(days=28)),
        ('monitor = { joint_every = "1d" }', timedelta(days=1)),
        ('monitor = { joint_every = "off" }', None),
    ],
)
def test_a_stretch_of_days_or_off(tmp_path, line, every) -> None:
    assert load(tmp_path, line) == every


@pytest.mark.parametrize(
    ("value", "said"),
    [('"12h"', "must be '1d' or longer, or 'off'"), ('"never"', "is not a duration"), ("7", "quotes")],
)
def test_what_is_neither_says_what_to_write(tmp_path, value, said) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"monitor = {{ joint_every = {value} }}")
    (fault,) = map(str, caught.value.faults)
    assert "endpoint[0].monitor.joint_every" in fault
    assert said in fault


def test_editors_are_told_the_same() -> None:
    kind = settings_schema()["$defs"]["MonitorTable"]["properties"]["joint_every"]
    assert kind["default"] == "7d"
    allowed = Draft202012Validator({"type": "string", "pattern": kind["pattern"]}).is_valid
    assert [allowed(each) for each in ("off", "7d", "never", "offf")] == [True, True, False, False]
