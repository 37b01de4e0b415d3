"""Real MLflow, in an environment without mlwright, predicts from our model folders what we predict."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.model.registry import Field, Signature
from mlwright.ports.runtimes import scores_of

pytestmark = pytest.mark.verify

MLFLOW = ("mlflow-skinny==3.17.2", "pandas==3.1.1")
ROWS = 400
CARRIERS = ("AA", "B6", "UA")

# Runs under MLflow's Python, on what its user would have: named columns, texts as texts.
ASK = """
import json, sys
import mlflow, pandas
folder, rows = sys.argv[1], json.load(open(sys.argv[2]))
model = mlflow.pyfunc.load_model(folder)
frame = pandas.DataFrame(rows).astype({"distance": "float64", "hour": "int64"})
answer = model.predict(frame)
info = mlflow.models.get_model_info(folder)
example = model.input_example
print(json.dumps({
    "answer": answer.tolist(),
    "inputs": [[each.name, each.type.name] for each in info.signature.inputs],
    "flavors": sorted(info.flavors),
    "example_columns": list(example.columns),
    "mlwright_is_there": "mlwright" in sys.modules,
}))
"""

SIGNATURE = Signature(
    inputs=(
        Field(name="distance", type="double", required=False),
        Field(name="hour", type="long"),
        Field(name="carrier", type="string", required=False),
    ),
    outputs=(Field(name="score", type="double"),),
)


def some_rows() -> dict[str, list[object]]:
    """Flights with missing distances, missing carriers and carriers that training never saw."""
    random = np.random.default_rng(7)
    distance: list[object] = random.uniform(100, 2500, ROWS).round(1).tolist()
    hour: list[object] = random.integers(5, 24, ROWS).tolist()
    carrier: list[object] = random.choice([*CARRIERS, "XX"], ROWS).tolist()
    distance[::17] = [None] * len(distance[::17])
    carrier[::23] = [None] * len(carrier[::23])
    return {"distance": distance, "hour": hour, "carrier": carrier}


def matrix(columns: dict[str, list[object]]) -> np.ndarray:
    codes = [CARRIERS.index(each) if each in CARRIERS else np.nan for each in columns["carrier"]]
    return np.column_stack([np.array(columns["distance"], dtype=float), columns["hour"], codes])


def asked(environment, ask, folder: Path, columns: dict[str, list[object]]) -> dict[str, object]:
    """MLflow's answer, in an environment of exactly the requirements that the folder itself names."""
    required = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    python = environment("mlflow", *MLFLOW, *required)
    rows = folder.parent / "rows.json"
    rows.write_text(json.dumps(columns), encoding="utf-8")
    return json.loads(ask(python, "-c", ASK, folder, rows).splitlines()[-1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


def test_classifier(environment, ask, folder) -> None:
    columns = some_rows()
    features = matrix(columns)
    late = (np.nan_to_num(features[:, 0]) / 2500 + features[:, 1] / 24 + np.nan_to_num(features[:, 2])) > 2.0
    runtime = SklearnRuntime()
    example = {name: values[1:4] for name, values in columns.items()}
    runtime.save(
        HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(features, late),
        folder,
        signature=SIGNATURE,
        example=example,
        categories={"carrier": CARRIERS},
    )
    ours = scores_of(runtime.load(folder), columns)
    theirs = asked(environment, ask, folder, columns)
    probabilities = np.array(theirs["answer"])
    assert probabilities.shape == (ROWS, 2)
    np.testing.assert_allclose(probabilities[:, 1], ours, rtol=0, atol=1e-12)
    assert np.ptp(ours) > 0.5
    assert theirs["inputs"] == [["distance", "double"], ["hour", "long"], ["carrier", "string"]]
    assert theirs["flavors"] == ["python_function", "sklearn"]
    assert theirs["example_columns"] == ["distance", "hour", "carrier"]
    assert theirs["mlwright_is_there"] is False


def test_regressor(environment, ask, folder) -> None:
    columns = some_rows()
    features = matrix(columns)
    delay = np.nan_to_num(features[:, 0]) / 100 + features[:, 1]
    runtime = SklearnRuntime()
    runtime.save(
        HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(features, delay),
        folder,
        signature=SIGNATURE,
        example={name: values[1:4] for name, values in columns.items()},
        categories={"carrier": CARRIERS},
    )
    theirs = asked(environment, ask, folder, columns)
    np.testing.assert_allclose(theirs["answer"], scores_of(runtime.load(folder), columns), rtol=0, atol=1e-9)
