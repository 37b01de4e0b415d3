"""What the readers of other tools' files are made of: protobuf, points in groups, texts, confined folders."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.adapters.moving import protobuf
from mlwright.adapters.moving.confined import Confined
from mlwright.adapters.moving.notes import Notes
from mlwright.adapters.moving.points import gathered, ms_of, step_of
from mlwright.adapters.moving.texts import Names, artifact_path, as_text, clean, flat, parse_json, parse_yaml
from mlwright.errors import DataError
from mlwright.testing.fakes.foreign_files import field, varint


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=300))
def test_protobuf_reads_what_was_written(number: int, real: float, data: bytes) -> None:
    message = field(1, number) + field(200, real) + field(3, data)
    (_, first), (high, second), (_, third) = protobuf.fields(message)
    assert protobuf.whole(first) == number
    assert (high, protobuf.double(second)) == (200, real)
    assert protobuf.message(third) == data


@given(st.binary(max_size=200))
def test_protobuf_of_anything_ends(data: bytes) -> None:
    try:
        read = list(protobuf.fields(data))
    except ValueError:
        return
    assert sum(len(each) for _, each in read if isinstance(each, bytes)) <= len(data)


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\x09abc", b"\xff" * 11])
def test_protobuf_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no protobuf"):
        list(protobuf.fields(data))


def test_protobuf_numbers() -> None:
    assert [protobuf.zigzag(number) for number in (0, 1, 2, 3, 2**64 - 1)] == [0, -1, 1, -2, -(2**63)]
    assert protobuf.instant_ms(field(1, 2) + field(2, 3_000_000)) == 2003
    with pytest.raises(ValueError, match="out of range"):
        protobuf.instant_ms(field(1, 2**60))
    assert varint(300) == b"\xac\x02"


POINT = st.tuples(st.sampled_from("abcd"), st.integers(-5, 5), st.integers(0, 5), st.floats(-1, 1))


@given(st.lists(POINT, max_size=40), st.integers(1, 20))
def test_points_in_groups_are_the_same_points(points: list[tuple[str, int, int, float]], most: int) -> None:
    whole = list(gathered(lambda: iter(points), Notes(), "x"))
    parts = list(gathered(lambda: iter(points), Notes(), "x", most=most))
    assert [each.key for each in whole] == sorted({point[0] for point in points})
    assert [each.key for each in parts] == [each.key for each in whole]
    for one, other in zip(whole, parts, strict=True):
        wanted = sorted((each for each in points if each[0] == one.key), key=lambda each: each[1:3])
        assert list(zip(one.steps, one.at_ms, one.values, strict=True)) == [each[1:] for each in wanted]
        for name in ("steps", "at_ms", "values"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_steps_and_instants_that_are_none() -> None:
    assert [step_of(each) for each in (1.9, -0.5, float("inf"), float("nan"), 1e30)] == [
        1,
        -1,
        None,
        None,
        None,
    ]
    assert [ms_of(each) for each in (1.5, float("nan"), 1e300)] == [1500, 0, 0]


def test_texts_are_made_safe() -> None:
    assert clean("a\0b\ud800") == "a\N{REPLACEMENT CHARACTER}b?"
    assert [as_text(each) for each in (True, None, 3, 0.1, "x")] == ["True", "None", "3", "0.1", "x"]
    assert as_text([1, "é"]) == '[1, "é"]'
    assert flat({"a": {"b": 1, "c": {}}, 2: "x"}) == {"a.b": "1", "a.c": "{}", "2": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "&a {b: *a}\n",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    ],
    ids=["list in itself", "mapping in itself", "laughs"],
)
def test_yaml_that_explodes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than"):
        flat(parse_yaml(text.encode()))


def test_yaml_executes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no YAML"):
        parse_yaml(f"!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']".encode())
    assert not (tmp_path / "made").exists()


def test_what_is_nested_too_deeply_is_refused() -> None:
    for parse in (parse_json, parse_yaml):
        with pytest.raises(ValueError, match=r"nested too deeply|no YAML|deeper than"):
            flat(parse(b"[" * 100_000 + b"]" * 100_000))
    with pytest.raises(ValueError, match="deeper than 32"):
        flat(parse_json('{"a":' * 40 + "1" + "}" * 40))


@given(st.text(max_size=60))
def test_artifact_paths_stay_below(text: str) -> None:
    parts = artifact_path(text).split("/")
    assert parts == [""] or not {"", ".", ".."} & set(parts)
    assert artifact_path(text).isprintable()


def test_names_are_given_once() -> None:
    names = Names()
    taken = [names.take(each) for each in ("a.txt", "../a.txt", "a.txt/b", "d/e", "d", "", "")]
    assert taken == ["a.txt", "a-2.txt", "a.txt_b", "d/e", "d-2", "file", "file-2"]


def test_a_folder_is_not_left(tmp_path: Path) -> None:
    inside, notes = tmp_path / "in", Notes()
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("s3cret")
    (inside / "file").write_text("here")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "up").symlink_to(tmp_path)
    os.mkfifo(inside / "sub" / "pipe")
    folder = Confined(inside, notes)
    assert list(folder.walk()) == ["file"]
    assert folder.read("file", 10) == b"here"
    for path in (
        "link",
        "up/secret",
        "../secret",
        str(tmp_path / "secret"),
        "sub/pipe",
        "sub",
        "gone",
        "a\0",
    ):
        assert folder.size(path) is None
        with pytest.raises(DataError):
            folder.open(path)
    with pytest.raises(DataError, match="artifact"):
        folder.read("file", 3)
    assert {note.where for note in notes.all()} == {"link", "up", "sub/pipe"}


def test_a_name_that_is_no_text_is_noted(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("")
    with open(os.fsencode(tmp_path) + b"/\xff\xfe", "wb"):
        pass
    notes = Notes()
    assert list(Confined(tmp_path, notes).walk()) == ["good"]
    assert [note.why for note in notes.all()] == ["its name is not UTF-8"]


def test_many_notes_are_counted() -> None:
    notes = Notes()
    for number in range(2100):
        for _ in range(2):
            notes.add(f"line {number}", "x", "torn")
    assert len(notes.all()) == 2001
    assert notes.all()[-1].what == "100 more notes"
