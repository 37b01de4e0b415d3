"""Folders as MLflow writes them, without MLflow; tests/verify/test_foreign_models.py has the real ones."""

import json
import pickle
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from mlwright.adapters.runtimes.outputs import fields_like, named
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.errors import ModelLoadFailed, SignatureMismatch
from mlwright.model.batches import Batch, batch_of
from mlwright.model.registry import Field

VERSION = version("scikit-learn")
RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(120, 3))
FRAME = pl.DataFrame(X, schema=["a", "b", "c"])
CLASS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
INPUTS = json.dumps([{"type": "double", "name": name} for name in "abc"])


def put(
    folder: Path, model: object, method: str = "predict", inputs: str | None = None, **more: object
) -> Path:
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    flavor = {"pickled_model": "model.pkl", "serialization_format": "pickle", "sklearn_version": VERSION}
    described = {
        "flavors": {"sklearn": flavor, "python_function": {"predict_fn": method}},
        **({"signature": {"inputs": inputs, "outputs": None}} if inputs else {}),
        **more,
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    return folder


def answered(folder: Path, rows: object = None) -> dict[str, np.ndarray]:
    loaded = SklearnRuntime().load(folder)
    inputs = loaded.signature.inputs
    columns = rows or ({inputs[0].name: X} if inputs[0].shape else dict(zip("abc", X.T, strict=True)))
    answers = loaded.infer(batch_of(inputs, columns))
    assert list(answers) == [each.name for each in loaded.signature.outputs]
    empty = loaded.infer(batch_of(inputs, {name: each[:0] for name, each in columns.items()}))
    assert [len(each) for each in empty.values()] == [0] * len(answers)
    return dict(answers)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_classes_of_three(tmp_path, method) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, CLASS)
    answers = answered(put(tmp_path, model, method, INPUTS))
    np.testing.assert_array_equal(answers["output"], getattr(model, method)(FRAME))


def test_labels_that_are_texts(tmp_path) -> None:
    words = np.array(["no", "yes", "very"])[CLASS]
    model = LogisticRegression().fit(X, words)
    loaded = SklearnRuntime().load(put(tmp_path, model))
    assert loaded.signature.inputs == (Field(name="input", type="double", shape=(3,)),)
    assert loaded.signature.outputs == (Field(name="output", type="string"),)
    assert answered(tmp_path)["output"].tolist() == model.predict(X).tolist()


def test_several_values_a_row(tmp_path) -> None:
    model = RandomForestRegressor(3, n_jobs=2, random_state=0).fit(X, X[:, :2])
    outputs = json.dumps([{"type": "double", "name": "east"}, {"type": "double", "name": "north"}])
    put(tmp_path, model, signature={"inputs": INPUTS, "outputs": outputs})
    answers = answered(tmp_path)
    np.testing.assert_allclose(np.column_stack(list(answers.values())), model.predict(X), rtol=1e-12)
    assert list(answers) == ["east", "north"]


def test_names_are_forgotten_in_every_part(tmp_path) -> None:
    """A matrix for an estimator that was fitted on names would warn, and warnings are errors here."""
    with threadpool_limits(1):
        model = CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=3), cv=2).fit(FRAME, CLASS > 0)
        np.testing.assert_array_equal(
            answered(put(tmp_path, model, "predict_proba", INPUTS))["output"], model.predict_proba(FRAME)
        )


def test_order_of_the_fit(tmp_path) -> None:
    """Columns go to the estimator as it knows them, whatever order the signature has."""
    model = LinearRegression().fit(FRAME, X @ [1.0, 10.0, 100.0])
    turned = json.dumps([{"type": "double", "name": name} for name in "cab"])
    np.testing.assert_allclose(
        answered(put(tmp_path, model, inputs=turned))["output"], X @ [1.0, 10.0, 100.0]
    )
    loaded = SklearnRuntime().load(tmp_path)
    matrix = Batch(5, matrix=X[:5, [2, 0, 1]].copy(), names=("c", "a", "b"))
    np.testing.assert_allclose(loaded.infer(matrix)["output"], X[:5] @ [1.0, 10.0, 100.0])


def test_columns_that_are_chosen_by_name(tmp_path) -> None:
    words = RANDOM.choice(["red", "green"], 120)
    frame = pd.DataFrame({"k": words, "a": X[:, 0]})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["k"]), ("passthrough", ["a"])),
        LogisticRegression(),
    ).fit(frame, CLASS)
    inputs = json.dumps([{"type": "double", "name": "a"}, {"type": "string", "name": "k"}])
    put(tmp_path, model, "predict_proba", inputs)
    answers = answered(tmp_path, {"a": X[:, 0], "k": words.tolist()})
    np.testing.assert_array_equal(answers["output"], model.predict_proba(frame))


