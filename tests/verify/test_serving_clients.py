"""The clients that teams already have talk to ``mlwright serve``: Triton's, KServe's, and one of TensorFlow Serving.

What comes back is held against the model itself. gRPC is asked in test_grpc_clients.py as well. Of the clients of
TensorFlow Serving that there are on PyPI one speaks REST, tf-serving, for OCR models; beside it the bodies of
https://www.tensorflow.org/tfx/serving/api_rest are sent as they are.
"""

import json
from typing import Any

import numpy as np
import pytest
from tests.verify.serving import IRIS_ROWS as ROWS
from tests.verify.serving import fetched, labels

pytestmark = pytest.mark.verify

TRITON = "tritonclient[http]==2.73.0"
KSERVE = "kserve==0.21.0"
TFSERVING = "tf-serving==0.1.6"
PEOPLE = {
    "name": ["Zoë", "", "N\u00famero 5"],
    "country": ["DE", "FR", "US"],
    "amount": [10.0, 0.5, 3.25],
    "items": [1, 4, 2],
}


@pytest.fixture(scope="module")
def others(serve, serving_models) -> list[Any]:
    """``rules``, a function of texts and numbers, and ``words``."""
    return serve(
        [str(serving_models / "rules.py") + ":predict", "--name", "rules"],
        [str(serving_models / "words"), "--name", "words"],
    )


def surcharges() -> list[float]:
    rates = {"DE": 0.19, "FR": 0.2}
    rows = zip(PEOPLE["country"], PEOPLE["amount"], PEOPLE["items"], strict=True)
    return [amount * items * (1 + rates.get(country, 0.0)) for country, amount, items in rows]


# ---------------------------------------------------------------------- NVIDIA's Triton client

