"""Which lines a change touches: from the common ancestor of a revision and HEAD to the files as they are now."""

import hashlib
import heapq
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

from pathspec import GitIgnoreSpec

from mlwright.engineer.collect.deltas import Broken
from mlwright.engineer.collect.git_objects import Objects, common_folder, git_folder, references
from mlwright.engineer.collect.history import commit_of, tracked_entries
from mlwright.engineer.collect.walk import read_bytes, walk
from mlwright.engineer.facts.repository import FileEntry
from mlwright.errors import NotFound, UsageError

_LARGEST = 4_000_000
_LINES = 20_000
_COMMITS = 200_000
_ENTRIES = 500_000


def changed_lines(root: Path, revision: str) -> dict[str, frozenset[int] | None]:
    """The new-side line numbers that differ between the merge base of ``revision`` and HEAD, and the working tree.

    Path from ``root`` → lines (empty where lines were only taken away), or None where the whole file is new, or too
    large to compare. Files that did not change, and those that are gone, are absent. A revision is a name of a branch,
    tag or remote branch, a commit of four or more digits, HEAD, and each of these with ``~n`` or ``^``.

    Raises:
        UsageError: ``root`` is in no git repository, or the repository cannot be read.
        NotFound: there is no such revision.
    """
    root = root.absolute()
    found = git_folder(root)
    if found is None:
        raise UsageError(
            f"{root.name} is in no git repository, so nothing in it has changed since {revision!r}",
            next_command="mlwright assess PATH, without --changed-since",
        )
    work, git = found
    try:
        common = common_folder(git)
        refs = references(git, common)
        objects = Objects(common, limit=_LARGEST)
        base = _merge_base(objects, _resolve(objects, refs, revision), refs["HEAD"])
        prefix = "" if work == root else root.relative_to(work).as_posix() + "/"
        return dict(_changes(root, objects, base, prefix, set(tracked_entries(git))))
    except (Broken, KeyError, OSError) as error:
        why = "there is no commit yet" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            "the git repository cannot be compared",
            why=why,
            next_command="git fsck, or git fetch --unshallow",
        ) from None


def files_before(root: Path, revision: str) -> tuple[Path, dict[str, str]]:
    """Every file below ``root`` at the merge base of ``revision`` and HEAD: the folder of git's objects, path → object.

    Links and submodules are left out.

    Raises:
        UsageError: ``root`` is in no git repository, or the repository cannot be read.
        NotFound: there is no such revision.
    """
    root = root.absolute()
    found = git_folder(root)
    if found is None:
        raise UsageError(f"{root.name} is in no git repository", next_command="mlwright assess PATH")
    work, git = found
    prefix = "" if work == root else root.relative_to(work).as_posix() + "/"
    try:
        common = common_folder(git)
        refs = references(git, common)
        objects = Objects(common, limit=_LARGEST)
        base = _merge_base(objects, _resolve(objects, refs, revision), refs["HEAD"])
        files = _files(objects, commit_of(objects, base).tree)
        return common, {path.removeprefix(prefix): sha for path, sha in files if path.startswith(prefix)}
    except (Broken, KeyError, OSError) as error:
        raise UsageError(
            "the git repository cannot be read",
            why=str(error),
            next_command="git fsck, or git fetch --unshallow",
        ) from None


_REVISION = re.compile(r"(?P<name>[^~^:\s]{1,200})(?P<up>(?:~\d{0,4}|\^){0,50})")


def _resolve(objects: Objects, refs: dict[str, str], revision: str) -> str:
    parsed = _REVISION.fullmatch(revision)
    sha = _named(objects, refs, parsed.group("name")) if parsed is not None else None
    if parsed is None or sha is None:
        short = {name.removeprefix("refs/").partition("/")[2] or name for name in refs}
        raise NotFound.named("revision", revision, short, next_command="git fetch, then git branch --all")
    for step in re.findall(r"~\d*|\^", parsed.group("up")):
        for _ in range(int(step[1:] or "1") if step != "^" else 1):
            parents = commit_of(objects, sha).parents
            if not parents:
                raise NotFound(
                    f"{revision} goes further back than the first commit", next_command="git log --oneline"
                )
            sha = parents[0]
    return sha


def _named(objects: Objects, refs: dict[str, str], name: str) -> str | None:
    """The commit of a name, in git's own order of where to look; annotated tags are followed."""
    places = (name, f"refs/{name}", f"refs/tags/{name}", f"refs/heads/{name}", f"refs/remotes/{name}")
    found = next((refs[each] for each in places if each in refs), None)
    if found is None and re.fullmatch(r"[0-9a-f]{4,40}", name):
        names = [each for each in objects.named(name) if _commit_behind(objects, each) is not None]
        found = names[0] if len(names) == 1 else None
    return _commit_behind(objects, found) if found is not None else None


