"""The calls through a core: the OpenAPI document, its examples, and the looks at models."""

import json
import re
from collections.abc import Mapping
from time import monotonic

import numpy as np
import pytest

from mlwright.doors.http.inference import kserve, oip, openapi, surfaces, tfserving
from mlwright.doors.http.inference.exchange import Request
from mlwright.doors.http.inference.feedback_body import read_labels
from mlwright.errors import BadRequest, ModelLoadFailed
from mlwright.model.batches import Array, Batch
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EdgeSettings, EndpointSettings, ServingSettings
from mlwright.model.value_rules import ValueRule
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.values import ValueChecks
from mlwright.testing.fakes.clock import ManualClock

FIELDS = {
    "flat": (Field(name="a", type="double"), Field(name="b", type="double")),
    "mixed": (
        Field(name="carrier", type="string"),
        Field(name="hour", type="integer"),
        Field(name="night", type="boolean"),
        Field(name="when", type="datetime"),
        Field(name="far", type="float", required=False),
    ),
    "image": (Field(name="pixels", type="uint8", shape=(2, -1)),),
}
RULES = (
    ValueRule(field="a", minimum=5.5, maximum=6.0, nullable=False),
    ValueRule(field="carrier", allowed=("UA", "AA")),
    ValueRule(field="hour", minimum=4.5, maximum=23.0),
)


class Ones:
    """Two outputs, all ones."""

    def __init__(self, inputs: tuple[Field, ...]) -> None:
        outputs = (Field(name="p", type="double", shape=(2,)), Field(name="label", type="string"))
        self.signature = Signature(inputs=inputs, outputs=outputs)

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        return {"p": np.ones((batch.rows, 2)), "label": np.array(["yes"] * batch.rows, dtype=object)}

    def close(self) -> None:
        """Nothing is held."""


class Forgetful:
    """A journal that keeps nothing."""

    def append(self, *blocks: object, refuse: bool = False) -> None:
        """Forget them."""

    def roll(self) -> None:
        """Nothing to roll."""

    def close(self) -> None:
        """Nothing is held."""


class Host:
    """Cores by name, as much of a host as the looks need."""

    ready = True

    def __init__(self, *names: str) -> None:
        self.cores = {f"{name} 1": core(name) for name in names}


def core(name: str, *, deployed: bool = True) -> EndpointCore:
    edge = EdgeSettings(extra="reject")
    spec = EndpointSettings(
        name=f"{name} 1", model="m@champion", keyed=name == "mixed", serving=ServingSettings(edge=edge)
    )
    checks = ValueChecks(RULES, edge)
    made = EndpointCore(
        spec, [], None, lambda _: Ones(FIELDS[name]), Forgetful(), ManualClock(), checks=checks
    )
    if deployed:
        variant = Variant(name="v3", model=ModelName("m"), version=3, share=1.0)
        made.apply(Route(endpoint=EndpointName(spec.name), generation=1, salt="s", variants=(variant,)))
    return made


def test_every_example_is_answered() -> None:
    host = Host(*FIELDS)
    document = json.loads(openapi.document(host).body)
    posts = {path: item["post"] for path, item in document["paths"].items() if "post" in item}
    posts = {path: call for path, call in posts.items() if call["tags"] != ["server"]}
    assert len(posts) == 5 * len(FIELDS)
    parsers = {surface.pattern: surface.parse for surface in surfaces.SURFACES}
    for path, call in posts.items():
        name = next(name for name in host.cores if name in path)
        body = json.dumps(call["requestBody"]["content"]["application/json"]["example"]).encode()
        endpoint = host.cores[name]
        parse = parsers[path.replace(name, "{model}")]
        ask, encode = parse(Request("POST", path, "", {}, body, "", monotonic()), endpoint.form)
        assert encode(endpoint.predict(ask)).status == 200