TRITON_ASKS = """
import json, sys
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

iris, rules, rows, people = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
client = triton.InferenceServerClient(url=iris, concurrency=2)
other = triton.InferenceServerClient(url=rules)
OUT = triton.InferRequestedOutput

def tensor(binary, rows=rows):
    found = triton.InferInput("X", [len(rows), len(rows[0])], "FP32")
    found.set_data_from_numpy(numpy.array(rows, numpy.float32), binary_data=binary)
    return found

def infer(binary=True, **more):
    return client.infer("iris", [tensor(binary)], **more)

def plain(answer, *names):
    def one(name):
        array = answer.as_numpy(name)
        if array.dtype == object:
            texts = [each.decode() if isinstance(each, bytes) else each for each in array.ravel()]
            array = numpy.array(texts).reshape(array.shape)
        return [array.tolist(), list(array.shape)]
    return {name: one(name) for name in names}

def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]

def texts(binary):
    types = {"name": "BYTES", "country": "BYTES", "amount": "FP64", "items": "INT64"}
    dtypes = {"BYTES": numpy.object_, "FP64": numpy.float64, "INT64": numpy.int64}
    for name, datatype in types.items():
        found = triton.InferInput(name, [len(people[name])], datatype)
        found.set_data_from_numpy(numpy.array(people[name], dtype=dtypes[datatype]), binary_data=binary)
        yield found

both = ("label", "probabilities")
said = {
    "server": client.get_server_metadata(),
    "metadata": client.get_model_metadata("iris"),
    "config": client.get_model_config("iris"),
    "binary": plain(infer(), *both, "model_version"),
    "json": plain(infer(False, outputs=[OUT(each, binary_data=False) for each in both]), *both),
    "mixed": plain(infer(outputs=[OUT("label", binary_data=False), OUT("probabilities")]), *both),
    "gzip": plain(infer(request_compression_algorithm="gzip", response_compression_algorithm="deflate"), *both),
    "async": plain(client.async_infer("iris", [tensor(True)]).get_result(), *both),
    "classes": plain(infer(outputs=[OUT("probabilities", class_count=2)]), "probabilities"),
    "with_time": plain(infer(timeout=10_000_000, request_id="mine"), "probabilities"),
    "too_late": refused(lambda: infer(timeout=1)),
    "narrow": refused(lambda: client.infer("iris", [tensor(True, [each[:3] for each in rows])])),
    "nobody": refused(lambda: client.infer("nobody", [tensor(True)])),
    "texts": [plain(other.infer("rules", list(texts(binary))), "price", "why") for binary in (True, False)],
    "index": client.get_model_repository_index(),
}
client.unload_model("iris")
said["unloaded"] = [client.is_model_ready("iris"), client.get_model_repository_index()[0]["state"],
                    refused(infer)]
client.load_model("iris")
said["loaded"] = [client.is_model_ready("iris"), plain(infer(), *both)]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def triton(environment, ask, iris, others) -> dict[str, Any]:
    addresses = [f"127.0.0.1:{each.port}" for each in (iris, others[0])]
    said = ask(
        environment("triton", TRITON), "-c", TRITON_ASKS, *addresses, json.dumps(ROWS), json.dumps(PEOPLE)
    )
    return json.loads(said)


class TestTriton:
    @pytest.mark.parametrize("way", ["binary", "json", "mixed", "gzip", "async"])
    def test_tensors_come_and_go_in_both_forms(self, triton, probabilities, way) -> None:
        values, shape = triton[way]["probabilities"]
        assert shape == [3, 3]
        assert np.float32(values) == pytest.approx(probabilities, abs=1e-7)
        assert triton[way]["label"] == [labels(probabilities), [3]]
        assert triton["binary"]["model_version"] == [["iris/1"] * 3, [3]]

    def test_texts_in_both_forms(self, triton) -> None:
        binary, plain = triton["texts"]
        assert binary == plain
        assert binary["price"][0] == pytest.approx(surcharges(), abs=1e-12)
        assert binary["why"][0] == [
            f"{name}: {country}" for name, country in zip(PEOPLE["name"], PEOPLE["country"], strict=True)
        ]

    def test_classification(self, triton, probabilities) -> None:
        best, shape = triton["classes"]["probabilities"]
        assert shape == [3, 2]
        for found, row in zip(np.reshape(best, shape).tolist(), probabilities, strict=True):
            order = np.argsort(-row)[:2]
            assert [int(each.split(":")[1]) for each in found] == order.tolist()
            assert [float(each.split(":")[0]) for each in found] == pytest.approx(row[order], abs=1e-6)

    def test_timeouts_and_refusals(self, triton, probabilities) -> None:
        assert triton["with_time"]["probabilities"][0] == triton["binary"]["probabilities"][0]
        assert triton["too_late"][0] == "504"
        assert triton["narrow"][0] == "400"
        assert "X" in triton["narrow"][1]
        assert triton["nobody"][0] == "404"

    def test_metadata_and_config(self, triton) -> None:
        assert triton["server"]["name"] == "mlwright"
        assert {"binary_tensor_data", "classification", "model_repository"} <= set(
            triton["server"]["extensions"]
        )
        assert triton["metadata"]["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
        assert triton["config"]["input"] == [{"name": "X", "data_type": "TYPE_FP32", "dims": [4]}]
        assert triton["config"]["max_batch_size"] > 1

    def test_the_repository(self, triton, probabilities) -> None:
        assert [(each["name"], each["version"], each["state"]) for each in triton["index"]] == [
            ("iris", "1", "READY")
        ]
        ready, state, (status, _) = triton["unloaded"]
        assert (ready, state, status) == (False, "UNAVAILABLE", "503")
        ready, answer = triton["loaded"]
        assert ready is True
        assert answer["label"] == [labels(probabilities), [3]]


# ---------------------------------------------------------------------- KServe's clients

KSERVE_ASKS = """
import asyncio, json, sys
import numpy
from httpx import HTTPStatusError
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, address, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def request(binary, rows=rows):
    tensor = InferInput("X", [len(rows), len(rows[0])], "FP32")
    tensor.set_data_from_numpy(numpy.array(rows, numpy.float32), binary_data=binary)
    return InferRequest(model_name="iris", infer_inputs=[tensor], request_id="mine")

def plain(response):
    found = {each.name: each.as_numpy().tolist() for each in response.outputs}
    texts = [each.decode() if isinstance(each, bytes) else each for each in found["label"]]
    return {"id": response.id, "label": texts, "probabilities": found["probabilities"]}

async def refused(asked):
    try:
        await asked
    except HTTPStatusError as error:
        return [error.response.status_code, str(error)]

