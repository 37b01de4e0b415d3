"""Fix every dependency with digests: uv.lock for a project, a compiled requirements file for a list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlwright.engineer.collect.requirements import is_constraints, is_requirements, read_requirements
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.configuration import Document, Requirement
from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.fixes.project import pyproject, python_version, with_includes
from mlwright.engineer.fixes.resolving import Unresolved, find_uv
from mlwright.engineer.fixes.shape import NOTHING, Draft, Fix, Read
from mlwright.engineer.fixes.text import source_of
from mlwright.model.assessment import RepositoryKind

_MOST: Final = 5
_HEADER: Final = "mlwright assess --fix lock"
# What of [tool.uv] decides nothing about where packages come from, or which code is run.
_HARMLESS: Final = frozenset(
    "dev-dependencies package constraint-dependencies override-dependencies required-version default-groups "
    "environments required-environments conflicts prerelease resolution fork-strategy managed".split()
)
_ELSEWHERE: Final = re.compile(
    r"^\s*(-e|--editable|-i|-f|--(?:extra-)?index-url|--find-links|--trusted-host)\b|://|(?:^|\s)file:|^\s*\.{0,2}/|^\s*\.\s*$",
    re.MULTILINE,
)
_OTHER_TOOLS: Final = (
    ("poetry.lock", "poetry lock"),
    ("pdm.lock", "pdm lock"),
    ("Pipfile", "pipenv lock"),
    ("pixi.toml", "pixi lock"),
    ("environment.yml", "conda-lock -f environment.yml"),
    ("environment.yaml", "conda-lock -f environment.yaml"),
)
_NO_UV: Final = "uv, which resolves versions, is not installed here"
_NETWORK: Final = "the versions are the newest that fit today: run the tests with them before you rely on it"
_ALONE: Final = "pip checks the digests from now on: nothing without one may be installed by the same command"


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """A requirement file to be compiled: what people edit, and what is installed."""

    source: str
    compiled: str
    moved: bool


def plan(repository: Repository, read: Read) -> Draft:
    """Lock the project's root, or each requirement file; a library is left alone."""
    if repository.profile.kind is RepositoryKind.LIBRARY or any(each.hashed for each in repository.locks):
        return NOTHING
    project = pyproject(repository)
    if project is not None and project.get("project", "dependencies"):
        return _project(project, repository, read)
    lists = _lists(repository, read)
    return _compiled(lists, repository, read) if lists else _other_tool(project, read)


def _other_tool(project: Document | None, read: Read) -> Draft:
    for name, command in _OTHER_TOOLS:
        if read(name, head=1) is not None:
            return Draft(refused=f"{name} is for another tool than uv", next_command=command)
    if project is not None and project.get("tool", "poetry"):
        return Draft(refused="pyproject.toml is Poetry's", next_command="poetry lock")
    return Draft(
        refused="no list of dependencies that uv can read: requirements.txt or [project] dependencies"
    )


def _project(project: Document, repository: Repository, read: Read) -> Draft:
    raw = read("pyproject.toml")
    why = _no_project(project, repository)
    if raw is None or why:
        return Draft(refused=why or "pyproject.toml is too large", next_command="uv lock")
    resolver = find_uv()
    if resolver is None:
        return Draft(refused=_NO_UV, next_command="python -m pip install uv && uv lock")
    known = read("uv.lock")
    files = {"pyproject.toml": raw} | ({"uv.lock": known} if known is not None else {})
    try:
        lock = resolver.run(("lock",), files, "uv.lock")
    except Unresolved as error:
        return Draft(refused=str(error), next_command="uv lock")
    return Draft(changes={"uv.lock": lock}, notes=(_NETWORK, "install with: uv sync --locked"))


def _no_project(project: Document, repository: Repository) -> str:
    """Why this project is not given to uv, "" where it may be."""
    dynamic = project.get("project", "dynamic")
    settings = project.get("tool", "uv")
    unsafe = sorted(set(settings) - _HARMLESS) if isinstance(settings, dict) else []
    if isinstance(dynamic, list) and {"dependencies", "optional-dependencies"} & set(map(str, dynamic)):
        return "its dependencies are dynamic: to know them, code of the project would have to run"
    if unsafe:
        return f"[tool.uv] sets {unsafe[0]}: where packages come from is not taken from a repository"
    if any("://" in each.specifier for each in repository.requirements if each.at.path == "pyproject.toml"):
        return "a dependency is named by its address, which would be fetched"
    return ""


def _lists(repository: Repository, read: Read) -> Sequence[_List]:
    """The requirement files of what runs, each with the one that is compiled from it."""
    paths = sorted(
        {
            each.at.path
            for each in repository.requirements
            if not each.group and is_requirements(each.at.path) and not is_constraints(each.at.path)
        }
    )
    roles = {each.path: each.role for each in repository.files}
    included = {name for path in paths for name in with_includes(path, read) if name != path}
    found = []
    for path in paths[:_MOST]:
        stem = path.rpartition(".")[0]
        if path in included or roles.get(path) not in (Role.PRODUCTION, Role.TOOL):
            continue
        if path.endswith(".in"):
            found.append(_List(source=path, compiled=f"{stem}.txt", moved=False))
        elif f"{stem}.in" not in paths:
            found.append(_List(source=f"{stem}.in", compiled=path, moved=True))
    return found


