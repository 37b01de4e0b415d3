"""Plain functions as models: what their annotations say, how they are stored, and what they answer."""

import importlib.util
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlwright.adapters.runtimes import function_shim
from mlwright.adapters.runtimes.functions import FunctionRuntime
from mlwright.errors import ModelError, ModelLoadFailed, SignatureMismatch, UsageError
from mlwright.model.batches import Batch, batch_of
from mlwright.model.fitted import Fitted
from mlwright.model.functions import is_function, shape_of
from mlwright.model.registry import Field, Signature

RULES = """
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILES = ["rates/by_city.json"]
RATES = json.loads((Path(__file__).parent / "rates/by_city.json").read_text())


@dataclass
class Offer:
    price: float
    band: str


def offer(age: float, city: str | None, nights: int = 3) -> Offer:
    if age < 0:
        raise ValueError("nobody is younger than nothing")
    return Offer(price=age * RATES.get(city, 1.0) + nights, band="young" if age < 30 else "old")


def doubled(x: NDArray[np.float64], n: list[int]) -> NDArray[np.float64]:
    x *= 2
    return x + np.array(n)


class ByCity:
    def __init__(self, folder: Path) -> None:
        self.rates = json.loads((folder / "rates/by_city.json").read_text())

    def predict(self, city: str) -> float:
        return self.rates[city]


def lying(x: float) -> float:
    return "a text"


def short(x: list[float]) -> list[float]:
    return x[:-1]


def later(when: datetime, key: bytes) -> str:
    return f"{when:%Y-%m-%d} {key!r}"


def spread(x: float, *, times: int) -> list[float]:
    return [x] * 3 if times else [x]
"""


@pytest.fixture
def rules(tmp_path: Path):
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates/by_city.json").write_text('{"Rome": 2.0}', encoding="utf-8")
    return module(tmp_path, "rules", RULES)


def module(folder: Path, name: str, text: str):
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{name}_{id(folder)}", path)
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def saved(function, folder: Path, example) -> Path:
    place = folder / "model"
    place.mkdir()
    FunctionRuntime().save(
        function, place, signature=Fitted.of(function).signature, example=example, categories={}
    )
    return place


def answers(model, columns) -> dict[str, list[object]]:
    given = batch_of(model.signature.inputs, columns)
    return {name: each.tolist() for name, each in model.infer(given).items()}


def types(fields) -> dict[str, str]:
    return {each.name: each.type for each in fields}


# what annotations say


class Both(TypedDict):
    low: float
    high: float


class Pair(NamedTuple):
    left: int
    right: str


@dataclass
class Vectors:
    parts: list[float]


def test_single_values() -> None:
    def one(
        a: float, b: int, c: str, d: bool, e: Literal["x", "y"], f: float | None, g: int = 3
    ) -> float: ...

    shape = shape_of(one)
    assert not shape.columnwise
    kinds = {
        "a": "double",
        "b": "long",
        "c": "string",
        "d": "boolean",
        "e": "string",
        "f": "double",
        "g": "long",
    }
    assert types(shape.signature.inputs) == kinds
    assert [each.name for each in shape.signature.inputs if not each.required] == ["f", "g"]
    assert shape.outputs == (Field(name="output", type="double"),)


def test_columns() -> None:
    def many(
        a: NDArray[np.float32], b: list[str], c: list[float | None], d: NDArray[np.uint8]
    ) -> list[str]: ...

    shape = shape_of(many)
    assert shape.columnwise
    assert types(shape.signature.inputs) == {"a": "float", "b": "string", "c": "double", "d": "uint8"}
    assert [each.field.name for each in shape.parameters if each.nullable] == ["c"]
    assert shape.outputs == (Field(name="output", type="string"),)


@pytest.mark.parametrize(
    ("result", "outputs"),
    [
        (Both, (Field(name="low", type="double"), Field(name="high", type="double"))),
        (Pair, (Field(name="left", type="long"), Field(name="right", type="string"))),
        (Vectors, (Field(name="parts", type="double", shape=(-1,)),)),
        (str | None, (Field(name="output", type="string"),)),
    ],
)
def test_results_by_name(result, outputs) -> None:
    def some(a: float): ...

    some.__annotations__["return"] = result
    assert shape_of(some).outputs == outputs


def test_all_faults_at_once() -> None:
    def wrong(a, *rest: float, b: dict, c: np.ndarray, d: complex | str): ...

    with pytest.raises(UsageError) as raised:
        shape_of(wrong)
    assert [each.where for each in raised.value.faults] == ["a", "*rest: float", "b", "c", "d", "return"]
    assert "complex | str" in raised.value.faults[4].what


def test_values_and_columns_do_not_mix() -> None:
    def mixed(a: float, b: list[float]) -> float: ...

    with pytest.raises(UsageError) as raised:
        shape_of(mixed)
    assert {each.where for each in raised.value.faults} == {"a", "return"}


def test_unknown_names_in_annotations() -> None:
    def vague(a: "Nowhere") -> float: ...  # noqa: F821

    with pytest.raises(UsageError, match="cannot be read") as raised:
        shape_of(vague)
    assert "Nowhere" in str(raised.value.why)


