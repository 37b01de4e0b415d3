"""NVIDIA's Triton client talks to our endpoints: the Open Inference Protocol v2 as its authors speak it."""

import json

import pytest

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.ports.runtimes import scores_of

pytestmark = pytest.mark.verify

TRITON = "tritonclient[http]==2.73.0"

COLUMNS = {
    "flight": ("BYTES", [f"UA-{number}" for number in range(40)]),
    "predicted_at": ("INT64", [1_364_800_000_000_000 + number for number in range(40)]),
    "distance": ("FP64", [100.0 + 60 * number for number in range(40)]),
    "hour": ("INT64", [5 + number % 18 for number in range(40)]),
    "carrier": ("BYTES", ["UA" if number % 3 else "AA" for number in range(40)]),
}

# Runs under the client's Python. Tensors go as JSON here, in the binary extension in test_serving_clients.py.
ASK = """
import json, sys
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

port, columns = sys.argv[1], json.load(open(sys.argv[2]))
client = triton.InferenceServerClient(url=f"127.0.0.1:{port}")
types = {"BYTES": numpy.object_, "INT64": numpy.int64, "FP64": numpy.float64}

def tensors(columns):
    for name, (datatype, values) in columns.items():
        tensor = triton.InferInput(name, [len(values)], datatype)
        tensor.set_data_from_numpy(numpy.array(values, dtype=types[datatype]), binary_data=False)
        yield tensor

def infer(model, columns, version=""):
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("score", "model_version")]
    return client.infer(model, list(tensors(columns)), model_version=version, outputs=wanted, request_id="r-1")

def refused(*arguments):
    try:
        infer(*arguments)
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}

answer = infer("delay", columns)
without = {name: column for name, column in columns.items() if name != "hour"}
print(json.dumps({
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready("delay"),
    "version_ready": client.is_model_ready("delay", "3"),
    "strange_model_ready": client.is_model_ready("nobody"),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("delay"),
    "scores": answer.as_numpy("score").tolist(),
    "versions": sorted({str(each) for each in answer.as_numpy("model_version").tolist()}),
    "response": {key: answer.get_response()[key] for key in ("id", "model_name")},
    "versioned": infer("delay", columns, "3").as_numpy("score").tolist(),
    "missing_input": refused("delay", without),
    "strange_model": refused("nobody", columns),
}))
"""


@pytest.fixture(scope="module")
def said(environment, ask, served, tmp_path_factory) -> dict[str, object]:
    python = environment("triton", TRITON)
    rows = tmp_path_factory.mktemp("triton") / "columns.json"
    rows.write_text(json.dumps(COLUMNS), encoding="utf-8")
    return json.loads(ask(python, "-c", ASK, str(served.port), rows))


def test_health(said) -> None:
    assert said["live"] is said["ready"] is said["model_ready"] is said["version_ready"] is True
    assert said["strange_model_ready"] is False


def test_server_metadata(said) -> None:
    assert said["server"]["name"] == "mlwright"
    assert isinstance(said["server"]["extensions"], list)


def test_model_metadata_says_what_to_send(said) -> None:
    model = said["model"]
    assert model["name"] == "delay"
    assert model["versions"] == ["3"]
    assert {each["name"]: each["datatype"] for each in model["inputs"]} == {
        name: datatype for name, (datatype, _) in COLUMNS.items()
    }
    assert "score" in {each["name"] for each in model["outputs"]}


def test_scores_are_the_models(said, served) -> None:
    columns = {name: values for name, (_, values) in COLUMNS.items()}
    ours = scores_of(SklearnRuntime().load(served.folder / "model"), columns)
    assert said["scores"] == pytest.approx(ours, abs=1e-12)
    assert said["versioned"] == said["scores"]
    assert max(ours) - min(ours) > 0.5
    assert all("3" in version for version in said["versions"])
    assert said["response"] == {"id": "r-1", "model_name": "delay"}


def test_refusals_reach_the_client(said) -> None:
    assert said["missing_input"]["status"] == "400"
    assert "hour" in said["missing_input"]["message"]
    assert said["strange_model"]["status"] == "404"
    assert "nobody" in said["strange_model"]["message"]
