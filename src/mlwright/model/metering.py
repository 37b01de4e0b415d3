"""Numbers of monitoring and serving as other tools take them: what Prometheus reads and OpenTelemetry is sent."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

MetricKind: TypeAlias = Literal["counter", "sum", "gauge", "histogram"]
"""``counter`` only grows; ``sum`` may shrink and adds up over its points (rows that wait); ``gauge`` does neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPoint:
    """One number of a metric, or one histogram.

    ``value`` is the sum of what was seen where it is a histogram; ``counts`` are then by bucket, one more than there
    are ``bounds`` (upper, inclusive, rising).
    """

    labels: tuple[tuple[str, str], ...]
    value: float
    counts: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMetric:
    """All points of a metric at one instant.

    ``name`` is Prometheus's without ``_total``. ``unit`` is UCUM's code: ``s``, ``By``, ``1`` for a share of a whole,
    and in braces what is counted.
    """

    name: str
    kind: MetricKind
    unit: str
    text: str
    points: tuple[MetricPoint, ...]
