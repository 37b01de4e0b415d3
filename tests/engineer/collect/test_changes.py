"""Which lines changed since a revision."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engineer.collect.gits import Repository

from mlwright.engineer.collect.changes import changed_lines
from mlwright.errors import NotFound, UsageError

LINES = [b"line %d\n" % number for number in range(1, 11)]


@pytest.fixture
def git(new_git: Callable[[], Repository]) -> Repository:
    """Two commits on main: the second changes a.py; a branch left after the first."""
    made = new_git()
    first = made.commit(
        {"a.py": b"".join(LINES), "sub/b.py": b"b\n", "gone.py": b"g\n", ".gitignore": b"*.log\n"}
    )
    made.commit({"a.py": b"other\n", "sub/b.py": b"b\n"}, parents=(first,), branch="side")
    made.tag("v1", first, annotated=True)
    changed = [*LINES[:2], b"new\n", *LINES[2:5], b"changed\n", *LINES[6:9]]
    made.commit({"a.py": b"".join(changed), "sub/b.py": b"b\n", "gone.py": b"g\n", ".gitignore": b"*.log\n"})
    return made


def test_lines_of_the_change_and_of_the_work_tree(git: Repository) -> None:
    (git.root / "new.py").write_text("x\n")
    (git.root / "x.log").write_text("x\n")
    (git.root / "gone.py").unlink()
    assert changed_lines(git.root, "HEAD~1") == {"a.py": frozenset({3, 7}), "new.py": None}
    assert changed_lines(git.root, "HEAD") == {"new.py": None}


@pytest.mark.parametrize("revision", ["v1", "HEAD^", "main~1", "refs/heads/main~1"])
def test_names_of_the_same_revision(git: Repository, revision: str) -> None:
    assert changed_lines(git.root, revision) == {"a.py": frozenset({3, 7})}


def test_a_branch_that_went_elsewhere_is_compared_from_where_it_left(git: Repository) -> None:
    assert changed_lines(git.root, "side") == {"a.py": frozenset({3, 7})}


def test_a_short_name_of_a_commit(git: Repository) -> None:
    head = git.repo.head().decode()
    assert changed_lines(git.root, head[:8]) == {}
    git.pack()
    assert changed_lines(git.root, head[:8]) == {}


def test_paths_are_relative_to_the_folder_that_is_looked_at(git: Repository) -> None:
    (git.root / "sub" / "b.py").write_bytes(b"b\nc\n")
    assert changed_lines(git.root / "sub", "HEAD") == {"b.py": frozenset({2})}


def test_line_ends_and_removed_lines(git: Repository) -> None:
    path = git.root / "a.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert changed_lines(git.root, "HEAD") == {}
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    assert changed_lines(git.root, "HEAD") == {"a.py": frozenset()}


@pytest.mark.parametrize(
    "revision", ["mian", "", "a b", "HEAD~99", "--output=x", "deadbeef", "HEAD~~~^{tree}"]
)
def test_an_unknown_revision_says_what_to_type(git: Repository, revision: str) -> None:
    with pytest.raises(NotFound) as raised:
        changed_lines(git.root, revision)
    assert raised.value.next_command


def test_no_repository_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no git repository") as raised:
        changed_lines(tmp_path, "main")
    assert raised.value.next_command
