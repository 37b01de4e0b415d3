"""Spans that are kept."""

from mlwright.ports.spans import BatchSpan, RequestSpan


class KeptSpans:
    """Keeps what was told in ``told``, in its order, until it is closed."""

    def __init__(self) -> None:
        self.told: list[RequestSpan | BatchSpan] = []
        self.closed = False

    @property
    def requests(self) -> list[RequestSpan]:
        """The requests alone."""
        return [each for each in self.told if isinstance(each, RequestSpan)]

    @property
    def batches(self) -> list[BatchSpan]:
        """The batches alone."""
        return [each for each in self.told if isinstance(each, BatchSpan)]

    def request(self, span: RequestSpan) -> None:
        """Keep it; see ``Spans.request``."""
        if not self.closed:
            self.told.append(span)

    def batch(self, span: BatchSpan) -> None:
        """Keep it; see ``Spans.batch``."""
        if not self.closed:
            self.told.append(span)

    def close(self, seconds: float) -> None:
        """Keep nothing more."""
        self.closed = True
