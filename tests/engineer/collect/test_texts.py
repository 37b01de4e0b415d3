"""Documents for people."""

import time

import pytest

from mlwright.engineer.collect.texts import headings, is_text, patterns, read_text


def test_headings_of_markdown_and_restructured_text() -> None:
    text = "# One #\n\nTwo\n===\n```\n# no title\n```\n## Three\n| a |\n|---|\n- x\n---\n"
    assert headings(text) == (("One", 1), ("Two", 3), ("Three", 8))


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("README", True),
        ("docs/runbook.txt", True),
        ("CODEOWNERS", True),
        ("docs/a.md", True),
        ("MODEL_CARD.txt", True),
        ("requirements.txt", False),
        ("data/words.txt", False),
        ("Makefile", False),
    ],
)
def test_names(path: str, is_one: bool) -> None:
    assert is_text(path) is is_one


def test_long_and_broken_texts_are_cut_and_read() -> None:
    found = read_text("README.md", b"# a\xff\n" + b"x" * 500_000)
    assert len(found.content) == 200_000
    assert found.headings == (("a\ufffd", 1),)


def test_hostile_headings_take_no_time() -> None:
    begun = time.perf_counter()
    for text in ("# " + " " * 200_000, "#" * 200_000, "= " * 100_000, "a\n" + "-" * 200_000):
        headings(text)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


def test_patterns_of_an_ignore_file() -> None:
    assert patterns(b"# c\n\n*.pyc\n  data/  \n!keep\n") == ("*.pyc", "data/", "!keep")
