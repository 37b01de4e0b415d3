import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.adapters.runtimes.columns import MatrixEncoder, fits_matrix, width_of
from mlwright.errors import SignatureMismatch
from mlwright.model.batches import Batch, Columns, batch_of
from mlwright.model.registry import Field, Signature


class Encoder:
    """Batches as they are made of columns, and their matrix."""

    def __init__(self, signature: Signature, categories: dict[str, tuple[str, ...]]) -> None:
        self.fields = signature.inputs
        self.matrix = MatrixEncoder(signature, categories)

    def encode(self, columns: Columns) -> np.ndarray:
        return self.matrix.encode(batch_of(self.fields, columns))


def encoder(*fields: tuple[str, str], required: bool = True) -> Encoder:
    inputs = tuple(Field(name=name, type=kind, required=required) for name, kind in fields)
    return Encoder(
        Signature(inputs=inputs, outputs=(Field(name="score", type="double"),)),
        {name: ("AA", "B6", "UA") for name, kind in fields if kind == "string"},
    )


def one(kind: str, values: object) -> list[float]:
    return encoder(("c", kind)).encode({"c": values})[:, 0].tolist()  # type: ignore[dict-item]


nan = float("nan")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("string", ["UA", "AA", "ZZ", None, ""], [2.0, 0.0, nan, nan, nan]),
        ("double", [1, 2.5, None, True and 3, float("inf")], [1.0, 2.5, nan, 3.0, float("inf")]),
        ("double", [np.float32(0.5), np.int16(7)], [0.5, 7.0]),
        ("double", np.array([1, 2], dtype=np.int8), [1.0, 2.0]),
        ("double", (4, None), [4.0, nan]),
        ("long", [1, None, -3], [1.0, nan, -3.0]),
        ("long", [1.0, nan, 3], [1.0, nan, 3.0]),
        ("long", [2**60, 0], [float(2**60), 0.0]),
        ("boolean", [True, None, False, np.True_], [1.0, nan, 0.0, 1.0]),
        ("string", [], []),
    ],
)
def test_values(kind, values, expected) -> None:
    np.testing.assert_array_equal(one(kind, values), expected)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("string", ["AA", 7], "row 1 of 'c' is 7 (int), but the model takes string"),
        ("string", ["AA", ["AA"]], "row 1 of 'c' is ['AA'] (list), but the model takes string"),
        ("string", [nan], "row 0 of 'c' is nan (float), but the model takes string"),
        ("double", [1.0, None, "1.5"], "row 2 of 'c' is '1.5' (str), but the model takes double"),
        ("double", [True], "row 0 of 'c' is True (bool), but the model takes double"),
        ("double", [{}], "row 0 of 'c' is {} (dict), but the model takes double"),
        ("double", [0, 10**400], "row 1 of 'c' is 1000000"),
        ("long", [3, 1.5], "row 1 of 'c' is 1.5 (float), but the model takes long"),
        ("long", [float("inf")], "row 0 of 'c' is inf (float), but the model takes long"),
        ("boolean", [1], "row 0 of 'c' is 1 (int), but the model takes boolean"),
        ("boolean", ["true"], "row 0 of 'c' is 'true' (str), but the model takes boolean"),
    ],
)
def test_wrong_values(kind, values, message) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        one(kind, values)
    assert message in caught.value.what
    assert caught.value.where == "c"


def test_long_values_are_cut_in_the_message() -> None:
    with pytest.raises(SignatureMismatch) as caught:
        one("double", ["x" * 10_000])
    assert len(str(caught.value)) < 200


def test_columns() -> None:
    both = encoder(("a", "double"), ("b", "string"))
    assert both.encode({"b": ["UA"], "extra": [1, 2, 3], "a": [5]}).tolist() == [[5.0, 2.0]]
    with pytest.raises(SignatureMismatch, match="'b' is missing; the model needs it as string"):
        both.encode({"a": [5]})
    with pytest.raises(SignatureMismatch, match="different numbers of rows"):
        both.encode({"a": [5], "b": ["UA", "AA"]})
    optional = encoder(("a", "double"), ("b", "string"), required=False)
    np.testing.assert_array_equal(optional.encode({"a": [5, 6]}), [[5.0, nan], [6.0, nan]])


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53))))
def test_numbers_are_exact(values) -> None:
    expected = [nan if value is None else float(value) for value in values]
    np.testing.assert_array_equal(one("double", values), expected)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["AA", "B6", "UA"]), st.text(max_size=3))))
def test_levels(values) -> None:
    codes = {"AA": 0.0, "B6": 1.0, "UA": 2.0}
    np.testing.assert_array_equal(one("string", values), [codes.get(value, nan) for value in values])


class TestMatrixBatches:
    NAMES = ("a", "b")
    SIGNATURE = Signature(
        inputs=tuple(Field(name=name, type="double") for name in NAMES),
        outputs=(Field(name="score", type="double"),),
    )

    def test_a_matrix_passes_as_it_is(self) -> None:
        matrix = np.array([[1.0, 2.0], [3.0, nan]])
        encoded = MatrixEncoder(self.SIGNATURE, {}).encode(Batch(2, matrix=matrix, names=self.NAMES))
        assert encoded is matrix

    def test_the_order_of_the_model(self) -> None:
        matrix = np.array([[1.0, 2.0]])
        turned = MatrixEncoder(self.SIGNATURE, {}, names=("b", "a"), dtype="float32")
        encoded = turned.encode(Batch(1, matrix=matrix, names=self.NAMES))
        assert encoded.tolist() == [[2.0, 1.0]]
        assert encoded.dtype == np.float32
        assert encoded.flags.c_contiguous

    def test_one_tensor_is_the_matrix(self) -> None:
        signature = Signature(inputs=(Field(name="x", type="double", shape=(3,)),), outputs=())
        batch = batch_of(signature.inputs, {"x": [[1, 2, 3], [4, 5, 6]]})
        assert MatrixEncoder(signature, {}).encode(batch).tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
        assert width_of(signature) == 3
        assert fits_matrix(signature, {})

    def test_what_cannot_be_encoded(self) -> None:
        texts = Signature(inputs=(Field(name="c", type="string"),), outputs=())
        assert not fits_matrix(texts, {})
        assert fits_matrix(texts, {"c": ("AA",)})
        assert not fits_matrix(
            Signature(
                inputs=(*self.SIGNATURE.inputs, Field(name="x", type="double", shape=(2,))), outputs=()
            ),
            {},
        )
