"""Models of other libraries as ONNX graphs: they answer the same, or what stands in the way is said."""

import warnings

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from mlwright.adapters.runtimes import converting
from mlwright.adapters.runtimes.converting import OnnxConverter
from mlwright.adapters.runtimes.order import all_runtimes
from mlwright.errors import MissingExtra, Unsupported
from mlwright.model.batches import batch_of
from mlwright.model.registry import Field, Signature

pytestmark = pytest.mark.filterwarnings("ignore")
for _library in ("skl2onnx", "onnxmltools", "onnxruntime"):
    pytest.importorskip(_library, reason="the extra optimize is not installed")

RANDOM = np.random.default_rng(7)
ROWS = 400
X = RANDOM.normal(size=(ROWS, 4))
Y = (X[:, 0] + X[:, 1] * X[:, 2] + 0.3 * RANDOM.normal(size=ROWS) > 0).astype(int)
NAMES = ("a", "b", "c", "d")
NUMBERS = Signature(
    inputs=tuple(Field(name=name, type="double") for name in NAMES),
    outputs=(Field(name="score", type="double"),),
)
PLANS = ("basic", "plus", "team", "school")


def folder_of(model, into, signature=NUMBERS, example=None, categories=None):
    """The folder that the runtime of a model writes."""
    into.mkdir()
    runtime = next(each for each in all_runtimes() if each.accepts(model))
    rows = example or {name: [0.0, 1.0] for name in NAMES}
    runtime.save(model, into, signature=signature, example=rows, categories=categories or {})
    return into


def both(folder, tmp_path, columns, quantize="none"):
    """What the model of a folder and its converted form answer."""
    into = tmp_path / "onnx"
    into.mkdir()
    assert OnnxConverter().convert(folder, into, quantize=quantize) == "onnx"
    answers = []
    for place, flavor in ((folder, None), (into, "onnx")):
        runtime = next(
            each
            for each in all_runtimes()
            if (each.flavor == flavor if flavor else f"  {each.flavor}:" in (place / "MLmodel").read_text())
        )
        model = runtime.load(place)
        answers.append(model.infer(batch_of(model.signature.inputs, columns)))
    return answers


def columns_of(matrix):
    return {name: matrix[:, at] for at, name in enumerate(NAMES)}


def boosters():
    lightgbm = pytest.importorskip("lightgbm")
    xgboost = pytest.importorskip("xgboost")
    return {
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
        "xgboost": xgboost.XGBClassifier(n_estimators=10, n_jobs=1),
        "xgboost values": xgboost.XGBRegressor(n_estimators=10, n_jobs=1),
    }


MODELS = {
    "gradient boosting": GradientBoostingClassifier(n_estimators=10),
    "forest": RandomForestRegressor(5, n_jobs=1),
    "histogram": HistGradientBoostingClassifier(max_iter=10),
    "histogram values": HistGradientBoostingRegressor(max_iter=10),
    "histogram counts": HistGradientBoostingRegressor(max_iter=10, loss="poisson"),
    "logistic": LogisticRegression(),
    "network": MLPClassifier((8,), max_iter=20, random_state=0),
}


@pytest.mark.parametrize("name", [*MODELS, "lightgbm", "xgboost", "xgboost values"])
def test_answers_are_the_same(name, tmp_path) -> None:
    model = (MODELS[name] if name in MODELS else boosters()[name]).fit(X, Y)
    new = RANDOM.normal(size=(300, 4)).astype(np.float32).astype(np.float64)
    if "histogram" in name or "gb" in name:
        new[RANDOM.random(new.shape) < 0.1] = np.nan
    before, after = both(folder_of(model, tmp_path / "model"), tmp_path, columns_of(new))
    assert list(after) == ["score"]
    assert after["score"].shape == (300,)
    assert len(np.unique(before["score"])) > 5
    np.testing.assert_allclose(after["score"], before["score"], rtol=2e-6, atol=2e-6)


