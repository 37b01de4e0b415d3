"""The inference door, in process: every call of the protocol, and bodies that nobody should send."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mlwright.doors.http.inference.server import serve
from mlwright.doors.up.processes import free_port
from mlwright.errors import Conflict, DatabaseUnavailable, MlwrightError, NotFound, SignatureMismatch
from mlwright.model.batches import Array, Batch
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

    closed = False

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        distance = np.asarray(batch.column("distance"), dtype=np.float64)
        if (distance == 13).any():
            raise ZeroDivisionError("by the secret")
        if (distance == 17).any():
            raise SignatureMismatch("17 is not taken")
        return {"score": 2.0 * distance}

    def close(self) -> None:
        self.closed = True


class World:
    """A server with the endpoints ``delay`` and ``churn`` on a real port, and what a test may change of it."""

    def __init__(self, folder, port: int) -> None:
        self.clock = ManualClock()
        self.journal = Journal(folder, self.clock)
        self.log = PredictionLog(folder)
        self.routes: list[Route] = [self.route("delay", 3)]
        self.unreadable = False
        self.models: list[Doubler] = []
        cores = {name: self.core(name) for name in ("delay", "churn")}
        self.host = InferenceHost(cores, self.read, self.journal, self)
        self._stop, ready = Event(), Event()
        arguments = {"ready": ready.set, "stop": self._stop, "poll_s": 0.01}
        self._thread = Thread(target=serve, args=(self.host, "127.0.0.1", port), kwargs=arguments)
        self._thread.start()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        assert ready.wait(20)

    def close(self) -> None:
        self.client.close()
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def core(self, name: str) -> EndpointCore:
        spec = EndpointSettings(
            name=name,
            model="m@champion",
            entity="flight",
            timestamp="predicted_at",
            label=LabelSettings(column="late", horizon=timedelta(hours=12)),
        )
        return EndpointCore(spec, [], None, self.make, self.journal, self.clock)

    def route(self, endpoint: str, *versions: int, generation: int = 1) -> Route:
        variants = tuple(
            Variant(name=f"v{version}", model=ModelName("m"), version=version, share=1 / len(versions))
            for version in versions
        )
        return Route(endpoint=EndpointName(endpoint), generation=generation, salt="s", variants=variants)

    def make(self, variant: Variant) -> Doubler:
        if variant.version == 9:
            raise OSError("no such folder")
        self.models.append(Doubler())
        return self.models[-1]

    def read(self) -> list[Route]:
        if self.unreadable:
            raise DatabaseUnavailable("the database is locked", next_command="mlwright doctor")
        return list(self.routes)

    def load(self, endpoint: str, version: int | None) -> None:
        """See ``Releasing``."""
        if version == 404:
            raise NotFound("there is no version 404")
        self._put(endpoint, version or 5)

    def unload(self, endpoint: str) -> None:
        """See ``Releasing``."""
        if len(self.routes[0].variants) > 1:
            raise Conflict("a rollout is under way")
        self._put(endpoint)

    def _put(self, endpoint: str, *versions: int) -> None:
        generation = max(each.generation for each in self.routes) + 1
        others = [each for each in self.routes if each.endpoint != endpoint]
        self.routes = [self.route(endpoint, *versions, generation=generation), *others]

    def ask(self, method: str, path: str, **named) -> httpx.Response:
        """One request, once this process is at the newest routes."""
        with suppress(MlwrightError):
            self.host.refresh()
        return self.client.request(method, path, **named)

    def infer(
        self, *tensors: dict[str, object], path: str = "/v2/models/delay/infer", **extra
    ) -> httpx.Response:
        return self.ask("POST", path, json={"inputs": list(tensors), **extra})


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    made = World(tmp_path, free_port())
    yield made
    made.close()


@pytest.fixture(scope="module")
def steady(tmp_path_factory) -> Iterator[World]:
    """A server that all tests share which leave it as it was."""
    made = World(tmp_path_factory.mktemp("log"), free_port())
    yield made
    made.close()


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
        ids = answer.json()["outputs"][1]["data"]
        assert answer.json() == {
            "model_name": "delay",
            "model_version": "3",
            "id": "q7",
            "outputs": [
                {"name": "score", "shape": [2], "datatype": "FP64", "data": [1.0, 3.0]},
                {"name": "prediction_id", "shape": [2], "datatype": "BYTES", "data": ids},
                {"name": "model_version", "shape": [2], "datatype": "BYTES", "data": ["m/3", "m/3"]},
                {"name": "variant", "shape": [2], "datatype": "BYTES", "data": ["v3", "v3"]},
            ],
        }
        logged = world.log.predictions(None, served_only=True)
        assert logged.select("prediction_id", "entity_key", "score").rows() == [
            (ids[0], "UA 0", 1.0),
            (ids[1], "UA 1", 3.0),
        ]
        assert world.log.features(None)["carrier"].to_list() == ["UA", "UA"]

    def test_an_id_is_made_where_none_is_sent(self, steady) -> None:
        first, second = (steady.infer(*rows(1)).json()["id"] for _ in range(2))
        assert first != second
        assert len(first) >= 16

    def test_column_tensors(self, steady) -> None:
        """Shape [n, 1], nested or flat."""
        flight, at, _, carrier = rows(2)
        nested = tensor("distance", "FP64", [[4], [None]], [2, 1])
        flat = tensor("distance", "FP32", [4, None], [2, 1])
        for distance in (nested, flat):
            answer = steady.infer(flight, at, distance, carrier)
            assert answer.json()["outputs"][0]["data"] == [8.0, None]

    def test_selected_outputs(self, steady) -> None:
        wanted = [{"name": "variant"}, {"name": "score", "parameters": {"binary_data": False}}]
        answer = steady.infer(*rows(1), outputs=wanted)
        assert [each["name"] for each in answer.json()["outputs"]] == ["variant", "score"]
        answer = steady.infer(*rows(1), outputs=[{"name": "scor"}])
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
            ({"shape": [3]}, "distance: shape says 3 values, data has 2"),
            ({"shape": [1, 2]}, "distance: shape must be [n] or [n, 1], not [1, 2]"),
            ({"data": [1.0, "2"]}, "distance[1]: '2' is not FP64"),
            ({"data": [True, 2]}, "distance[0]: True is not FP64"),
            ({"data": [1.0, 2.0, 3.0], "shape": [3]}, "carrier: 2 values, but 'distance' has 3"),
        ],
    )
    def test_tensors_that_do_not_agree(self, steady, change, fault) -> None:
        before = len(steady.log.predictions(None))
        flight, at, distance, carrier = rows(2)
        answer = steady.infer(flight, at, {**distance, **change}, carrier)
        assert faults(answer)[0].startswith(fault)
        assert answer.json()["error"].startswith(("the request cannot", "request "))
        assert len(steady.log.predictions(None)) == before

    def test_entity_and_time(self, steady) -> None:
        _, at, *others = rows(2)
        assert [each.partition(":")[0] for each in faults(steady.infer(*others))] == [
            "flight",
            "predicted_at",
        ]
        empty = tensor("flight", "BYTES", ["a", None])
        assert faults(steady.infer(empty, at, *others))[0].startswith("flight[1]")

    def test_the_same_tensor_twice(self, steady) -> None:
        assert faults(steady.infer(*rows(1), rows(1)[2])) == ["distance: the tensor is in the request twice"]

    def test_missing_input(self, steady) -> None:
        assert faults(steady.infer(*rows(1)[:3]))[0].startswith("carrier: the model needs this string")

    def test_value_of_another_type_than_the_model_takes(self, steady) -> None:
        flight, at, _, carrier = rows(2)
        answer = steady.infer(flight, at, tensor("distance", "BYTES", ["far", "near"]), carrier)
        assert answer.status_code == 400
        assert answer.json()["code"] == "SignatureMismatch"

    def test_model_that_raises(self, steady) -> None:
        flight, at, _, carrier = rows(2)
        answer = steady.infer(flight, at, tensor("distance", "FP64", [1, 13]), carrier)
        assert answer.status_code == 500
        assert "ZeroDivisionError" in answer.json()["error"]

    def test_unknown_endpoint(self, steady) -> None:
        answer = steady.infer(*rows(1), path="/v2/models/delai/infer")
        assert answer.status_code == 404
        assert "did you mean 'delay'" in answer.json()["error"]

    def test_endpoint_without_a_model(self, steady) -> None:
        answer = steady.infer(*rows(1), path="/v2/models/churn/infer")
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
def test_hostile_bodies(steady, path, body) -> None:
    answer = steady.ask("POST", path, content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert len(answer.content) < 5_000


@pytest.mark.parametrize("declared", [True, False])
def test_ten_megabytes(steady, declared) -> None:
    size = 10_000_000
    assert size > 8 << 20

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * (size // 100)

    answer = steady.ask("POST", "/v2/models/delay/infer", content=b" " * size if declared else parts())
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
def test_any_json_in_any_place_is_answered(steady, name, key, value) -> None:
    """A client's mistake is never the server's failure."""
    tensors = [{**each, key: value} if each["name"] == name else each for each in rows(1)]
    answer = steady.ask("POST", "/v2/models/delay/infer", content=json.dumps({"inputs": tensors}))
    assert answer.status_code in (200, 400), answer.text


class TestAboutTheServer:
    def test_metadata_and_health(self, steady) -> None:
        about = steady.ask("GET", "/v2").json()
        assert about["name"] == "mlwright"
        assert "model_repository" in about["extensions"]
        assert steady.ask("GET", "/v2/health/live").status_code == 200
        assert steady.ask("GET", "/v2/health/ready").status_code == 200

    def test_what_the_server_says_it_can(self, steady) -> None:
        for each in steady.ask("GET", "/v2").json()["extensions"]:
            path = {"model_configuration": "config", "statistics": "stats"}.get(each)
            assert path is None or steady.ask("GET", f"/v2/models/delay/{path}").status_code == 200

    def test_statistics(self, steady) -> None:
        def count() -> int:
            (one,) = steady.ask("GET", "/v2/models/delay/stats").json()["model_stats"]
            return one["inference_count"]

        before = count()
        assert steady.ask("POST", "/v2/models/delay/infer", json={"inputs": rows(3)}).status_code == 200
        (one,) = steady.ask("GET", "/v2/models/delay/versions/3/stats").json()["model_stats"]
        assert (one["name"], one["version"], one["inference_count"]) == ("delay", "3", before + 3)
        assert one["inference_stats"]["success"]["ns"] > 0
        assert one["execution_count"] >= 1
        everything = steady.ask("GET", "/v2/models/stats").json()["model_stats"]
        assert one["name"] in [each["name"] for each in everything]
        assert steady.ask("GET", "/v2/models/delay/versions/9/stats").status_code == 404

    def test_model_metadata(self, steady) -> None:
        about = steady.ask("GET", "/v2/models/delay").json()
        assert about == steady.ask("GET", "/v2/models/delay/versions/3").json()
        assert about["versions"] == ["3"]
        assert about["inputs"] == [
            {"name": "flight", "datatype": "BYTES", "shape": [-1]},
            {"name": "predicted_at", "datatype": "INT64", "shape": [-1]},
            {"name": "distance", "datatype": "FP64", "shape": [-1]},
            {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
        ]
        assert steady.ask("GET", "/v2/models/churn").status_code == 503
        assert steady.ask("GET", "/v2/models/nobody").status_code == 404

    def test_model_ready(self, steady) -> None:
        assert steady.ask("GET", "/v2/models/delay/ready").json() == {"name": "delay", "ready": True}
        assert steady.ask("GET", "/v2/models/delay/versions/3/ready").status_code == 200
        assert steady.ask("GET", "/v2/models/delay/versions/8/ready").status_code == 404
        assert steady.ask("GET", "/v2/models/churn/ready").status_code == 503

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
        assert world.ask("GET", "/v2/health/ready").status_code == 200, "they were read before"
        assert world.infer(*rows(1)).status_code == 200
        answer = world.ask("POST", "/v1/refresh")
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("the database is locked")

    def test_new_routes_arrive_by_themselves(self, world) -> None:
        world.routes = [world.route("delay", 4, generation=2)]
        for _ in range(500):
            answer = world.client.post("/v2/models/delay/infer", json={"inputs": rows(1)})
            if answer.json()["model_version"] == "4":
                return
            time.sleep(0.01)
        raise AssertionError("the route was not followed")

    def test_wrong_call(self, steady) -> None:
        for method, path, status in (("GET", "/v2/nothing", 404), ("GET", "/v1/feedback", 405)):
            answer = steady.ask(method, path)
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
            if sample.labels.get("endpoint") == "delay"
        }
        assert samples["mlwright_requests_total", ""] == 4
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
            assert self.send(world, **body).json()["accepted"] == 2
        found = world.log.labels(None)
        assert found.select("prediction_id", "label").rows() == [("q.0", 1.0), ("q.1", 0.5)]

    def test_one_label(self, world) -> None:
        answer = self.send(world, entity_key="UA 1", label=True, observed_at=NOON)
        assert answer.json()["accepted"] == 1
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
            ({"prediction_id": ["a"], "label": [1, 0]}, "prediction_id: 1 values, but label has 2"),
            ({"prediction_id": ["a"]}, "label: this column is missing"),
        ],
    )
    def test_bad_labels(self, steady, body, fault) -> None:
        [found] = faults(self.send(steady, **body))
        assert found.startswith(fault)
        assert steady.log.labels(None).is_empty()

    def test_unknown_endpoint(self, steady) -> None:
        answer = steady.ask("POST", "/v1/feedback", json={"endpoint": "deley", "entity_key": "a", "label": 1})
        assert answer.status_code == 404
        assert "did you mean 'delay'" in answer.json()["error"]

    def test_labels_do_not_need_a_model(self, world) -> None:
        """Truth about an endpoint may arrive while no model stands behind it."""
        answer = world.ask("POST", "/v1/feedback", json={"endpoint": "churn", "entity_key": "a", "label": 1})
        assert answer.json()["accepted"] == 1


def test_a_full_disk_is_said(world, monkeypatch) -> None:
    from mlwright.errors import StorageError

    def full(*blocks, refuse=False) -> None:
        raise StorageError("the prediction log cannot be written", next_command="mlwright doctor")

    monkeypatch.setattr(world.journal, "append", full)
    answer = world.infer(*rows(1))
    assert answer.status_code == 503
    assert answer.json()["code"] == "StorageError"
    assert "outputs" not in answer.json()


class TestRepository:
    """Taking endpoints in and out of service by the protocol's own calls."""

    def index(self, world, **body) -> list[dict[str, str]]:
        return world.ask("POST", "/v2/repository/index", json=body).json()

    def test_index(self, world) -> None:
        world.routes = [world.route("delay", 3, 4)]
        nothing = {
            "name": "churn",
            "version": "",
            "state": "UNAVAILABLE",
            "reason": "no model was deployed to it yet",
        }
        live = [{"name": "delay", "version": each, "state": "READY", "reason": ""} for each in "34"]
        assert world.ask("POST", "/v2/repository/index").json() == [nothing, *live]
        assert self.index(world, ready=False) == [nothing, *live]
        assert self.index(world, ready=True) == live
        assert self.index(world, ready=1)["code"] == "BadRequest"

    def test_unload_and_load(self, world) -> None:
        """The models are given back, the endpoint says so, and its requests are refused until it is loaded."""
        assert world.infer(*rows(1)).status_code == 200
        body = {"parameters": {"unload_dependents": False}}  # as Triton's clients send it
        assert world.ask("POST", "/v2/repository/models/delay/unload", json=body).status_code == 200
        assert [model.closed for model in world.models] == [True]
        assert self.index(world, ready=True) == []
        assert self.index(world)[1]["reason"] == "unloaded"
        about = world.ask("GET", "/v2/models/delay/ready")
        assert (about.status_code, about.json()["error"], about.json()["serving"]) == (503, "unloaded", False)
        assert world.infer(*rows(1)).status_code == 503
        assert world.ask("GET", "/v2/models/delay/versions/3").status_code == 404
        assert world.ask("POST", "/v2/repository/models/delay/load").status_code == 200
        assert world.infer(*rows(1)).json()["model_version"] == "5"

    @pytest.mark.parametrize("version", [7, "7"])
    def test_load_another_version(self, world, version) -> None:
        body = {"parameters": {"version": version}}
        assert world.ask("POST", "/v2/repository/models/churn/load", json=body).status_code == 200
        assert world.infer(*rows(1), path="/v2/models/churn/infer").json()["model_version"] == "7"
        assert world.infer(*rows(1), path="/v2/models/churn/versions/7/infer").status_code == 200

    @pytest.mark.parametrize(
        ("path", "body", "status", "said"),
        [
            ("delay/load", {"parameters": {"config": "{}"}}, 400, "parameters.config"),
            ("delay/load", {"parameters": {"versoin": 1}}, 400, "did you mean 'version'"),
            ("delay/load", {"parameters": {"version": "x"}}, 400, "parameters.version"),
            ("delay/load", {"parameters": {"version": True}}, 400, "parameters.version"),
            ("delay/load", {"parameters": {"version": 404}}, 404, "no version 404"),
            ("delay/load", {"parameters": {"version": 9}}, 503, "no such folder"),
            ("delay/load", {"parameter": {}}, 400, "unknown field"),
            ("delay/unload", [], 400, "Expected `object`"),
            ("deley/load", {}, 404, "did you mean 'delay'"),
            ("deley/unload", {}, 404, "did you mean 'delay'"),
        ],
    )
    def test_what_cannot_be(self, world, path, body, status, said) -> None:
        answer = world.ask("POST", f"/v2/repository/models/{path}", json=body)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert world.infer(*rows(1)).json()["model_version"] == "3"

    def test_a_rollout_is_not_unloaded(self, world) -> None:
        world.routes = [world.route("delay", 3, 4)]
        assert world.ask("POST", "/v2/repository/models/delay/unload").status_code == 409


