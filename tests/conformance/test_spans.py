import pytest

from mlwright.testing.conformance.spans import Arrived, SpansConformance
from mlwright.testing.fakes.spans import KeptSpans


class TestKeptSpans(SpansConformance):
    @pytest.fixture
    def spans(self) -> KeptSpans:
        return KeptSpans()

    @pytest.fixture
    def arrived(self, spans: KeptSpans) -> Arrived:
        return lambda: (
            sorted(each.id for each in spans.requests),
            [len(each.ids) for each in spans.batches],
        )


class TestOtelSpans(SpansConformance):
    @pytest.fixture
    def exporter(self):
        pytest.importorskip("opentelemetry.sdk")
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        return InMemorySpanExporter()

    @pytest.fixture
    def spans(self, exporter):
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor

        from mlwright.adapters.otel.spans import OtelSpans

        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        made = OtelSpans(provider, every_s=0.01)
        yield made
        made.close(1.0)

    @pytest.fixture
    def arrived(self, exporter) -> Arrived:
        def read():
            found = [each.attributes for each in exporter.get_finished_spans()]
            ids = sorted(each["mlwright.request_id"] for each in found if "mlwright.request_id" in each)
            return ids, [each["mlwright.batch.requests"] for each in found if "http.route" not in each]

        return read
