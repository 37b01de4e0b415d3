"""What a page points at is there: files, headings, and names inside files."""

import ast
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_SPAN = re.compile(r"`(?P<text>[^`\n]+)`")
_FILE = re.compile(
    r"(?P<path>[\w.-]+(?:/[\w.-]+)*\.(?:py|toml|md|yaml|json|svg|png))(?::(?P<name>[A-Za-z_][\w.]*))?"
)
_FOLDER = re.compile(
    r"(?P<path>(?:src|tests|docs|bench|examples|doors|testing|adapters|engineer|platform|stages|ports|model)/[\w/.-]+)"
)
# Files of a user's project, of its state folder, and of a model folder.
_NOT_OURS = {"mlwright.toml", "pipeline.py", "data.py", "past.py", "test_my_runtime.py", "mlwright.json"}


def headings(page: Path) -> set[str]:
    """The anchors that a code host gives to the headings of a page."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


def homes(path: str, page: Path, repository: Path) -> list[Path]:
    """Where a path in a page may be meant from: the repository, the package, the page."""
    starts = (repository, repository / "src/mlwright", page.parent)
    return [start / path for start in starts if (start / path).exists()]


def names(file: Path) -> set[str]:
    """The classes, functions, methods and constants of a module."""
    found: set[str] = set()
    waiting: list[tuple[str, ast.AST]] = [("", ast.parse(file.read_text(encoding="utf-8")))]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + node.name)
                waiting.append((f"{prefix}{node.name}.", node))
            elif isinstance(node, ast.Assign):
                found |= {prefix + each.id for each in node.targets if isinstance(each, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)
    return found


def test_links_lead_somewhere(page, prose, repository) -> None:
    wrong = []
    for match in _LINK.finditer(prose):
        target = urlsplit(match["target"])
        if target.scheme:
            continue
        file = (page.parent / target.path).resolve() if target.path else page
        if not file.is_relative_to(repository) or not file.exists():
            wrong.append(f"{match['target']}: no such file")
        elif target.fragment and target.fragment not in headings(file):
            wrong.append(f"{match['target']}: no such heading; there is {', '.join(sorted(headings(file)))}")
    assert not wrong, "\n".join(wrong)


def test_files_and_names_are_there(page, prose, repository) -> None:
    """A span such as ``stages/rollouts/verdict.py:judge`` names a file and something in it."""
    wrong = []
    for match in _SPAN.finditer(prose):
        text = match["text"]
        file = _FILE.fullmatch(text)
        folder = _FOLDER.fullmatch(text.rstrip("/"))
        if "NAME" in text:
            continue  # stands for any
        if file and file["path"] not in _NOT_OURS:
            there = homes(file["path"], page, repository)
            if not there and ("/" in file["path"] or file["name"]):
                wrong.append(f"{text}: no such file")
            elif file["name"] and not any(file["name"] in names(each) for each in there):
                wrong.append(f"{text}: no such name")
        elif folder and not file and not homes(folder["path"], page, repository):
            wrong.append(f"{text}: no such folder")
    assert not wrong, "\n".join(wrong)


def test_the_architecture_page_knows_every_folder(repository) -> None:
    page = (repository / "ARCHITECTURE.md").read_text(encoding="utf-8")
    house = repository / "src/mlwright"
    folders = {
        path.parent.relative_to(house).as_posix()
        for floor in ("stages", "adapters")
        for path in (house / floor).glob("*/__init__.py")
    }
    absent = sorted(folder for folder in folders if f"`{folder}`" not in page)
    assert not absent, f"not on the map: {', '.join(absent)}"


def test_every_decision_is_listed_once(repository) -> None:
    folder = repository / "docs/decisions"
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for name in listed:
        first = (folder / name).read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith(f"# {name[:4]} "), f"{name}: {first}"


@pytest.mark.parametrize(
    ("text", "anchor"), [("What is thin today", "what-is-thin-today"), ("`--json`, 0.1.0", "--json-010")]
)
def test_anchors_are_those_of_code_hosts(tmp_path, text, anchor) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# {text}\n", encoding="utf-8")
    assert headings(page) == {anchor}
