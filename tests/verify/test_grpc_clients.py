"""Triton's client and KServe's talk gRPC to our endpoints: the Open Inference Protocol v2 as its authors speak it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.model.batches import batch_of

pytestmark = pytest.mark.verify

TRITON = "tritonclient[grpc]==2.73.0"
KSERVE = "kserve==0.21.0"

COLUMNS = {
    "flight": ("BYTES", [f"UA-{number}" for number in range(40)]),
    "predicted_at": ("INT64", [1_364_800_000_000_000 + number for number in range(40)]),
    "distance": ("FP64", [100.0 + 60 * number for number in range(40)]),
    "hour": ("INT64", [5 + number % 18 for number in range(40)]),
    "carrier": ("BYTES", ["UA" if number % 3 else "AA" for number in range(40)]),
}

# Both run under the client's Python.
TRITON_ASKS = """
import json, sys
import numpy
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

port, columns = sys.argv[1], json.load(open(sys.argv[2]))
client = triton.InferenceServerClient(url=f"127.0.0.1:{port}")
types = {"BYTES": numpy.object_, "INT64": numpy.int64, "FP64": numpy.float64}

def tensors(columns):
    for name, (datatype, values) in columns.items():
        tensor = triton.InferInput(name, [len(values)], datatype)
        tensor.set_data_from_numpy(numpy.array(values, dtype=types[datatype]))
        yield tensor

def infer(model, columns, version="", **more):
    wanted = [triton.InferRequestedOutput(name) for name in ("score", "model_version")]
    return client.infer(
        model, list(tensors(columns)), model_version=version, outputs=wanted, request_id="r-1", **more
    )

def refused(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}

answer = infer("delay", columns, client_timeout=20)
without = {name: column for name, column in columns.items() if name != "hour"}
streamed = []
client.start_stream(lambda result, error: streamed.append(str(error) if error else result.as_numpy("score").tolist()))
client.async_stream_infer("delay", list(tensors(columns)))
client.async_stream_infer("nobody", list(tensors(columns)))
client.stop_stream()
print(json.dumps({
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": client.is_model_ready("delay"),
    "version_ready": client.is_model_ready("delay", "3"),
    "strange_model_ready": client.is_model_ready("nobody"),
    "server": client.get_server_metadata(as_json=True),
    "model": client.get_model_metadata("delay", as_json=True),
    "index": client.get_model_repository_index(as_json=True),
    "scores": answer.as_numpy("score").tolist(),
    "versions": sorted({each.decode() for each in answer.as_numpy("model_version").tolist()}),
    "response": {"id": answer.get_response().id, "model_name": answer.get_response().model_name},
    "versioned": infer("delay", columns, "3").as_numpy("score").tolist(),
    "streamed": streamed,
    "missing_input": refused(infer, "delay", without),
    "strange_model": refused(infer, "nobody", columns),
    "too_late": refused(infer, "delay", columns, timeout=1),
    "config": client.get_model_config("delay", as_json=True),
}))
"""

KSERVE_ASKS = """
import asyncio, json, sys
import numpy
from grpc.aio import AioRpcError
from kserve import InferenceGRPCClient, InferInput, InferRequest

port, columns = sys.argv[1], json.load(open(sys.argv[2]))
types = {"BYTES": numpy.object_, "INT64": numpy.int64, "FP64": numpy.float64}

def request(columns, binary):
    tensors = []
    for name, (datatype, values) in columns.items():
        tensor = InferInput(name, [len(values)], datatype)
        tensor.set_data_from_numpy(numpy.array(values, dtype=types[datatype]), binary_data=binary)
        tensors.append(tensor)
    return InferRequest(model_name="delay", infer_inputs=tensors, request_id="r-2")

def scores(response):
    return next(each for each in response.outputs if each.name == "score").as_numpy().tolist()