def test_a_whole_number_may_not_be_none() -> None:
    def counted(a: float) -> int | None: ...

    with pytest.raises(UsageError) as raised:
        shape_of(counted)
    assert "only float and str" in raised.value.faults[0].what


def test_a_class_is_made_with_a_folder() -> None:
    class Needy:
        def __init__(self, folder: Path, more: str) -> None: ...
        def predict(self, a: float) -> float: ...

    with pytest.raises(UsageError) as raised:
        shape_of(Needy)
    assert raised.value.faults[0].where == "__init__"


def test_what_is_a_function() -> None:
    assert is_function(test_what_is_a_function)
    assert not any(map(is_function, (None, 3, "model", len, int, object(), Path)))


# stored, and answered


def test_rows(rules, tmp_path) -> None:
    folder = saved(rules.offer, tmp_path, {"age": [20.0], "city": ["Rome"]})
    model = FunctionRuntime().load(folder)
    found = answers(model, {"age": [20.0, 40, 50.0], "city": ["Rome", None, "Oslo"], "nights": [1, None, 2]})
    assert found == {"price": [41.0, 43.0, 52.0], "band": ["young", "old", "old"]}
    assert answers(model, {"age": [1.0]}) == {"price": [4.0], "band": ["young"]}
    model.close()


def test_columns_are_answered_at_once(rules, tmp_path) -> None:
    model = FunctionRuntime().load(saved(rules.doubled, tmp_path, {"x": [1.0], "n": [1]}))
    batch = batch_of(model.signature.inputs, {"x": [1.0, 2.0], "n": [1, 2]})
    assert model.infer(batch)["output"].tolist() == [3.0, 6.0]
    assert batch.column("x").tolist() == [1.0, 2.0]


def test_a_class_finds_its_files(rules, tmp_path) -> None:
    folder = saved(rules.ByCity, tmp_path, {"city": ["Rome"]})
    assert answers(FunctionRuntime().load(folder), {"city": ["Rome", "Rome"]}) == {"output": [2.0, 2.0]}


def test_keyword_only_parameters_and_vectors(rules, tmp_path) -> None:
    model = FunctionRuntime().load(saved(rules.spread, tmp_path, {"x": [1.0], "times": [2]}))
    assert answers(model, {"x": [1.0, 2.0], "times": [1, 1]}) == {"output": [[1.0] * 3, [2.0] * 3]}
    with pytest.raises(ModelError, match="does not keep its annotation"):
        answers(model, {"x": [1.0, 2.0], "times": [1, 0]})


def test_the_folder(rules, tmp_path) -> None:
    folder = saved(rules.offer, tmp_path, {"age": [20.0], "city": ["Rome"]})
    described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    assert described["flavors"]["mlwright_function"]["entry"] == "rules:offer"
    assert (folder / "requirements.txt").read_text(encoding="utf-8") == f"numpy=={np.__version__}\n"
    code = {
        each.relative_to(folder / "code").as_posix()
        for each in (folder / "code").rglob("*")
        if each.is_file()
    }
    assert code == {"rules.py", "mlwright_function.py", "rates/by_city.json"}
    before = set(sys.modules)
    model = FunctionRuntime().load(folder)
    (made,) = set(sys.modules) - before
    assert made.startswith("mlwright_function_")
    model.close()
    assert made not in sys.modules


def test_two_versions_side_by_side(tmp_path) -> None:
    models = []
    for number in (1, 2):
        place = tmp_path / str(number)
        place.mkdir()
        text = f"N = {number}\n\ndef predict(x: float) -> float:\n    return x + N\n"
        models.append(FunctionRuntime().load(saved(module(place, "same", text).predict, place, {"x": [0.0]})))
    assert [answers(each, {"x": [1.0]})["output"] for each in models] == [[2.0], [3.0]]


def test_refused_values_name_the_row(rules, tmp_path) -> None:
    model = FunctionRuntime().load(saved(rules.offer, tmp_path, {"age": [20.0], "city": ["Rome"]}))
    with pytest.raises(SignatureMismatch, match="row 1") as raised:
        answers(model, {"age": [1.0, -1.0]})
    assert "younger than nothing" in str(raised.value.why)
    with pytest.raises(SignatureMismatch, match="row 1 of 'age' is missing"):
        answers(model, {"age": [1.0, None]})


def test_other_errors_are_the_models(rules, tmp_path) -> None:
    model = FunctionRuntime().load(saved(rules.ByCity, tmp_path, {"city": ["Rome"]}))
    with pytest.raises(ModelError, match="raised KeyError in row 0") as raised:
        answers(model, {"city": ["Oslo"]})
    assert not isinstance(raised.value, SignatureMismatch)


@pytest.mark.parametrize(("name", "example"), [("lying", {"x": [1.0]}), ("short", {"x": [1.0, 2.0]})])
def test_a_broken_annotation_is_found_when_saving(rules, tmp_path, name, example) -> None:
    with pytest.raises(ModelError, match="does not keep its annotation"):
        saved(getattr(rules, name), tmp_path, example)


