"""The inference door, in process: every call of the protocol, and bodies that nobody should send."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mlwright.doors.http.inference.app import MAX_BODY_BYTES, build_app
from mlwright.errors import DatabaseUnavailable, SignatureMismatch
from mlwright.model.endpoints import Route, Variant
from mlwright.model.ids import EndpointName, ModelName
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import EndpointSettings, LabelSettings
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.host import InferenceHost
from mlwright.stages.serving.journal import Journal
from mlwright.stages.serving.log import PredictionLog
from mlwright.testing.fakes.clock import ManualClock

NOON = 1_364_817_600_000_000


class Doubler:
    """score = 2 x distance; a text where the distance should be is refused."""

    signature = Signature(
        inputs=(Field(name="distance", type="double"), Field(name="carrier", type="string")),
        outputs=(Field(name="score", type="double"),),
    )

    def predict(self, columns: Mapping[str, Sequence[object]]) -> list[float]:
        for row, value in enumerate(columns["distance"]):
            if isinstance(value, str):
                raise SignatureMismatch(f"row {row} of 'distance' is {value!r}")
            if value == 13:
                raise ZeroDivisionError
        return [float("nan") if each is None else 2.0 * float(each) for each in columns["distance"]]  # type: ignore[arg-type]


class World:
    """A server with the endpoints ``delay`` and ``churn``, and what a test may change of it."""

    def __init__(self, folder) -> None:
        self.clock = ManualClock()
        self.journal = Journal(folder, self.clock)
        self.log = PredictionLog(folder)
        self.routes: list[Route] = [self.route("delay", 3)]
        self.unreadable = False
        cores = {name: self.core(name) for name in ("delay", "churn")}
        self.host = InferenceHost(cores, self.read, self.journal)
        self.app = build_app(self.host, poll_s=0.01)

    def core(self, name: str) -> EndpointCore:
        spec = EndpointSettings(
            name=name,
            model="m@champion",
            entity="flight",
            timestamp="predicted_at",
            label=LabelSettings(column="late", horizon=timedelta(hours=12)),
        )
        return EndpointCore(spec, [], None, self.load, self.journal, self.clock)

    def route(self, endpoint: str, *versions: int, generation: int = 1) -> Route:
        variants = tuple(
            Variant(name=f"v{version}", model=ModelName("m"), version=version, share=1 / len(versions))
            for version in versions
        )
        return Route(endpoint=EndpointName(endpoint), generation=generation, salt="s", variants=variants)

    def load(self, variant: Variant) -> Doubler:
        if variant.version == 9:
            raise OSError("no such folder")
        return Doubler()

    def read(self) -> list[Route]:
        if self.unreadable:
            raise DatabaseUnavailable("the database is locked", next_command="mlwright doctor")
        return list(self.routes)

    def ask(self, method: str, path: str, **named) -> httpx.Response:
        """One request, with the application's lifespan around it."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with (
                self.app.router.lifespan_context(self.app),
                httpx.AsyncClient(transport=transport, base_url="http://t") as client,
            ):
                return await client.request(method, path, **named)

        return asyncio.run(go())

    def infer(
        self, *tensors: dict[str, object], path: str = "/v2/models/delay/infer", **extra
    ) -> httpx.Response:
        return self.ask("POST", path, json={"inputs": list(tensors), **extra})


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def tensor(name: str, datatype: str, data: list[object], shape: list[int] | None = None) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def rows(count: int = 2) -> list[dict[str, object]]:
    return [
        tensor("flight", "BYTES", [f"UA {row}" for row in range(count)]),
        tensor("predicted_at", "INT64", [NOON + row for row in range(count)]),
        tensor("distance", "FP64", [row + 0.5 for row in range(count)]),
        tensor("carrier", "BYTES", ["UA"] * count),
    ]