def test_example_in_place_of_a_signature(tmp_path) -> None:
    frame = pd.DataFrame({"k": RANDOM.choice(["red", "green"], 120), "n": CLASS, "a": X[:, 0]})
    choose = make_column_transformer((OneHotEncoder(), ["k"]), ("passthrough", ["n", "a"]))
    model = make_pipeline(choose, LinearRegression()).fit(frame, X[:, 0])
    (tmp_path / "e.json").write_text('{"columns": ["k", "n", "a"], "data": [["red", 1, 0.5]]}')
    put(tmp_path, model, saved_input_example_info={"artifact_path": "e.json", "type": "dataframe"})
    loaded = SklearnRuntime().load(tmp_path)
    assert [each.type for each in loaded.signature.inputs] == ["string", "double", "double"]
    (tmp_path / "e.json").unlink()
    put(tmp_path, model)
    with pytest.raises(ModelLoadFailed, match="no signature, and nothing else says what its inputs are"):
        SklearnRuntime().load(tmp_path)


@pytest.mark.parametrize(
    ("model", "method", "message"),
    [
        ("not an estimator", "predict", "no method 'predict'"),
        (LinearRegression().fit(X, X[:, 0]), "predict_proba", "no method 'predict_proba'"),
        (LinearRegression().fit(X, X[:, 0]), "__reduce__", "no method '__reduce__'"),
    ],
    ids=["a text", "no such method", "no answer"],
)
def test_what_does_not_load(tmp_path, model, method, message) -> None:
    with pytest.raises(ModelLoadFailed, match=message):
        SklearnRuntime().load(put(tmp_path, model, method, INPUTS))


def test_pickle_of_what_is_not_here(tmp_path) -> None:
    put(tmp_path, LinearRegression().fit(X, X[:, 0]), inputs=INPUTS)
    (tmp_path / "model.pkl").write_bytes(b"cmlwright_no_such_module\nThing\n.")
    with pytest.raises(ModelLoadFailed, match="pkl cannot be loaded") as caught:
        SklearnRuntime().load(tmp_path)
    assert "mlwright_no_such_module" in str(caught.value.why)


def test_values_that_are_refused(tmp_path) -> None:
    loaded = SklearnRuntime().load(put(tmp_path, LinearRegression().fit(X, X[:, 0]), inputs=INPUTS))
    with pytest.raises(SignatureMismatch, match="refuses the values"):
        loaded.infer(batch_of(loaded.signature.inputs, {"a": [None], "b": [1.0], "c": [1.0]}))


def test_lacks(tmp_path) -> None:
    runtime = SklearnRuntime()
    put(tmp_path, LinearRegression().fit(X, X[:, 0]), inputs=INPUTS)
    required = ["mlflow==3.17.2", "pandas==0.1", f"scikit-learn=={VERSION}", "no-such-thing==1"]
    (tmp_path / "requirements.txt").write_text("\n".join(required))
    assert runtime.lacks(tmp_path) == ("no-such-thing==1",)
    (tmp_path / "requirements.txt").write_text("scikit-learn==0.19.2")
    assert runtime.lacks(tmp_path) == ("scikit-learn==0.19.2",)


def test_results_by_name() -> None:
    fields = (Field(name="a", type="double"), Field(name="b", type="long"))
    split = named(fields, np.array([[1, 2], [3, 4]]))
    assert {name: each.tolist() for name, each in split.items()} == {"a": [1.0, 3.0], "b": [2, 4]}
    assert named(fields[:1], np.array([[1.5], [2.5]], dtype=np.float32))["a"].dtype == np.float64
    assert named(fields[1:], np.array([1.5]))["b"].tolist() == [1.5], "nothing but digits is lost"
    assert named(fields[:1], pl.DataFrame({"x": [1.0]}))["a"].tolist() == [1.0]
    with pytest.raises(SignatureMismatch, match="gives 1 outputs, but its signature names 2"):
        named(fields, np.zeros(3))
    assert fields_like([np.zeros((2, 3)), np.array(["a", "b"])]) == (
        Field(name="output_0", type="double", shape=(3,)),
        Field(name="output_1", type="string"),
    )
