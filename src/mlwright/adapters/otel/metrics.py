"""What monitoring and serving know, sent by OpenTelemetry's protocol from time to time.

Counts are kept in files that all processes share and outlive each of them, and so nothing is counted here a second
time: what stands there is read and sent as it is, by the exporter of the SDK and not by its instruments, which take no
histogram that somebody else counted. All sums are cumulative. A receiver that is down loses nothing but the gauges of
that moment: the next message has all counts.
"""

import logging
import time
from collections.abc import Callable, Iterable
from itertools import accumulate
from threading import Event, Thread
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mlwright.adapters.otel.naming import attributes_of, instrument_of
from mlwright.model.metering import MeasuredMetric, MetricPoint

_log: Final = logging.getLogger("mlwright.metrics")

Look = Callable[[], Iterable[MeasuredMetric]]


class OtelMetrics:
    """Sends in a thread of its own; neither a slow receiver nor a missing one holds anybody up."""

    def __init__(self, exporter: MetricExporter, resource: Resource, *, every_s: float) -> None:
        """
        Args:
            exporter: sends; shut down with this.
            resource: what sends.
            every_s: the pause between two messages.
        """
        self._exporter, self._resource, self._every_s = exporter, resource, every_s
        self._scope = InstrumentationScope("mlwright")
        self._since = _Starts()
        self._ending = Event()
        self._said = ""
        self._thread: Thread | None = None

    def start(self, look: Look) -> None:
        """Begin to send what ``look`` returns; it is called in the thread, also once more at the end."""
        self._thread = Thread(target=self._run, args=(look,), name="otel-metrics", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Send what stands now, for at most so long, and nothing more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(seconds)
        self._exporter.shutdown()  # what is still trying gives up

    def _run(self, look: Look) -> None:
        self._send(look)
        while not self._ending.wait(self._every_s):
            self._send(look)
        self._send(look)

    def _send(self, look: Look) -> None:
        try:
            found = self._metrics(look(), time.time_ns())
            if found:
                scope = ScopeMetrics(scope=self._scope, metrics=found, schema_url="")
                held = ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")
                self._exporter.export(MetricsData(resource_metrics=[held]))  # says itself what goes wrong
            self._said = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
            if self._said != str(error):  # once, not every minute
                _log.exception("metrics could not be sent")
            self._said = str(error)

    def _metrics(self, found: Iterable[MeasuredMetric], now: int) -> list[Metric]:
        self._since.begin(now)
        made: list[Metric] = []
        for each in found:
            instrument = instrument_of(each)
            if instrument is not None and each.points:
                name, unit, kind = instrument
                data = self._data(each, kind, name, now)
                made.append(Metric(name=name, description=each.text, unit=unit, data=data))
        return made

    def _data(self, metric: MeasuredMetric, kind: str, name: str, now: int) -> Any:  # one of the SDK's kinds
        if kind == "histogram":
            return Histogram(
                data_points=[self._histogram(name, point, now) for point in metric.points],
                aggregation_temporality=AggregationTemporality.CUMULATIVE,
            )
        numbers = [
            NumberDataPoint(
                attributes=attributes_of(metric, point.labels),
                start_time_unix_nano=self._since.of(name, point, point.value) if kind == "counter" else now,
                time_unix_nano=now,
                value=int(point.value)
                if kind != "gauge" and float(point.value).is_integer()
                else point.value,
            )
            for point in metric.points
        ]
        if kind == "gauge":
            return Gauge(data_points=numbers)
        return Sum(
            data_points=numbers,
            aggregation_temporality=AggregationTemporality.CUMULATIVE,
            is_monotonic=kind == "counter",
        )

    def _histogram(self, name: str, point: MetricPoint, now: int) -> HistogramDataPoint:
        *_, count = accumulate(point.counts)
        unknown: Any = None  # the wire has them as optional, the SDK's type has not
        return HistogramDataPoint(
            attributes=dict(point.labels),
            start_time_unix_nano=self._since.of(name, point, count),
            time_unix_nano=now,
            count=count,
            sum=point.value,
            bucket_counts=point.counts,
            explicit_bounds=point.bounds,
            min=unknown,
            max=unknown,
        )


class _Starts:
    """Since when each sum counts.

    What was counted before the first look began at an unknown instant, which the protocol says by a first point without
    duration. What appears or is smaller at a later look began after the look before it.
    (https://opentelemetry.io/docs/specs/otel/metrics/data-model/, "Resets and gaps")
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[int, float]] = {}
        self._before = self._now = 0

    def begin(self, now: int) -> None:
        """Another look."""
        self._before, self._now = self._now or now, now

    def of(self, name: str, point: MetricPoint, value: float) -> int:
        """The instant in ns since 1970."""
        start, last = self._known.get((name, point.labels), (self._before, value))
        if value < last:
            start = self._before
        self._known[name, point.labels] = (start, value)
        return start
