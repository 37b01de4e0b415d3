import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.adapters.runtimes.trust import TRUSTED
from mlwright.errors import ModelLoadFailed, ModelUntrusted, SignatureMismatch, UsageError
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import scores_of

SCORE = (Field(name="score", type="double"),)
NUMBERS = Signature(inputs=(Field(name="a", type="double"), Field(name="b", type="double")), outputs=SCORE)
MIXED = Signature(
    inputs=(Field(name="carrier", type="string"), Field(name="a", type="double")), outputs=SCORE
)
EXAMPLE = {"a": [0.5, -1.0], "b": [2.0, 0.25]}
RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(200, 2))
CLASS = X[:, 0] + RANDOM.normal(size=200) > 0
VALUE = X[:, 0] * 3 - X[:, 1]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Fits of a few rows take seconds when two threads wait for one free core."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


def save(model, folder: Path, signature=NUMBERS, example=EXAMPLE, categories=None) -> SklearnRuntime:
    runtime = SklearnRuntime()
    runtime.save(model, folder, signature=signature, example=example, categories=categories or {})
    return runtime


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, max_depth=3),
        GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
        CalibratedClassifierCV(DecisionTreeClassifier(max_depth=3), cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_classifiers_give_the_probability_of_the_second_class(model, folder) -> None:
    model.fit(X, CLASS)
    loaded = save(model, folder).load(folder)
    columns = {"a": X[:9, 0].tolist(), "b": X[:9, 1].tolist()}
    assert scores_of(loaded, columns) == model.predict_proba(X[:9])[:, 1].tolist()


@pytest.mark.parametrize(
    "model", [LinearRegression(), HistGradientBoostingRegressor(max_iter=5)], ids=lambda m: type(m).__name__
)
def test_regressors_give_the_value(model, folder) -> None:
    model.fit(X, VALUE)
    loaded = save(model, folder).load(folder)
    columns = {"a": X[:9, 0].tolist(), "b": X[:9, 1].tolist()}
    assert scores_of(loaded, columns) == model.predict(X[:9]).tolist()


def test_stored_pipeline_and_ours_agree(folder) -> None:
    """The file alone, with scikit-learn alone, gives from named columns what we serve."""
    codes = np.column_stack([RANDOM.integers(0, 3, 200), X[:, 0]]).astype(float)
    codes[::7, 0] = np.nan
    model = HistGradientBoostingClassifier(max_iter=9, categorical_features=[0])
    model.fit(codes, CLASS ^ (codes[:, 0] == 1))
    levels = {"carrier": ("UA", "AA", "B6")}
    rows = {"carrier": ["AA", "UA", None, "ZZ", "B6", "", "AA"], "a": [0.1, -2.0, 0.3, None, 1.0, 2.0, 3.0]}
    loaded = save(model, folder, MIXED, rows, levels).load(folder)
    described = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["sklearn"]
    alone = skops.io.load(folder / described["pickled_model"], trusted=described["skops_trusted_types"])
    assert alone.predict_proba(pl.DataFrame(rows))[:, 1].tolist() == scores_of(loaded, rows)
    assert len(set(scores_of(loaded, rows))) > 3


def test_model_fitted_on_named_columns(folder) -> None:
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, CLASS)
    loaded = save(model, folder).load(folder)
    assert scores_of(loaded, EXAMPLE) == pytest.approx(
        model.predict_proba(pl.DataFrame(EXAMPLE))[:, 1].tolist()
    )
    assert list(model.feature_names_in_) == ["a", "b"], "the caller's model is left as it was"


def test_folder_content(folder) -> None:
    save(HistGradientBoostingClassifier(max_iter=3).fit(X, CLASS), folder)
    assert {path.name for path in folder.iterdir()} == {
        "MLmodel",
        "model.skops",
        "mlwright.json",
        "requirements.txt",
        "python_env.yaml",
        "input_example.json",
        "output_example.json",
    }
    answers = json.loads((folder / "output_example.json").read_text())["predictions"]
    assert len(answers) == 2
    assert all(0 < each < 1 for each in answers)
    assert "scikit-learn==" in (folder / "requirements.txt").read_text()
    assert json.loads((folder / "input_example.json").read_text()) == {
        "columns": ["a", "b"],
        "data": [[0.5, 2.0], [-1.0, 0.25]],
    }
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["flavors"]["python_function"]["loader_module"] == "mlflow.sklearn"
    assert described["flavors"]["python_function"]["predict_fn"] == "predict_proba"
    assert described["flavors"]["sklearn"]["serialization_format"] == "skops"
    assert set(described["flavors"]["sklearn"]["skops_trusted_types"]) <= TRUSTED


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LogisticRegression().fit(X, RANDOM.integers(0, 3, 200)),
        LinearSVC().fit(X, CLASS),
        StandardScaler().fit(X),
        LogisticRegression,
    ],
    ids=["not fitted", "three classes", "no probabilities", "not a predictor", "a class"],
)
def test_what_is_not_accepted(model, folder) -> None:
    assert not SklearnRuntime().accepts(model)
    with pytest.raises(UsageError, match="cannot be saved"):
        save(model, folder)
    assert list(folder.iterdir()) == []


