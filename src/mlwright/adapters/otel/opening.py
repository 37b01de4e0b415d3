"""From the standard environment variables of OpenTelemetry to where spans and metrics go."""

import logging
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from mlwright.errors import MissingExtra
from mlwright.ports.spans import Spans

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from mlwright.adapters.otel.metrics import OtelMetrics

Signal = Literal["TRACES", "METRICS"]

_SPOKEN: Final = "http/protobuf"
_EVERY_MS: Final = 60_000.0
_MOST_AT_ONCE: Final = 128
"""Spans that are encoded in one go while nothing else runs in the process; the SDK's 512 are 15 ms."""

_log: Final = logging.getLogger("mlwright.serving")


def asked_for(environment: Mapping[str, str], signal: Signal = "TRACES") -> bool:
    """Whether the variables ask for traces, or for metrics: the address of a receiver is set, and nothing says no."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get(f"OTEL_{signal}_EXPORTER", "otlp").strip() not in ("otlp", ""):
        return False
    names = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return any(environment.get(name, "").strip() for name in names)


def open_spans(environment: Mapping[str, str]) -> Spans | None:
    """Where spans go; None where nobody asks for traces, or by a protocol that is not spoken (which is said).

    Sampling, batching, headers and the service's name are those of the SDK's own variables.

    Raises:
        MissingExtra: they are asked for, and the SDK is not installed.
    """
    if not asked_for(environment) or not _spoken(environment, "TRACES"):
        return None
    try:
        # 0.3 s, and an extra that most projects do without
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra.needed("tracing, which OTEL_EXPORTER_OTLP_ENDPOINT asks for,", "otel") from error
    from mlwright.adapters.otel.spans import OtelSpans

    provider = TracerProvider(resource=_resource(environment), shutdown_on_exit=False)
    size = None if "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in environment else _MOST_AT_ONCE
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=size))
    return OtelSpans(provider)


def open_metrics(environment: Mapping[str, str]) -> "OtelMetrics | None":
    """Where metrics go; None where nobody asks for them, or by a protocol that is not spoken (which is said).

    They go every ``OTEL_METRIC_EXPORT_INTERVAL`` ms. Address, headers, compression, certificates, timeout and the
    service's name are those of the SDK's own variables. Sums are cumulative whatever is preferred.

    Raises:
        MissingExtra: they are asked for, and the SDK is not installed.
    """
    if not asked_for(environment, "METRICS") or not _spoken(environment, "METRICS"):
        return None
    preferred = environment.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
    if preferred not in ("", "cumulative"):
        _log.warning("metrics are sent as cumulative sums, not as %s", preferred)
    try:
        # 0.3 s, and an extra that most projects do without
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        from mlwright.adapters.otel.metrics import OtelMetrics
    except ImportError as error:
        raise MissingExtra.needed("metrics, which OTEL_EXPORTER_OTLP_ENDPOINT asks for,", "otel") from error
    every_s = _every_ms(environment) / 1e3
    return OtelMetrics(OTLPMetricExporter(), _resource(environment), every_s=every_s)


def _spoken(environment: Mapping[str, str], signal: Signal) -> bool:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((found for name in names if (found := environment.get(name, "").strip())), _SPOKEN)
    if protocol != _SPOKEN:
        _log.warning(
            "no %s are sent: OTLP is spoken as %s here, not as %s", signal.lower(), _SPOKEN, protocol
        )
    return protocol == _SPOKEN


def _every_ms(environment: Mapping[str, str]) -> float:
    said = environment.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
    try:
        every = float(said or _EVERY_MS)
    except ValueError:
        every = 0.0
    if 0.0 < every < inf:
        return every
    _log.warning("OTEL_METRIC_EXPORT_INTERVAL is %r, not a number of ms: metrics go every minute", said)
    return _EVERY_MS


def _resource(environment: Mapping[str, str]) -> "Resource":
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    named = environment.get("OTEL_SERVICE_NAME") or "service.name" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create({} if named else {SERVICE_NAME: "mlwright"})
