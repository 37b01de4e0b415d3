"""Cells of a CSV: a request and a file read them alike."""

import polars as pl
import pytest

from mlwright.model.registry import Field
from mlwright.stages.serving.batch.reading import typed
from mlwright.stages.serving.cells import MISSING, cell, cell_or_text, guessed

TYPED = [
    ("double", " 1.5 ", 1.5),
    ("double", "1e3", 1000.0),
    ("long", "+7", 7),
    ("long", "9007199254740993", 9007199254740993),
    ("long", "7.0", 7.0),
    ("boolean", "TRUE", True),
    ("boolean", "0.0", False),
    ("string", " NA", " NA"),
    ("string", "", None),
    *[(kind, text, None) for kind in ("double", "long", "boolean") for text in MISSING],
]
WRONG = [("double", "1_000"), ("long", "1_000"), ("long", "x"), ("boolean", "2"), ("boolean", "yes")]


@pytest.mark.parametrize(("kind", "text", "value"), TYPED)
def test_a_cell_by_its_type(kind: str, text: str, value: object) -> None:
    assert cell(kind, text) == value
    assert type(cell(kind, text)) is type(value)


@pytest.mark.parametrize(("kind", "text"), WRONG)
def test_what_is_none_is_refused_or_left(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        cell(kind, text)
    assert cell_or_text(kind, text) == text


@pytest.mark.parametrize(("kind", "text", "value"), [each for each in TYPED if each[0] != "string"])
def test_a_column_of_a_file_says_the_same(kind: str, text: str, value: object) -> None:
    [found] = list(typed(Field(name="x", type=kind), pl.Series([text], dtype=pl.String)))
    assert found == value or (value is None and (found is None or found != found))


def test_cells_that_no_signature_names() -> None:
    assert [guessed(each) for each in ("3", " 3", "3.5", "a b", "NA", "nan", "")] == [
        3,
        3,
        3.5,
        "a b",
        None,
        None,
        None,
    ]