async def main():
    client = InferenceGRPCClient(f"127.0.0.1:{port}")
    said = {
        "live": await client.is_server_live(),
        "ready": await client.is_server_ready(),
        "model_ready": await client.is_model_ready("delay"),
        "binary": scores(await client.infer(request(columns, True))),
        "typed": scores(await client.infer(request(columns, False))),
    }
    try:
        await client.infer(request({name: columns[name] for name in columns if name != "hour"}, True))
    except AioRpcError as error:
        said["missing_input"] = {"status": error.code().name, "message": error.details()}
    await client.close()
    print(json.dumps(said))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Our gRPC server in a process of its own: its port, and the folder of its model."""
    pytest.importorskip("grpc")
    folder = tmp_path_factory.mktemp("served")
    with (folder / "stderr").open("w+", encoding="utf-8") as said:
        command = [sys.executable, Path(__file__).with_name("served.py"), folder, "--grpc"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            process.wait(timeout=30)
            said.seek(0)
            pytest.fail(f"the gRPC process did not start:\n{said.read()[-4000:]}")
        yield port, folder
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("rows") / "columns.json"
    file.write_text(json.dumps(COLUMNS), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def triton(environment, ask, served, rows) -> dict[str, object]:
    return json.loads(ask(environment("triton-grpc", TRITON), "-c", TRITON_ASKS, served[0], rows))


@pytest.fixture(scope="module")
def kserve(environment, ask, served, rows) -> dict[str, object]:
    said = ask(environment("kserve", KSERVE), "-c", KSERVE_ASKS, served[0], rows)
    return json.loads(said.splitlines()[-1])


@pytest.fixture(scope="module")
def expected(served) -> list[float]:
    model = SklearnRuntime().load(served[1] / "model")
    columns = {name: values for name, (_, values) in COLUMNS.items()}
    scores = model.infer(batch_of(model.signature.inputs, columns))["score"].tolist()
    assert max(scores) - min(scores) > 0.5
    return scores


def test_triton_sees_a_healthy_server(triton) -> None:
    assert triton["live"] is triton["ready"] is triton["model_ready"] is triton["version_ready"] is True
    assert triton["strange_model_ready"] is False
    assert triton["server"]["name"] == "mlwright"
    assert triton["index"]["models"] == [{"name": "delay", "version": "3", "state": "READY"}]


def test_metadata_says_triton_what_to_send(triton) -> None:
    model = triton["model"]
    assert (model["name"], model["versions"]) == ("delay", ["3"])
    assert {each["name"]: each["datatype"] for each in model["inputs"]} == {
        name: datatype for name, (datatype, _) in COLUMNS.items()
    }
    assert "score" in {each["name"] for each in model["outputs"]}


def test_triton_reads_the_configuration(triton) -> None:
    config = triton["config"]["config"]
    assert config["name"] == "delay"
    assert {each["name"]: each["data_type"] for each in config["input"]}["distance"] == "TYPE_FP64"


def test_triton_gets_the_models_scores(triton, expected) -> None:
    assert triton["scores"] == pytest.approx(expected, abs=1e-12)
    assert triton["versioned"] == triton["scores"]
    assert triton["versions"] == ["flight-delay/3"]
    assert triton["response"] == {"id": "r-1", "model_name": "delay"}


def test_triton_streams(triton, expected) -> None:
    scores, error = triton["streamed"]
    assert scores == pytest.approx(expected, abs=1e-12)
    assert "nobody" in error


def test_refusals_reach_triton(triton) -> None:
    assert triton["missing_input"]["status"] == "StatusCode.INVALID_ARGUMENT"
    assert "hour" in triton["missing_input"]["message"]
    assert triton["strange_model"]["status"] == "StatusCode.NOT_FOUND"
    assert "nobody" in triton["strange_model"]["message"]
    assert triton["too_late"]["status"] == "StatusCode.DEADLINE_EXCEEDED"


def test_kserve_gets_the_models_scores(kserve, expected) -> None:
    assert kserve["live"] is kserve["ready"] is kserve["model_ready"] is True
    assert kserve["binary"] == pytest.approx(expected, abs=1e-12)
    assert kserve["typed"] == kserve["binary"]


def test_refusals_reach_kserve(kserve) -> None:
    assert kserve["missing_input"]["status"] == "INVALID_ARGUMENT"
    assert "hour" in kserve["missing_input"]["message"]
