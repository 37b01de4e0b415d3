"""The door of the MLflow protocol: which call answers, what runs where, what errors become, what is refused."""

import asyncio
import json
import math
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright import errors
from mlwright.doors.http.mlflow.bodies import ClientGone, Room, read_body
from mlwright.doors.http.mlflow.call import Call, StreamCall
from mlwright.doors.http.mlflow.encoding import encode
from mlwright.doors.http.mlflow.errors import Refused


class Thing(msgspec.Struct):
    name: str
    count: int = 0


def echo(tracking, asked):
    return {"path": dict(asked.path), "query": dict(asked.query), "body": asked.body.decode()}


def where(tracking, asked):
    return {"thread": threading.current_thread().name}


def parsed(tracking, asked):
    thing = asked.parse(Thing)
    return {"name": thing.name, "count": thing.count}


def raising(error):
    def handler(tracking, asked):
        raise error

    return handler


async def upload(tracking, rest, scope, receive, send):
    if rest == "fails":
        raise errors.NotFound("there is no such file")
    if rest == "left":
        raise ClientGone
    headers = [(b"content-security-policy", b"sandbox")] if rest == "own" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if rest == "breaks":
        raise OSError("the disk went away")
    await send({"type": "http.response.body", "body": f"{scope['method']} {rest}".encode()})


CALLS = (
    Call(method="POST", path="2.0/mlflow/things/create", handler=parsed, limit=100),
    Call(method="GET", path="2.0/mlflow/things/get", handler=echo),
    Call(method="GET", path="2.0/mlflow/things/reading", handler=where),
    Call(method="POST", path="2.0/mlflow/things/writing", handler=where, writes=True),
    Call(method="POST", path="2.0/mlflow/models/search", handler=lambda t, a: {"is": "search"}),
    Call(method="GET", path="2.0/mlflow/models/{id}", handler=echo),
    Call(method="DELETE", path="2.0/mlflow/models/{id}/tags/{key}", handler=echo),
    Call(method="PATCH", path="2.0/mlflow/models/{id}/tags", handler=echo),
)
STREAMS = (
    StreamCall(methods=("GET", "PUT"), prefix="api/2.0/mlflow-artifacts/artifacts", serve=upload),
    StreamCall(methods=("POST",), prefix="/v1/traces", serve=upload),
)


@pytest.fixture
def door(serve_calls):
    return serve_calls(calls=CALLS, streams=STREAMS)


@pytest.mark.parametrize("mirror", ["/api/", "/ajax-api/", "/mlflow/api/", "/mlflow/ajax-api/"])
def test_a_call_answers_for_clients_and_for_the_page(door, mirror) -> None:
    answer = door.ask("GET", f"{mirror}2.0/mlflow/things/get", query={"run": ["a", "b"], "empty": ""})
    assert answer.json["query"] == {"run": ["a", "b"], "empty": [""]}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert door.ask("PUT", f"{mirror}2.0/mlflow-artifacts/artifacts/0/ä b").body == "PUT 0/ä b".encode()


def test_names_in_a_path_are_cut_before_they_are_decoded(door) -> None:
    assert door.ask("GET", "2.0/mlflow/models/m-1").json["path"] == {"id": "m-1"}
    assert door.ask("POST", "2.0/mlflow/models/search").json == {"is": "search"}
    asked = door.ask("DELETE", "2.0/mlflow/models/m%201/tags/a%2Fb%C3%A4").json
    assert asked["path"] == {"id": "m 1", "key": "a/bä"}
    assert door.ask("GET", "2.0/mlflow/models/").json["error_code"] == "ENDPOINT_NOT_FOUND"


def test_what_the_server_says_about_itself(door) -> None:
    assert door.ask("GET", "/health").body == b"OK"
    version = door.ask("GET", "/version")
    assert version.body.count(b".") == 2
    assert version.headers["content-type"].startswith("text/plain")
    info = door.ask("GET", "3.0/mlflow/server-info").json
    assert (info["store_type"], info["workspaces_enabled"]) == ("SqlStore", False)
    assert "export MLFLOW_TRACKING_URI=http://127.0.0.1:8500" in door.ask("GET", "/").body.decode()