def test_texts_are_encoded_before_the_graph(tmp_path) -> None:
    codes = RANDOM.integers(0, len(PLANS), ROWS).astype(float)
    matrix = np.column_stack([X[:, 0], codes])
    late = (X[:, 0] + np.isin(codes, [1, 3]) > 0.5).astype(int)
    matrix[:20, 1] = np.nan
    model = HistGradientBoostingClassifier(categorical_features=[1], max_iter=20).fit(matrix, late)
    signature = Signature(
        inputs=(Field(name="a", type="double"), Field(name="plan", type="string", required=False)),
        outputs=NUMBERS.outputs,
    )
    folder = folder_of(
        model,
        tmp_path / "model",
        signature,
        {"a": [0.0, 1.0], "plan": ["basic", None]},
        {"plan": PLANS},
    )
    asked = {"a": list(X[:60, 0]), "plan": [*PLANS, None, "unheard of"] * 10}
    before, after = both(folder, tmp_path, asked)
    assert len(np.unique(before["score"])) > 5
    np.testing.assert_allclose(after["score"], before["score"], atol=2e-7)


def test_histograms_keep_values_apart_that_are_one_float32(tmp_path) -> None:
    near = np.repeat([1.0, 1.0 + 1e-9], 100)
    matrix = np.column_stack([near] * 4)
    model = HistGradientBoostingRegressor(max_iter=5).fit(matrix, (near > 1).astype(float))
    before, after = both(folder_of(model, tmp_path / "model"), tmp_path, columns_of(matrix))
    assert before["score"][0] < before["score"][-1] - 0.2
    np.testing.assert_allclose(after["score"], before["score"], atol=1e-6)


def test_a_fitted_order_of_columns_is_kept(tmp_path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    data = lightgbm.Dataset(X[:, ::-1], Y, feature_name=list(NAMES[::-1]), params={"verbose": -1})
    model = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 5)
    before, after = both(folder_of(model, tmp_path / "model"), tmp_path, columns_of(X.astype(np.float32)))
    np.testing.assert_allclose(after["score"], before["score"], atol=2e-6)


def test_quantised_weights_are_smaller_and_near(tmp_path) -> None:
    model = MLPClassifier((64, 64), max_iter=30, random_state=0).fit(X, Y)
    folder = folder_of(model, tmp_path / "model")
    before, after = both(folder, tmp_path, columns_of(X), quantize="dynamic")
    gap = np.abs(after["score"] - before["score"]).max()
    assert 1e-7 < gap < 0.1


def test_trees_have_nothing_to_quantise(tmp_path) -> None:
    folder = folder_of(MODELS["forest"].fit(X, Y), tmp_path / "model")
    with pytest.raises(Unsupported, match="nothing in this model can be quantised"):
        OnnxConverter().convert(folder, tmp_path, quantize="dynamic")


def test_which_flavors_are_converted() -> None:
    converter = OnnxConverter()
    assert converter.converts(("python_function", "sklearn"))
    assert not converter.converts(("python_function", "onnx"))
    assert not converter.converts(("mlwright_function",))


def test_a_graph_is_not_converted_again(tmp_path) -> None:
    folder = folder_of(MODELS["logistic"].fit(X, Y), tmp_path / "model")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    OnnxConverter().convert(folder, first)
    with pytest.raises(Unsupported, match="cannot be converted"):
        OnnxConverter().convert(first, second)
    assert not list(second.iterdir())


def test_what_has_no_form_in_onnx_says_why(tmp_path) -> None:
    class Odd(LogisticRegression):
        """Known to nobody."""

    folder = folder_of(LogisticRegression().fit(X, Y), tmp_path / "model")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        from mlwright.adapters.runtimes import estimators

        patch.setattr(estimators, "held", lambda _: Odd().fit(X, Y))
        with pytest.raises(Unsupported) as refused:
            OnnxConverter().convert(folder, tmp_path)
    assert refused.value.why


def test_a_missing_library_says_what_to_install(tmp_path, monkeypatch) -> None:
    folder = folder_of(MODELS["logistic"].fit(X, Y), tmp_path / "model")
    monkeypatch.setattr(converting, "find_spec", lambda name: None if name == "skl2onnx" else True)
    with pytest.raises(MissingExtra, match="skl2onnx") as refused:
        OnnxConverter().convert(folder, tmp_path)
    assert "mlwright[optimize]" in (refused.value.next_command or "")
