"""What was known stays known when lines move, and nothing else does."""

import json
import os
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.engineer.baseline import problems, read_baseline, write_baseline
from mlwright.engineer.lines import Lines
from mlwright.errors import NotFound, UsageError
from mlwright.model.findings import Location, Outcome

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("assessments.py"))))


def found(root: Path, *findings):
    return problems(made.assessment(findings=findings), Lines(root))


def prints(root: Path, *lines: int, path: str = "a.py") -> list[str]:
    finding = made.finding("x.y", Outcome.FALSE, *(made.at(path, line) for line in lines))
    return [each.fingerprint for each in found(root, finding)]


def test_a_line_that_moved_or_was_indented_is_known(tmp_path):
    (tmp_path / "a.py").write_text("one()\nbad(  1 )\n")
    before = prints(tmp_path, 2)
    (tmp_path / "a.py").write_text("one()\n\nif True:\n    bad( 1 )\n")
    assert prints(tmp_path, 4) == before
    (tmp_path / "a.py").write_text("one()\nbad( 2 )\n")
    assert prints(tmp_path, 2) != before


def test_equal_lines_are_counted(tmp_path):
    (tmp_path / "a.py").write_text("bad()\nbad()\nbad()\n")
    two, three = prints(tmp_path, 1, 2), prints(tmp_path, 1, 2, 3)
    assert len(set(three)) == 3
    assert three[:2] == two


def test_path_and_probe_belong_to_it_and_the_root_does_not(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a.py", "b.py"):
            (tmp_path / folder / name).write_text("bad()\n")
    assert prints(tmp_path / "one", 1) == prints(tmp_path / "two", 1)
    assert prints(tmp_path / "one", 1) != prints(tmp_path / "one", 1, path="b.py")
    other = made.finding("x.z", Outcome.FALSE, made.at("a.py", 1))
    assert [each.fingerprint for each in found(tmp_path / "one", other)] != prints(tmp_path / "one", 1)


def test_without_a_place_the_probe_is_enough(tmp_path):
    first, again = (made.finding("x.y", evidence=text) for text in ("two files", "three files"))
    assert found(tmp_path, first)[0].fingerprint == found(tmp_path, again)[0].fingerprint
    assert found(tmp_path, first)[0].location is None


def test_only_what_does_not_hold_or_broke_is_a_problem(tmp_path):
    ids = [each.finding.id for each in found(tmp_path, *(made.finding(f"x.{o.value}", o) for o in Outcome))]
    assert ids == ["x.false", "x.error"]


def test_a_line_of_a_notebook_is_the_one_of_its_cell(tmp_path):
    cells = [{"source": "a = 1\n"}, {"source": ["b = 2\n", "bad()"]}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    lines = Lines(tmp_path)
    assert lines.at(Location(path="n.ipynb", line=2, cell=2)) == "bad()"
    assert lines.at(Location(path="n.ipynb", line=1, cell=9)) == ""


@pytest.mark.parametrize(
    "path", ["../secret.txt", "link.txt", "folder/secret.txt", "/etc/hostname", "no\0name", "pipe"]
)
def test_nothing_outside_of_the_root_is_read(tmp_path, path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    assert Lines(root).of(path) == ()


def test_the_file_is_read_back_and_is_the_same_each_time(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train model.py").write_text("bad()\n" * 9)
    known = problems(made.assessment(), Lines(tmp_path))
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert write_baseline(one, known) == len(known) == 6
    write_baseline(two, tuple(reversed(known)))
    assert one.read_bytes() == two.read_bytes()
    assert str(tmp_path).encode() not in one.read_bytes()
    assert read_baseline(one) == {each.fingerprint for each in known}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one.json", "src", "two.json"]


def test_an_accepted_problem_is_not_kept(tmp_path):
    (one,) = found(tmp_path, made.finding("x.y"))
    accepted = replace(one, accepted=made.suppression("x.y"))
    assert write_baseline(tmp_path / "b.json", [accepted]) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[]", "no baseline of mlwright"),
        (b'{"format": "other", "version": 1, "findings": []}', "no baseline of mlwright"),
        (b'{"format": "mlwright baseline", "version": 2, "findings": []}', "has version 2"),
        (b'{"format": "mlwright baseline", "version": 1, "findings": [{"finding": 1}]}', "damaged"),
    ],
)
def test_a_faulty_file_is_refused_in_words(tmp_path, content, said):
    file = tmp_path / "b.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        read_baseline(file)
    assert caught.value.where == str(file)
    assert caught.value.next_command


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="no such baseline"):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(UsageError, match="cannot be written"):
        write_baseline(tmp_path / "no" / "b.json", [])


@given(st.lists(st.sampled_from(["bad()", "worse()", "  bad( )", ""]), min_size=1, max_size=8), st.data())
def test_new_lines_elsewhere_change_nothing(tmp_path_factory, lines, data):
    root = tmp_path_factory.mktemp("lines")
    (root / "a.py").write_text("\n".join(lines))
    everywhere = range(1, len(lines) + 1)
    before = prints(root, *everywhere)
    assert len(set(before)) == len(before)
    place = data.draw(st.integers(0, len(lines)))
    (root / "a.py").write_text("\n".join([*lines[:place], "fine()", *lines[place:]]))
    assert prints(root, *(each + (each > place) for each in everywhere)) == before
