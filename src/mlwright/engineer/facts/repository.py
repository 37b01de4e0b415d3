"""A repository as one frozen value that fetches nothing: whatever a probe may ask was read before."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Final

from mlwright.engineer.facts.code import Call, PythonFile, Role
from mlwright.engineer.facts.configuration import (
    AlertRule,
    CloudResource,
    Container,
    Dockerfile,
    Document,
    DocumentKind,
    IndexOption,
    KubernetesObject,
    LockFile,
    PipelineDefinition,
    Requirement,
    Text,
    Workflow,
)
from mlwright.engineer.facts.history import History
from mlwright.engineer.facts.memory import remembered
from mlwright.engineer.facts.running import ServerFacts
from mlwright.model.assessment import Profile
from mlwright.model.findings import Finding, Location
from mlwright.model.scans import Scan

_MARKS: Final = re.compile(r"[*?\[\]]")


@lru_cache(maxsize=500)
def _matching(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a name matches one of these shell patterns; many probes ask for the same names over and over."""
    whole = re.compile("|".join(map(translate, patterns)) or r"(?!)")
    return lambda name: whole.match(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file: POSIX path from the root, size in bytes, and its role."""

    path: str
    bytes: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """All that was read of a repository. Every tuple is sorted by path, then line.

    ``ignored`` are the patterns of the root's .gitignore. ``scans`` holds what outside scanners said, ``server`` what
    runs, None where there is nothing to ask. ``unread`` names what was left out and why, ``answers`` what people said
    to questions that no file can answer. ``partial`` tells that these are some files of something larger.
    """

    name: str
    files: tuple[FileEntry, ...]
    profile: Profile
    python: tuple[PythonFile, ...] = ()
    documents: tuple[Document, ...] = ()
    dockerfiles: tuple[Dockerfile, ...] = ()
    kubernetes: tuple[KubernetesObject, ...] = ()
    containers: tuple[Container, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    resources: tuple[CloudResource, ...] = ()
    pipelines: tuple[PipelineDefinition, ...] = ()
    alerts: tuple[AlertRule, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    locks: tuple[LockFile, ...] = ()
    indexes: tuple[IndexOption, ...] = ()
    texts: tuple[Text, ...] = ()
    ignored: tuple[str, ...] = ()
    history: History | None = None
    scans: tuple[Scan, ...] = ()
    server: ServerFacts | None = None
    unread: tuple[str, ...] = ()
    answers: tuple[Finding, ...] = ()
    partial: bool = False

    @property
    def released(self) -> bool:
        """Whether this is a source release (PEP 643): what is not in it may well stand in its repository."""
        return self.history is None and any(each.path == "PKG-INFO" for each in self.files)

    @property
    def production(self) -> tuple[PythonFile, ...]:
        """The Python files that claims are made about: no tests, examples, documents, vendored code."""
        return _of_role(self, Role.PRODUCTION)

    @property
    def tests(self) -> tuple[PythonFile, ...]:
        """The Python files of the tests."""
        return _of_role(self, Role.TEST)

    def find(self, *patterns: str) -> tuple[FileEntry, ...]:
        """The files whose path, or whose name, matches one of these shell patterns, in any case."""
        matching = _paths_matching(tuple(pattern.lower() for pattern in patterns))
        return tuple(each for each, path, name in _lowered(self) if matching(path, name))

    def calls(self, *names: str, role: Role | None = Role.PRODUCTION) -> Iterator[tuple[PythonFile, Call]]:
        """Calls whose dotted name matches one of these shell patterns; ``role`` None looks everywhere."""
        exact, last, other = _kinds(names)
        called = _called(self)
        known = {name for name in exact if name in called}
        if last:
            parts = _last_parts(self)
            known |= {name for part in last for name in parts.get(part, ())}
        if other:
            matching = _matching(other)
            known |= {name for name in called if matching(name)}
        found = [each for name in known for each in called[name]]
        for _, file, call in sorted(found, key=itemgetter(0)):
            if role is None or file.role is role:
                yield file, call

    def importing(self, *packages: str, role: Role | None = Role.PRODUCTION) -> Iterator[Location]:
        """Where one of these packages is imported; ``role`` None looks everywhere."""
        for file in self.python:
            if role is None or file.role is role:
                found = file.imports_any(*packages)
                if found is not None:
                    yield file.at(found)

    def requires(self, *names: str) -> Requirement | None:
        """The first direct dependency of one of these normalised names, or None."""
        return next((each for each in self.requirements if each.name in names), None)

    def of_kind(self, *kinds: DocumentKind) -> tuple[Document, ...]:
        """The documents of these kinds."""
        return tuple(each for each in self.documents if each.kind in kinds)

    def objects(self, *kinds: str) -> tuple[KubernetesObject, ...]:
        """The Kubernetes objects of these kinds."""
        return tuple(each for each in self.kubernetes if each.kind in kinds)


@remembered
def _lowered(repository: Repository) -> tuple[tuple[FileEntry, str, str], ...]:
    """The files with their path and name in lower case."""
    low = ((each, each.path.lower()) for each in repository.files)
    return tuple((each, path, path.rpartition("/")[2]) for each, path in low)


@remembered
def _called(repository: Repository) -> Mapping[str, list[tuple[int, PythonFile, Call]]]:
    """All calls by name, numbered in the order of the text: far fewer names than calls have to be matched."""
    called = defaultdict[str, list[tuple[int, PythonFile, Call]]](list)
    numbers = count()
    for file in repository.python:
        for call in file.calls:
            called[call.name].append((next(numbers), file, call))
    return called


@remembered
def _last_parts(repository: Repository) -> Mapping[str, list[str]]:
    """The names of calls with a dot in them, by their last part."""
    parts: dict[str, list[str]] = {}
    for name in _called(repository):
        _, dot, last = name.rpartition(".")
        if dot:
            parts.setdefault(last, []).append(name)
    return parts


@lru_cache(maxsize=500)
def _paths_matching(patterns: tuple[str, ...]) -> Callable[[str, str], bool]:
    """Whether a path or its last part matches one of these shell patterns; regular expressions only where needed."""
    inner = {each: each.removeprefix("*").removesuffix("*") for each in patterns}
    plain = {each for each in patterns if not _MARKS.search(each)}
    ends = {each for each in patterns if each == f"*{inner[each]}" and not _MARKS.search(inner[each])}
    around = {each for each in patterns if each == f"*{inner[each]}*" and not _MARKS.search(inner[each])}
    other = tuple(each for each in patterns if each not in plain | ends | around)
    endings, parts = tuple(inner[each] for each in sorted(ends)), [inner[each] for each in sorted(around)]
    whole = _matching(other)
    # Whatever matches holds the longest plain part of a pattern, if that has no set of letters.
    holds = ["" if "[" in each else max(_MARKS.split(each), key=len) for each in other]

    def matching(path: str, name: str) -> bool:
        if name in plain or path in plain or path.endswith(endings):
            return True
        for part in parts:
            if part in path:
                return True
        for part in holds:
            if part in path:
                return whole(path) or whole(name)
        return False

    return matching


@lru_cache(maxsize=500)
def _kinds(patterns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Shell patterns apart: plain names, the last parts of those like ``*.fit``, and all others, which cost more."""
    exact, last, other = [], [], []
    for each in patterns:
        if not _MARKS.search(each):
            exact.append(each)
        elif each.startswith("*.") and not _MARKS.search(each[2:]) and "." not in each[2:]:
            last.append(each[2:])
        else:
            other.append(each)
    return tuple(exact), tuple(last), tuple(other)


@remembered
def _of_role(repository: Repository, role: Role) -> tuple[PythonFile, ...]:
    return tuple(each for each in repository.python if each.role is role)