async def main():
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as v2, InferenceRESTClient() as v1:
        said = {
            "health": [await v2.is_server_live(url), await v2.is_server_ready(url),
                       await v2.is_model_ready(url, "iris"), await v1.is_server_live(url),
                       await v1.is_model_ready(url, "iris")],
            "strange": await v2.is_model_ready(url, "nobody"),
            "binary": plain(await v2.infer(url, request(True), model_name="iris")),
            "json": plain(await v2.infer(url, request(False), model_name="iris")),
            "v1": await v1.infer(url, {"instances": rows}, model_name="iris"),
            "many": [each["predictions"] for each in await asyncio.gather(
                *(v1.infer(url, {"instances": rows}, model_name="iris") for _ in range(50)))],
            "refused": await refused(v2.infer(url, request(True, [[1.0]]), model_name="iris")),
            "refused_v1": await refused(v1.infer(url, {"instances": [["a"]]}, model_name="iris")),
        }
    client = InferenceGRPCClient(address)
    said["grpc"] = [plain(await client.infer(request(binary))) for binary in (True, False)]
    await client.close()
    print(json.dumps(said))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def kserve(environment, ask, iris) -> dict[str, Any]:
    address = f"127.0.0.1:{iris.grpc_port}"
    said = ask(environment("kserve", KSERVE), "-c", KSERVE_ASKS, iris.url, address, json.dumps(ROWS))
    return json.loads(said.splitlines()[-1])


class TestKServe:
    def test_health(self, kserve) -> None:
        assert kserve["health"] == [True] * 5
        assert kserve["strange"] is False

    def test_version_2(self, kserve, probabilities) -> None:
        for answer in (kserve["binary"], kserve["json"], *kserve["grpc"]):
            assert answer["id"] == "mine"
            assert answer["label"] == labels(probabilities)
            assert np.array(answer["probabilities"]).reshape(3, 3) == pytest.approx(probabilities, abs=1e-7)

    def test_version_1(self, kserve, probabilities) -> None:
        predictions = kserve["v1"]["predictions"]
        assert [each["label"] for each in predictions] == labels(probabilities)
        assert np.array([each["probabilities"] for each in predictions]) == pytest.approx(
            probabilities, abs=1e-7
        )
        assert all([each["label"] for each in one] == labels(probabilities) for one in kserve["many"])

    def test_refusals(self, kserve) -> None:
        for name in ("refused", "refused_v1"):
            status, message = kserve[name]
            assert status == 400
            assert "X" in message


# ---------------------------------------------------------------------- TensorFlow Serving

OCR_ASKS = """
import asyncio, json, sys
from tf.serving import encode64, predict

def plain(found):
    if found.tag == "left":
        return found.value.tag, found.value.error
    return [[each.preds, each.logprobs] for each in found.value]

async def main(port):
    where = {"port": int(port), "endpoint": "/v1/models/words:predict"}
    images = [encode64(b"one"), encode64(b"two")]
    print(json.dumps([images, plain(await predict(images, **where)), plain(await predict([*images, 3], **where))]))

asyncio.run(main(sys.argv[1]))
"""


class TestTensorFlowServing:
    def test_a_client_of_its_own(self, environment, ask, others) -> None:
        said = ask(environment("tf-serving", TFSERVING), "-c", OCR_ASKS, str(others[1].port))
        images, answers, (kind, error) = json.loads(said)
        assert answers == [[[image, image], [-0.5, -2.0]] for image in images]
        assert kind == "tfserving-error"
        assert "image[2]" in error

    def test_the_bodies_of_its_documentation(self, iris, probabilities) -> None:
        base = f"{iris.url}/v1/models/iris"
        row = {"signature_name": "serving_default", "instances": [{"X": each} for each in ROWS]}
        _, body, _ = fetched(f"{base}:predict", row)
        by_row = json.loads(body)["predictions"]
        assert [each["label"] for each in by_row] == labels(probabilities)
        _, body, _ = fetched(f"{base}:predict", {"inputs": {"X": ROWS}})
        by_column = json.loads(body)["outputs"]
        assert by_column["label"] == labels(probabilities)
        assert np.array(by_column["probabilities"]) == pytest.approx(probabilities, abs=1e-7)
        _, body, _ = fetched(f"{base}/versions/1:classify", {"examples": [{"X": each} for each in ROWS]})
        classes = json.loads(body)["results"]
        assert np.array([[score for _, score in each] for each in classes]) == pytest.approx(
            probabilities, abs=1e-7
        )
        status, body, _ = fetched(base)
        state = json.loads(body)["model_version_status"]
        assert (status, [(each["version"], each["state"]) for each in state]) == (200, [("1", "AVAILABLE")])
        _, body, _ = fetched(f"{base}/metadata")
        signature = json.loads(body)["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["inputs"]["X"]["dtype"] == "DT_FLOAT"
        assert fetched(f"{base}/versions/7:predict", row)[0] == 404
