"""Dockerfiles as instructions."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.engineer.collect.dockerfiles import is_dockerfile, read_dockerfile

TEXT = """\
# syntax=docker/dockerfile:1
ARG TAG=3.11
FROM python:${TAG} AS build
RUN pip install \\
    # a comment between
    a \\

    b
RUN <<EOF
FROM nothing
USER root
EOF
FROM $BASE
COPY --from=build /x /x
user 1000
ONBUILD RUN x
CMD ["a"]
"""


def test_continued_lines_comments_heredocs_and_stages() -> None:
    found = read_dockerfile("Dockerfile", TEXT)
    assert found is not None
    assert [(each.name, each.line, each.stage) for each in found.instructions] == [
        ("ARG", 2, -1),
        ("FROM", 3, 0),
        ("RUN", 4, 0),
        ("RUN", 9, 0),
        ("FROM", 13, 1),
        ("COPY", 14, 1),
        ("USER", 15, 1),
        ("ONBUILD", 16, 1),
        ("CMD", 17, 1),
    ]
    values = [each.value for each in found.instructions]
    assert values[1] == "python:3.11 AS build"
    assert values[2] == "pip install a b"
    assert "USER root" in values[3]
    assert values[4] == "$BASE"


def test_the_escape_directive() -> None:
    found = read_dockerfile("Dockerfile", "# escape=`\nFROM x\nRUN a `\n  b\n")
    assert found is not None
    assert found.instructions[1].value == "a b"


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("Dockerfile", True),
        ("a/api.dockerfile", True),
        ("Dockerfile.gpu", True),
        ("Containerfile", True),
        ("Dockerfile.dockerignore", False),
        ("dockerfile.py", False),
        ("Dockerfile.j2", False),
        ("mydockerfile", False),
    ],
)
def test_names(path: str, is_one: bool) -> None:
    assert is_dockerfile(path) is is_one


def test_a_text_without_from_is_no_dockerfile() -> None:
    assert read_dockerfile("Dockerfile", "this is not\nRUN x\n") is None


def test_heredocs_without_an_end_take_no_time() -> None:
    begun = time.perf_counter()
    read_dockerfile("Dockerfile", "FROM x\n" + "RUN <<E\n" * 40_000)
    assert time.perf_counter() - begun < 40  # a guard against growth without bound, not a measurement


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("FROMRUN <E\\\n#`$={}:-a"), max_size=80))
def test_no_text_raises(text: str) -> None:
    read_dockerfile("Dockerfile", "FROM x\n" + text)
