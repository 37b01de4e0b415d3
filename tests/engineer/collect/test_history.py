"""What is read of a git repository, and that a broken or crafted one neither raises nor hangs."""

import contextlib
import struct
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engineer.collect.gits import START, Repository

from mlwright.engineer.collect.deltas import Broken, applied, index_entries
from mlwright.engineer.collect.git_objects import Objects
from mlwright.engineer.collect.history import history_of, read_history

NewGit = Callable[[], Repository]


def test_commits_authors_tags_and_tracked_paths(new_git: NewGit) -> None:
    git = new_git()
    first = git.commit({"a.py": b"1\n"})
    side = git.commit({"a.py": b"2\n"}, author="B", parents=(first,), branch="side")
    git.commit({"a.py": b"2\n", "d/b.py": b"3\n"}, parents=(first, side))
    git.tag("v1", first, annotated=True)
    git.tag("v2", first, annotated=False)
    (git.root / "untracked").write_text("x")
    with (git.root / ".git" / "config").open("a") as config:
        config.write('[remote "origin"]\n\turl = https://user:secret@h.example/a.git\n')
        config.write('[remote "disk"]\n\turl = /somewhere/a\n')
    found = read_history(git.root)
    assert found is not None
    assert (found.commits, found.authors, found.merges, found.shallow) == (3, 2, 1, False)
    assert (found.first, found.last) == (
        datetime.fromtimestamp(START, UTC),
        datetime.fromtimestamp(START + 120, UTC),
    )
    assert found.tags == ("v1", "v2")
    assert found.tracked == {"a.py", "d/b.py"}
    assert found.remotes == ("https://h.example/a.git", "local")


def test_only_the_newest_are_read(new_git: NewGit) -> None:
    git = new_git()
    for number in range(12):
        git.commit({"a": b"%d" % number})
    found = read_history(git.root, limit=5)
    assert found is not None
    assert (found.commits, found.limit) == (5, 5)
    assert found.first == datetime.fromtimestamp(START + 7 * 60, UTC)


def test_packed_objects_and_references(new_git: NewGit) -> None:
    git = new_git()
    for number in range(30):
        head = git.commit({"a": b"line\n" * 200 + b"%d" % number})
    before = read_history(git.root)
    git.pack()
    git.repo.refs.pack_refs(all=True)
    assert not list((git.root / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"))
    assert read_history(git.root) == before
    assert before is not None
    assert before.head == head.decode()


def test_a_folder_inside_of_a_repository_sees_its_own_paths(new_git: NewGit) -> None:
    git = new_git()
    git.commit({"a": b"", "sub/b": b"", "sub/c/d": b""})
    found = read_history(git.root / "sub")
    assert found is not None
    assert found.tracked == {"b", "c/d"}
    (git.root / "other").mkdir()
    assert read_history(git.root / "other") is None


def test_a_linked_work_tree(new_git: NewGit, tmp_path: Path) -> None:
    git = new_git()
    git.commit({"a": b""})
    linked = git.root / ".git" / "worktrees" / "w"
    linked.mkdir(parents=True)
    (linked / "HEAD").write_text("ref: refs/heads/main\n")
    (linked / "commondir").write_text("../..\n")
    (linked / "index").write_bytes((git.root / ".git" / "index").read_bytes())
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / ".git").write_text(f"gitdir: {linked}\n")
    found = read_history(tmp_path / "w")
    assert found is not None
    assert found.tracked == {"a"}


def test_no_repository_and_no_commit_are_no_history(new_git: NewGit, tmp_path: Path) -> None:
    assert history_of(tmp_path) == (None, "")
    assert history_of(new_git().root) == (None, "")


@pytest.mark.parametrize("part", ["index", "objects", "HEAD", "pack", "idx"])
def test_a_broken_repository_is_noted(part: str, new_git: NewGit) -> None:
    git = new_git()
    git.commit({"a": b"x" * 500})
    folder = git.root / ".git"
    if part in {"pack", "idx"}:
        git.pack()
    paths = (
        [folder / part]
        if part in {"index", "HEAD"}
        else [
            each
            for each in (folder / "objects").rglob("*" if part == "objects" else f"*.{part}")
            if each.is_file()
        ]
    )
    for path in paths:
        path.chmod(0o644)
        path.write_bytes(b"DIRC\x00\x00\x00\x02\x00\x00\x00\x09 not as it was")
    found, why = history_of(git.root)
    assert found is None
    assert why.startswith(".git") or part == "HEAD"


def test_a_commit_that_inflates_to_much_is_not_read(new_git: NewGit) -> None:
    git = new_git()
    head = git.commit({"a": b""}).decode()
    bomb = git.root / ".git" / "objects" / head[:2] / head[2:]
    bomb.chmod(0o644)
    bomb.write_bytes(zlib.compress(b"commit 20000000\0" + b"a" * 20_000_000, 1))
    begun = time.perf_counter()
    found, why = history_of(git.root)
    assert found is None
    assert "larger" in why
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


def crafted(folder: Path, sha: str, entry: bytes) -> None:
    """A pack with one entry of this name."""
    packs = folder / "objects" / "pack"
    packs.mkdir(parents=True)
    name = bytes.fromhex(sha)
    (packs / "pack-x.pack").write_bytes(b"PACK" + struct.pack(">II", 2, 1) + entry + b"\0" * 20)
    fan = b"".join(struct.pack(">I", int(first >= name[0])) for first in range(256))
    (packs / "pack-x.idx").write_bytes(
        b"\xfftOc\0\0\0\2" + fan + name + b"\0\0\0\0" + struct.pack(">I", 12) + b"\0" * 40
    )


@pytest.mark.parametrize(
    "entry",
    [
        bytes([0x91, 0xFF, 0xFF, 0xFF, 0x0F]) + zlib.compress(b"a" * 1_000_000),  # says 4 GB
        bytes([0x15]) + zlib.compress(b"a" * 50_000_000),  # says 5 bytes, holds 50 MB
        bytes([0x65, 0x00]) + zlib.compress(b"abcde"),  # its own base
        bytes([0x75]) + bytes.fromhex("ab" * 20) + zlib.compress(b"abcde"),  # itself by name
        b"\xff" * 100,
        b"",
    ],
    ids=["huge", "longer", "offset loop", "name loop", "size", "nothing"],
)
def test_a_crafted_pack_is_broken_and_soon(entry: bytes, tmp_path: Path) -> None:
    crafted(tmp_path, "ab" * 20, entry)
    begun = time.perf_counter()
    with pytest.raises(Broken):
        Objects(tmp_path).read("ab" * 20)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_difference_raises_anything_else(base: bytes, delta: bytes) -> None:
    with contextlib.suppress(Broken, IndexError):  # Objects.read makes the second the first
        assert len(applied(base, delta, 1_000)) <= 1_000


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([2, 3, 4]))
def test_no_index_raises_anything_else(raw: bytes, version: int) -> None:
    with contextlib.suppress(Broken):
        list(index_entries(b"DIRC" + struct.pack(">II", version, 3) + raw))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_no_pack_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, entry: bytes) -> None:
    folder = tmp_path_factory.mktemp("p")
    crafted(folder, "ab" * 20, entry)
    with contextlib.suppress(Broken):
        Objects(folder).read("ab" * 20)
