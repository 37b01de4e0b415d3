"""Frames as matrices: the reference fixes the codes."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from mlwright.stages.monitoring.encoding import LEVELS, encoder, numbers, texts_of


def test_each_type_has_its_columns():
    frame = pl.DataFrame(
        {
            "n": [1, None, 3],
            "f": [0.5, float("inf"), float("nan")],
            "b": [True, None, False],
            "s": ["x", "x", "x"],
            "t": [datetime(2020, 1, 1, 5, 30, tzinfo=UTC)] * 3,
            "d": [date(1970, 1, 2)] * 3,
            "long": ["some text"] * 3,
            "list": [[1], [2], [3]],
        }
    )
    coder = encoder(frame, texts=("long",))
    assert coder.names == ("n", "f", "b", "s", "t", "t", "d")
    assert coder.categorical == (3,)
    assert coder.places("t") == (4, 5)
    matrix = coder.matrix(frame)
    assert np.array_equal(
        matrix[:, :4], [[1, 0.5, 1, 0], [np.nan, np.nan, np.nan, 0], [3, np.nan, 0, 0]], equal_nan=True
    )
    assert matrix[0, 5:].tolist() == [5.5, 86_400e6]


def test_levels_are_by_frequency_and_the_rest_is_missing():
    names = [f"v{i:03}" for i in range(300)]
    reference = pl.DataFrame({"a": [n for i, n in enumerate(names) for _ in range(400 - i)] + ["rare"] * 2})
    coder = encoder(reference)
    found = coder.matrix(pl.DataFrame({"a": ["v000", "v001", "v253", "v254", "rare", "new", None]}))[:, 0]
    assert np.array_equal(found, [0, 1, LEVELS - 1, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    assert coder.matrix(pl.DataFrame({"other": [1]})).shape == (1, 1)


def test_text_is_read_as_numbers_and_whole_numbers_as_text_without_a_point():
    assert np.array_equal(numbers(pl.Series([" 3", "x", None])), [3, np.nan, np.nan], equal_nan=True)
    assert texts_of(pl.Series([3.0, 2.5, None, float("nan")])).to_list() == ["3", "2.5", None, None]