def test_the_document_has_the_models_own_fields_and_bounds() -> None:
    document = json.loads(openapi.document(Host("flat")).body)
    row = document["components"]["schemas"]["Row.flat_1"]
    assert row["properties"]["a"] == {"type": "number", "minimum": 5.5, "maximum": 6.0}
    assert row["properties"]["b"] == {"type": ["number", "null"]}
    assert (row["required"], row["additionalProperties"]) == (["a", "b"], False)
    assert "/invocations" in document["paths"]
    mixed = json.loads(openapi.document(Host("mixed", "image")).body)
    rows = mixed["components"]["schemas"]
    assert rows["Row.mixed_1"]["properties"]["carrier"] == {
        "type": ["string", "null"],
        "enum": ["UA", "AA", None],
    }
    assert "far" not in rows["Row.mixed_1"]["required"]
    assert rows["Row.image_1"]["properties"]["pixels"]["items"]["items"]["maximum"] == 255
    assert "/invocations" not in mixed["paths"]
    identifiers = [
        call["operationId"]
        for item in mixed["paths"].values()
        for call in item.values()
        if "operationId" in call
    ]
    assert len(identifiers) == len(set(identifiers))


def test_the_calls_of_the_server_are_in_it() -> None:
    document = json.loads(openapi.document(Host("flat", "image")).body)
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{model}/ready", "/metrics"):
        assert "get" in document["paths"][path]
    for path in ("/v1/feedback", "/v1/refresh", "/v2/repository/index"):
        assert document["paths"][path]["post"]["responses"]["200"]
    for verb in ("load", "unload"):
        call = document["paths"][f"/v2/repository/models/{{model}}/{verb}"]["post"]
        assert call["parameters"][0]["schema"]["enum"] == ["flat 1", "image 1"]
    feedback = document["paths"]["/v1/feedback"]["post"]["requestBody"]["content"]
    assert set(feedback) == {"application/json", "application/x-ndjson", "text/csv"}
    example = Request(
        "POST", "/v1/feedback", "", {}, json.dumps(feedback["application/json"]["example"]).encode(), "", 0.0
    )
    assert read_labels(example).columns["label"] == [1, 0]
    known = document["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/([\w.]+)", json.dumps(document["paths"]))) <= set(known)


def test_an_endpoint_without_a_model_is_left_out() -> None:
    host = Host("flat")
    host.cores["image 1"] = core("image", deployed=False)
    document = json.loads(openapi.document(host).body)
    assert not [path for path in document["paths"] if "image" in path]
    with pytest.raises(ModelLoadFailed):
        oip.metadata(host.cores["image 1"], None)
    status = kserve.status(host.cores["image 1"], None)
    assert (status.status, json.loads(status.body)["ready"]) == (503, False)


def test_looks() -> None:
    image, mixed = core("image"), core("mixed")
    said = json.loads(oip.metadata(image, None).body)
    assert said["inputs"] == [{"name": "pixels", "datatype": "UINT8", "shape": [-1, 2, -1]}]
    assert [each["name"] for each in said["outputs"]] == [
        "p",
        "label",
        "prediction_id",
        "model_version",
        "variant",
    ]
    assert said["versions"] == ["3"]
    names = {each["name"]: each["datatype"] for each in json.loads(oip.metadata(mixed, "3").body)["inputs"]}
    assert {
        "carrier": "BYTES",
        "hour": "INT32",
        "night": "BOOL",
        "when": "BYTES",
        "far": "FP32",
    }.items() <= names.items()
    assert len(names) == 7
    config = json.loads(oip.config(image, None).body)
    assert config["input"] == [{"name": "pixels", "data_type": "TYPE_UINT8", "dims": [2, -1]}]
    signature = json.loads(tfserving.metadata(image, None).body)["metadata"]["signature_def"]["signature_def"]
    pixels = signature["serving_default"]["inputs"]["pixels"]
    assert (pixels["dtype"], [each["size"] for each in pixels["tensor_shape"]["dim"]]) == (
        "DT_UINT8",
        ["-1", "2", "-1"],
    )
    status = json.loads(kserve.status(image, None).body)
    assert (status["name"], status["ready"]) == ("image 1", True)
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert json.loads(kserve.listed(Host("image", "flat")).body) == {"models": ["flat 1", "image 1"]}


def test_a_path_without_a_model_needs_one_endpoint() -> None:
    assert surfaces.only(("delay",)) == "delay"
    with pytest.raises(BadRequest, match="2 endpoints") as caught:
        surfaces.only(("delay", "churn"))
    assert caught.value.next_command == "POST /models/delay/invocations"
