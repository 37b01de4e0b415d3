"""Traces over the wire: messages of the protocol as its clients send and expect them, and OTLP in all its forms."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwright.doors.http.mlflow import otlp
from mlwright.doors.http.mlflow.trace_wire import (
    any_value,
    read_duration,
    read_instant,
    write_duration,
    write_instant,
)
from mlwright.errors import BadRequest

ID = "tr-" + "ab" * 16
TRACES = "3.0/mlflow/traces"
OLD = "2.0/mlflow/traces"
INFO = {
    "trace_id": ID,
    "client_request_id": "c-1",
    "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
    "request_time": "2026-11-23T08:36:30.531Z",
    "execution_duration": "0.299s",
    "state": "OK",
    "trace_metadata": {"mlflow.trace.session": "s"},
    "tags": {"mlflow.traceName": "agent"},
    "request_preview": "{}",
}
ATTRIBUTES = [
    {"key": "mlflow.spanType", "value": {"stringValue": "LLM"}},
    {"key": "n", "value": {"intValue": "12345678901234567"}},
    {"key": "x", "value": {"arrayValue": {"values": [{"doubleValue": 0.5}, {}, {"boolValue": True}]}}},
    {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "ü"}}]}}},
    {"key": "none", "value": {"kvlistValue": {}}},
]
SPAN = {
    "traceId": "ab" * 16,
    "spanId": "01" * 8,
    "parentSpanId": "02" * 8,
    "name": "call",
    "startTimeUnixNano": "1795422990531776174",
    "endTimeUnixNano": "1795422990831177089",
    "attributes": ATTRIBUTES,
    "events": [
        {"name": "e", "timeUnixNano": "7", "attributes": [{"key": "k", "value": {"stringValue": "v"}}]}
    ],
    "links": [{"traceId": "cd" * 16, "spanId": "03" * 8}],
    "status": {"code": 2, "message": "boom"},
}
OTLP = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "shop"}},
                    {"key": "telemetry.sdk.name", "value": {"stringValue": "otel"}},
                    {"key": "mlflow.trace.spansLocation", "value": {"stringValue": "elsewhere"}},
                ]
            },
            "scopeSpans": [{"spans": [SPAN]}],
        }
    ]
}


def as_json(asked=OTLP) -> bytes:
    return json.dumps(asked).encode()


def as_protobuf() -> bytes:
    """The same in protocol buffers, by their own reader of JSON, which takes ids in base64."""
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    from google.protobuf.json_format import Parse

    text = json.dumps(OTLP)
    for digits, coded in (
        ("ab" * 16, "q6urq6urq6urq6urq6urqw=="),
        ("cd" * 16, "zc3Nzc3Nzc3Nzc3Nzc3NzQ=="),
        ("01" * 8, "AQEBAQEBAQE="),
        ("02" * 8, "AgICAgICAgI="),
        ("03" * 8, "AwMDAwMDAwM="),
    ):
        text = text.replace(digits, coded)
    return Parse(text, service.ExportTraceServiceRequest()).SerializeToString()


def send(mlflow, body, kind="application/x-protobuf", **headers):
    given = {"content-type": kind, "x-mlflow-experiment-id": "0", **headers}
    return mlflow.ask("POST", "/v1/traces", body=body, headers=given)


def test_a_report_comes_back_as_it_was_sent_with_what_the_server_adds(mlflow):
    answer = mlflow.ask("POST", TRACES, {"trace": {"trace_info": INFO}})
    expected = {
        **INFO,
        "tags": {**INFO["tags"], "mlflow.artifactLocation": f"mlflow-artifacts:/0/traces/{ID}/artifacts"},
        "trace_metadata": {**INFO["trace_metadata"], "mlflow.trace.infoFinalized": "true"},
    }
    assert answer.json == {"trace": {"trace_info": expected}}
    assert mlflow.ask("GET", f"{TRACES}/{ID}", query={"trace_id": ID}).json == answer.json
    assert mlflow.ask("POST", f"{TRACES}/batchGetInfos", {"trace_ids": [ID, "x"]}).json == {
        "trace_infos": [expected]
    }
    missing = mlflow.ask("GET", f"{TRACES}/tr-nope")
    assert (missing.status, missing.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_json_and_protocol_buffers_say_the_same(mlflow):
    assert otlp.read_protobuf(as_protobuf()) == otlp.read_json(as_json())
    answer = send(mlflow, as_protobuf())
    assert (answer.status, answer.headers["content-type"], answer.body) == (
        200,
        "application/x-protobuf",
        b"",
    )
    found = mlflow.ask("GET", f"{TRACES}/get", query={"trace_id": ID, "allow_partial": "True"}).json["trace"]
    assert found["trace_info"]["tags"]["service.name"] == "shop"
    assert found["trace_info"]["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert "telemetry.sdk.name" not in found["trace_info"]["tags"]
    assert found["trace_info"]["state"] == "IN_PROGRESS"
    (span,) = found["spans"]
    assert {each["key"]: each["value"] for each in span.pop("attributes")} == {
        "mlflow.spanType": {"string_value": "LLM"},
        "n": {"int_value": 12345678901234567},
        "x": {"array_value": {"values": [{"double_value": 0.5}, {}, {"bool_value": True}]}},
        "deep": {"kvlist_value": {"values": [{"key": "a", "value": {"string_value": "ü"}}]}},
        "none": {"kvlist_value": {"values": []}},
        "mlflow.traceRequestId": {"string_value": ID},
    }
    assert span == {
        "trace_id": "q6urq6urq6urq6urq6urqw==",
        "span_id": "AQEBAQEBAQE=",
        "parent_span_id": "AgICAgICAgI=",
        "name": "call",
        "start_time_unix_nano": 1795422990531776174,
        "end_time_unix_nano": 1795422990831177089,
        "events": [
            {"name": "e", "time_unix_nano": 7, "attributes": [{"key": "k", "value": {"string_value": "v"}}]}
        ],
        "links": [{"trace_id": "zc3Nzc3Nzc3Nzc3Nzc3NzQ==", "span_id": "AwMDAwMDAwM=", "attributes": []}],
        "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
    }


def test_the_file_of_a_trace_is_what_the_pages_read(mlflow):
    send(mlflow, as_json(), "application/json")
    answer = mlflow.ask("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", query={"request_id": ID})
    (span,) = answer.json["spans"]
    assert span["attributes"]["deep"] == '{"a": "ü"}'
    assert mlflow.ask("GET", "/ajax-api/3.0/mlflow/get-trace-artifact").status == 400
    beside = {"request_id": ID, "path": "a.txt"}
    assert mlflow.ask("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", query=beside).status == 404
    mlflow.ask("PUT", f"2.0/mlflow-artifacts/artifacts/0/traces/{ID}/artifacts/attachments/a.txt", body=b"hi")
    assert mlflow.ask("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", query=beside).body == b"hi"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
    ],
)
def test_a_compressed_body_is_read(mlflow, encoding, pack):
    answer = send(
        mlflow, pack(as_json()), "application/json; charset=utf-8", **{"content-encoding": encoding}
    )
    assert (answer.status, answer.json) == (200, {})
    assert mlflow.ask("GET", f"{TRACES}/{ID}").status == 200


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(mlflow, monkeypatch):
    monkeypatch.setattr(otlp, "_LIMIT", 1 << 16)
    packed = gzip.compress(b" " * (1 << 20))
    answer = send(mlflow, packed, "application/json", **{"content-encoding": "gzip"})
    assert answer.status == 400
    assert "more than" in answer.json["message"]


def test_a_run_named_beside_the_spans_has_the_trace(mlflow, tracking):
    run = tracking.runs.create("0").id
    whole = json.loads(as_json())
    del whole["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["parentSpanId"]
    send(mlflow, as_json(whole), "application/json", **{"x-mlflow-run-id": run})
    where = [{"mlflow_experiment": {"experiment_id": "0"}}]
    found = mlflow.ask("POST", f"{TRACES}/search", {"locations": where, "filter": f"run_id = '{run}'"})
    assert [each["trace_id"] for each in found.json["traces"]] == [ID]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xff", "application/x-protobuf"),
        (b"", "application/x-protobuf"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"resourceSpans": []}', "application/json"),
        (
            b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "ab", "spanId": "cd"}]}]}]}',
            "application/json",
        ),
        (as_json().replace(b"1795422990531776174", b"99999999999999999999"), "application/json"),
        (as_json(), "text/plain"),
    ],
)
def test_what_is_no_request_of_opentelemetry_is_refused(mlflow, body, kind):
    pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    answer = send(mlflow, body, kind)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_without_an_experiment_or_with_an_unknown_one_nothing_is_kept(mlflow):
    assert send(mlflow, as_json(), "application/json", **{"x-mlflow-experiment-id": "99"}).status == 404
    answer = mlflow.ask("POST", "/v1/traces", body=as_json(), headers={"content-type": "application/json"})
    assert answer.status == 400
    assert mlflow.ask("GET", f"{TRACES}/{ID}").status == 404


def test_where_the_reader_is_missing_the_client_is_told_so_in_its_own_words(mlflow, monkeypatch):
    monkeypatch.setattr(otlp, "_MODULE", "opentelemetry_of_nobody")
    answer = send(mlflow, b"x")
    assert answer.status == 501
    assert "REST OTLP span logging is not supported" in answer.json["message"]


def test_search_pages_and_both_generations(mlflow):
    for number in range(3):
        info = {**INFO, "trace_id": f"tr-{number:032x}", "request_time": f"2026-01-01T00:00:0{number}Z"}
        mlflow.ask("POST", TRACES, {"trace": {"trace_info": info}})
    where = {"locations": [{"mlflow_experiment": {"experiment_id": "0"}}], "max_results": 2}
    first = mlflow.ask("POST", f"{TRACES}/search", where).json
    second = mlflow.ask("POST", f"{TRACES}/search", {**where, "page_token": first["next_page_token"]}).json
    assert [each["trace_id"][-1] for each in first["traces"] + second["traces"]] == ["2", "1", "0"]
    assert "next_page_token" not in second
    old = mlflow.ask(
        "GET", OLD, query={"experiment_ids": ["0"], "order_by": ["timestamp ASC"], "max_results": "1"}
    )
    assert [each["timestamp_ms"] for each in old.json["traces"]] == [1767225600000]
    assert mlflow.ask("POST", f"{TRACES}/search", {**where, "max_results": 501}).status == 400
    assert mlflow.ask("POST", f"{TRACES}/search", {"locations": [], "filter": ""}).json == {}
    bad = mlflow.ask("POST", f"{TRACES}/search", {**where, "filter": "bogus.x = 'a'"})
    assert (bad.status, bad.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_an_older_client_starts_ends_and_finds_a_trace(mlflow):
    start = {"experiment_id": "0", "timestamp_ms": "100", "tags": [{"key": "a", "value": "b"}]}
    begun = mlflow.ask("POST", OLD, start).json["trace_info"]
    assert begun["status"] == "IN_PROGRESS"
    end = {"timestamp_ms": 350, "status": "OK", "request_metadata": [{"key": "m", "value": "n"}]}
    ended = mlflow.ask("PATCH", f"{OLD}/{begun['request_id']}", end).json["trace_info"]
    assert (ended["status"], ended["execution_time_ms"]) == ("OK", 250)
    assert {"key": "m", "value": "n"} in ended["request_metadata"]
    assert {"key": "a", "value": "b"} in ended["tags"]
    assert mlflow.ask("GET", f"{OLD}/{begun['request_id']}/info").json == {"trace_info": ended}


def test_tags_links_and_deletion_in_both_generations(mlflow, tracking):
    mlflow.ask("POST", TRACES, {"trace": {"trace_info": INFO}})
    for base in (OLD, TRACES):
        assert mlflow.ask("PATCH", f"{base}/{ID}/tags", {"key": "k", "value": "v"}).json == {}
        assert mlflow.ask("DELETE", f"{base}/{ID}/tags", {"key": "k"}).json == {}
    assert mlflow.ask("DELETE", f"{TRACES}/{ID}/tags", query={"key": "k"}).status == 404
    run = tracking.runs.create("0").id
    assert mlflow.ask("POST", f"{OLD}/link-to-run", {"trace_ids": [ID], "run_id": run}).json == {}
    prompts = {"trace_id": ID, "prompt_versions": [{"name": "p", "version": "1"}]}
    assert mlflow.ask("POST", f"{OLD}/link-prompts", prompts).json == {}
    deleted = mlflow.ask("POST", f"{OLD}/delete-traces", {"experiment_id": "0", "request_ids": [ID, "x"]})
    assert deleted.json == {"traces_deleted": 1}
    assert mlflow.ask("POST", f"{TRACES}/delete-traces", {"experiment_id": "0"}).status == 400
    assert mlflow.ask("POST", f"{TRACES}/metrics", {}).json["error_code"] == "NOT_IMPLEMENTED"


def test_assessments_are_made_changed_by_their_mask_and_deleted(mlflow):
    mlflow.ask("POST", TRACES, {"trace": {"trace_info": INFO}})
    path = f"{TRACES}/{ID}/assessments"
    sent = {
        "assessment_name": "quality",
        "trace_id": ID,
        "source": {"source_type": "HUMAN", "source_id": "me"},
        "create_time": "2026-11-23T08:36:31.185Z",
        "last_update_time": "2026-11-23T08:36:31.185Z",
        "feedback": {"value": 0.9},
        "rationale": "ok",
        "metadata": {"a": "b"},
        "valid": True,
    }
    made = mlflow.ask("POST", path, {"assessment": sent}).json["assessment"]
    id = made.pop("assessment_id")
    assert made == sent
    changes = {
        "feedback": {"error": {"error_code": "E"}},
        "rationale": "ignored",
        "assessment_name": "renamed",
    }
    update = {"assessment": changes, "update_mask": "assessmentName,feedback"}
    changed = mlflow.ask("PATCH", f"{path}/{id}", update).json["assessment"]
    assert changed["last_update_time"] == "2026-01-02T03:04:05Z"
    assert (changed["assessment_name"], changed["rationale"]) == ("renamed", "ok")
    assert changed["feedback"] == {"value": None, "error": {"error_code": "E"}}
    assert mlflow.ask("GET", f"{path}/{id}").json["assessment"] == changed
    assert mlflow.ask("PATCH", f"{path}/{id}", {**update, "update_mask": "source"}).status == 400
    expected = {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": '{"a":[1,2]}'}}
    other = mlflow.ask("POST", path, {"assessment": {"assessment_name": "e", "expectation": expected}})
    assert other.json["assessment"]["expectation"] == expected
    assert mlflow.ask("POST", path, {"assessment": {"assessment_name": "e"}}).status == 400
    assert mlflow.ask("DELETE", f"{path}/{id}", {}).json == {}
    assert mlflow.ask("GET", f"{path}/{id}").status == 404


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_an_instant_survives_being_written(at_ms):
    assert read_instant(write_instant(at_ms)) == at_ms


@given(st.integers(-(10**12), 10**12))
def test_a_duration_survives_being_written(length_ms):
    assert read_duration(write_duration(length_ms)) == length_ms


def test_instants_of_other_precision_and_zone_are_read():
    assert read_instant("2026-11-23T09:36:30.5317761+01:00") == read_instant("2026-11-23T08:36:30.531Z")
    for text in ("yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"):
        with pytest.raises(BadRequest):
            read_instant(text)
    with pytest.raises(BadRequest):
        read_duration("1 minute")


def test_values_without_a_place_become_text():
    assert any_value(2**70) == {"string_value": str(2**70)}
    assert any_value([float("nan"), float("-inf")]) == {
        "array_value": {"values": [{"double_value": "NaN"}, {"double_value": "-Infinity"}]}
    }
