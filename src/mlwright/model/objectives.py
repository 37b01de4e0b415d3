"""Which promises an endpoint makes: its settings as objectives."""

from datetime import timedelta

from mlwright.model.ids import EndpointName
from mlwright.model.metrics import higher_is_better
from mlwright.model.settings import EndpointSettings
from mlwright.model.slos import FRESHNESS_TARGET, LATENCY_TARGET, QUALITY_TARGET, Objective, ObjectiveKind


def objectives_of(endpoint: EndpointSettings) -> tuple[Objective, ...]:
    """The promises of an endpoint, from its settings."""
    slo, name = endpoint.slo, EndpointName(endpoint.name)
    limit_s = slo.latency_p99.total_seconds()
    days = _shown(slo.window)
    made = [
        Objective(
            endpoint=name,
            kind=ObjectiveKind.LATENCY,
            target=LATENCY_TARGET,
            window=slo.window,
            limit=limit_s,
            unit="s",
            promise=f"{LATENCY_TARGET:.0%} of answers within {limit_s * 1000:g} ms over {days}",
        ),
        Objective(
            endpoint=name,
            kind=ObjectiveKind.AVAILABILITY,
            target=slo.availability,
            window=slo.window,
            promise=f"{_percent(slo.availability)} of requests answered over {days}",
        ),
    ]
    if slo.throughput is not None:
        made.append(
            Objective(
                endpoint=name,
                kind=ObjectiveKind.THROUGHPUT,
                target=slo.availability,
                window=slo.window,
                limit=slo.throughput,
                unit="requests/s",
                promise=f"{_percent(slo.availability)} of up to {slo.throughput:g} requests a second taken"
                f" over {days}",
            )
        )
    if slo.freshness is not None:
        made.append(
            Objective(
                endpoint=name,
                kind=ObjectiveKind.FRESHNESS,
                target=FRESHNESS_TARGET,
                window=slo.window,
                limit=slo.freshness.total_seconds(),
                unit="s",
                promise=f"features no older than {_shown(slo.freshness)} in {FRESHNESS_TARGET:.0%} of minutes"
                f" over {days}",
            )
        )
    return tuple(made) + _quality(endpoint)


def _quality(endpoint: EndpointSettings) -> tuple[Objective, ...]:
    slo = endpoint.slo
    if slo.quality is None or endpoint.label is None:
        return ()
    metric = endpoint.monitor.metric
    side = "no lower" if higher_is_better(metric) else "no higher"
    return (
        Objective(
            endpoint=EndpointName(endpoint.name),
            kind=ObjectiveKind.QUALITY,
            target=QUALITY_TARGET,
            window=slo.window,
            limit=slo.quality,
            unit=metric,
            promise=f"{metric} {side} than {slo.quality:g} on {QUALITY_TARGET:.0%} of matured days"
            f" over {_shown(slo.window)}",
        ),
    )


def _percent(share: float) -> str:
    return f"{share * 100:.6g} %"


def _shown(span: timedelta) -> str:
    seconds = span.total_seconds()
    for name, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            number = f"{seconds / length:.3g}"
            return f"{number} {name}" if (number, name) != ("1", "days") else "1 day"
    return f"{seconds:.3g} s"
