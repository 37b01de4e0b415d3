"""Hostile input to ``mlwright serve``, over real sockets: no 5xx, no hang, no growth, and right answers afterwards.

501 is the one exception: RFC 9112 asks for it where a transfer coding is not known. An overload would be a 503 with
Retry-After, a deadline a 504; nothing here comes near to one.
"""

import gzip
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from tests.verify.hostile import (
    CONTEXT,
    HEADS,
    PLACES,
    POST,
    VALUES,
    Wire,
    binary_request,
    good,
    mutated,
    posted,
    wired,
)
from tests.verify.serving import Serving, fetched

from mlwright.stages.serving.log import PredictionLog

pytestmark = pytest.mark.verify

SCHEMATHESIS = "schemathesis==4.32.5"
REFUSED = {400, 403, 404, 405, 408, 413, 414, 415, 417, 431}
SLOWEST_S = 15.0
"""No request may take longer, on a machine that does other work too."""
GROWTH_MB = 30


@pytest.fixture(scope="module")
def rules(serve, serving_models) -> Serving:
    pytest.importorskip("grpc")
    return serve([str(serving_models / "rules.py") + ":predict", "--name", "rules"], grpc=True)


def answers_right(server: Serving) -> None:
    with wired(server.port) as wire:
        wire.send(good())
        found = wire.answer()
    assert found is not None
    status, _, body = found
    assert status == 200, body
    [price] = json.loads(body)["outputs"][0]["data"]
    assert price == pytest.approx(35.7)


def ask(server: Serving, data: bytes) -> tuple[int, dict[str, str], bytes] | None:
    began = time.monotonic()
    with wired(server.port) as wire:
        wire.send(data)
        found = wire.answer()
    assert time.monotonic() - began < SLOWEST_S
    if found is not None:
        assert found[0] < 500 or found[0] == 501, found
    return found