class TestSaveRefuses:
    def test_types_that_could_not_be_loaded(self, folder) -> None:
        with pytest.raises(ModelUntrusted, match="KDTree"):
            save(KNeighborsClassifier().fit(X, CLASS), folder)
        assert list(folder.iterdir()) == []

    def test_text_without_categories(self, folder) -> None:
        model = LogisticRegression().fit(X, CLASS)
        with pytest.raises(UsageError, match="without categories: carrier"):
            save(model, folder, MIXED, {"carrier": ["AA"], "a": [1.0]})
        with pytest.raises(UsageError, match="each once"):
            save(model, folder, MIXED, {"carrier": ["AA"], "a": [1.0]}, {"carrier": ["AA", "AA"]})

    def test_example_that_does_not_fit(self, folder) -> None:
        model = LogisticRegression().fit(X, CLASS)
        with pytest.raises(SignatureMismatch, match="'b' is missing"):
            save(model, folder, example={"a": [1.0]})
        wide = LogisticRegression().fit(np.column_stack([X, X]), CLASS)
        with pytest.raises(SignatureMismatch, match="4 features"):
            save(wide, folder)


def test_missing_value_that_the_estimator_refuses(folder) -> None:
    loaded = save(LogisticRegression().fit(X, CLASS), folder).load(folder)
    with pytest.raises(SignatureMismatch, match="NaN"):
        scores_of(loaded, {"a": [None], "b": [1.0]})


class TestUntrustedFiles:
    def rewrite(self, folder: Path, change) -> None:
        """Change the schema inside the skops file."""
        path = folder / "model.skops"
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        schema = change(parts["schema.json"].decode())
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in {**parts, "schema.json": schema.encode()}.items():
                archive.writestr(name, data)
        path.write_bytes(out.getvalue())

    @pytest.mark.parametrize("module", ["os", "numpy", "sklearn.datasets", "mlwright_no_such_module"])
    def test_nothing_is_imported_or_built(self, folder, module) -> None:
        runtime = save(LogisticRegression().fit(X, CLASS), folder)
        self.rewrite(folder, lambda text: text.replace("sklearn.linear_model._logistic", module))
        with pytest.raises(ModelUntrusted, match=rf"{module}\.LogisticRegression"):
            runtime.load(folder)

    def test_pickle_is_refused(self, folder) -> None:
        runtime = save(LogisticRegression().fit(X, CLASS), folder)
        described = yaml.safe_load((folder / "MLmodel").read_text())
        described["flavors"]["sklearn"].update(pickled_model="model.pkl", serialization_format="cloudpickle")
        (folder / "MLmodel").write_text(yaml.safe_dump(described))
        with pytest.raises(ModelLoadFailed, match="only skops is loaded"):
            runtime.load(folder)

    @pytest.mark.parametrize(
        ("field", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 7), ("feature_idx", -1)]
    )
    def test_trees_that_point_outside(self, folder, field, value) -> None:
        model = HistGradientBoostingClassifier(max_iter=2).fit(X, CLASS)
        runtime = save(model, folder)
        nodes = model._predictors[1][0].nodes
        inner = int(np.flatnonzero(nodes["is_leaf"] == 0)[-1])
        nodes[field][inner] = value
        (folder / "model.skops").write_bytes(skops.io.dumps(model))
        with pytest.raises(ModelUntrusted, match="points outside itself"):
            runtime.load(folder)

    def test_forest_that_points_outside(self, folder) -> None:
        model = RandomForestClassifier(2, max_depth=2).fit(X, CLASS)
        runtime = save(model, folder)
        model.estimators_[1].tree_.children_left[0] = 500
        (folder / "model.skops").write_bytes(skops.io.dumps(model))
        with pytest.raises(ModelUntrusted, match="points outside itself"):
            runtime.load(folder)
