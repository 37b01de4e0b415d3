"""YAML, JSON and TOML as plain trees: values, lines, and what hostile texts come to."""

import json
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engineer.collect.gits import ascii_start

from mlwright.engineer.collect.notations import json_tree, toml_tree
from mlwright.engineer.collect.trees import DEPTH, NODES, Unreadable, yaml_trees


def one(text: str) -> object:
    (tree,) = yaml_trees(text)
    return tree.data


def test_keys_stay_what_was_written_and_values_are_resolved() -> None:
    text = "on: push\nyes: no\na: 1\nb: 1.5\nc: '1'\nd: ~\ne: 0x1F\nf: 22:22\ng: 2024-01-01\nh: 1_000\n"
    assert one(text) == {
        "on": "push",
        "yes": False,
        "a": 1,
        "b": 1.5,
        "c": "1",
        "d": None,
        "e": 31,
        "f": "22:22",
        "g": "2024-01-01",
        "h": 1000,
    }


def test_lines_of_every_document_of_a_file() -> None:
    first, second = yaml_trees("a:\n  - b: 1\n  - c\n---\n# only a comment\nd:\n    e: {f: 2}\n")
    assert first.lines[("a", 0, "b")] == 2
    assert first.lines[("a", 1)] == 3
    assert second.lines[("d", "e", "f")] == 7
    assert second.data == {"d": {"e": {"f": 2}}}


def test_aliases_and_merges_are_expanded() -> None:
    assert one("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: [*x]\n") == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 3},
        "z": [{"a": 1, "b": 2}],
    }


def test_tags_make_no_objects() -> None:
    assert one("a: !!python/object/apply:os.system ['x']\nb: !Ref c\nd: !GetAtt e.f\n") == {
        "a": ["x"],
        "b": {"Ref": "c"},
        "d": {"Fn::GetAtt": ["e", "f"]},
    }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "- " * 100_000,
        "{a: " * 50_000,
        "? " * 50_000,
        "a: &a [*a]",
        "a: *nothing",
        "\x00",
        "a: [1, 2",
        "a: &x0 [1,1,1,1,1,1,1,1]\n"
        + "".join(f"k{n}: &x{n + 1} [{','.join([f'*x{n}'] * 9)}]\n" for n in range(30)),
        "a: &x0 [1]\n" + "".join(f"k{n}: &x{n + 1} [*x{n}]\n" for n in range(100)),
        "- \n" * (NODES + 1),
        "---\na\n" * 2_000,
    ],
    ids=ascii_start,
)
def test_hostile_yaml_is_unreadable_and_soon(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(Unreadable):
        yaml_trees(text)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-?[]{}&*!|>'\"#%@`,<\n \t0."), max_size=60))
def test_any_text_is_read_as_the_reference_reads_it_or_not_at_all(text: str) -> None:
    try:
        ours = [each.data for each in yaml_trees(text)]
    except Unreadable:
        return
    try:
        # BaseLoader: structure only, every scalar a text
        theirs = list(yaml.load_all(text, Loader=yaml.BaseLoader))
    except (yaml.YAMLError, TypeError, RecursionError):
        return
    if not any(mark in text for mark in "&*!<?{["):
        assert [shape(each) for each in ours] == [shape(each) for each in theirs]


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else "."


def test_json_and_its_lines() -> None:
    text = json.dumps({"a": [{"b": "x:{["}, 2], "c": {"d": [[], ["e"]]}}, indent=1)
    tree = json_tree(text)
    rows = text.split("\n")
    assert '"b"' in rows[tree.lines[("a", 0, "b")] - 1]
    assert '"e"' in rows[tree.lines[("c", "d", 1, 0)] - 1]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", "[1,]", "[" * (DEPTH + 2) + "]" * (DEPTH + 2)], ids=ascii_start
)
def test_hostile_json_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        json_tree(text)


TOML = """\
[project]
name = "x"
dependencies = [
  "a>=1",  # why
  "b[c]>=2",
]
text = \"\"\"
name = "not a key"
\"\"\"
[[tool.uv.index]]
url = "one"
[[tool.uv.index]]
url = "two"
[tool."a.b"]
when = 2024-01-01
"""


def test_toml_and_its_lines() -> None:
    tree = toml_tree(TOML)
    assert tree.data["tool"]["a.b"]["when"] == "2024-01-01"
    assert tree.lines[("project", "dependencies", 1)] == 5
    assert tree.lines[("project", "name")] == 2
    assert tree.lines[("tool", "uv", "index", 1, "url")] == 13


@pytest.mark.parametrize(
    "text", ["a." * 200_000 + "b = 1", "[" + "a." * 200_000 + "b]", "a = " + "[" * 50_000, "a"]
)
def test_hostile_toml_is_unreadable_and_soon(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(Unreadable):
        toml_tree(text)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement
