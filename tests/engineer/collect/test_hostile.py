"""What nobody should have to read: nothing hangs, nothing crashes, nothing runs, nothing outside is touched."""

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlwright.engineer.collect import children, reading
from mlwright.engineer.collect.collect import collect
from mlwright.engineer.collect.python_source import parse_file
from mlwright.engineer.collect.reading import SourceReader
from mlwright.engineer.collect.walk import walk
from mlwright.engineer.progress import silent

Make = Callable[[Mapping[str, str | bytes]], Path]


def test_links_are_never_followed(make_repository: Make, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.py").write_text("key = 1")
    root = make_repository({"a/x.py": "x = 1"})
    (root / "a/loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "file.py").symlink_to(tmp_path / "secret/key.py")
    (root / "self.py").symlink_to(root / "self.py")
    repository = collect(root)
    assert [each.path for each in repository.files] == ["a/x.py"]
    assert len([each for each in repository.unread if each.endswith("a symbolic link, not followed")]) == 4


def test_pipes_and_sockets_are_never_opened(make_repository: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_repository({"x.py": "x = 1"})
    os.mkfifo(root / "train.py")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("app.py")
        repository = collect(root)
    assert [each.path for each in repository.files] == ["x.py"]
    assert repository.unread == ("app.py: not a regular file", "train.py: not a regular file")


def test_a_huge_file_is_named_and_not_read(make_repository: Make) -> None:
    root = make_repository({"x.py": "x = 1"})
    for name in ("big.py", "big.csv", "big.ipynb", "values.yaml"):
        with (root / name).open("wb") as stream:
            stream.truncate(200_000_000)
    repository = collect(root)
    assert {"big.py: larger than 1 MB", "big.ipynb: larger than 100 MB"} <= set(repository.unread)
    assert [each.path for each in repository.python] == ["x.py"]


def test_very_deep_folders_end_somewhere(make_repository: Make) -> None:
    root = make_repository({"x.py": "x = 1"})
    usual = os.open(root, os.O_RDONLY)
    here = usual
    for _ in range(400):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        if here != usual:
            os.close(here)
        here = below
    os.close(here)
    os.close(usual)
    repository = collect(root)
    assert [each.path for each in repository.files] == ["x.py"]
    assert any(each.endswith("what lies deeper than 100 folders") for each in repository.unread)


def test_names_that_are_no_text_are_shown_and_left(make_repository: Make) -> None:
    root = make_repository({"x.py": "x = 1"})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.py")).write_bytes(b"y = 1")
    (root / "new\nline\x1b[31m.py").write_text("z = 1")
    repository = collect(root)
    assert [each.path for each in repository.files] == ["x.py"]
    assert repository.unread == (
        "\\udcff\\udcfe.py: its name cannot be written",
        "new\\nline\\x1b[31m.py: its name cannot be written",
    )


HOSTILE = {
    "parentheses": "(" * 100_000,
    "brackets": "[" * 100_000 + "]" * 100_000,
    "minus": "-" * 100_000 + "1",
    "not": "not " * 100_000 + "x",
    "lambda": "lambda:" * 50_000 + "1",
    "sum": "1" + "+1" * 100_000,
    "long sum": "1" + "+1" * 2_000,
    "attributes": "a" + ".b" * 100_000,
    "long chain": "a" + ".b()" * 900,
    "calls": "f" + "()" * 100_000,
    "subscripts": "a" + "[b]" * 100_000,
    "elif": "if a:\n pass\n" + "elif a:\n pass\n" * 40_000,
    "indented": "".join(" " * depth + "if a:\n" for depth in range(3000)),
    "tail of else": "a if b else " * 50_000 + "c",
    "null bytes": "x = 1\x00\ny = 2",
    "many names": "f(" * 90 + "a," * 20_000 + ")" * 90,
    "one line": "x = [" + "'a', " * 100_000 + "]",
    "coding": "# coding: zip\nx = 1",
    "unknown coding": "# -*- coding: klingon -*-\nx = 1",
    "a number": "x = 0x" + "f" * 200_000,
    "digits": "x = " + "9" * 100_000,
    "types": "x: " + "a[" * 150 + "b" + "]" * 150 + " = 1",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_source_is_a_fault_at_most(name: str) -> None:
    usual = sys.getrecursionlimit()
    raw = parse_file("x.py", HOSTILE[name].encode())
    assert "fault" in raw or "calls" in raw
    assert sys.getrecursionlimit() == usual


def test_a_deep_tree_that_is_sound_is_read() -> None:
    raw = parse_file("x.py", (HOSTILE["long sum"] + "\nf()").encode())
    assert [row[0] for row in raw["calls"]] == ["f"]


def test_nothing_in_the_repository_is_imported_or_run(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w').close()\n"
    names = (
        "ast",
        "msgspec",
        "yaml",
        "multiprocessing",
        "hashlib",
        "site",
        "sitecustomize",
        "conftest",
        "setup",
        "io",
    )
    files: dict[str, str | bytes] = {f"{name}.py": trap for name in names}
    files |= {f"{name}/__init__.py": trap for name in ("mlwright", "encodings", "tokenize")}
    root = make_repository(
        {**files, "x.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": trap}]})}
    )
    monkeypatch.chdir(root)
    monkeypatch.setenv("PYTHONPATH", str(root))
    read = SourceReader(root, walk(root).files, processes=2).finish(silent)
    assert len(read.files) == len(files) + 1
    assert not read.unread
    assert not (tmp_path / "sprung").exists()


def test_a_notebook_with_fifty_megabytes_of_outputs(make_repository: Make) -> None:
    cells = [
        {"cell_type": "code", "source": "f()", "outputs": [{"text": "a" * 1_000_000}]} for _ in range(50)
    ]
    repository = collect(make_repository({"a.ipynb": json.dumps({"cells": cells})}))
    assert repository.python[0].outputs_bytes > 50_000_000
    assert len(repository.python[0].calls) == 50


def test_a_file_that_vanishes_is_noted(make_repository: Make) -> None:
    root = make_repository({"a.py": "x = 1", "b.py": "y = 1"})
    files = walk(root).files
    (root / "a.py").unlink()
    for processes in (0, 1):
        read = SourceReader(root, files, processes=processes).finish(silent)
        assert [each.path for each in read.files] == ["b.py"]
        assert read.unread == ("a.py: No such file or directory",)


def test_what_may_not_be_read_is_noted(make_repository: Make) -> None:
    root = make_repository({"a.py": "x = 1", "locked/b.py": "y = 1", "c.py": "z = 1"})
    (root / "a.py").chmod(0)
    (root / "locked").chmod(0)
    try:
        if os.access(root / "a.py", os.R_OK):
            pytest.skip("this user may read everything")
        assert collect(root).unread == ("a.py: Permission denied", "locked: Permission denied")
    finally:
        (root / "locked").chmod(0o700)


def test_a_file_that_kills_the_parser_costs_only_itself(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_repository({f"{name}.py": "x = f()\n" * (5 - number) for number, name in enumerate("abcd")})
    # A child that dies at b.py, as if its parser had overrun the stack.
    dies = children._BOOT.replace("main()", "") + (
        "import mlwright.engineer.collect.child as child, os; one = child.read_one;"
        "child.read_one = lambda root, path, limit: os.abort() if path == 'b.py' else one(root, path, limit); main()"
    )
    monkeypatch.setattr(children, "_BOOT", dies)
    read = SourceReader(root, walk(root).files, processes=1).finish(silent)
    assert [(each.path, each.fault) for each in read.files] == [
        ("a.py", None),
        ("b.py", "the parser gave up on it"),
        ("c.py", None),
        ("d.py", None),
    ]


def test_files_are_read_here_where_no_process_starts(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_repository({"a.py": "f()", "b.py": "g()"})
    monkeypatch.setattr(children, "_BOOT", "raise SystemExit(1)")
    read = SourceReader(root, walk(root).files, processes=2).finish(silent)
    assert [each.calls[0].name for each in read.files] == ["f", "g"]


def test_a_thread_leaves_the_parsing_to_a_process(
    make_repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_repository({"a.py": "f()"})
    started: list[str] = []
    usual = reading.Child

    def counting(root: str, work: list[tuple[int, str, int]]) -> children.Child:
        started.append(root)
        return usual(root, work)

    monkeypatch.setattr(reading, "Child", counting)
    thread = threading.Thread(target=lambda: SourceReader(root, walk(root).files).finish(silent))
    thread.start()
    thread.join()
    assert started == [str(root)]
