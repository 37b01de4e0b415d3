"""Folders that real MLflow writes load here, and answer what ``mlflow.pyfunc`` answers from them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlwright.adapters.runtimes.lightgbm import LightgbmRuntime
from mlwright.adapters.runtimes.onnx import OnnxRuntime
from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.adapters.runtimes.xgboost import XgboostRuntime
from mlwright.model.batches import batch_of

pytestmark = pytest.mark.verify

PACKAGES = (
    "mlflow-skinny==3.17.2",
    "pandas==3.1.1",
    "lightgbm",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "skops",
    "xgboost-cpu",
)
NAMES = ("a", "b", "c", "d")

# Runs under MLflow's Python: writes the folders, and what MLflow answers from each.
WRITE = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import lightgbm, mlflow, numpy as np, pandas as pd, xgboost
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

out, names = sys.argv[1], ["a", "b", "c", "d"]
rows = json.load(open(sys.argv[2]))
array = np.array(rows["matrix"])
frame = pd.DataFrame(array, columns=names)
mixed = frame.assign(k=rows["levels"])
label = (array[:, 0] + array[:, 1] > 0).astype(int)
three = label + (array[:, 2] > 1)
binary = GradientBoostingClassifier(n_estimators=5).fit(frame, label)
forest = RandomForestRegressor(5, n_jobs=1).fit(array, array[:, :2])
chosen = make_column_transformer((OneHotEncoder(), ["k"]), (StandardScaler(), names))
texts = make_pipeline(chosen, GradientBoostingClassifier(n_estimators=5)).fit(mixed, label)
train = xgboost.DMatrix(frame, label=label)
linear = {"booster": "gblinear", "objective": "reg:squarederror", "nthread": 1}
booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, train, 5)
xthree = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(frame, three)
light = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1}, lightgbm.Dataset(frame, three), 5)
lights = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(frame, np.array(["x", "y"])[label])
small = array.astype("float32")
graph = to_onnx(GradientBoostingClassifier(n_estimators=5).fit(small, label), small[:1], options={"zipmap": False})
maps = to_onnx(GradientBoostingClassifier(n_estimators=5).fit(small, label), small[:1])
value = to_onnx(RandomForestRegressor(5).fit(small, small[:, 0]), small[:1])

sk, pickled = mlflow.sklearn, {"serialization_format": "cloudpickle"}
cases = {
    "sklearn_cloudpickle": (sk, binary, frame, pickled),
    "sklearn_pickle": (sk, binary, frame, {"serialization_format": "pickle"}),
    "sklearn_proba": (sk, binary, frame, {**pickled, "pyfunc_predict_fn": "predict_proba"}),
    "sklearn_array": (sk, forest, array, pickled),
    "sklearn_texts": (sk, texts, mixed, pickled),
    "xgboost_booster": (mlflow.xgboost, booster, frame, {}),
    "xgboost_json": (mlflow.xgboost, booster, frame, {"model_format": "json"}),
    "xgboost_linear": (mlflow.xgboost, xgboost.train(linear, train, 5), frame, {}),
    "xgboost_classes": (mlflow.xgboost, xthree, frame, {}),
    "lightgbm_booster": (mlflow.lightgbm, light, frame, {}),
    "lightgbm_classes": (mlflow.lightgbm, lights, frame, {}),
    "onnx_value": (mlflow.onnx, value, frame, {}),
    "onnx_graph": (mlflow.onnx, graph, small, {}),
    "onnx_maps": (mlflow.onnx, maps, small, {}),
}
answers = {}
for name, (flavor, model, data, more) in cases.items():
    plain, signed = f"{out}/{name}", f"{out}/{name}_signed"
    flavor.save_model(model, plain, **more)
    answer = mlflow.pyfunc.load_model(plain).predict(data)
    shown = answer
    if isinstance(answer, dict):
        shown = {key: np.array([list(one.values()) for one in each]) if isinstance(each, list) else each
                 for key, each in answer.items()}
    flavor.save_model(model, signed, signature=infer_signature(data, shown), input_example=data[:3], **more)
    if not isinstance(shown, dict):
        shown = {"": np.asarray(shown)}
    answers[name] = {key: each.tolist() for key, each in shown.items()}
json.dump(answers, open(f"{out}/answers.json", "w"))
"""

RUNTIMES = {
    each.flavor: each for each in (SklearnRuntime(), XgboostRuntime(), LightgbmRuntime(), OnnxRuntime())
}
CASES = (
    "sklearn_cloudpickle",
    "sklearn_pickle",
    "sklearn_proba",
    "sklearn_array",
    "sklearn_texts",
    "xgboost_booster",
    "xgboost_json",
    "xgboost_linear",
    "xgboost_classes",
    "lightgbm_booster",
    "lightgbm_classes",
    "onnx_value",
    "onnx_graph",
    "onnx_maps",
)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[object]]:
    random = np.random.default_rng(3)
    return {
        "matrix": random.normal(size=(200, 4)).tolist(),
        "levels": random.choice(["red", "green", "blue"], 200).tolist(),
    }


@pytest.fixture(scope="module")
def written(environment, ask, rows, tmp_path_factory) -> Path:
    """One folder a case, with and without a signature, and MLflow's answers."""
    import sklearn  # the versions that unpickle here are those that must have pickled

    out = tmp_path_factory.mktemp("foreign")
    given = out / "rows.json"
    given.write_text(json.dumps(rows), encoding="utf-8")
    same = (f"scikit-learn=={sklearn.__version__}", f"numpy=={np.__version__}")
    ask(environment("mlflow-libraries", *PACKAGES, *same), "-c", WRITE, out, given)
    return out


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "bare"])
@pytest.mark.parametrize("case", CASES)
def test_answers_are_mlflows(written, rows, case, signed) -> None:
    flavor = case.split("_")[0]
    if flavor != "sklearn":
        pytest.importorskip({"onnx": "onnxruntime"}.get(flavor, flavor), reason=f"needs the extra {flavor}")
    runtime = RUNTIMES[flavor]
    folder = written / (f"{case}_signed" if signed else case)
    if case == "sklearn_texts" and not signed:
        pytest.skip("nothing in the folder says which inputs are texts: it is refused, see the unit tests")
    lacks = [each for each in runtime.lacks(folder) if not each.startswith(("pandas", "cloudpickle"))]
    assert lacks == []
    loaded = runtime.load(folder)
    inputs, matrix = loaded.signature.inputs, np.array(rows["matrix"])
    if inputs[0].shape:
        columns = {inputs[0].name: matrix}
    else:
        columns = {**dict(zip(NAMES, matrix.T, strict=True)), "k": rows["levels"]}
    answers = loaded.infer(batch_of(inputs, columns))
    theirs = json.loads((written / "answers.json").read_text(encoding="utf-8"))[case]
    assert len(answers) == len(theirs)
    for (name, mine), (key, expected) in zip(answers.items(), theirs.items(), strict=True):
        assert key in ("", name) or not signed
        if mine.dtype.kind in "OU":
            assert mine.tolist() == expected
        else:
            wanted = np.array(expected).reshape(mine.shape)
            tolerance = 1e-6 if flavor == "onnx" else 0.0  # it sums in the order of its threads
            np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance)
            assert np.ptp(mine) > 0