def test_a_function_is_one_file(tmp_path) -> None:
    text = (
        "import helpers_of_mine\nfrom . import beside\nFILES = ['../up', 'gone.json']\n"
        "def predict(x: float) -> float: ...\n"
    )
    path = tmp_path / "lonely.py"
    path.write_text(text, encoding="utf-8")
    sys.modules["helpers_of_mine"] = sys
    try:
        made = importlib.util.module_from_spec(importlib.util.spec_from_file_location("lonely", path))
        exec(compile(text.replace("from . import beside\n", ""), str(path), "exec"), made.__dict__)
        sys.modules["lonely"] = made
        with pytest.raises(UsageError) as raised:
            saved(made.predict, tmp_path, {"x": [1.0]})
    finally:
        del sys.modules["helpers_of_mine"], sys.modules["lonely"]
    assert [each.where for each in raised.value.faults] == ["line 2", "line 1", "FILES", "FILES"]


def test_inner_functions_cannot_be_stored(tmp_path) -> None:
    def inner(x: float) -> float:
        return x

    with pytest.raises(UsageError, match="no name at the top"):
        saved(inner, tmp_path, {"x": [1.0]})


def test_another_signature_is_refused(rules, tmp_path) -> None:
    other = Signature(inputs=(Field(name="x", type="double"),), outputs=(Field(name="score", type="double"),))
    with pytest.raises(UsageError, match="another than that of its annotations"):
        FunctionRuntime().save(rules.offer, tmp_path, signature=other, example={"x": [1.0]}, categories={})


def test_changed_code_does_not_load(rules, tmp_path) -> None:
    folder = saved(rules.lying.__globals__["ByCity"], tmp_path, {"city": ["Rome"]})
    code = folder / "code/rules.py"
    code.write_text(code.read_text(encoding="utf-8").replace("city: str)", "city: int)"), encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="MLmodel says"):
        FunctionRuntime().load(folder)
    code.write_text("1 / 0", encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="cannot be imported"):
        FunctionRuntime().load(folder)


def test_it_lacks_what_it_imports(rules, tmp_path) -> None:
    folder = saved(rules.doubled, tmp_path, {"x": [1.0], "n": [1]})
    assert FunctionRuntime().lacks(folder) == ()
    (folder / "requirements.txt").write_text("numpy==1.0\nno-such-package==1.0\n", encoding="utf-8")
    assert FunctionRuntime().lacks(folder) == ("no-such-package==1.0",)


class Frame(dict):
    """As much of a data frame as the shim needs: iteration gives names, items are arrays."""


@pytest.mark.parametrize(
    ("name", "example", "expected"),
    [
        (
            "offer",
            {"age": [20.0, 40.0], "city": ["Rome", None]},
            {"price": [43.0, 43.0], "band": ["young", "old"]},
        ),
        ("doubled", {"x": [1.0, 2.0], "n": [1, 2]}, [3.0, 6.0]),
        ("ByCity", {"city": ["Rome"]}, [2.0]),
    ],
)
def test_plain_mlflow_comes_to_the_same(rules, tmp_path, name, example, expected) -> None:
    folder = saved(getattr(rules, name), tmp_path, example)
    path = list(sys.path)
    try:
        shim = function_shim._load_pyfunc(str(folder))
        frame = Frame({column: np.array(values, dtype=object) for column, values in example.items()})
        split = {"columns": list(example), "data": [list(row) for row in zip(*example.values(), strict=True)]}
        assert shim.predict(frame) == shim.predict(split) == expected
    finally:
        sys.path[:] = path
        del sys.modules["rules"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20), st.data())
def test_rows_do_not_depend_on_their_batch(values, data) -> None:
    cut = data.draw(st.integers(0, len(values)))
    model = _loaded()
    whole = Batch(len(values), {"x": np.array(values, dtype=np.float64)})
    parts = [model.infer(whole.taken(slice(0, cut))), model.infer(whole.taken(slice(cut, None)))]
    assert (
        np.concatenate([each["output"] for each in parts]).tolist() == model.infer(whole)["output"].tolist()
    )


def _loaded():
    from tempfile import TemporaryDirectory

    if "model" not in _KEPT:
        with TemporaryDirectory() as name:
            text = "def halved(x: float) -> float:\n    return x / 2\n"
            _KEPT["model"] = FunctionRuntime().load(
                saved(module(Path(name), "halves", text).halved, Path(name), {"x": [1.0]})
            )
    return _KEPT["model"]


_KEPT: dict[str, object] = {}


def test_times_and_bytes_are_stored_as_json_has_them(rules, tmp_path) -> None:
    example = {"when": [datetime.fromisoformat("2024-03-01T12:00:00")], "key": [b"\xff"]}
    place = saved(rules.later, tmp_path, example)
    assert json.loads((place / "input_example.json").read_text())["data"] == [["2024-03-01T12:00:00", "/w=="]]
    model = FunctionRuntime().load(place)
    try:
        assert answers(model, example) == {"output": ["2024-03-01 b'\\xff'"]}
    finally:
        model.close()
