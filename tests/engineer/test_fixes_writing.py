"""Writing: all or nothing, inside of the folder only, and only over what was planned on."""

import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.engineer.fixes.diff import unified
from mlwright.engineer.fixes.writing import digest, rename, write_all
from mlwright.errors import Conflict
from mlwright.model.fixes import Change

fixable = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fixable.py"))))


def change(path: str, text: str, before: bytes | None = None) -> Change:
    return Change(
        path=path,
        before=None if before is None else digest(before),
        text=text,
        encoding="utf-8",
        diff=unified(path, None, text),
        fixes=("x",),
    )


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"old a\r\n")
    (folder / "a.txt").chmod(0o755)
    return folder


def test_new_and_old_files(root) -> None:
    written = write_all(root, [change("a.txt", "new\r\n", b"old a\r\n"), change("deep/er/b.txt", "b\n")])
    assert written == ("a.txt", "deep/er/b.txt")
    assert fixable.everything(root) == {"a.txt": b"new\r\n", "deep/er/b.txt": b"b\n"}
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o755
    assert (root / "deep/er/b.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "a.txt").write_bytes(b"changed meanwhile"),
        lambda root: (root / "a.txt").unlink(),
        lambda root: (root / "new.txt").write_bytes(b"came meanwhile"),
    ],
)
def test_what_changed_since_the_plan_is_not_overwritten(root, spoil) -> None:
    changes = [change("z/first.txt", "z"), change("a.txt", "new", b"old a\r\n"), change("new.txt", "n")]
    spoil(root)
    before = fixable.everything(root)
    with pytest.raises(Conflict, match="not as it was") as error:
        write_all(root, changes)
    assert error.value.next_command
    assert fixable.everything(root) == before
    assert not (root / "z").exists()


@pytest.mark.parametrize(
    "path",
    [
        "../out.txt",
        "/etc/out.txt",
        "a/../../out.txt",
        ".git/config",
        "sub/.GIT/hooks/x",
        "a//b",
        "",
        "a\0b",
        ".",
        "x/.",
    ],
)
def test_no_path_leads_out_or_into_git(root, path) -> None:
    before = sorted(root.parent.rglob("*"))
    with pytest.raises(Conflict):
        write_all(root, [change("fine.txt", "f"), change(path, "x")])
    assert sorted(root.parent.rglob("*")) == before


def test_links_are_not_followed(root) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    (root / ".github").symlink_to(outside)
    (root / "inner").mkdir()
    (root / "to_inner").symlink_to(root / "inner")
    (root / "link.txt").symlink_to(outside / "file")
    (root / "dangling").symlink_to(outside / "none")
    for path in (".github/workflows/tests.yml", "to_inner/x", "link.txt", "dangling"):
        with pytest.raises(Conflict, match=r"not written to") as error:
            write_all(root, [change("fine.txt", "f"), change(path, "x")])
        assert "link" in str(error.value)
        assert not (root / "fine.txt").exists()
    assert [each.name for each in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "theirs"


def test_a_link_that_comes_between_plan_and_write(root, make_repository) -> None:
    engineer = fixable.engineer()
    there = make_repository(fixable.FILES)
    plan = engineer.plan_fixes(there, ["ci", "gitignore"])
    assert {each.path for each in plan.changes} == {".github/workflows/tests.yml", ".gitignore"}
    outside = there.parent / "outside"
    outside.mkdir()
    (there / ".github").symlink_to(outside)
    [refused] = engineer.plan_fixes(there, ["ci", "gitignore"]).refused
    assert ".github is a symbolic link" in refused.refused
    with pytest.raises(Conflict):
        engineer.apply(plan)
    assert not list(outside.iterdir())
    assert not (there / ".gitignore").exists()


class StopsAt:
    """Renames until its turn comes, then fails as a full or broken disk would."""

    def __init__(self, turn: int, error: BaseException) -> None:
        self.turn, self.error, self.done = turn, error, 0

    def __call__(self, before: str, after: str, folder: int) -> None:
        if self.done == self.turn:
            raise self.error
        self.done += 1
        rename(before, after, folder)


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_between_two_renames_puts_everything_back(root, turn, error) -> None:
    changes = [
        change("new/n.txt", "n"), change("a.txt", "new", b"old a\r\n"), change("new/m.txt", "m"),
    ]  # fmt: skip
    before, listed = fixable.everything(root), sorted(root.rglob("*"))
    with pytest.raises((Conflict, KeyboardInterrupt)) as caught:
        write_all(root, changes, rename=StopsAt(turn, error))
    assert fixable.everything(root) == before
    assert sorted(root.rglob("*")) == listed
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o755
    if isinstance(error, OSError):
        assert "No space left" in str(caught.value)
        assert "nothing was changed" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(root) -> None:
    root.chmod(0o555)
    try:
        with pytest.raises(Conflict, match="cannot be written; nothing was changed"):
            write_all(root, [change("a.txt", "new", b"old a\r\n"), change("b.txt", "b")])
    finally:
        root.chmod(0o755)
    assert fixable.everything(root) == {"a.txt": b"old a\r\n"}


def test_something_that_is_no_folder_is_in_the_way(root) -> None:
    with pytest.raises(Conflict, match=r"a\.txt is no folder"):
        write_all(root, [change("a.txt/b.txt", "b")])
    (root / "folder").mkdir()
    with pytest.raises(Conflict, match="no regular file"):
        write_all(root, [change("folder", "x")])
    os.mkfifo(root / "pipe")
    with pytest.raises(Conflict, match="no regular file"):
        write_all(root, [change("pipe", "x")])


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        (None, "a\nb", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n", "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"),
        ("a", "a\n", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
        ("x\u2028y\n", "x\u2028z\n", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\u2028y\n+x\u2028z\n"),
        ("a\n", "a\n", ""),
    ],
)
def test_diffs(before, after, diff) -> None:
    assert unified("f", before, after) == diff