def _commit_behind(objects: Objects, sha: str) -> str | None:
    for _ in range(10):
        try:
            kind, content = objects.read(sha)
        except Broken:
            return None
        if kind == "commit":
            return sha
        target = re.match(rb"object ([0-9a-f]{40})\n", content) if kind == "tag" else None
        if target is None:
            return None
        sha = target.group(1).decode()
    return None


def _merge_base(objects: Objects, one: str, other: str) -> str:
    """A best common ancestor: the newest commit that both reach; ``one`` itself where they share none."""
    sides = {one: 1, other: 2} if one != other else {one: 3}
    queue = [(-commit_of(objects, sha).time, sha) for sha in sorted(sides)]
    heapq.heapify(queue)
    for _ in range(_COMMITS):
        if not queue:
            break
        _, sha = heapq.heappop(queue)
        if sides[sha] == 3:
            return sha
        for parent in commit_of(objects, sha).parents:
            new = sides.get(parent, 0) | sides[sha]
            if new != sides.get(parent):
                sides[parent] = new
                try:
                    heapq.heappush(queue, (-commit_of(objects, parent).time, parent))
                except Broken:
                    continue
    return one


def _files(objects: Objects, tree: str) -> Iterator[tuple[str, str]]:
    """(path, object name) of every file of a tree."""
    stack = [("", tree, 0)]
    entries = 0
    while stack:
        above, sha, depth = stack.pop()
        kind, content = objects.read(sha)
        if kind != "tree" or depth > 100:
            raise Broken("a tree that is none, or too deep")
        at = 0
        while at < len(content):
            end = content.index(b"\0", at)
            mode, _, name = content[at:end].partition(b" ")
            child = content[end + 1 : end + 21].hex()
            at = end + 21
            entries += 1
            if entries > _ENTRIES:
                raise Broken(f"a tree of more than {_ENTRIES:,} files")
            path = above + name.decode("utf-8", "replace")
            if mode == b"40000":
                stack.append((path + "/", child, depth + 1))
            elif mode not in (b"160000", b"120000"):
                yield path, child


def _changes(
    root: Path, objects: Objects, base: str, prefix: str, tracked: set[str]
) -> Iterator[tuple[str, frozenset[int] | None]]:
    before = dict(_files(objects, commit_of(objects, base).tree))
    ignored = _ignored(root)
    for entry in walk(root).files:
        old = before.get(prefix + entry.path)
        if old is None:
            if prefix + entry.path in tracked or not ignored(entry.path):
                yield entry.path, None
            continue
        if entry.bytes > _LARGEST:
            if _digest(root, entry) != old:
                yield entry.path, None
            continue
        content = read_bytes(root, entry, _LARGEST)
        if hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == old:
            continue
        try:
            lines = _lines(objects.read(old)[1], content)
        except Broken:
            lines = None
        if lines is None or lines or _texts(objects.read(old)[1]) != _texts(content):
            yield entry.path, lines


def _digest(root: Path, entry: FileEntry) -> str:
    digest = hashlib.sha1(b"blob %d\0" % entry.bytes, usedforsecurity=False)
    with (root / entry.path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _texts(content: bytes) -> list[bytes]:
    return content.replace(b"\r\n", b"\n").split(b"\n")


def _lines(old: bytes, new: bytes) -> frozenset[int] | None:
    """The numbers of the lines that are new or different; None for what is too long to compare."""
    before, after = _texts(old), _texts(new)
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(left) > _LINES or len(right) > _LINES:
        return None
    found: set[int] = set()
    for tag, _, _, start, end in SequenceMatcher(None, left, right).get_opcodes():
        if tag in {"replace", "insert"}:
            found.update(range(head + start + 1, head + end + 1))
    if after and not after[-1]:
        found.discard(len(after))  # what follows the last line break is no line
    return frozenset(found)


def _ignored(root: Path) -> Callable[[str], bool]:
    """Whether a path is ignored by the root's .gitignore."""
    path = root / ".gitignore"
    lines = path.read_bytes()[:200_000].decode("utf-8", "replace").splitlines() if path.is_file() else []
    try:
        spec = GitIgnoreSpec.from_lines(each for each in lines if len(each) <= 400 and each.count("*") <= 4)
    except ValueError:
        return lambda _: False
    return spec.match_file
