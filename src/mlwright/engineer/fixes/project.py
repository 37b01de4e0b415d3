"""How a project is installed and run, as far as its files tell: what a Dockerfile and a CI definition both need."""

import posixpath
import re
from dataclasses import dataclass
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mlwright.engineer.collect.requirements import read_requirements
from mlwright.engineer.facts.configuration import Document, DocumentKind
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.shape import Read

UV: Final = "uv==0.13.9"
PYTEST: Final = "pytest==8.4.2"
RUFF: Final = "0.13.0"
"""Releases of tools that exist; Dependabot or Renovate will propose newer ones."""

_PYTHONS: Final = ("3.12", "3.13", "3.11", "3.10", "3.14", "3.9", "3.8")
_GENERAL: Final = "3.12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installing:
    """How the dependencies are installed.

    ``tool`` is ``uv``, ``poetry``, ``pip``, ``project`` (``pip install .``) or "" where nothing is declared that a
    machine could install. ``files`` are what it needs beside the source, ``options`` the arguments of pip.
    """

    tool: str
    files: tuple[str, ...] = ()
    options: str = ""


def pyproject(repository: Repository) -> Document | None:
    """The root's pyproject.toml."""
    found = repository.of_kind(DocumentKind.PYPROJECT)
    return next((each for each in found if each.path == "pyproject.toml"), None)


def installing(repository: Repository, read: Read) -> Installing:
    """How the root of the repository is installed; a lock file comes first."""
    project = pyproject(repository)
    if project is not None and read("uv.lock", head=1) is not None:
        return Installing(tool="uv", files=("pyproject.toml", "uv.lock"))
    if project is not None and read("poetry.lock", head=1) is not None:
        return Installing(tool="poetry", files=("pyproject.toml", "poetry.lock"))
    for path in ("requirements.txt", "requirements/base.txt", "requirements/prod.txt"):
        if read(path, head=1) is not None:
            return Installing(tool="pip", files=with_includes(path, read), options=f"-r {path}")
    if project is not None and project.get("project") and project.get("build-system"):
        return Installing(tool="project", files=("pyproject.toml",), options=".")
    return Installing(tool="")


def with_includes(path: str, read: Read) -> tuple[str, ...]:
    """A requirement file and those that it names."""
    found = [path]
    for each in found:
        raw = read(each)
        if raw is None or len(found) > 20:
            continue
        named = read_requirements(each, raw.decode("utf-8", "replace"), "")
        for include in (*named.includes, *named.constraints):
            there = posixpath.normpath(posixpath.join(posixpath.dirname(each), include))
            if there not in found and not there.startswith("..") and read(there, head=1) is not None:
                found.append(there)
    return tuple(sorted(found))


def python_version(repository: Repository, read: Read) -> tuple[str, bool]:
    """The Python that the project is for, as ``3.12``, and whether its files say so."""
    said = (read(".python-version", head=100) or b"").decode("ascii", "replace").strip()
    exact = re.match(r"(?:cpython-)?(3\.\d{1,2})(\.\d+)?$", said)
    if exact:
        return exact.group(1), True
    for file in repository.dockerfiles:
        for each in file.all("FROM"):
            image = re.match(r"(?:\S*/)?python:(3\.\d{1,2})", each.value)
            if image:
                return image.group(1), True
    project = pyproject(repository)
    declared = (
        (project.get("project", "requires-python") or project.get("tool", "poetry", "dependencies", "python"))
        if project
        else None
    )
    if isinstance(declared, str):
        try:
            allowed = SpecifierSet(re.sub(r"\^(\d+)\.(\d+)[\d.]*", r">=\1.\2,<4", declared))
        except InvalidSpecifier:
            return _GENERAL, False
        found = next((each for each in _PYTHONS if allowed.contains(f"{each}.99")), None)
        if found:
            return found, True
    return _GENERAL, False


def requires(repository: Repository, *names: str) -> bool:
    """Whether one of these is declared, in any group."""
    return repository.requires(*names) is not None
