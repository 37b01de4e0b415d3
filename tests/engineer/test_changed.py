"""A gate on the change and not on the legacy: what a change brought, against a git repository that is made here."""

import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlwright.engineer.baseline import problems
from mlwright.engineer.changed import brought, revision
from mlwright.engineer.lines import Lines
from mlwright.errors import NotFound, UsageError
from mlwright.model.findings import Outcome

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))

git_wanted = pytest.mark.skipif(shutil.which("git") is None, reason="no git to make a repository with")


def git(root: Path, *words: str, given: str | None = None) -> str:
    who = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "core.autocrlf=false",
    ]
    done = subprocess.run(
        ["git", *who, *words], cwd=root, check=True, capture_output=True, text=True, input=given
    )
    return done.stdout.strip()


def new_ids(now, before, changed, tmp_path) -> list[str]:
    (tmp_path / "before").mkdir(exist_ok=True)
    (tmp_path / "now").mkdir(exist_ok=True)
    found = problems(made.assessment(findings=now), Lines(tmp_path / "now"))
    marked = brought(found, changed, made.assessment(findings=before), Lines(tmp_path / "before"))
    return [str(each.location or each.finding.id) for each in marked if not each.inherited]


def bad(*lines: int, path: str = "a.py"):
    return made.finding("x.y", Outcome.FALSE, *(made.at(path, line) for line in lines))


def test_on_changed_lines_it_is_new_and_elsewhere_it_was_there(tmp_path):
    for folder, text in (("before", "bad(1)\nfine()\n"), ("now", "bad(1)\nbad(2)\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text(text)
    assert new_ids([bad(1, 2)], [bad(1)], {"a.py": frozenset({2})}, tmp_path) == ["a.py:2"]


def test_in_a_new_file_everything_is_new(tmp_path):
    assert new_ids([bad(1, 7)], [made.finding("x.y", Outcome.TRUE)], {"a.py": None}, tmp_path) == [
        "a.py:1",
        "a.py:7",
    ]


@pytest.mark.parametrize(
    ("before", "new"),
    [
        (Outcome.TRUE, True),
        (Outcome.NOT_APPLICABLE, True),
        (Outcome.FALSE, False),
        (Outcome.ERROR, False),
        (Outcome.NOT_AVAILABLE, False),
        (Outcome.NOT_SUPPORTED, False),
    ],
)
def test_without_a_place_it_is_new_where_it_held_or_was_no_question(tmp_path, before, new):
    found = new_ids([made.finding("x.y")], [made.finding("x.y", before)], {"a.py": None}, tmp_path)
    assert found == (["x.y"] if new else [])


def test_who_puts_the_first_thing_right_is_not_stopped_by_the_second(tmp_path):
    before = made.finding("tests.model_tested", Outcome.NOT_APPLICABLE, values={"blocked_by": "tests.exist"})
    assert new_ids([made.finding("tests.model_tested")], [before], {"t.py": None}, tmp_path) == []


def test_what_an_unchanged_line_no_longer_does_is_new(tmp_path):
    assert new_ids([bad(3)], [made.finding("x.y", Outcome.TRUE)], {}, tmp_path) == ["a.py:3"]


def test_a_notebook_is_known_by_its_text(tmp_path):
    cells = '{"cells": [{"source": "bad(1)\\nbad(2)"}]}'
    for folder in ("before", "now"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "n.ipynb").write_text(cells)
    finding = made.finding("x.y", Outcome.FALSE, made.at("n.ipynb", 2, 1))
    assert new_ids([finding], [finding], {"n.ipynb": frozenset({1})}, tmp_path) == []


@git_wanted
def test_a_revision_is_written_as_it_was(tmp_path):
    root = tmp_path / "top"
    (root / "sub/deep").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / "sub/deep/a.py").write_text("one\n")
    (root / "sub/é b.py").write_bytes(b"\xff\r\n")
    (root / "sub/link.py").symlink_to("deep/a.py")
    (root / "outside.py").write_text("")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    (root / "sub/deep/a.py").write_text("two\n")
    git(root, "commit", "-q", "-a", "-m", "two")
    with revision(root / "sub", "HEAD~1") as before:
        assert before.name == "sub"
        files = {each.relative_to(before).as_posix() for each in before.rglob("*") if each.is_file()}
        assert files == {"deep/a.py", "é b.py"}
        assert (before / "deep/a.py").read_text() == "one\n"
        assert (before / "é b.py").read_bytes() == b"\xff\r\n"
    assert not before.exists()
    for name in ("main~1", "HEAD^", git(root, "rev-parse", "--short", "HEAD~1")):
        with revision(root / "sub", name) as before:
            assert (before / "deep/a.py").read_text() == "one\n"
    for name in ("main~2", ""):
        with pytest.raises(NotFound), revision(root, name):
            pass
    with revision(root, "main") as all_of_it:
        assert (all_of_it / "outside.py").exists()
        assert (all_of_it / "sub/deep/a.py").read_text() == "two\n"


@git_wanted
def test_revisions_that_are_not_there(tmp_path):
    with pytest.raises(UsageError, match="no git repository"), revision(tmp_path, "main"):
        pass
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(NotFound, match="nope"), revision(tmp_path, "nope"):
        pass


@git_wanted
def test_a_tree_with_names_that_lead_outside_writes_nothing_there(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    blob = git(root, "hash-object", "-w", "--stdin", given="x")
    inner = git(root, "mktree", given=f"100644 blob {blob}\tevil.py")
    raw = b"".join(
        mode + b" " + name + b"\0" + bytes.fromhex(sha)
        for mode, name, sha in (
            (b"40000", b"..", inner),
            (b"40000", b".GIT", inner),
            (b"100644", b"a\\b.py", blob),
            (b"100644", b"fine.py", blob),
        )
    )
    (tmp_path / "tree").write_bytes(raw)
    tree = git(root, "hash-object", "-w", "-t", "tree", "--literally", str(tmp_path / "tree"))
    git(root, "update-ref", "refs/heads/main", git(root, "commit-tree", tree, "-m", "m"))
    with revision(root, "main") as before:
        assert [each.name for each in before.iterdir()] == ["fine.py"]
        assert not list(before.parent.rglob("evil.py"))


@git_wanted
def test_what_is_too_large_to_read_keeps_its_size(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(33 * 1024**2)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    with revision(tmp_path, "main") as before:
        assert (before / "data.bin").stat().st_size == 33 * 1024**2
