"""MLflow's clients ask ``mlwright serve``, and its answers are those of ``mlflow models serve`` on the same folder."""

import json
import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from tests.verify.serving import free_port

pytestmark = pytest.mark.verify

MLFLOW_WRITES = """
import sys, numpy as np, pandas as pd, mlflow
from mlflow.models import infer_signature
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
random = np.random.default_rng(1)
rows = pd.DataFrame({"distance": random.uniform(0, 1, 200), "hour": random.integers(0, 24, 200),
                     "weekend": random.integers(0, 2, 200).astype(bool)})
model = make_pipeline(StandardScaler(), Ridge()).fit(rows, 3 * rows.distance + rows.hour)
signature = infer_signature(rows, model.predict(rows))
mlflow.sklearn.save_model(model, sys.argv[1], signature=signature, input_example=rows[:3])
"""

NAMES = ["distance", "hour", "weekend"]
TRIPS = [[0.5, 3, True], [0.25, 20, False], [1.0, 0, True]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in TRIPS]
COLUMNS = {name: [row[at] for row in TRIPS] for at, name in enumerate(NAMES)}
JSON = "application/json"
SAME = {
    "split": (JSON, {"dataframe_split": {"columns": NAMES, "data": TRIPS}}),
    "split_another_order": (
        JSON,
        {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in TRIPS]}},
    ),
    "split_with_index": (JSON, {"dataframe_split": {"index": [5, 6, 7], "columns": NAMES, "data": TRIPS}}),
    "records": (JSON, {"dataframe_records": RECORDS}),
    "records_with_more": (JSON, {"dataframe_records": [row | {"more": 1} for row in RECORDS]}),
    "whole_number_for_double": (JSON, {"dataframe_records": [RECORDS[0] | {"distance": 1}]}),
    "instances": (JSON, {"instances": RECORDS}),
    "inputs_by_column": (JSON, {"inputs": COLUMNS}),
    "inputs_by_row": (JSON, {"inputs": RECORDS}),
    "inputs_one_row": (JSON, {"inputs": RECORDS[0]}),
    "params": (JSON, {"dataframe_records": RECORDS, "params": {}}),
    "charset": (f"{JSON}; charset=utf-8", {"dataframe_records": RECORDS}),
    "csv": ("text/csv", "distance,hour,weekend\n0.5,3,true\n0.25,20,False\n"),
    "csv_another_order": ("text/csv", "weekend,hour,distance\ntrue,3,0.5\n"),
}
REFUSED = {
    "missing_column": (JSON, {"dataframe_records": [{"distance": 1.0, "hour": 1}]}),
    "text_for_number": (JSON, {"dataframe_records": [RECORDS[0] | {"distance": "far"}]}),
    "null_that_the_model_refuses": (JSON, {"dataframe_records": [RECORDS[0] | {"distance": None}]}),
    "no_rows": (JSON, {"dataframe_records": []}),
    "two_forms": (JSON, {"instances": RECORDS, "inputs": COLUMNS}),
    "no_form": (JSON, {"rows": RECORDS}),
    "a_list": (JSON, RECORDS),
    "no_json": (JSON, "{"),
    "csv_missing_column": ("text/csv", "distance,hour\n1,2\n"),
    "text": ("text/plain", "1"),
    "charset": (f"{JSON}; charset=latin-1", {"dataframe_records": RECORDS}),
}

# Runs under MLflow's Python, once against our server and once against MLflow's.
MLFLOW_ASKS = """
import json, sys
import pandas as pd, requests
from mlflow.deployments import get_deploy_client
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

port, bodies, ours = int(sys.argv[1]), json.load(open(sys.argv[2])), sys.argv[3] == "ours"
url = f"http://127.0.0.1:{port}"
client = ScoringServerClient("127.0.0.1", port)
client.wait_server_ready(timeout=180)

def ask(kind, body):
    data = body if isinstance(body, str) else json.dumps(body)
    answer = requests.post(url + "/invocations", data=data, headers={"Content-Type": kind}, timeout=60)
    json_too = answer.headers["content-type"].startswith("application/json")
    return [answer.status_code, answer.headers["content-type"], answer.json() if json_too else answer.text]

frame = pd.DataFrame(bodies["records"])
said = {name: {key: ask(*body) for key, body in bodies[name].items()} for name in ("same", "refused")}
said["frame"] = client.invoke(frame).get_predictions().values.tolist()
said["array"] = client.invoke(frame).get_predictions("ndarray").tolist()
said["pings"] = [[each.status_code, each.text] for each in (requests.get(url + path) for path in ("/ping", "/health"))]
if ours:
    deployed = get_deploy_client(url)
    said["deployment"] = deployed.predict(endpoint="trips", inputs={"dataframe_records": bodies["records"]})
print("SAID" + json.dumps(said))
"""


@pytest.fixture(scope="module")
def mlflow(environment, ask, serve, tmp_path_factory) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What our server says, and what MLflow's says, of the same model."""
    libraries = [f"{each}=={version(each)}" for each in ("scikit-learn", "numpy", "skops")]
    python = environment("mlflow-scoring", "mlflow==3.17.2", *libraries)
    home = tmp_path_factory.mktemp("mlflow")
    ask(python, "-c", MLFLOW_WRITES, home / "trips")
    bodies = home / "bodies.json"
    bodies.write_text(json.dumps({"same": SAME, "refused": REFUSED, "records": RECORDS}), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    clean["PATH"] = f"{python.parent}{os.pathsep}{clean['PATH']}"
    port = free_port()
    command = [
        python.parent / "mlflow",
        "models",
        "serve",
        "-m",
        home / "trips",
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    with (home / "log").open("w", encoding="utf-8") as log:
        theirs = subprocess.Popen(command, env=clean, stdout=log, stderr=log, start_new_session=True)
    try:
        ours = serve([str(home / "trips"), "--name", "trips"])
        answers = []
        for at, whose in ((ours.port, "ours"), (port, "theirs")):
            said = ask(python, "-c", MLFLOW_ASKS, str(at), bodies, whose)
            answers.append(json.loads(said.split("SAID", 1)[1]))
        yield answers[0], answers[1]
    finally:
        os.killpg(theirs.pid, 15)
        theirs.wait(timeout=30)


class TestMlflow:
    @pytest.mark.parametrize("name", SAME)
    def test_answers_are_those_of_mlflows_own_server(self, mlflow, name) -> None:
        (status, kind, answer), (their_status, their_kind, theirs) = (each["same"][name] for each in mlflow)
        assert (status, kind) == (their_status, their_kind) == (200, JSON)
        assert answer.keys() == theirs.keys() == {"predictions"}
        assert answer["predictions"] == pytest.approx(theirs["predictions"], abs=1e-12)

    @pytest.mark.parametrize("name", REFUSED)
    def test_what_mlflow_refuses_is_refused_in_its_form(self, mlflow, name) -> None:
        (status, kind, answer), (their_status, *_, theirs) = (each["refused"][name] for each in mlflow)
        assert status == their_status
        assert kind == JSON
        assert answer.keys() == {"error_code", "message"}
        if isinstance(theirs, dict):
            assert theirs.keys() >= {"error_code", "message"}

    def test_its_clients_read_what_comes_back(self, mlflow) -> None:
        ours, theirs = mlflow
        assert np.array(ours["frame"]) == pytest.approx(np.array(theirs["frame"]), abs=1e-12)
        assert np.array(ours["array"]) == pytest.approx(np.array(theirs["array"]), abs=1e-12)
        assert ours["pings"] == theirs["pings"]
        assert ours["deployment"]["predictions"] == pytest.approx(ours["array"], abs=1e-12)
