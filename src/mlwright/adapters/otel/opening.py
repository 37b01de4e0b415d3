"""From the standard environment variables of OpenTelemetry to where spans go."""

import logging
from collections.abc import Mapping
from typing import Final

from mlwright.errors import MissingExtra
from mlwright.ports.spans import Spans

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Tracing is on where one of them is set."""
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_MOST_AT_ONCE: Final = 128
"""Spans that are encoded in one go while nothing else runs in the process; the SDK's 512 are 15 ms."""

_log: Final = logging.getLogger("mlwright.serving")


def asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() not in ("otlp", ""):
        return False
    return any(environment.get(name, "").strip() for name in ENDPOINTS)


def open_spans(environment: Mapping[str, str]) -> Spans | None:
    """Where spans go; None where nobody asks for traces, or by a protocol that is not spoken (which is said).

    Sampling, batching, headers and the service's name are those of the SDK's own variables.

    Raises:
        MissingExtra: they are asked for, and the SDK is not installed.
    """
    if not asked_for(environment):
        return None
    protocol = next((found for name in _PROTOCOLS if (found := environment.get(name, "").strip())), _SPOKEN)
    if protocol != _SPOKEN:
        _log.warning("no traces are sent: OTLP is spoken as %s here, not as %s", _SPOKEN, protocol)
        return None
    try:
        # 0.3 s, and an extra that most projects do without
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra.needed("tracing, which OTEL_EXPORTER_OTLP_ENDPOINT asks for,", "otel") from error
    from mlwright.adapters.otel.spans import OtelSpans

    named = environment.get("OTEL_SERVICE_NAME") or "service.name" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {SERVICE_NAME: "mlwright"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    size = None if "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in environment else _MOST_AT_ONCE
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=size))
    return OtelSpans(provider)