def resident_mb(pid: int) -> float:
    line = next(
        each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class TestHeads:
    @pytest.mark.parametrize("name", HEADS)
    def test_a_head_that_is_none_is_refused_and_the_connection_ends(self, rules, name) -> None:
        with wired(rules.port) as wire:
            wire.send(HEADS[name])
            wire.socket.shutdown(socket.SHUT_WR)
            found = wire.answer()
            assert found is not None
            status, headers, body = found
            assert status in REFUSED, body
            assert json.loads(body)["error"]
            if headers.get("connection") == "close":
                assert wire.answer() is None  # what was smuggled behind it is not looked at
        answers_right(rules)

    def test_pieces_of_requests_may_end_anywhere(self, rules) -> None:
        whole = good()
        chance = random.Random(1)
        for turn in range(300):
            with wired(rules.port) as wire:
                wire.send(whole[: chance.randrange(len(whole) + 1)])
                if turn % 3 == 0:  # a reset
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif turn % 3 == 1:
                    wire.socket.shutdown(socket.SHUT_WR)
                    found = wire.answer()
                    assert found is None or found[0] in {200, 400}
        answers_right(rules)

    def test_whole_requests_of_half_closed_connections_are_answered(self, rules) -> None:
        for _ in range(50):
            with wired(rules.port) as wire:
                wire.send(good() * 3)
                wire.socket.shutdown(socket.SHUT_WR)
                assert [found and found[0] for found in (wire.answer() for _ in range(4))] == [
                    200,
                    200,
                    200,
                    None,
                ]

    def test_200_slow_clients_are_told_to_hurry_and_hold_nobody_up(self, rules) -> None:
        [pid] = rules.workers()
        before = open_files(pid)
        slow = [Wire(rules.port) for _ in range(200)]
        for wire in slow:
            wire.send(POST + b"X-Slow: ")
        end = time.monotonic() + 30
        waits = []
        while time.monotonic() < end and open_files(pid) > before + 20:
            began = time.monotonic()
            answers_right(rules)
            waits.append(time.monotonic() - began)
            for wire in slow:
                wire.send(b"a")
            time.sleep(0.5)
        assert open_files(pid) <= before + 20
        assert max(waits) < 5
        told = [wire.answer() for wire in slow]
        assert {found[0] for found in told if found} <= {408}
        for wire in slow:
            wire.close()


class TestBodies:
    @pytest.mark.parametrize("place", PLACES)
    def test_values_that_are_none_are_refused(self, rules, place) -> None:
        path, around = PLACES[place]
        for value in VALUES.values():
            found = ask(rules, posted(path, around.replace(b"%b", value)))
            assert found is not None
            assert found[0] in REFUSED | {200}
            json.loads(found[2])
        answers_right(rules)

    def test_a_body_that_would_be_300_times_as_large_is_refused(self, rules) -> None:
        [pid] = rules.workers()
        before = resident_mb(pid)
        for path in ("/v1/models/rules:classify", "/v1/models/rules:regress"):
            found = ask(rules, posted(path, CONTEXT))
            assert found is not None
            assert found[0] == 400
            assert b"context" in found[2]
        assert resident_mb(pid) - before < 500

    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_bombs_do_not_go_off(self, rules, coding) -> None:
        [pid] = rules.workers()
        before = resident_mb(pid)
        large = b"[" * (200 << 20)
        bomb = gzip.compress(large, 1) if coding == "gzip" else zlib.compress(large, 1)
        found = ask(rules, posted("/v2/models/rules/infer", bomb, f"Content-Encoding: {coding}"))
        assert found is not None
        assert found[0] == 413
        assert resident_mb(pid) - before < 100

    def test_nearly_right_bodies(self, rules) -> None:
        """Requests of each protocol with bytes changed, on connections that stay."""
        chance = random.Random(2)
        record = {"name": "Zoë", "country": "DE", "amount": 1.5, "items": 2}
        seeds = [
            ("/v2/models/rules/infer", good().partition(b"\r\n\r\n")[2], "application/json"),
            ("/invocations", json.dumps({"dataframe_records": [record] * 2}).encode(), "application/json"),
            ("/invocations", b"name,country,amount,items\na,DE,1.5,2\n", "text/csv"),
            (
                "/v1/models/rules:predict",
                json.dumps({"instances": [record] * 2}).encode(),
                "application/json",
            ),
            ("/v1/models/rules:regress", json.dumps({"examples": [record]}).encode(), "application/json"),
            ("/v1/feedback", b'{"endpoint":"rules","prediction_id":"a.0","label":1}', "application/json"),
            ("/v1/feedback", b'{"prediction_id":"a.0","label":1}\n' * 3, "application/x-ndjson"),
            ("/v1/feedback?endpoint=rules", b"prediction_id,label\na.0,1\n", "text/csv"),
            ("/v2/repository/index", b'{"ready":true}', "application/json"),
            ("/v2/repository/models/rules/load", b'{"parameters":{"version":"1"}}', "application/json"),
        ]
        with wired(rules.port) as wire:
            for _ in range(3000):
                path, body, kind = chance.choice(seeds)
                wire.send(posted(path, mutated(body, chance), f"Content-Type: {kind}"))
                found = wire.answer()
                assert found is not None
                assert found[0] in REFUSED | {200}, found
                json.loads(found[2], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        answers_right(rules)

    def test_the_binary_extension(self, rules) -> None:
        chance = random.Random(3)
        statuses = set()
        with wired(rules.port) as wire:
            for _ in range(3000):
                body, length = binary_request(chance)
                header = f"inference-header-content-length: {length}"
                wire.send(posted("/v2/models/rules/infer", body, header))
                found = wire.answer()
                assert found is not None
                statuses.add(found[0])
                if found[0] == 200:
                    size = int(found[1].get("inference-header-content-length", len(found[2])))
                    assert json.loads(found[2][:size])["outputs"]
        assert statuses == {200, 400}
        answers_right(rules)


def test_protobuf(rules) -> None:
    """Messages with bytes changed over a real channel: only codes that say whose fault it is."""
    import grpc

    from mlwright.doors.grpc import open_inference_pb2 as wire

    chance = random.Random(4)
    request = wire.ModelInferRequest(model_name="rules", id="a")
    for name, kind, field, value in (
        ("name", "BYTES", "bytes_contents", "Zoë".encode()),
        ("country", "BYTES", "bytes_contents", b"DE"),
        ("amount", "FP64", "fp64_contents", 10.0),
        ("items", "INT64", "int64_contents", 3),
    ):
        tensor = request.inputs.add(name=name, datatype=kind, shape=[1])
        getattr(tensor.contents, field).append(value)
    whole = request.SerializeToString()
    many = wire.ModelInferRequest(model_name="rules")
    for at in range(100_000):
        many.inputs.add(name=f"c{at}", datatype="FP64", shape=[1])
    for _ in range(100_000):
        many.outputs.add(name="price")
    dims = wire.ModelInferRequest(model_name="rules")
    dims.inputs.add(name="name", datatype="BYTES", shape=[1] * 1_000_000)
    codes: dict[str, int] = {}
    with grpc.insecure_channel(f"127.0.0.1:{rules.grpc_port}") as channel:
        calls = [
            channel.unary_unary(f"/inference.GRPCInferenceService/{each}")
            for each in ("ModelInfer", "ModelMetadata", "ModelReady", "RepositoryIndex", "ServerLive")
        ]
        bodies = [many.SerializeToString(), dims.SerializeToString(), b"\x0b" * 1_000_000]
        bodies += [mutated(whole, chance) for _ in range(1500)]
        for body in bodies:
            call = calls[0] if chance.random() < 0.9 else chance.choice(calls)
            began = time.monotonic()
            try:
                call(body, timeout=SLOWEST_S)
                code = "OK"
            except grpc.RpcError as error:
                code = error.code().name
            assert time.monotonic() - began < SLOWEST_S
            codes[code] = codes.get(code, 0) + 1
        assert set(codes) <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "DEADLINE_EXCEEDED"}, codes
        answer = wire.ModelInferResponse.FromString(calls[0](whole, timeout=SLOWEST_S))
    assert answer.outputs[0].contents.fp64_contents[0] == pytest.approx(35.7)


def test_nothing_is_left_behind(rules) -> None:
    """The second time everything is sent, memory stays and every connection is let go."""
    [pid] = rules.workers()
    chance = random.Random(5)

    def everything() -> None:
        for data in HEADS.values():
            with wired(rules.port) as wire:
                wire.send(data)
        for path, around in PLACES.values():
            for name in ("deep lists", "100,000 names", "text of 4 MB", "NaN", "a name a row"):
                ask(rules, posted(path, around.replace(b"%b", VALUES[name])))
        with wired(rules.port) as wire:
            for _ in range(500):
                body, length = binary_request(chance)
                wire.send(
                    posted("/v2/models/rules/infer", body, f"inference-header-content-length: {length}")
                )
                wire.answer()

    everything()
    time.sleep(1)
    files, memory = open_files(pid), resident_mb(pid)
    everything()
    wait_for(lambda: open_files(pid) <= files)
    assert resident_mb(pid) - memory < GROWTH_MB
    answers_right(rules)


def test_schemathesis(environment, rules) -> None:
    """Data made from the OpenAPI document: no 5xx, and every answer has the form that the document says."""
    program = environment("schemathesis", SCHEMATHESIS).with_name("schemathesis")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    what = ["--checks", checks, "--phases", "examples,coverage,fuzzing", "--exclude-path-regex", "/unload$"]
    more = [
        "--max-examples",
        "30",
        "--max-time",
        "20",
        "--request-timeout",
        "10",
        "--seed",
        "1",
        "--workers",
        "1",
    ]
    command = [program, "run", f"{rules.url}/openapi.json", *what, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "0 selected" not in done.stdout
    answers_right(rules)


def test_a_worker_that_is_killed_under_load_comes_back_and_nothing_is_lost(serve, serving_models) -> None:
    """SIGKILL to one of two processes: the other goes on, and every prediction that was answered is in the log."""
    server: Serving = serve(
        [str(serving_models / "rules.py") + ":predict", "--name", "rules", "--workers", "2"]
    )
    request, ids, wrong = good(), [], []
    stop = threading.Event()

    def load() -> None:
        wire = None
        while not stop.is_set():
            try:
                wire = wire or Wire(server.port)
                wire.socket.sendall(request)
                found = wire.answer()
            except OSError:
                found = None
            if found is None:  # its process was killed: a client connects again
                if wire is not None:
                    wire.close()
                wire = None
                continue
            if found[0] != 200:
                wrong.append(found)
                continue
            outputs = {each["name"]: each["data"][0] for each in json.loads(found[2])["outputs"]}
            if outputs["price"] != pytest.approx(35.7):
                wrong.append(found)
            ids.append(outputs["prediction_id"])
        if wire is not None:
            wire.close()

    threads = [threading.Thread(target=load) for _ in range(8)]
    first = server.workers()
    assert len(first) == 2
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        os.kill(first[0], signal.SIGKILL)
        there = len(ids)
        wait_for(lambda: len(ids) > there + 100)
        wait_for(lambda: len(set(server.workers()) - {first[0]}) == 2)
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert not wrong, wrong[:3]
    answers_right(server)
    assert fetched(f"{server.url}/metrics")[0] == 200
    with suppress(subprocess.TimeoutExpired):
        server.process.terminate()
        server.process.wait(timeout=60)
    kept = PredictionLog(server.folder / ".mlwright" / "log").predictions(None, endpoint="rules")
    assert set(ids) <= set(kept["prediction_id"].to_list())
    assert len(ids) == len(set(ids)) > 200


def wait_for(true: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
