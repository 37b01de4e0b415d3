"""Listing the files of a repository: in one order, within bounds, without following a link or opening anything odd."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlwright.engineer.collect.opening import read_regular
from mlwright.engineer.facts.code import Role
from mlwright.engineer.facts.repository import FileEntry
from mlwright.errors import UsageError

FILES: Final = 50_000
"""No more files than this are listed; the levels near the root come first."""
DEPTH: Final = 100
NOTES: Final = 100
_IN_ONE_FOLDER: Final = 200_000

_SKIPPED: Final = frozenset(
    (
        *(
            ".git",
            ".hg",
            ".svn",
            ".jj",
            ".mlwright",
            "node_modules",
            "site-packages",
            "dist-packages",
            "__pycache__",
        ),
        *(
            ".tox",
            ".nox",
            ".eggs",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
            ".hypothesis",
            ".pytype",
            ".cache",
        ),
        *(
            ".ipynb_checkpoints",
            ".terraform",
            ".venv",
            "__pypackages__",
            ".pixi",
            ".gradle",
            ".idea",
            ".aws-sam",
        ),
    )
)
_MARKED: Final = frozenset(("pyvenv.cfg", "conda-meta", "CACHEDIR.TAG"))
"""A folder that holds one of these is an environment or a cache, not a part of the project."""

_VENDORED: Final = frozenset(
    (
        "vendor",
        "vendored",
        "_vendor",
        "_vendored",
        "third_party",
        "third-party",
        "thirdparty",
        "3rdparty",
        "extern",
    )
)
_TESTS: Final = frozenset(
    (
        "test",
        "tests",
        "unittests",
        "unit_tests",
        "integration_tests",
        "e2e",
        "e2e_tests",
        "__tests__",
        "functional_tests",
    )
)
_EXAMPLES: Final = frozenset(
    (
        *("example", "examples", "demo", "demos", "tutorial", "tutorials", "sample", "samples", "cookbook"),
        # What is started on a developer's own machine only.
        *("devtools", "localdev", "local-dev", "local_dev", "minikube", "k3d", "tilt", "localstack"),
        *("benchmark", "benchmarks", "bench", "quickstart", "quickstarts", "playground", "getting_started"),
    )
)
_DOCUMENTS: Final = frozenset(("doc", "docs", "documentation", "docsrc"))
_TOOLS: Final = frozenset(
    (
        ".github",
        ".gitlab",
        ".circleci",
        ".ci",
        "ci",
        "packaging",
        "build_tools",
        "maint_tools",
        ".devcontainer",
        "hack",
    )
)
_TOOL_NAMES: Final = frozenset(
    ("setup.py", "conf.py", "noxfile.py", "versioneer.py", "hatch_build.py", "_version.py", "fabfile.py")
)
_DATA: Final = frozenset(("data", "dataset", "datasets"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """The files, by path, and what was left out with the reason."""

    files: tuple[FileEntry, ...]
    unread: tuple[str, ...]


def walk(root: Path) -> Walked:
    """List the regular files below ``root``, level by level and by name, at most 50,000.

    Left out are version control, environments, caches and build outputs; links, pipes, sockets and devices are never
    opened, and a folder that cannot be read is noted.

    Raises:
        UsageError: ``root`` is not a folder.
    """
    if not root.is_dir():
        raise UsageError(
            f"there is no folder {root}", next_command="give the folder of a repository: mlwright assess PATH"
        )
    files: list[FileEntry] = []
    unread: list[str] = []
    level = [""]
    for depth in range(DEPTH + 1):
        deeper: list[str] = []
        for folder in level:
            names = _read_folder(root, folder, unread)
            if depth == DEPTH and names.folders:
                unread.append(f"{folder}: what lies deeper than {DEPTH} folders")
                continue
            files.extend(names.files)
            deeper.extend(names.folders)
            if len(files) >= FILES:
                unread.append(f"{_shown(folder) or '.'} and what follows it: more than {FILES:,} files")
                return _walked(files[:FILES], unread)
        if not deeper:
            break
        level = deeper
    return _walked(files, unread)


def _walked(files: list[FileEntry], unread: list[str]) -> Walked:
    unread.sort()
    if len(unread) > NOTES:
        unread[NOTES:] = [f"… and {len(unread) - NOTES:,} more files and folders"]
    return Walked(files=tuple(sorted(files, key=lambda each: each.path)), unread=tuple(unread))


@dataclass(frozen=True, slots=True)
class _Folder:
    files: list[FileEntry]
    folders: list[str]


def _read_folder(root: Path, folder: str, unread: list[str]) -> _Folder:
    try:
        with os.scandir(root / folder) as entries:
            found = sorted(_bounded(entries), key=lambda each: each.name)
    except OSError as error:
        unread.append(f"{_shown(folder) or '.'}: {error.strerror or type(error).__name__}")
        return _Folder([], [])
    if folder and any(each.name in _MARKED for each in found):
        return _Folder([], [])
    built = {each.name for each in found} & {"setup.py", "pyproject.toml"}
    files: list[FileEntry] = []
    folders: list[str] = []
    for each in found:
        path = f"{folder}/{each.name}" if folder else each.name
        try:
            if not path.isprintable():
                unread.append(f"{_shown(path)}: its name cannot be written")
            elif each.is_symlink():
                unread.append(f"{path}: a symbolic link, not followed")
            elif each.is_dir(follow_symlinks=False):
                if not _skipped(each, bool(built)):
                    folders.append(path)
            elif each.is_file(follow_symlinks=False):
                size = each.stat(follow_symlinks=False).st_size
                files.append(FileEntry(path=path, bytes=size, role=role_of(path)))
            else:
                unread.append(f"{path}: not a regular file")
        except OSError as error:
            unread.append(f"{path}: {error.strerror or type(error).__name__}")
    return _Folder(files, folders)


def _bounded(entries: Iterator["os.DirEntry[str]"]) -> Iterator["os.DirEntry[str]"]:
    for number, each in enumerate(entries):
        if number >= _IN_ONE_FOLDER:
            return
        yield each


def _skipped(entry: "os.DirEntry[str]", packaged: bool) -> bool:
    name = entry.name
    if name in _SKIPPED or name.endswith(".egg-info"):
        return True
    if not packaged or name not in ("build", "dist"):
        return False
    # What setuptools and build leave behind; a folder "build" with Dockerfiles of its own is read.
    with os.scandir(entry.path) as inside:
        names = [each.name for each in inside]
    return any(each in ("lib", "temp") or each.startswith(("bdist.", "lib.")) for each in names) or (
        name == "dist" and any(each.endswith((".whl", ".tar.gz")) for each in names)
    )


def _shown(path: str) -> str:
    """A name that can be printed anywhere, whatever bytes it has."""
    if path.isprintable():
        return path
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in path
    )


def read_bytes(root: Path, entry: FileEntry, limit: int) -> bytes:
    """Up to ``limit`` bytes from the beginning of a file that was listed.

    Raises:
        OSError: it is gone, may not be read, or is no regular file any more.
    """
    return read_regular(root / entry.path, limit)


def role_of(path: str) -> Role:
    """What a file is there for, by its POSIX path from the root."""
    folders = path.lower().split("/")
    name = folders.pop()
    among = set(folders)
    if among & _VENDORED:
        return Role.VENDORED
    if _is_test(folders, name):
        return Role.TEST
    if among & _EXAMPLES or any("{{" in each for each in folders):  # a template for new projects
        return Role.EXAMPLE
    if among & _DOCUMENTS or name.endswith((".md", ".rst", ".adoc")):
        return Role.DOCUMENT
    if among & _TOOLS or name in _TOOL_NAMES:
        return Role.TOOL
    return Role.PRODUCTION


def _is_test(folders: list[str], name: str) -> bool:
    # "data/test/…" is the held-out part of a data set, and "test.py" at the top of a model's code evaluates it.
    for number, folder in enumerate(folders):
        if folder in _DATA:
            break
        if folder in _TESTS or (number == 0 and folder.endswith(("_tests", "-tests"))):
            return True
    return name == "conftest.py" or (
        name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))
    )
