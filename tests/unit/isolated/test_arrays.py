"""Whatever is written into shared memory is read from it, bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from mlwright.adapters.isolated import arrays

numbers = st.one_of(
    hn.integer_dtypes(endianness="="),
    hn.unsigned_integer_dtypes(endianness="="),
    hn.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
    hn.boolean_dtypes(),
    hn.datetime64_dtypes(endianness="="),
    hn.complex_number_dtypes(endianness="=", sizes=(64, 128)),
)
shapes = hn.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
texts = st.lists(
    st.none() | st.text(st.characters(exclude_categories=())), max_size=6
)  # with surrogates that stand alone
others = st.lists(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.lists(st.text()), max_size=4
)


def round_trip(named: list, *, copy: bool = True) -> list:
    entries, parts, size = arrays.pack(named)
    memory = bytearray(b"\xff" * (size + 64))
    arrays.write(memory, 64, parts)
    sent, learned = arrays.Layouts(), arrays.Layouts()
    number, text = sent.number((None, entries))
    assert sent.number((None, entries)) == (number, b"")
    _, known = learned.learn(number, text)
    return arrays.read(memory, 64, len(named[0][1]), known, copy=copy)


def objects(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@given(st.data(), shapes, st.booleans())
def test_numbers_of_every_type_and_shape(data, shape, copy) -> None:
    given = [
        (name, data.draw(hn.arrays(data.draw(numbers), shape, elements=None))) for name in ("a", "é\n", "")
    ]
    for (name, before), (other, after) in zip(given, round_trip(given, copy=copy), strict=True):
        assert name == other
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()  # NaN with its payload, -0.0, NaT


@given(texts, st.lists(st.none() | st.binary(), max_size=6), others)
def test_texts_bytes_and_other_objects(words, binary, mixed) -> None:
    for values in (words, binary, mixed):
        [(_, after)] = round_trip([("a", objects(values))])
        assert after.tolist() == values
        assert list(map(type, after.tolist())) == list(map(type, values))


def test_what_is_not_contiguous_or_of_another_byte_order() -> None:
    large = np.arange(40_000.0).reshape(200, 200)
    for before in (large.T, large[::3, 1::2], large.astype(">f8"), large.astype(">f8")[:3]):
        [(_, after)] = round_trip([("a", before)])
        assert np.array_equal(after, before)
        assert after.flags.writeable
    [(_, words)] = round_trip([("a", np.array([["a", "bc"], ["", "d"]]))])
    assert words.tolist() == [["a", "bc"], ["", "d"]]


def test_a_layout_is_sent_once_and_may_be_forgotten() -> None:
    sent, learned = arrays.Layouts(), arrays.Layouts()
    for width in range(600):
        layout = (("a",), (("", "<f8", (width,)),))
        assert learned.learn(*sent.number(layout)) == layout
        assert learned.learn(*sent.number(layout)) == layout
    with pytest.raises(ValueError, match="no layout has the number 999"):
        learned.learn(999, b"")


@pytest.mark.parametrize(
    "entry",
    [("a", "<f8", (4,)), ("a", "|O", ()), ("a", "nonsense", ()), ("a", "text", ()), ("a", "<f8", (-1, -1))],
)
def test_what_does_not_fit_into_the_memory_is_refused(entry) -> None:
    with pytest.raises((ValueError, TypeError)):
        arrays.read(bytearray(b"\x09" * 32), 0, 2, [entry], copy=True)


def test_records_have_no_form() -> None:
    with pytest.raises(ValueError, match="no form"):
        arrays.pack([("a", np.zeros(2, dtype=[("x", "f8")]))])
    with pytest.raises(ValueError, match="single value"):
        arrays.pack([("a", np.array(1.0))])
