"""The example projects that come with mlwright, and writing one into a folder.

A wheel carries them beside this file; in a checkout they are the folders below ``examples/``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.errors import Conflict, Fault, NotFound

DEFAULT: Final = "tabular"

_HOMES: Final = (Path(__file__).parent / "projects", Path(__file__).parents[4] / "examples")
_LEFT_BEHIND: Final = {".mlwright", ".venv", "__pycache__", ".ruff_cache", ".mypy_cache"}
_IGNORE: Final = ".mlwright/\n.venv/\n__pycache__/\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """A project that was written: its folder, its files relative to it, and what to type next."""

    folder: Path
    files: tuple[str, ...]
    next_commands: tuple[str, ...]


def project_names() -> tuple[str, ...]:
    """The examples that this installation has."""
    found = {path.parent.name for home in _HOMES for path in home.glob("*/mlwright.toml")}
    return tuple(sorted(found))


def write_project(name: str, folder: Path) -> NewProject:
    """Copy an example into a folder, which is made where it is not there.

    Raises:
        NotFound: no example has this name; the nearest is suggested.
        Conflict: a file is there already; nothing was written, all such files are named.
    """
    source = next((home / name for home in _HOMES if (home / name / "mlwright.toml").is_file()), None)
    if source is None or "/" in name:
        raise NotFound.named("example project", name, project_names(), "mlwright init --help")
    contents = {path: (source / path).read_bytes() for path in _files(source)}
    contents.setdefault(".gitignore", _IGNORE.encode())
    _require_free(folder, list(contents))
    for path, content in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return NewProject(folder=folder, files=tuple(sorted(contents)), next_commands=_next(name, folder))


def _files(source: Path) -> Iterator[str]:
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if path.is_file() and not _LEFT_BEHIND.intersection(inside.parts):
            yield inside.as_posix()


def _require_free(folder: Path, files: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise Conflict(
            "this is a file, not a folder", where=str(folder), next_command="mlwright init OTHER_FOLDER"
        )
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise Conflict(
            f"{len(there)} file{'s are' if len(there) > 1 else ' is'} there already, nothing was written",
            where=str(folder),
            next_command="mlwright init OTHER_FOLDER",
            faults=[Fault(where=path, what="exists") for path in there],
        )


def _next(name: str, folder: Path) -> tuple[str, ...]:
    enter = () if folder.resolve() == Path.cwd() else (f"cd {folder}",)
    extra = ("pip install 'mlwright[flights]'",) if name == "flights" else ()
    return (*enter, *extra, "mlwright check", "mlwright run --list")
