"""Dependencies of a whole repository: the direct ones of every file, and the locks that fix them."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mlwright.engineer.collect.locks import LARGEST as LARGEST_LOCK
from mlwright.engineer.collect.locks import Lock, compiled, is_lock, read_lock
from mlwright.engineer.collect.requirements import (
    RequirementsFile,
    is_constraints,
    is_requirements,
    of_conda,
    of_pipfile,
    of_pixi,
    of_pyproject,
    of_setup_cfg,
    of_setup_py,
    read_requirements,
)
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Document, DocumentKind, IndexOption, LockFile, Requirement

LARGEST_LIST = 500_000
_MOST = 5_000
_ROLE_GROUPS = {Role.TEST: "test", Role.EXAMPLE: "examples", Role.DOCUMENT: "docs"}


@dataclass(slots=True)
class Dependencies:
    """Gathers what the files of a repository declare; ``settle`` brings locks and constraints together with it."""

    requirements: list[Requirement] = field(default_factory=list)
    indexes: list[IndexOption] = field(default_factory=list)
    _lists: dict[str, tuple[str, RequirementsFile]] = field(default_factory=dict)
    _constraints: dict[str, RequirementsFile] = field(default_factory=dict)
    _locks: list[Lock] = field(default_factory=list)

    def limit(self, path: str) -> int:
        """How many bytes of this file are wanted; 0 for one that says nothing about dependencies."""
        if is_lock(path):
            return LARGEST_LOCK
        name = path.rpartition("/")[2].lower()
        wanted = (
            is_requirements(path) or is_constraints(path) or name in {"setup.cfg", "setup.py", "pip.conf"}
        )
        return LARGEST_LIST if (wanted and not name.endswith((".py", ".md"))) or name == "setup.py" else 0

    def add(self, path: str, role: Role, raw: bytes) -> None:
        """Take in a file that ``limit`` asked for."""
        name = path.rpartition("/")[2].lower()
        if is_lock(path):
            lock = read_lock(path, raw) if role not in _ROLE_GROUPS else None
            self._locks += [lock] if lock is not None else []
            return
        text = raw.decode("utf-8-sig", errors="replace")
        if name in {"setup.cfg", "setup.py"}:
            if role not in _ROLE_GROUPS:
                self.requirements += (
                    of_setup_cfg(path, text) if name == "setup.cfg" else of_setup_py(path, text)
                )
        elif name == "pip.conf":
            self.indexes += pip_settings(path, text)
        elif is_constraints(path):
            self._constraints[path] = read_requirements(path, text, "")
        else:
            self._lists[path] = (text, read_requirements(path, text, _ROLE_GROUPS.get(role)))

    def add_document(self, document: Document) -> None:
        """Take in a document, where it is one that declares dependencies."""
        name = document.path.rpartition("/")[2].lower()
        found: list[Requirement] = []
        indexes: list[IndexOption] = []
        if document.kind is DocumentKind.PYPROJECT:
            found, indexes = of_pyproject(document)
        elif name == "pipfile":
            found, indexes = of_pipfile(document)
        elif name == "pixi.toml":
            found = of_pixi(document)
        elif name.endswith((".yml", ".yaml")) and _is_conda(document):
            found, _ = of_conda(document)
        self.requirements += found
        self.indexes += indexes

    def wanted(self, known: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
        """Files that requirement files name with ``-r`` and ``-c`` and that were not read yet: (path, group)."""
        found: dict[str, str] = {}
        for path, (_, each) in sorted(self._lists.items()):
            group = each.requirements[0].group if each.requirements else ""
            named = [(one, False) for one in each.includes] + [(one, True) for one in each.constraints]
            for target, constraint in named:
                there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                if there not in self._lists and there not in self._constraints and known(there):
                    found.setdefault(there, "constraint" if constraint else group)
        return tuple(sorted(found.items()))

    def add_wanted(self, path: str, group: str, raw: bytes) -> None:
        """Take in a file that ``wanted`` named."""
        text = raw.decode("utf-8-sig", errors="replace")
        if group == "constraint":
            self._constraints[path] = read_requirements(path, text, "")
        else:
            self._lists[path] = (text, read_requirements(path, text, group))

    def settle(self) -> tuple[tuple[Requirement, ...], tuple[LockFile, ...], tuple[IndexOption, ...]]:
        """The direct dependencies, the lock files and the index settings, each sorted."""
        found = list(self.requirements)
        pins: dict[str, set[str]] = {}
        sources = {path for path in self._lists if path.endswith(".in")}
        declared = bool(found)
        for path, (text, each) in sorted(self._lists.items()):
            lock = compiled(path, text, each.requirements)
            folder = posixpath.dirname(path)
            if lock is not None and not any(
                one.group in _ROLE_GROUPS.values() for one in each.requirements[:1]
            ):
                self._locks.append(lock)
                pins.setdefault(folder, set()).update(lock.names)
                sourced = any(posixpath.dirname(source) == folder for source in sources)
                if sourced or (declared and lock.file.tool not in {"pip", "pip freeze"}):
                    self.indexes += each.indexes
                    continue
            found += each.requirements
            self.indexes += each.indexes
        for path, each in sorted(self._constraints.items()):
            pins.setdefault(posixpath.dirname(path), set()).update(
                one.name for one in each.requirements if one.pinned
            )
        settled = {self._settled(each, pins) for each in found[:_MOST]}
        return (
            tuple(sorted(settled, key=lambda each: (each.at, each.group, each.name, each.specifier))),
            tuple(sorted((each.file for each in self._locks), key=lambda each: each.path)),
            tuple(sorted(set(self.indexes), key=lambda each: (each.path, each.line, each.text))),
        )

    def _settled(self, one: Requirement, pins: dict[str, set[str]]) -> Requirement:
        folder = posixpath.dirname(one.at.path)
        pinned = one.pinned or (one.at.path.endswith((".in", ".txt")) and one.name in pins.get(folder, set()))
        hashed = one.hashed or any(
            each.file.hashed and one.name in each.names and _above(posixpath.dirname(each.file.path), folder)
            for each in self._locks
        )
        return (
            one
            if (pinned, hashed) == (one.pinned, one.hashed)
            else replace(one, pinned=pinned, hashed=hashed)
        )


def _above(folder: str, other: str) -> bool:
    return folder in {"", other} or other.startswith(folder + "/")


def _is_conda(document: Document) -> bool:
    name = document.path.rpartition("/")[2].lower()
    listed = document.get("dependencies")
    return isinstance(listed, list) and (
        "channels" in document.data or name.startswith(("environment", "env", "conda"))
    )


def pip_settings(path: str, text: str) -> list[IndexOption]:
    """The index settings of a pip.conf."""
    options = ("index-url", "extra-index-url", "trusted-host", "find-links", "no-index")
    return [
        option
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip().startswith(options)
        for option in read_requirements(path, "--" + line.strip().replace(" ", ""), "").indexes
        for option in (IndexOption(path=path, line=number, text=option.text),)
    ]