class TestWhoMayAsk:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"host": "evil.example"}, 403),
            ({"host": "localhost"}, 200),
            ({"origin": "http://evil.example"}, 403),
        ],
    )
    def test_pages_of_others_are_refused(self, steady, headers, status) -> None:
        answer = steady.ask("POST", "/v2/models/delay/infer", json={"inputs": rows(1)}, headers=headers)
        assert answer.status_code == status

    def test_labels_of_variants_and_other_protocols(self, steady) -> None:
        """The same endpoint under every protocol's path."""
        row = {"flight": "a", "predicted_at": NOON, "distance": 2.0, "carrier": "UA"}
        for path in ("delay", "delay/versions/3", "delay/labels/v3"):
            answer = steady.ask("POST", f"/v1/models/{path}:predict", json={"instances": [row]})
            assert answer.json()["predictions"] == [4.0], answer.text
        for path in ("models", "endpoints"):
            answer = steady.ask("POST", f"/{path}/delay/invocations", json={"dataframe_records": [row]})
            assert answer.json()["predictions"] == [4.0], answer.text
        assert steady.ask("GET", "/").json() == {"status": "alive"}
        answer = steady.ask("POST", "/v1/models/delay/labels/v8:predict", json={"instances": [row]})
        assert answer.status_code == 404
        assert "no variant behind 'delay' is named 'v8'" in answer.json()["error"]

    def test_a_path_without_a_name_needs_one_endpoint(self, steady) -> None:
        answer = steady.ask("POST", "/invocations", json={"inputs": rows(1)})
        assert answer.status_code == 400
        assert answer.json()["error_code"] == "BAD_REQUEST"

    def test_near_paths_and_methods(self, steady) -> None:
        answer = steady.ask("POST", "/v1/feedbak")
        assert answer.json()["error"].endswith("did you mean /v1/feedback?")
        answer = steady.ask("DELETE", "/v2/models/delay")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        assert steady.ask("HEAD", "/v2").status_code == 200
