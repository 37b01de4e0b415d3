"""The documents as data: pages, their blocks, and what each block says about itself.

A fenced block may carry notes, HTML comments on the lines above it, which no reader of the page sees:

``<!-- not run: why -->``       it is shown and not executed
``<!-- verify: why -->``        it is executed by ``./dev verify`` only: it needs other programs, or a network
``<!-- background -->``         its command runs until the page ends; with a path, or a port and a path
                               (``8500/health``), it serves once that answers
``<!-- write: past.py -->``     it is a file that the reader writes
``<!-- from: examples/x.py -->``  it stands word for word in that file
``<!-- mlwright.toml -->``      it is a whole mlwright.toml
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "reference"
NOTES = ("not run", "verify", "background", "write", "from", "mlwright.toml")

_FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w-]*)\s*")
_NOTE = re.compile(r"<!--\s*(?P<name>[\w. ]+?)\s*(?::\s*(?P<value>.*?))?\s*-->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    notes: dict[str, str]

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def pages() -> list[Path]:
    """Every page that people wrote or read; not those inside examples, which are part of a project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if GENERATED not in path.parents)


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page in their order."""
    notes: dict[str, str] = {}
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        fence = _FENCE.fullmatch(line)
        note = _NOTE.fullmatch(line.strip())
        if note and note["name"] in NOTES:
            notes[note["name"]] = note["value"] or ""
        elif fence:
            body = []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                body.append(inner.removeprefix(fence["indent"]))
            else:
                raise AssertionError(f"{page}:{number}: the block does not end")
            text = "\n".join(body) + "\n"
            yield Block(page=page, line=number, language=fence["language"], text=text, notes=notes)
            notes = {}
        elif line.strip():
            notes = {}


def without_blocks(page: Path) -> str:
    """The prose of a page: its lines outside fences, blocks replaced by empty lines."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = _FENCE.fullmatch(line) or line.strip() == "```"
        kept.append("" if inside or fence else line)
        inside = inside != bool(fence)
    return "\n".join(kept)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``page`` is every page; ``python_block``, ``toml_block`` … is every block of that language."""
    if "page" in metafunc.fixturenames:
        found = pages()
        ids = [path.relative_to(ROOT).as_posix() for path in found]
        metafunc.parametrize("page", found, ids=ids)
    for name in metafunc.fixturenames:
        language = name.removesuffix("_block")
        if language != name:
            blocks = [each for path in pages() for each in blocks_of(path) if each.language == language]
            metafunc.parametrize(name, blocks, ids=[each.id for each in blocks])


@pytest.fixture
def prose(page: Path) -> str:
    return without_blocks(page)


@pytest.fixture
def page_blocks(page: Path) -> list[Block]:
    return list(blocks_of(page))


@pytest.fixture(scope="session")
def player() -> ModuleType:
    """The module ``player.py`` beside this file."""
    spec = importlib.util.spec_from_file_location("docs_player", Path(__file__).with_name("player.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def reader(player: ModuleType, tmp_path: Path):
    """Somebody at a terminal in an empty folder."""
    somebody = player.Player(tmp_path)
    yield somebody
    somebody.close()


@pytest.fixture(scope="session")
def blocks() -> Callable[[str], list[Block]]:
    """The blocks of a page, by its path in the repository."""
    return lambda path: list(blocks_of(ROOT / path))
