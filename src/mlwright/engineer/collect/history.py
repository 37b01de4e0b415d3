"""What git knows: the newest commits, who made them, tags, remotes and tracked paths, read from git's own files."""

import heapq
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlwright.engineer.collect.deltas import Broken, index_entries
from mlwright.engineer.collect.git_objects import Objects, common_folder, git_folder, references
from mlwright.engineer.facts.history import History

_INDEX_BYTES = 64_000_000
_TAGS = 1_000
_LATEST = 32_503_680_000  # the year 3000; a later instant was made up
_CREDENTIALS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its tree, its parents, the address of its author, and when it was committed (seconds since 1970)."""

    tree: str
    parents: tuple[str, ...]
    author: str
    time: int


def read_history(root: Path, limit: int = 2000) -> History | None:
    """The newest ``limit`` commits of the repository around ``root``; None without one, or for a broken one.

    Nothing is executed and no configuration is followed. Paths are relative to ``root``; a repository above ``root``
    that tracks nothing below it is none of its.
    """
    return history_of(root, limit)[0]


def history_of(root: Path, limit: int = 2000) -> tuple[History | None, str]:
    """As ``read_history``, and why there is none: "" where nothing says that there should be one."""
    try:
        return _history(root.absolute(), limit), ""
    except Broken as error:
        return None, f".git: {error}"
    except OSError as error:
        return None, f".git: {error.strerror or 'cannot be read'}"


def _history(root: Path, limit: int) -> History | None:
    found = git_folder(root)
    if found is None:
        return None
    work, git = found
    common = common_folder(git)
    prefix = "" if work == root else root.relative_to(work).as_posix() + "/"
    tracked = frozenset(path.removeprefix(prefix) for path in tracked_entries(git) if path.startswith(prefix))
    if prefix and not tracked:
        return None
    refs = references(git, common)
    head = refs.get("HEAD")
    if head is None:
        return None
    commits = newest(Objects(common), head, limit)
    times = [each.time for each in commits.values()]
    return History(
        head=head,
        commits=len(commits),
        limit=limit,
        authors=len({each.author for each in commits.values()}),
        first=datetime.fromtimestamp(min(times), UTC),
        last=datetime.fromtimestamp(max(times), UTC),
        merges=sum(len(each.parents) > 1 for each in commits.values()),
        tags=tuple(
            sorted(name.removeprefix("refs/tags/") for name in refs if name.startswith("refs/tags/"))[:_TAGS]
        ),
        shallow=(common / "shallow").is_file(),
        tracked=tracked,
        remotes=_remotes(common),
    )


def tracked_entries(git: Path) -> dict[str, str]:
    """Path → object name of everything in the index; empty without an index."""
    path = git / "index"
    if not path.is_file():
        return {}
    if path.stat().st_size > _INDEX_BYTES:
        raise Broken(f"an index of more than {_INDEX_BYTES // 1_000_000} MB")
    return dict(index_entries(path.read_bytes()))


def newest(objects: Objects, head: str, limit: int) -> dict[str, Commit]:
    """The newest ``limit`` commits from ``head`` on, by commit time; parents that are missing are left out.

    Raises:
        Broken: ``head`` itself cannot be read.
    """
    found: dict[str, Commit] = {}
    read = {head: commit_of(objects, head)}
    queue = [(-read[head].time, head)]
    while queue and len(found) < limit:
        _, sha = heapq.heappop(queue)
        found[sha] = read[sha]
        for parent in read[sha].parents:
            if parent not in read:
                try:
                    read[parent] = commit_of(objects, parent)
                except Broken:
                    continue  # below the edge of a shallow clone
                heapq.heappush(queue, (-read[parent].time, parent))
    return found


_HEADER = re.compile(rb"^(tree|parent|author|committer) ([^\n]{0,2000})$", re.MULTILINE)
_PERSON = re.compile(rb"<([^>\n]{0,500})>\s+(-?\d{1,12})")


def commit_of(objects: Objects, sha: str) -> Commit:
    """One commit by its full name; raises Broken."""
    kind, content = objects.read(sha)
    if kind != "commit":
        raise Broken(f"object {sha[:12]} is a {kind} and no commit")
    tree, parents, author, time = "", [], "", 0
    for found in _HEADER.finditer(content.partition(b"\n\n")[0]):
        name, value = found.group(1), found.group(2)
        if name == b"tree":
            tree = tree or value.decode("ascii", "replace")
        elif name == b"parent":
            parents.append(value.decode("ascii", "replace"))
        else:
            person = _PERSON.search(value)
            if person is not None and name == b"author":
                author = person.group(1).decode("utf-8", "replace").lower()
            elif person is not None:
                time = max(0, min(int(person.group(2)), _LATEST))
    return Commit(
        tree, tuple(each for each in parents if re.fullmatch(r"[0-9a-f]{40}", each))[:64], author, time
    )


def _remotes(common: Path) -> tuple[str, ...]:
    """The addresses of the remotes, without user names and passwords; a path on this machine is only "local"."""
    path = common / "config"
    if not path.is_file():
        return ()
    text = path.read_bytes()[:200_000].decode("utf-8", "replace")
    found = set()
    section = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            section = bare
        elif section.startswith("[remote ") and re.match(r"url\s*=", bare):
            url = bare.partition("=")[2].strip().strip('"')
            outside = ("://" in url and not url.startswith("file:")) or re.match(
                r"[\w.-]+@[\w.-]+:", url
            ) is not None
            found.add(_CREDENTIALS.sub("//", url)[:300] if outside else "local")
    return tuple(sorted(found))
