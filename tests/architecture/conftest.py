"""The source as data: every module below src/mlwright, parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "mlwright"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One module: its path below ``src/mlwright``, its lines and its syntax tree."""

    path: PurePosixPath
    lines: int
    tree: ast.Module

    @property
    def floor(self) -> str:
        return self.path.parts[0].removesuffix(".py")

    def definitions(self) -> Iterator[tuple[str, Definition]]:
        """Every class and function at any depth, with its qualified name."""
        waiting: list[tuple[str, ast.AST]] = [("", self.tree)]
        while waiting:
            prefix, parent = waiting.pop()
            for node in ast.iter_child_nodes(parent):
                if isinstance(node, Definition):
                    yield prefix + node.name, node
                    waiting.append((f"{prefix}{node.name}.", node))
                else:
                    waiting.append((prefix, node))


def read_sources(package: Path) -> list[Source]:
    found = []
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        path = PurePosixPath(file.relative_to(package).as_posix())
        found.append(Source(path=path, lines=len(text.splitlines()), tree=ast.parse(text, str(file))))
    return found


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    return read_sources(PACKAGE)