def faults(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    return [f"{each['where']}: {each['what']}" for each in answer.json()["faults"]]


class TestInfer:
    def test_answer(self, world) -> None:
        answer = world.infer(*rows(2), id="q7")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "model_name": "delay",
            "model_version": "3",
            "id": "q7",
            "outputs": [
                {"name": "score", "shape": [2], "datatype": "FP64", "data": [1.0, 3.0]},
                {"name": "prediction_id", "shape": [2], "datatype": "BYTES", "data": ["q7.0", "q7.1"]},
                {"name": "model_version", "shape": [2], "datatype": "BYTES", "data": ["m/3", "m/3"]},
                {"name": "variant", "shape": [2], "datatype": "BYTES", "data": ["v3", "v3"]},
            ],
        }
        logged = world.log.predictions(None, served_only=True)
        assert logged.select("prediction_id", "entity_key", "score").rows() == [
            ("q7.0", "UA 0", 1.0),
            ("q7.1", "UA 1", 3.0),
        ]
        assert world.log.features(None)["carrier"].to_list() == ["UA", "UA"]

    def test_an_id_is_made_where_none_is_sent(self, world) -> None:
        first, second = (world.infer(*rows(1)).json()["id"] for _ in range(2))
        assert first != second
        assert len(first) >= 16

    def test_column_tensors(self, world) -> None:
        """Shape [n, 1], nested or flat."""
        flight, at, _, carrier = rows(2)
        nested = tensor("distance", "FP64", [[4], [None]], [2, 1])
        flat = tensor("distance", "FP32", [4, None], [2, 1])
        for distance in (nested, flat):
            answer = world.infer(flight, at, distance, carrier)
            assert answer.json()["outputs"][0]["data"] == [8.0, None]

    def test_selected_outputs(self, world) -> None:
        wanted = [{"name": "variant"}, {"name": "score", "parameters": {"binary_data": False}}]
        answer = world.infer(*rows(1), outputs=wanted)
        assert [each["name"] for each in answer.json()["outputs"]] == ["variant", "score"]
        answer = world.infer(*rows(1), outputs=[{"name": "scor"}])
        assert faults(answer) == ["outputs.scor: there is no such output"]
        assert answer.json()["faults"][0]["near"] == "score"

    def test_version_in_the_path(self, world) -> None:
        path = "/v2/models/delay/versions/3/infer"
        assert world.infer(*rows(1), path=path).json()["outputs"][0]["data"] == [1.0]
        answer = world.infer(*rows(1), path="/v2/models/delay/versions/4/infer")
        assert answer.status_code == 404
        world.routes = [world.route("delay", 3, 4)]
        answer = world.infer(*rows(1), path=path)
        assert answer.status_code == 400
        assert "is in a rollout" in answer.json()["error"]

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"datatype": "FP16"}, "distance: datatype 'FP16' is not one of"),
            ({"shape": [3]}, "distance: shape says 3 values, data has 2"),
            ({"shape": [1, 2]}, "distance: shape must be [n] or [n, 1], not [1, 2]"),
            ({"shape": []}, "distance: shape must be [n] or [n, 1], not []"),
            ({"shape": [-1]}, "distance: shape says -1 values"),
            ({"data": [1.0, "2"]}, "distance[1]: '2' is not FP64"),
            ({"data": [True, 2]}, "distance[0]: True is not FP64"),
            ({"data": [[1.0], [2.0]]}, "distance[0]: [1.0] is not FP64"),
            ({"data": [1.0, 2.0, 3.0], "shape": [3]}, "distance: 3 values, but flight has 2"),
        ],
    )
    def test_tensors_that_do_not_agree(self, world, change, fault) -> None:
        flight, at, distance, carrier = rows(2)
        answer = world.infer(flight, at, {**distance, **change}, carrier)
        assert faults(answer)[0].startswith(fault)
        assert answer.json()["error"].startswith(("the request cannot", "request "))
        assert world.log.predictions(None).is_empty()

    def test_integers_beyond_64_bits(self, world) -> None:
        """JavaScript writes 1e20 as an integer; as an INT64 it is a mistake."""
        flight, at, _, carrier = rows(2)
        answer = world.infer(flight, at, tensor("distance", "FP64", [10**20, 1]), carrier)
        assert answer.json()["outputs"][0]["data"] == [2e20, 2.0]
        assert world.log.features(None)["distance"].to_list() == [1e20, 1.0]
        answer = world.infer(flight, at, tensor("distance", "INT64", [1, -(2**63) - 1]), carrier)
        assert faults(answer) == ["distance[1]: -9223372036854775809… is too large for INT64"]
        answer = world.infer(flight, at, tensor("distance", "FP64", [10**400, 1]), carrier)
        assert faults(answer) == ["distance[0]: 10000000000000000000… is too large for FP64"]

    def test_entity_and_time(self, world) -> None:
        flight, at, *others = rows(2)
        assert faults(world.infer(*others))[:2] == [
            "flight: this BYTES tensor is missing",
            "predicted_at: this INT64 tensor is missing",
        ]
        renamed = {**flight, "name": "flights"}
        assert world.infer(renamed, at, *others).json()["faults"][0]["near"] == "flights"
        wrong = tensor("predicted_at", "FP64", [1.0, 2.0])
        assert faults(world.infer(flight, wrong, *others)) == ["predicted_at: must be INT64, not FP64"]
        empty = tensor("flight", "BYTES", ["a", None])
        assert faults(world.infer(empty, at, *others)) == ["flight[1]: must not be null"]

    def test_the_same_tensor_twice(self, world) -> None:
        assert faults(world.infer(*rows(1), rows(1)[2])) == ["distance: the tensor is in the request twice"]

    def test_missing_input(self, world) -> None:
        assert faults(world.infer(*rows(1)[:3]))[0].startswith("carrier: the model needs this string")

    def test_value_of_another_type_than_the_model_takes(self, world) -> None:
        flight, at, _, carrier = rows(2)
        answer = world.infer(flight, at, tensor("distance", "BYTES", ["far", "near"]), carrier)
        assert answer.status_code == 400
        assert answer.json()["code"] == "SignatureMismatch"

    def test_model_that_raises(self, world) -> None:
        flight, at, _, carrier = rows(2)
        answer = world.infer(flight, at, tensor("distance", "FP64", [1, 13]), carrier)
        assert answer.status_code == 500
        assert "ZeroDivisionError" in answer.json()["error"]

    def test_unknown_endpoint(self, world) -> None:
        answer = world.infer(*rows(1), path="/v2/models/delai/infer")
        assert answer.status_code == 404
        assert "did you mean 'delay'" in answer.json()["error"]

    def test_endpoint_without_a_model(self, world) -> None:
        answer = world.infer(*rows(1), path="/v2/models/churn/infer")
        assert answer.status_code == 503
        assert answer.json()["next_command"] == "mlwright deploy churn"


