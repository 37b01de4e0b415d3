"""When traces are on."""

import logging
import sys

import pytest

from mlwright.adapters.otel.opening import asked_for, open_spans
from mlwright.errors import MissingExtra
from mlwright.wiring.inference import open_tracing

WHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "churn"}, False),
        (WHERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({**WHERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({**WHERE, "OTEL_SDK_DISABLED": "false"}, True),
        ({**WHERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**WHERE, "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_the_standard_variables_decide(environment, on) -> None:
    assert asked_for(environment) is on


def test_nothing_is_loaded_where_nobody_asks(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert open_spans({}) is None


def test_the_missing_extra_is_said_and_requests_are_served_without(monkeypatch, caplog) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtra, match="tracing"):
        open_spans(WHERE)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    with caplog.at_level(logging.WARNING, "mlwright.serving"):
        assert open_tracing() is None
    assert "pip install 'mlwright[otel]'" in caplog.text


def test_a_protocol_that_is_not_spoken_is_said(caplog) -> None:
    assert open_spans({**WHERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None
    assert "http/protobuf" in caplog.text
