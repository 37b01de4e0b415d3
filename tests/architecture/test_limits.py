"""Sizes that keep a file on a screen or two. An exception is written down, exact, and can only shrink."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

LIMITS = {"file": 400, "function": 60, "class": 12, "port": 7, "depth": 3}
UNITS = {
    "file": "lines",
    "function": "lines",
    "class": "public methods",
    "port": "methods",
    "depth": "folders below mlwright",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    limit: str
    where: str
    number: int


def methods_of(node: ast.ClassDef) -> list[str]:
    """Names of a class's methods and properties; a setter or an overload does not count twice."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return list(dict.fromkeys(each.name for each in node.body if isinstance(each, functions)))


def sizes_of(source) -> Iterator[Size]:
    """Everything of one module that has a limit."""
    path = str(source.path)
    yield Size(limit="file", where=path, number=source.lines)
    for name, node in source.definitions():
        where = f"{path}:{name}"
        if isinstance(node, ast.ClassDef):
            public = [each for each in methods_of(node) if not each.startswith(("_", "test_"))]
            yield Size(limit="class", where=where, number=len(public))
            if source.floor == "ports":
                yield Size(limit="port", where=where, number=len(methods_of(node)))
        else:
            yield Size(
                limit="function", where=where, number=(node.end_lineno or node.lineno) - node.lineno + 1
            )


def verdicts(sizes: list[Size], exceptions: list[dict[str, object]]) -> list[str]:
    """What is wrong: too large without an exception, or an exception that is not the exact size."""
    granted = {(entry["limit"], entry["where"]): entry["number"] for entry in exceptions}
    wrong = []
    for size in sizes:
        allowed = granted.pop((size.limit, size.where), None)
        measured = f"{size.where}: {size.number} {UNITS[size.limit]}"
        if allowed is None and size.number > LIMITS[size.limit]:
            wrong.append(f"{measured}, at most {LIMITS[size.limit]}")
        elif allowed is not None and size.number <= LIMITS[size.limit]:
            wrong.append(f"{measured}: its exception is no longer needed, remove it")
        elif isinstance(allowed, int) and size.number < allowed:
            wrong.append(f"{measured}: tighten its exception from {allowed}")
        elif isinstance(allowed, int) and size.number > allowed:
            wrong.append(f"{measured}: above its exception of {allowed}, which may only shrink")
    wrong += [f"{where}: the exception ({limit}) names nothing that exists" for limit, where in granted]
    return wrong


def depths(package: Path) -> list[Size]:
    folders = {file.parent for file in package.rglob("*.py")}
    return [
        Size(
            limit="depth",
            where=folder.relative_to(package).as_posix(),
            number=len(folder.relative_to(package).parts),
        )
        for folder in sorted(folders)
    ]


def exceptions_of(repository: Path) -> list[dict[str, object]]:
    text = (repository / "tests/architecture/exceptions.toml").read_text(encoding="utf-8")
    return tomllib.loads(text).get("exception", [])


def test_nothing_is_above_its_limit(sources, repository) -> None:
    sizes = [size for source in sources for size in sizes_of(source)] + depths(repository / "src/mlwright")
    assert len(sizes) > 100
    wrong = verdicts(sizes, exceptions_of(repository))
    assert not wrong, "\n".join(wrong)


def test_exceptions_say_why(repository) -> None:
    for entry in exceptions_of(repository):
        assert set(entry) == {"limit", "where", "number", "reason"}, entry
        assert entry["limit"] in LIMITS
        assert len(str(entry["reason"])) >= 20, f"{entry['where']}: give the reason in a sentence"


@pytest.mark.parametrize(
    ("number", "granted", "complaint"),
    [
        (400, None, None),
        (401, None, "at most 400"),
        (401, 401, None),
        (401, 402, "tighten"),
        (402, 401, "may only shrink"),
        (400, 401, "no longer needed"),
    ],
)
def test_the_ratchet_turns_one_way(number, granted, complaint) -> None:
    exceptions = [] if granted is None else [{"limit": "file", "where": "a.py", "number": granted}]
    wrong = verdicts([Size(limit="file", where="a.py", number=number)], exceptions)
    assert (complaint is None and not wrong) or (len(wrong) == 1 and complaint in wrong[0])


def test_an_exception_for_nothing_fails() -> None:
    assert verdicts([], [{"limit": "file", "where": "gone.py", "number": 500}])


def test_the_flights_example_is_ordinary_user_code(repository) -> None:
    """Issue 2 promises an example of at most 150 lines of Python."""
    files = list((repository / "examples/flights").glob("*.py"))
    assert files
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 150
