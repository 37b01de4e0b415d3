"""Words that are refused on sight, and calls that belong to one floor."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REFUSED_FILES = {"utils", "util", "helpers", "helper", "misc", "common"}
REFUSED_WORDS = {"manager", "managers", "helper", "helpers", "service", "services"}


def words(name: str) -> set[str]:
    """The lower-case words of a snake_case, CamelCase or kebab-case name."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def called(tree: ast.AST, name: str) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node.lineno


def mentions_of_any(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if (isinstance(node, ast.Name) and node.id == "Any") or (
            isinstance(node, ast.Attribute) and node.attr == "Any"
        ):
            yield node.lineno


def mocks(tree: ast.AST) -> Iterator[int]:
    """Lines that import a mock library or ask for pytest-mock's fixture."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        else:
            continue
        if any(part in {"mock", "mocker", "pytest_mock"} for name in names for part in name.split(".")):
            yield node.lineno


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ModelManager", {"model", "manager"}),
        ("http_service", {"http", "service"}),
        ("HTTPHelper", {"http", "helper"}),
        ("serviceable", {"serviceable"}),
    ],
)
def test_names_are_read_as_words(name, found) -> None:
    assert words(name) == found


def test_no_refused_word_names_anything(sources) -> None:
    wrong = []
    for source in sources:
        for part in source.path.parts:
            if part.removesuffix(".py") in REFUSED_FILES or words(part.removesuffix(".py")) & REFUSED_WORDS:
                wrong.append(f"{source.path}: {part}")
        wrong += [
            f"{source.path}:{node.lineno}: {name}"
            for name, node in source.definitions()
            if words(node.name) & REFUSED_WORDS
        ]
    assert not wrong, "name it for what it does:\n" + "\n".join(wrong)


def test_only_doors_print(sources) -> None:
    wrong = [
        f"{source.path}:{line}"
        for source in sources
        if source.floor != "doors"
        for line in called(source.tree, "print")
    ]
    assert not wrong, "\n".join(wrong)


def test_ports_are_typed(sources) -> None:
    wrong = [
        f"{source.path}:{line}"
        for source in sources
        if source.floor == "ports"
        for line in mentions_of_any(source.tree)
    ]
    assert not wrong, "\n".join(wrong)


def test_fakes_not_mocks(repository: Path) -> None:
    corpus = (
        repository / "tests" / "engineer" / "corpus"
    )  # repositories of other people, some broken on purpose
    files = [*(repository / "src").rglob("*.py"), *(repository / "tests").rglob("*.py")]
    files = [file for file in files if corpus not in file.parents or file.parent == corpus]
    wrong = [
        f"{file.relative_to(repository)}:{line}"
        for file in files
        for line in mocks(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert len(files) > 50
    assert not wrong, "use mlwright.testing.fakes:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "import unittest.mock",
        "from unittest import mock",
        "from unittest.mock import patch",
        "def f(mocker): ...",
    ],
)
def test_mocks_are_seen(code) -> None:
    assert list(mocks(ast.parse(code)))
