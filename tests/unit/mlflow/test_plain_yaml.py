"""YAML of others cannot end the process that reads it."""

import pytest

from mlwright.adapters.mlflow.plain_yaml import load_yaml


def test_plain_values_are_read():
    assert load_yaml("a: [1, {b: ü}]\nc: null") == {"a": [1, {"b": "ü"}], "c": None}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "{x: " * 50_000,
        "- " * 50_000,
        "a: [",
        "\t- x: :",
        "!!python/object:os.system {}",
    ],
)
def test_what_is_no_plain_yaml_is_a_fault_and_not_the_end(text):
    with pytest.raises(ValueError, match="it is"):
        load_yaml(text)
