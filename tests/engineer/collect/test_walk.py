"""Listing files: what is a part of the project, in one order, and what each file is there for."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlwright.engineer.collect import walk as walking
from mlwright.engineer.collect.walk import read_bytes, role_of, walk
from mlwright.engineer.facts.code import Role
from mlwright.errors import UsageError

Make = Callable[[Mapping[str, str]], Path]


def paths(root: Path) -> list[str]:
    return [each.path for each in walk(root).files]


def test_files_come_by_path_with_their_size(make_repository: Make) -> None:
    root = make_repository({"b.py": "12", "a/z.py": "1", "a.py": "", "a/é.py": "é"})
    assert [(each.path, each.bytes) for each in walk(root).files] == [
        ("a.py", 0),
        ("a/z.py", 1),
        ("a/é.py", 2),
        ("b.py", 2),
    ]


@pytest.mark.parametrize(
    "left_out",
    [
        ".git/config",
        "node_modules/x/setup.py",
        "a/__pycache__/x.py",
        ".tox/py/x.py",
        ".mypy_cache/x.json",
        "lib/site-packages/x.py",
        ".mlwright/mlwright.db",
        "pkg.egg-info/PKG-INFO",
        ".venv/x.py",
    ],
)
def test_what_is_no_part_of_the_project_is_left_out(left_out: str, make_repository: Make) -> None:
    assert paths(make_repository({left_out: "x", "kept.py": "x"})) == ["kept.py"]


def test_environments_and_caches_are_known_by_what_marks_them(make_repository: Make) -> None:
    files = {
        "mine/pyvenv.cfg": "",
        "mine/lib/x.py": "",
        "c/CACHEDIR.TAG": "",
        "c/y.py": "",
        "conda/conda-meta/h": "",
    }
    assert paths(make_repository({**files, "a.py": ""})) == ["a.py"]


def test_a_build_folder_is_left_out_only_if_a_build_made_it(make_repository: Make) -> None:
    made = make_repository({"setup.py": "", "build/lib/x.py": "", "dist/x-1.0.tar.gz": ""})
    assert paths(made) == ["setup.py"]
    written = make_repository({"setup.py": "", "build/Dockerfile": "", "dist/deploy.yaml": ""})
    assert paths(written) == ["build/Dockerfile", "dist/deploy.yaml", "setup.py"]


def test_no_more_files_than_the_limit_and_those_near_the_root_first(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "FILES", 3)
    found = walk(
        make_repository({f"a/deep/{number}.py": "" for number in range(9)} | {"z.py": "", "y.py": ""})
    )
    assert [each.path for each in found.files] == ["a/deep/0.py", "y.py", "z.py"]
    assert found.unread == ("a/deep and what follows it: more than 3 files",)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="there is no folder"):
        walk(tmp_path / "file")


def test_a_file_is_read_up_to_a_limit(make_repository: Make) -> None:
    root = make_repository({"a.txt": "0123456789"})
    (entry,) = walk(root).files
    assert read_bytes(root, entry, 4) == b"0123"
    assert read_bytes(root, entry, 100) == b"0123456789"


def test_a_file_that_became_a_link_is_not_read(make_repository: Make, tmp_path: Path) -> None:
    root = make_repository({"a.txt": "mine"})
    (entry,) = walk(root).files
    (root / "a.txt").unlink()
    (root / "a.txt").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match=r".+"):
        read_bytes(root, entry, 100)
    (root / "a.txt").unlink()
    os.mkfifo(root / "a.txt")
    with pytest.raises(OSError, match="not a regular file"):
        read_bytes(root, entry, 100)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("train.py", Role.PRODUCTION),
        ("src/pkg/test.py", Role.PRODUCTION),
        ("data/test/part.csv", Role.PRODUCTION),
        ("notebooks/look.ipynb", Role.PRODUCTION),
        ("tools/train.py", Role.PRODUCTION),
        ("src/pkg/testing/fakes.py", Role.PRODUCTION),
        ("tests/a.py", Role.TEST),
        ("pkg/tests/data.csv", Role.TEST),
        ("pkg/test_a.py", Role.TEST),
        ("pkg/a_test.py", Role.TEST),
        ("conftest.py", Role.TEST),
        ("examples/train.py", Role.EXAMPLE),
        ("docs/examples/train.py", Role.EXAMPLE),
        ("benchmarks/run.py", Role.EXAMPLE),
        ("docs/conf.py", Role.DOCUMENT),
        ("README.md", Role.DOCUMENT),
        ("setup.py", Role.TOOL),
        (".github/workflows/ci.yml", Role.TOOL),
        ("third_party/x/tests/a.py", Role.VENDORED),
        ("pkg/_vendor/x.py", Role.VENDORED),
    ],
)
def test_what_a_file_is_there_for(path: str, role: Role) -> None:
    assert role_of(path) is role
