"""Can one request be followed?"""

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it."""
    found = signs(
        repository,
        packages=(
            "opentelemetry.trace",
            "opentelemetry.instrumentation",
            "opentelemetry.sdk.trace",
            "ddtrace",
            "jaeger_client",
            "sentry_sdk",
            "elasticapm",
            "aws_xray_sdk",
            "newrelic",
            "logfire",
        ),
        calls=("opentelemetry.trace.get_tracer", "*.start_as_current_span"),
        objects=("Instrumentation",),
    )
    return shown(found, "requests are traced", "no tracing library is used by the service")


PROBE = Probe(
    id="monitoring.traces",
    title="requests can be followed across services",
    why="A slow answer has five suspects, and a trace names one of them.",
    remedy="add opentelemetry-instrument to the start command",
    look=look,
    when=When.SERVES,
    severity=Severity.INFO,
    effort=Effort.HOURS,
    elsewhere=True,
    source="OpenTelemetry specification",
)