def _compiled(lists: Sequence[_List], repository: Repository, read: Read) -> Draft:
    resolver = find_uv()
    version, _ = python_version(repository, read)
    changes: dict[str, bytes] = {}
    notes: list[str] = []
    refusals: list[str] = []
    command = ""
    for each in lists:
        path = each.compiled if each.moved else each.source
        files = {name: raw for name in with_includes(path, read) if (raw := read(name)) is not None}
        typed = _command(each, version)
        command = command or " && ".join(
            (*([f"cp {each.compiled} {each.source}"] if each.moved else []), typed)
        )
        why = _unsafe(files)
        if why:
            refusals.append(f"{path}: {why}")
            continue
        if resolver is None:
            command = f"python -m pip install uv && {command}" if not refusals else command
            refusals.append(_NO_UV)
            continue
        copies = {each.source if name == path else name: raw for name, raw in files.items()}
        try:
            text = resolver.run(
                [*typed.split()[1:], "--custom-compile-command", _HEADER], copies, each.compiled
            )
        except Unresolved as error:
            refusals.append(f"{path}: {error}")
            continue
        if not _all_hashed(each.compiled, text):
            refusals.append(f"{path}: uv left something without version or digest")
            continue
        changes[each.compiled] = text
        if each.moved:
            changes[each.source] = files[path]
            notes.append(
                f"{each.source} keeps what you wrote: edit that one, {each.compiled} is made from it"
            )
    if changes:
        return Draft(changes=changes, notes=(*notes, *refusals, _ALONE, _NETWORK))
    pinned = _pinned(lists, repository, read)
    if pinned:
        return Draft(
            changes=pinned,
            notes=(
                *dict.fromkeys(refusals),
                "pinned to versions that another file here names, without digests",
            ),
        )
    return Draft(refused="; ".join(dict.fromkeys(refusals)), next_command=command)


def _command(each: _List, version: str) -> str:
    wanted = f"--universal --generate-hashes --python-version {version}"
    return f"uv pip compile {wanted} {each.source} -o {each.compiled}"


def _unsafe(files: Mapping[str, bytes]) -> str:
    """Why these lists are not given to uv."""
    for raw in files.values():
        bare = re.sub(r"(?:^|\s)#.*$", "", raw.decode("utf-8", "replace"), flags=re.MULTILINE)
        found = _ELSEWHERE.search(bare)
        if found is not None:
            line = bare[bare.rfind("\n", 0, found.start()) + 1 :].lstrip("\n").partition("\n")[0].strip()
            shown = re.sub(r"//[^/@\s]+@", "//…@", line)[:80]
            return f"{shown!r} names a place of its own, which is not followed"
    return ""


def _all_hashed(path: str, text: bytes) -> bool:
    found = read_requirements(path, text.decode("utf-8", "replace"), "").requirements
    return bool(found) and all(each.pinned and each.hashed for each in found)


def _pinned(lists: Sequence[_List], repository: Repository, read: Read) -> dict[str, bytes]:
    """The lists with versions that other files of the repository agree on; only files that change."""
    known = _known(repository, read, {each.compiled for each in lists} | {each.source for each in lists})
    changes: dict[str, bytes] = {}
    for each in lists:
        path = each.compiled if each.moved else each.source
        raw = read(path)
        source = source_of(path, raw) if raw is not None else None
        if source is not None:
            lines = source.text.splitlines(keepends=True)
            entries = {one.at.line: one for one in read_requirements(path, source.text, "").requirements}
            text = "".join(_with_version(line, entries.get(n), known) for n, line in enumerate(lines, 1))
            if text != source.text:
                changes[path] = source.encode(text)
    return changes


def _known(repository: Repository, read: Read, without: set[str]) -> dict[str, str]:
    """Exact versions that requirement and constraint files name, by package; none where they disagree."""
    found: dict[str, set[str]] = {}
    for entry in repository.files:
        if entry.path in without or not (is_requirements(entry.path) or is_constraints(entry.path)):
            continue
        if entry.role not in (Role.PRODUCTION, Role.TOOL) or (raw := read(entry.path)) is None:
            continue
        for each in read_requirements(entry.path, raw.decode("utf-8", "replace"), "").requirements:
            exact = re.fullmatch(r"==([\w.!+]+)", each.specifier)
            if exact:
                found.setdefault(each.name, set()).add(exact.group(1))
    return {name: versions.pop() for name, versions in found.items() if len(versions) == 1}


def _with_version(line: str, entry: Requirement | None, known: Mapping[str, str]) -> str:
    if entry is None or entry.pinned or entry.name not in known:
        return line
    found = re.fullmatch(
        r"(\s*[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)[ \t]*([<>=!~][^;#\r\n]*?)?([ \t]*(?:[;#][^\r\n]*)?(?:\r?\n)?)",
        line,
    )
    return f"{found.group(1)}=={known[entry.name]}{found.group(3)}" if found else line


FIX: Final = Fix(
    id="lock",
    title="fix every dependency with version and digest",
    flips=("dependencies.pinned", "dependencies.locked"),
    plan=plan,
    rank=0,
)