def test_uploads_in_parts_are_not_asked_for_even_where_they_are_taken(serve_calls) -> None:
    call = Call(method="POST", path="2.0/mlflow-artifacts/mpu/create/{path}", handler=echo)
    info = serve_calls(calls=[call], streams=[]).ask("GET", "3.0/mlflow/server-info").json
    assert info["multipart_uploads_enabled"] is False  # one stream is faster


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "2.0/mlflow/things/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "2.0mlflow/experiments/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/ajax-api/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "/nothing", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", "loop", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "3.0/mlflow/gateway/secrets/create", 501, "NOT_IMPLEMENTED"),
        ("GET", "3.0/mlflow/workspaces", 501, "NOT_IMPLEMENTED"),
        ("GET", "3.0/mlflow/workspaces-of-mine", 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "2.0/mlflow/things/get", 405, "BAD_REQUEST"),
        ("POST", "2.0/mlflow/models/m-1", 405, "BAD_REQUEST"),
        ("DELETE", "/v1/traces", 405, "BAD_REQUEST"),
    ],
)
def test_what_is_not_there_is_told_apart(door, method, path, status, code) -> None:
    answer = door.ask(method, path)
    assert (answer.status, answer.json["error_code"]) == (status, code)
    assert ("allow" in answer.headers) is (status == 405)


