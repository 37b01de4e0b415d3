"""Models of MLflow's other flavors. What needs mlflow itself is skipped where it is not installed."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from mlwright.adapters.runtimes.pyfunc import LoadedPyfunc, PyfuncRuntime, _named_arrays
from mlwright.errors import MissingExtra, ModelError, ModelLoadFailed, SignatureMismatch, UsageError
from mlwright.model.batches import batch_of
from mlwright.model.registry import Field, Signature

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None
SCORE = (Field(name="score", type="double"),)


def field(name: str, type: str = "double", *shape: int) -> Field:
    return Field(name=name, type=type, shape=shape)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    conf = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}
    described = {"flavors": {"python_function": conf}}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(
        "mlflow==3.1\nnumpy==1.0.0\nno-such-package>=2\n", encoding="utf-8"
    )
    return tmp_path


def test_it_saves_nothing(tmp_path) -> None:
    assert not PyfuncRuntime().accepts(object())
    with pytest.raises(UsageError, match="not saved"):
        PyfuncRuntime().save(
            3, tmp_path, signature=Signature(inputs=(), outputs=()), example={}, categories={}
        )


def test_a_pickle_asks_for_its_versions(folder) -> None:
    lacks = PyfuncRuntime().lacks(folder)
    assert {"numpy==1.0.0", "no-such-package>=2"} <= set(lacks)
    assert ("mlflow-skinny" in lacks) is not HAS_MLFLOW
    assert "mlflow==3.1" not in lacks


@pytest.mark.parametrize(
    "asked", ["mlflow~=3.1", "mlflow<4,>=3", "MLflow_skinny!=3.0", "mlflow[extras]==3.1"]
)
def test_mlflow_is_asked_for_once(folder, asked) -> None:
    (folder / "requirements.txt").write_text(f"{asked}\n", encoding="utf-8")
    assert asked not in PyfuncRuntime().lacks(folder)


def test_code_asks_for_packages_in_any_version(folder) -> None:
    text = (folder / "MLmodel").read_text(encoding="utf-8").replace("python_model", "data")
    (folder / "MLmodel").write_text(text, encoding="utf-8")
    assert "numpy==1.0.0" not in PyfuncRuntime().lacks(folder)


@pytest.mark.skipif(HAS_MLFLOW, reason="mlflow is installed here")
def test_without_mlflow(folder) -> None:
    with pytest.raises(MissingExtra, match="python_function") as raised:
        PyfuncRuntime().load(folder)
    assert "mlwright[mlflow]" in str(raised.value.next_command)


@pytest.mark.parametrize(
    ("found", "outputs", "expected"),
    [
        ([1.0, 2.0], SCORE, {"score": [1.0, 2.0]}),
        ([1.0, 2.0], (), {"output": [1.0, 2.0]}),
        (np.array([[1.0], [2.0]]), SCORE, {"score": [1.0, 2.0]}),
        (np.array([[1, 2], [3, 4]]), (field("p", "long", 2),), {"p": [[1, 2], [3, 4]]}),
        ({"b": [1, 2], "a": ["x", "y"]}, (), {"b": [1, 2], "a": ["x", "y"]}),
        ({"b": [1, 2], "a": [3, 4]}, (field("a", "long"),), {"a": [3, 4]}),
        ([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], (), {"a": [1, 2], "b": ["x", "y"]}),
        (["x", "y"], (field("label", "string"),), {"label": ["x", "y"]}),
        (np.array([1, 2]), SCORE, {"score": [1.0, 2.0]}),
    ],
)
def test_predictions_of_every_form(found, outputs, expected) -> None:
    arrays = _named_arrays(found, 2, outputs)
    assert {name: each.tolist() for name, each in arrays.items()} == expected


def test_a_single_value_answers_a_single_row() -> None:
    assert _named_arrays(3.5, 1, SCORE)["score"].tolist() == [3.5]
    with pytest.raises(ModelError, match="2 rows"):
        _named_arrays(3.5, 2, SCORE)
    with pytest.raises(ModelError, match="2 rows"):
        _named_arrays([1.0, 2.0, 3.0], 2, SCORE)


def test_outputs_that_nobody_named() -> None:
    with pytest.raises(ModelError, match="its signature names score"):
        _named_arrays({"a": [1.0], "b": [2.0]}, 1, SCORE)


class Framed:
    """As much of pandas as an answer is read by."""

    def __init__(self, **columns) -> None:
        self._columns = columns
        self.columns = list(columns)

    def to_numpy(self):
        return np.column_stack(list(self._columns.values()))

    def __getitem__(self, name: str):
        return pl.Series(self._columns[name])


def test_a_frame_answers_by_column() -> None:
    arrays = _named_arrays(Framed(yhat=[1.0, 2.0], low=[0.5, 1.5]), 2, (field("yhat"), field("low")))
    assert {name: each.tolist() for name, each in arrays.items()} == {"yhat": [1.0, 2.0], "low": [0.5, 1.5]}


class Model:
    """A model as MLflow hands it out."""

    def __init__(self, predict, named: bool = True) -> None:
        schema = SimpleNamespace(is_tensor_spec=lambda: True, has_input_names=lambda: named)
        self.metadata = SimpleNamespace(get_input_schema=lambda: schema)
        self.predict = predict


@pytest.mark.parametrize("named", [True, False])
def test_tensors_are_handed_on_by_name_or_alone(named) -> None:
    seen = []
    signature = Signature(inputs=(field("image", "uint8", 2, 2),), outputs=SCORE)

    def predict(given):
        seen.append(given)
        return [0.5]

    model = LoadedPyfunc(Model(predict, named), signature)
    batch = batch_of(signature.inputs, {"image": [[[1, 2], [3, 4]]]})
    assert model.infer(batch)["score"].tolist() == [0.5]
    given = seen[0]["image"] if named else seen[0]
    assert given.shape == (1, 2, 2)
    assert given.dtype == np.uint8


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError("no"), SignatureMismatch), (KeyError("no"), ModelError)]
)
def test_what_a_model_raises(error, kind) -> None:
    def predict(given):
        raise error

    signature = Signature(inputs=(field("image", "uint8", 1),), outputs=SCORE)
    with pytest.raises(ModelError) as raised:
        LoadedPyfunc(Model(predict), signature).infer(batch_of(signature.inputs, {"image": [[1]]}))
    assert type(raised.value) is kind


@pytest.fixture
def mlflow():
    return pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.mark.filterwarnings("default")  # MLflow hints at what a model of a test does without
def test_a_python_model_of_somebody(mlflow, tmp_path) -> None:
    pandas = pytest.importorskip("pandas")
    source = tmp_path / "doubling.py"
    source.write_text(
        "import mlflow\n\n\nclass Doubling(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['a'] * 2 + model_input['n']\n\n\n"
        "mlflow.models.set_model(Doubling())\n",
        encoding="utf-8",
    )
    frame = pandas.DataFrame({"a": [1.0, 2.0], "n": [1, 2]})
    signature = mlflow.models.infer_signature(frame, frame["a"])
    place = tmp_path / "model"
    mlflow.pyfunc.save_model(
        str(place), python_model=str(source), signature=signature, pip_requirements=["mlflow", "pandas"]
    )
    runtime = PyfuncRuntime()
    assert runtime.lacks(place) == ()
    model = runtime.load(place)
    batch = batch_of(model.signature.inputs, {"a": [1.0, 2.0], "n": [1, 2]})
    assert [each.tolist() for each in model.infer(batch).values()] == [[3.0, 6.0]]
    model.close()
    (place / "MLmodel").unlink()
    with pytest.raises(ModelLoadFailed):
        runtime.load(place)