_MANY = b"9" * 5000  # digits, more than Python converts
HOSTILE = {
    "five thousand digits": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "INT64", "data": ['
    + _MANY
    + b"]}]}",
    "nothing": b"",
    "not json": b"scores please",
    "half": b'{"inputs": [',
    "not utf-8": b'{"inputs": "\xff\xfe"}',
    "nan": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [NaN]}]}',
    "infinity": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [Infinity]}]}',
    "huge number": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1e999]}]}',
    "huge integer": b'{"inputs": [{"name": "x", "shape": ['
    + b"9" * 500
    + b'], "datatype": "FP64", "data": [1]}]}',
    "a list": b"[]",
    "null": b"null",
    "no inputs": b"{}",
    "inputs of another kind": b'{"inputs": {"x": 1}}',
    "shape of texts": b'{"inputs": [{"name": "x", "shape": ["1"], "datatype": "FP64", "data": [1]}]}',
    "data that is one value": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": 1}]}',
    "deep": b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep data": b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": '
    + b"[" * 50_000
    + b"]" * 50_000
    + b"}]}",
}


@pytest.mark.parametrize("path", ["/v2/models/delay/infer", "/v1/feedback"])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bodies(world, path, body) -> None:
    answer = world.ask("POST", path, content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert len(answer.content) < 5_000


@pytest.mark.parametrize("declared", [True, False])
def test_ten_megabytes(world, declared) -> None:
    size = 10_000_000
    assert size > MAX_BODY_BYTES

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * (size // 100)

    answer = world.ask("POST", "/v2/models/delay/infer", content=b" " * size if declared else parts())
    assert answer.status_code == 413
    assert "8 MiB" in answer.json()["error"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["flight", "predicted_at", "distance", "carrier"]),
    key=st.sampled_from(["name", "shape", "datatype", "data"]),
    value=_JSON,
)
def test_any_json_in_any_place_is_answered(world, name, key, value) -> None:
    """A client's mistake is never the server's failure."""
    tensors = [{**each, key: value} if each["name"] == name else each for each in rows(1)]
    answer = world.ask("POST", "/v2/models/delay/infer", content=json.dumps({"inputs": tensors}))
    assert answer.status_code in (200, 400), answer.text


class TestAboutTheServer:
    def test_metadata_and_health(self, world) -> None:
        about = world.ask("GET", "/v2").json()
        assert about["name"] == "mlwright"
        assert about["extensions"] == []
        assert world.ask("GET", "/v2/health/live").status_code == 200
        assert world.ask("GET", "/v2/health/ready").status_code == 200

    def test_model_metadata(self, world) -> None:
        about = world.ask("GET", "/v2/models/delay").json()
        assert about == world.ask("GET", "/v2/models/delay/versions/3").json()
        assert about["versions"] == ["3"]
        assert about["inputs"] == [
            {"name": "flight", "datatype": "BYTES", "shape": [-1]},
            {"name": "predicted_at", "datatype": "INT64", "shape": [-1]},
            {"name": "distance", "datatype": "FP64", "shape": [-1]},
            {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
        ]
        assert world.ask("GET", "/v2/models/churn").status_code == 503
        assert world.ask("GET", "/v2/models/nobody").status_code == 404

    def test_model_ready(self, world) -> None:
        assert world.ask("GET", "/v2/models/delay/ready").json() == {"name": "delay", "ready": True}
        assert world.ask("GET", "/v2/models/delay/versions/3/ready").status_code == 200
        assert world.ask("GET", "/v2/models/delay/versions/8/ready").status_code == 404
        assert world.ask("GET", "/v2/models/churn/ready").status_code == 503

    def test_a_bad_model_is_said_and_hurts_nobody(self, world) -> None:
        world.ask("POST", "/v1/refresh")
        world.routes = [world.route("delay", 9, generation=2), world.route("churn", 1)]
        answer = world.ask("POST", "/v1/refresh")
        assert answer.json() == {"generations": {"delay": 1, "churn": 1}}
        about = world.ask("GET", "/v2/models/delay/ready")
        assert about.status_code == 503
        assert about.json()["serving"] is True
        assert "no such folder" in about.json()["error"]
        assert about.json()["next_command"] == "mlwright doctor"
        assert world.infer(*rows(1)).status_code == 200
        assert world.ask("GET", "/v2/health/ready").status_code == 200

    def test_routes_that_cannot_be_read(self, world) -> None:
        world.unreadable = True
        assert world.ask("GET", "/v2/health/ready").status_code == 503
        answer = world.ask("POST", "/v1/refresh")
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("the database is locked")

    def test_new_routes_arrive_by_themselves(self, world) -> None:
        async def go() -> str:
            transport = httpx.ASGITransport(world.app)
            async with (
                world.app.router.lifespan_context(world.app),
                httpx.AsyncClient(transport=transport, base_url="http://t") as client,
            ):
                world.routes = [world.route("delay", 4, generation=2)]
                for _ in range(500):
                    answer = await client.post("/v2/models/delay/infer", json={"inputs": rows(1)})
                    if answer.json()["model_version"] == "4":
                        break
                    await asyncio.sleep(0.01)
                return answer.json()["model_version"]

        assert asyncio.run(go()) == "4"

    def test_wrong_call(self, world) -> None:
        for method, path, status in (("GET", "/v2/nothing", 404), ("GET", "/v1/feedback", 405)):
            answer = world.ask(method, path)
            assert answer.status_code == status
            assert answer.json()["error"]

    def test_metrics(self, world) -> None:
        world.routes = [world.route("delay", 3, 4)]
        for _ in range(3):
            world.infer(*rows(10))
        world.infer(*rows(1)[:1])
        world.ask("POST", "/v1/feedback", json={"endpoint": "delay", "entity_key": "UA 1", "label": 1})
        answer = world.ask(
            "GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}
        )
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        samples = {
            (sample.name, sample.labels.get("variant") or sample.labels.get("le", "")): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.labels["endpoint"] == "delay"
        }
        assert samples["mlwright_requests_total", ""] == 3
        assert samples["mlwright_latency_seconds_count", ""] == 3
        assert samples["mlwright_latency_seconds_bucket", "+Inf"] == 3
        assert samples["mlwright_latency_seconds_sum", ""] > 0
        assert samples["mlwright_labels_total", ""] == 1
        assert samples["mlwright_route_generation", ""] == 1
        by_variant = [samples["mlwright_rows_total", variant] for variant in ("v3", "v4")]
        assert sum(by_variant) == 30
        assert min(by_variant) > 0
        plain = world.ask("GET", "/metrics")
        assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "# TYPE mlwright_requests_total counter" in plain.text


class TestFeedback:
    def send(self, world, **body) -> httpx.Response:
        return world.ask("POST", "/v1/feedback", json={"endpoint": "delay", **body})

    def test_columns(self, world) -> None:
        body = {"prediction_id": ["q.0", "q.1"], "label": [1, 0.5], "observed_at": [NOON, NOON + 1]}
        for _ in range(2):
            assert self.send(world, **body).json() == {"accepted": 2}
        found = world.log.labels(None)
        assert found.select("prediction_id", "label").rows() == [("q.0", 1.0), ("q.1", 0.5)]

    def test_one_label(self, world) -> None:
        answer = self.send(world, entity_key="UA 1", label=True, observed_at=NOON)
        assert answer.json() == {"accepted": 1}
        assert world.log.labels(None).select("prediction_id", "entity_key", "label").rows() == [
            (None, "UA 1", 1.0)
        ]

    def test_time_is_now_where_none_is_sent(self, world) -> None:
        self.send(world, prediction_id=["a", "b"], label=[0, 1])
        assert world.log.labels(None)["observed_at"].to_list() == [world.clock.now()] * 2

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({"prediction_id": "a", "label": [1]}, "prediction_id: must be a list, as label is"),
            ({"prediction_id": ["a"], "label": 1}, "prediction_id: must be one value, as label is"),
            ({"prediction_id": ["a"], "label": [1, 0]}, "prediction_id: 1 values, but label has 2"),
            ({"label": [1]}, "prediction_id: send prediction_id or entity_key"),
            ({"prediction_id": ["a"], "label": ["late"]}, "$.label[0]: Expected"),
            ({"prediction_id": ["a"]}, "$: Object missing required field `label`"),
            ({"prediction_id": ["a"], "label": [1], "lable": 2}, "$: Object contains unknown field `lable`"),
            ({"prediction_id": ["a"], "label": [None]}, "$.label[0]: Expected"),
        ],
    )
    def test_bad_labels(self, world, body, fault) -> None:
        [found] = faults(self.send(world, **body))
        assert found.startswith(fault)
        assert world.log.labels(None).is_empty()

    def test_unknown_endpoint(self, world) -> None:
        answer = world.ask("POST", "/v1/feedback", json={"endpoint": "deley", "entity_key": "a", "label": 1})
        assert answer.status_code == 404
        assert "did you mean 'delay'" in answer.json()["error"]

    def test_labels_do_not_need_a_model(self, world) -> None:
        """Truth about an endpoint may arrive while no model stands behind it."""
        answer = world.ask("POST", "/v1/feedback", json={"endpoint": "churn", "entity_key": "a", "label": 1})
        assert answer.json() == {"accepted": 1}


def test_a_full_disk_is_said(world, monkeypatch) -> None:
    from mlwright.errors import StorageError

    def full(*blocks) -> None:
        raise StorageError("the prediction log cannot be written", next_command="mlwright doctor")

    monkeypatch.setattr(world.journal, "append", full)
    answer = world.infer(*rows(1))
    assert answer.status_code == 503
    assert answer.json()["code"] == "StorageError"
    assert "outputs" not in answer.json()


def test_route_is_replaced_while_requests_are_in_flight(world) -> None:
    """A request keeps the generation it started with."""
    core = world.host.core("delay")
    core.apply(world.route("delay", 3))
    live = core._live
    core.apply(replace(world.route("delay", 4), generation=2))
    assert live.route.generation == 1
    assert live.models[0] is not core._live.models[0]
