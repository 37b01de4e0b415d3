"""Does the service count what it does?"""

from itertools import chain

from mlwright.engineer.facts.repository import Repository
from mlwright.engineer.probe import Answer, Probe, When
from mlwright.engineer.vocabulary.servers import counting
from mlwright.engineer.vocabulary.signs import shown, signs
from mlwright.model.contracts import Severity
from mlwright.model.findings import Effort


def look(repository: Repository) -> Answer:
    """Look for the signs of it, and for servers that count by themselves."""
    found = signs(
        repository,
        packages=(
            "prometheus_client",
            "prometheus_fastapi_instrumentator",
            "starlette_prometheus",
            "starlette_exporter",
            "prometheus_flask_exporter",
            "aioprometheus",
            "statsd",
            "datadog",
            "ddtrace",
            "opentelemetry.metrics",
            "opentelemetry.sdk.metrics",
            "aws_embedded_metrics",
            "aws_lambda_powertools.metrics",
            "newrelic",
        ),
        calls=("*.put_metric_data", "*.put_metric", "opentelemetry.metrics.get_meter"),
        objects=("ServiceMonitor", "PodMonitor"),
    )
    found = chain(found, counting(repository))
    return shown(found, "metrics are exported", "no metrics library is used by the service")


PROBE = Probe(
    id="monitoring.metrics",
    title="the service exports metrics",
    why="Without counters of requests, errors and latency an outage is reported by customers.",
    remedy="add prometheus-client (or prometheus-fastapi-instrumentator) and a /metrics route; mlwright up has one",
    look=look,
    when=When.SERVES,
    severity=Severity.ERROR,
    effort=Effort.HOURS,
    elsewhere=True,
    source="Google SRE Book, ch. 6: four golden signals",
)