def test_head_and_options(door) -> None:
    head = door.ask("HEAD", "2.0/mlflow/things/get")
    assert head.status == 200
    assert int(head.headers["content-length"]) > 0  # uvicorn leaves the body away
    options = door.ask("OPTIONS", "2.0/mlflow/models/m-1/tags")
    assert (options.status, options.headers["allow"]) == (200, "OPTIONS, PATCH")
    assert "access-control-allow-origin" not in options.headers


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow-artifacts/artifacts/../secret",
        "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/secret",
        "/api/2.0/mlflow-artifacts/artifacts/a/%2E%2e",
        "/api/2.0/mlflow-artifacts/artifacts/..%2fsecret",
        "/api/2.0/mlflow-artifacts/artifacts/..%5csecret",
        "/api/2.0/mlflow-artifacts/artifacts/a%00b",
        "/api/2.0/mlflow-artifacts/artifacts/%ff%fe",
        "/api/2.0/mlflow/models/%00",
    ],
)
def test_hostile_paths_reach_no_call(door, path) -> None:
    answer = door.ask("GET", path)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_calls_that_write_run_on_the_committing_thread(door) -> None:
    assert door.ask("POST", "2.0/mlflow/things/writing").json == {"thread": "committer"}
    assert door.ask("GET", "2.0/mlflow/things/reading").json["thread"].startswith("reading")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "object"),
        (b"{}", "name"),
        (b'{"name": "a", "count": {}}', "count"),
        (b'{"name": ' + b"[" * 90, "body"),
        (b"x" * 10_000, "larger than 100 bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_named(door, body, says) -> None:
    answer = door.ask("POST", "2.0/mlflow/things/create", body=body)
    assert answer.status in (400, 413)
    assert answer.json["error_code"] == "INVALID_PARAMETER_VALUE"
    assert says in answer.json["message"]


def test_a_body_comes_in_pieces_and_may_be_as_long_as_is_said(door) -> None:
    text = json.dumps({"name": "n" * 40, "count": "7", "unknown": 1}).encode().ljust(100)
    pieces = [text[:5], b"", text[5:]]
    assert door.ask("POST", "2.0/mlflow/things/create", body=pieces).json == {"name": "n" * 40, "count": 7}
    over = door.ask("POST", "2.0/mlflow/things/create", body=[*pieces, b" "])
    assert (over.status, over.headers["connection"]) == (413, "close")


def test_too_large_a_body_without_a_length_is_read_to_its_end_and_not_kept(door) -> None:
    pieces = [b"x" * 60, b"x" * 60, b"x" * 60]
    answer = door.ask(
        "POST",
        "2.0/mlflow/things/create",
        body=pieces,
        headers={"content-length": "", "transfer-encoding": "chunked"},
    )
    assert answer.status == 413


def test_who_waits_for_leave_to_send_too_much_is_refused_at_once(door) -> None:
    headers = {"expect": "100-continue", "content-length": str(1 << 30)}
    # Reading would give the leave; here it would never end.
    answer = door.ask("POST", "2.0/mlflow/things/create", body=(), headers=headers)
    assert answer.status == 413


def test_large_bodies_of_all_clients_share_one_room(tracking) -> None:
    room = Room(size=3 << 20)
    headers = {"content-length": str(3 << 20)}

    def body(pieces: int):
        left = [b" " * (1 << 20)] * pieces

        async def receive():
            piece = left.pop()
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        return receive

    async def ask() -> None:
        with room.share() as first, room.share() as second:
            assert len(await read_body(body(3), headers, 9 << 20, share=first)) == 3 << 20
            with pytest.raises(
                Refused
            ) as refused:  # 2 MB of 3 are taken, and the first MB of each counts for nothing
                await read_body(body(3), headers, 9 << 20, share=second)
            assert (refused.value.status, refused.value.code) == (503, "TEMPORARILY_UNAVAILABLE")
            with room.share() as third:
                assert len(await read_body(body(1), headers, 9 << 20, share=third)) == 1 << 20
        with room.share() as later:
            assert len(await read_body(body(4), headers, 9 << 20, share=later)) == 4 << 20

    asyncio.run(ask())


def test_a_compressed_body_is_refused(door) -> None:
    answer = door.ask("POST", "2.0/mlflow/things/create", {}, headers={"content-encoding": "gzip"})
    assert (answer.status, answer.json["error_code"]) == (415, "INVALID_PARAMETER_VALUE")


def test_a_client_that_pauses_too_long_is_told(serve_calls) -> None:
    door = serve_calls(calls=CALLS, streams=(), idle_s=0.05)
    answer = door.ask("POST", "2.0/mlflow/things/create", body=(), headers={"content-length": "20"})
    assert (answer.status, answer.json["error_code"]) == (408, "DEADLINE_EXCEEDED")
    assert answer.headers["connection"] == "close"


def test_a_client_that_left_in_the_middle_changes_nothing(serve_calls) -> None:
    called, sent = [], []
    call = Call(method="POST", path="2.0/mlflow/x", handler=lambda t, a: called.append(1), writes=True)
    door = serve_calls(calls=[call], streams=())
    messages = [
        {"type": "http.request", "body": b'{"name"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    path = "/api/2.0/mlflow/x"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope["headers"] = [(b"host", b"localhost"), (b"content-length", b"99")]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    door.runner.run(door.app(scope, receive, send))
    assert (called, sent) == ([], [])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotFound("x"), 404, "RESOURCE_DOES_NOT_EXIST"),
        (errors.AlreadyExists("x"), 400, "RESOURCE_ALREADY_EXISTS"),
        (errors.Unsupported("x"), 501, "NOT_IMPLEMENTED"),
        (errors.MissingExtra("x"), 501, "NOT_IMPLEMENTED"),
        (errors.UsageError("x"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.BadRequest("x"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.SignatureMismatch("x"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.Conflict("x"), 400, "INVALID_STATE"),
        (errors.GateFailed("x"), 400, "INVALID_STATE"),
        (errors.ArtifactMissing("x"), 404, "RESOURCE_DOES_NOT_EXIST"),
        (errors.ArtifactCorrupt("x"), 409, "DATA_LOSS"),
        (errors.DatabaseUnavailable("x"), 503, "TEMPORARILY_UNAVAILABLE"),
        (errors.MlwrightError("x"), 500, "INTERNAL_ERROR"),
    ],
)
@pytest.mark.parametrize("writes", [False, True])
def test_errors_have_the_codes_that_clients_know(serve_calls, error, status, code, writes) -> None:
    call = Call(method="GET", path="2.0/mlflow/x", handler=raising(error), writes=writes)
    answer = serve_calls(calls=[call], streams=()).ask("GET", "2.0/mlflow/x")
    assert (answer.status, answer.json) == (status, {"error_code": code, "message": "x"})


def test_a_fault_of_ours_is_logged_and_not_shown(serve_calls, caplog) -> None:
    call = Call(method="GET", path="2.0/mlflow/x", handler=raising(ZeroDivisionError("secret")))
    answer = serve_calls(calls=[call], streams=()).ask("GET", "2.0/mlflow/x")
    assert (answer.status, answer.json["error_code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.json["message"]
    assert "secret" in caplog.text


def test_the_next_request_is_answered_after_a_failed_one(serve_calls) -> None:
    asked = iter([ZeroDivisionError("x"), errors.NotFound("x")])

    def moody(tracking, asked_for):
        for error in asked:
            raise error
        return {"well": True}

    door = serve_calls(calls=[Call(method="GET", path="2.0/x", handler=moody, writes=True)], streams=())
    assert [door.ask("GET", "2.0/x").status for _ in range(3)] == [500, 404, 200]


def test_many_at_once(door) -> None:
    async def all_at_once():
        return await asyncio.gather(
            *(door.asking("POST", "2.0/mlflow/things/writing", {"number": n}) for n in range(100)),
            *(door.asking("GET", "2.0/mlflow/things/get", query={"n": n}) for n in range(100)),
        )

    answers = door.runner.run(all_at_once())
    assert {each.status for each in answers} == {200}
    assert [each.json["query"]["n"] for each in answers[100:]] == [[str(n)] for n in range(100)]


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        ("GET", {"host": "evil.example"}, False),
        ("GET", {"host": ""}, False),
        ("GET", {"host": "127.0.0.1.evil.example:8500"}, False),
        ("GET", {"host": "[::1]:8500"}, True),
        ("GET", {"origin": "http://evil.example"}, True),  # a browser keeps the answer from that page
        ("POST", {"origin": "http://evil.example"}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": "http://127.0.0.1:9999"}, False),
        ("POST", {"origin": "http://127.0.0.1:8500"}, True),
        ("POST", {}, True),  # no browser
    ],
)
def test_only_programs_of_this_machine_and_its_own_pages_may_ask(door, method, headers, passes) -> None:
    path = "2.0/mlflow/things/get" if method == "GET" else "2.0/mlflow/things/writing"
    answer = door.ask(method, path, headers=headers)
    assert answer.status == (200 if passes else 403)
    if not passes:
        assert answer.json["error_code"] == "PERMISSION_DENIED"


def test_streams_answer_for_themselves(door, caplog) -> None:
    path = "2.0/mlflow-artifacts/artifacts"
    assert door.ask("GET", path).body == b"GET "
    assert door.ask("GET", f"{path}/own").headers["content-security-policy"] == "sandbox"
    marked = door.ask("POST", "/v1/traces").headers
    assert "default-src 'none'" in marked["content-security-policy"]
    assert door.ask("GET", f"{path}/fails").json["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(OSError, match="went away"):  # the server below cuts the connection
        door.ask("GET", f"{path}/breaks")
    assert door.ask("GET", "2.0/mlflow-artifacts/artifactsold").status == 404


def test_what_is_not_of_the_protocol_is_passed_on(serve_calls) -> None:
    async def pages(scope, receive, send):
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    door = serve_calls(calls=CALLS, streams=STREAMS, forward=pages)
    for path in ("/", "/api/loop", "/static/a.css", "/runs"):
        assert door.ask("GET", path).body == path.encode()
    assert door.ask("GET", "/health").body == b"OK"
    assert door.ask("GET", "2.0/mlflow/nothing").status == 404
    assert door.ask("GET", "/api/loop", headers={"host": "evil.example"}).status == 403


floats = st.floats() | st.none() | st.text(max_size=5) | st.integers(-(2**63), 2**63 - 1)


@given(st.recursive(floats, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)))
def test_every_answer_is_json_and_keeps_its_numbers(value) -> None:
    def check(before, after):
        if isinstance(before, float) and not math.isfinite(before):
            assert isinstance(after, str)
            assert str(float(after)) == str(before)
        elif isinstance(before, dict):
            assert before.keys() == after.keys()
            for name in before:
                check(before[name], after[name])
        elif isinstance(before, list):
            assert len(before) == len(after)
            for one, other in zip(before, after, strict=True):
                check(one, other)
        else:
            assert before == after

    check(value, json.loads(encode(value)))


def test_bytes_are_json_already() -> None:
    assert encode(b'{"a":NaN}') == b'{"a":NaN}'
