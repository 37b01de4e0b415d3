import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwright.errors import DataError
from mlwright.stages.contracts.digest import content_digest

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.floats(width=32)),
        st.one_of(st.none(), st.text(max_size=3)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=2)),
    ),
    max_size=8,
)
SCHEMA = {"a": pl.Int64, "b": pl.Float64, "c": pl.String, "d": pl.Boolean, "e": pl.List(pl.Int64)}


def build(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@settings(max_examples=40)
@given(rows=ROWS, cut=st.integers(0, 8))
def test_chunks_and_spare_bytes_leave_no_trace(rows: list[tuple[object, ...]], cut: int) -> None:
    whole = build(rows)
    chunked = pl.concat([whole.head(cut), whole.slice(cut)], rechunk=False)
    longer = pl.concat([whole, build([(9, 9.0, "zz", True, [9])])]).filter(
        pl.int_range(pl.len()) < whole.height
    )
    digest = content_digest(whole)
    assert digest.startswith("blake3:")
    assert len(digest) == 71
    assert content_digest(chunked) == digest
    assert content_digest(longer) == digest


@settings(max_examples=40)
@given(first=ROWS, second=ROWS)
def test_other_content_has_another_digest(
    first: list[tuple[object, ...]], second: list[tuple[object, ...]]
) -> None:
    same = repr(first) == repr(second)
    assert (content_digest(build(first)) == content_digest(build(second))) is same


def test_names_types_and_the_order_of_rows_and_columns_count() -> None:
    base = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        base.rename({"a": "c"}),
        base.with_columns(pl.col("a").cast(pl.Int32)),
        base.reverse(),
        base.select("b", "a"),
        base.with_columns(pl.Series("a", [1, None])),
        pl.DataFrame({"a": [1, 2], "b": [3, 4], "c": [None, None]}),
    ]
    digests = {content_digest(frame) for frame in (base, *others)}
    assert len(digests) == len(others) + 1


def test_values_under_nulls_and_the_bits_of_nan_do_not_count() -> None:
    hidden = pl.DataFrame({"a": [1, 5], "b": [1.0, math.nan]}).with_columns(
        pl.when(pl.col("a") < 3).then("a").alias("a")
    )
    plain = pl.DataFrame({"a": [1, None], "b": [1.0, -math.nan]})
    assert content_digest(hidden) == content_digest(plain)
    zeros = pl.DataFrame({"a": [1, 0], "b": [1.0, math.nan]})
    assert content_digest(zeros) != content_digest(plain)


def test_text_boundaries_count() -> None:
    assert content_digest(pl.DataFrame({"a": ["ab", "c"]})) != content_digest(
        pl.DataFrame({"a": ["a", "bc"]})
    )
    assert content_digest(pl.DataFrame({"a": ["", None]})) != content_digest(pl.DataFrame({"a": [None, ""]}))


def test_every_type_of_column_has_a_digest() -> None:
    at = datetime(2013, 1, 1, tzinfo=UTC)
    columns: dict[str, tuple[object, object]] = {
        "date": (date(2013, 1, 1), date(2013, 1, 2)),
        "datetime": (at, at + timedelta(microseconds=1)),
        "time": (time(1), time(2)),
        "duration": (timedelta(1), timedelta(2)),
        "decimal": (Decimal("1.10"), Decimal("1.11")),
        "struct": ({"x": 1, "y": "a"}, {"x": 1, "y": "b"}),
        "binary": (b"\x00\xff", b"\x00\xfe"),
        "lists": ([["a"], []], [["a"], ["b"]]),
    }
    for name, (one, other) in columns.items():
        assert content_digest(pl.DataFrame({name: [one, None]})) != content_digest(
            pl.DataFrame({name: [other, None]})
        ), name
    cat = pl.DataFrame({"a": pl.Series(["x", "y"], dtype=pl.Categorical())})
    assert content_digest(cat.reverse()) != content_digest(cat)
    array = pl.DataFrame({"a": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2))})
    assert content_digest(array) == content_digest(array.clone())


def test_python_objects_are_refused() -> None:
    with pytest.raises(DataError, match="holds Python objects"):
        content_digest(pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}))


def test_the_digest_stays_what_it_was() -> None:
    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", None, "é"], "c": [0.5, math.nan, None]})
    assert content_digest(frame) == "blake3:e5629b99f5aaafedc5a5f291f4d66f21183ed4023a054896e0555667c117471c"
