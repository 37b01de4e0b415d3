"""Models that the real MLflow logged with other packages than ours, served from environments that the real uv makes."""

import json
import os
import shutil
import signal
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sklearn

from mlwright.adapters.clock.system import SystemClock
from mlwright.adapters.fs.artifacts import FsArtifactStore
from mlwright.errors import ModelDown
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.settings import EndpointSettings, LabelSettings, Settings
from mlwright.stages.serving.asks import Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal
from mlwright.wiring.shelves import model_shelf

pytestmark = pytest.mark.verify

OLD = "1.5.2"
SAVE = f"""
    import json, sys, mlflow
    import numpy as np, pandas as pd
    from mlflow.models import infer_signature
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    random = np.random.default_rng(0)
    X = pd.DataFrame({{"carrier": random.choice(["AA", "UA"], 300), "distance": random.normal(size=300)}})
    numbers = X[["distance"]].assign(hour=random.normal(size=300))
    y = X["distance"] * 2
    def save(model, given, name):
        model.fit(given, y)
        made = infer_signature(given, model.predict(given))
        mlflow.sklearn.save_model(
            model, f"{{sys.argv[1]}}/{{name}}", signature=made, input_example=given.head(3),
            serialization_format="pickle",
        )
        expected[name] = [given.head(3).to_dict("list"), model.predict(given.head(3)).tolist()]
    expected = {{}}
    save(GradientBoostingRegressor(n_estimators=9), numbers, "numbers")
    chosen = ColumnTransformer([("carrier", OneHotEncoder(), ["carrier"])], remainder="passthrough")
    save(make_pipeline(chosen, GradientBoostingRegressor(n_estimators=9)), X, "texts")

    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            import sklearn
            return pd.DataFrame(
                {{"twice": model_input["distance"] * 2, "who": "é" + model_input["carrier"], "by": sklearn.__version__}}
            )

    shown = pd.DataFrame({{"twice": y, "who": "é" + X["carrier"], "by": "{OLD}"}})
    mlflow.pyfunc.save_model(
        f"{{sys.argv[1]}}/anything", python_model=Twice(), signature=infer_signature(X, shown),
        pip_requirements=["mlflow==3.17.2", "scikit-learn=={OLD}", "cloudpickle"],
    )
    expected["anything"] = [X.head(3).to_dict("list"), shown.head(3).to_dict("list")]
    with open(f"{{sys.argv[1]}}/expected.json", "w") as file:
        json.dump(expected, file)
"""


@pytest.fixture(scope="module")
def saved(environment, ask, tmp_path_factory) -> Path:
    python = environment("mlflow-old-sklearn", "mlflow==3.17.2", f"scikit-learn=={OLD}")
    folder = tmp_path_factory.mktemp("saved")
    script = folder / "save.py"
    script.write_text(textwrap.dedent(SAVE), encoding="utf-8")
    ask(python, script, folder)
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.mark.parametrize("name", ["numbers", "texts", "anything"])
def test_a_model_that_needs_other_packages_is_served(name, saved, state, tmp_path, monkeypatch) -> None:
    assert not sklearn.__version__.startswith("1.5.")
    found = shutil.which("uv")
    if found is None:
        tools = Path(__file__).parents[2] / ".tools/uv/bin"
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    artifacts = FsArtifactStore(tmp_path / "artifacts")
    shelf = model_shelf(
        Settings(
            name="p",
            root=tmp_path,
            state=state,
            database=f"sqlite:///{tmp_path}/x.db",
            artifacts=str(tmp_path / "artifacts"),
        ),
        artifacts,
    )
    digest = artifacts.put_folder(saved / name)
    spec = EndpointSettings(
        name="delay",
        model="m@champion",
        entity="id",
        timestamp="at",
        label=LabelSettings(column="late", horizon=timedelta(hours=1)),
        keyed=False,
    )
    clock = SystemClock()
    journal = Journal(tmp_path / "log", clock)
    core = EndpointCore(
        spec,
        [],
        None,
        lambda _: shelf.load(digest, "python_function" if name == "anything" else "sklearn"),
        journal,
        clock,
    )
    champion = Variant(name="champion", model=ModelName("m"), version=1, share=1.0)
    route = Route(endpoint=EndpointName("delay"), generation=1, salt="s", variants=(champion,))
    unloaded = Route(endpoint=EndpointName("delay"), generation=2, salt="s", variants=())
    routes = [route]
    host = InferenceHost({"delay": core}, lambda: list(routes), journal)
    host.refresh()
    assert host.status("delay").ready, host.status("delay").reason

    rows, wanted = json.loads((saved / "expected.json").read_text(encoding="utf-8"))[name]
    asked = Ask(id="a", rows=3, columns=rows)

    def check() -> None:
        outputs = core.predict(asked).outputs
        if name == "anything":
            assert {each: column.tolist() for each, column in outputs.items()} == wanted
        else:
            assert next(iter(outputs.values())).tolist() == pytest.approx(wanted, rel=1e-12)

    check()
    [held] = core._generations.now.held
    os.kill(held.model.pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while host.status("delay").ready:
        assert time.monotonic() < end, "health stays green"
        time.sleep(0.005)
    assert not host.ready
    with pytest.raises(ModelDown):
        core.predict(asked)
    end = time.monotonic() + 60
    while not host.status("delay").ready:
        assert time.monotonic() < end, host.status("delay").reason
        time.sleep(0.05)
    check()
    pid = held.model.pid
    routes[:] = [unloaded]
    host.refresh()
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "its process is still there"
        time.sleep(0.05)
    host.close()
