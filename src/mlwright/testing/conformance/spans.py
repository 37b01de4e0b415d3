"""The exam of :class:`mlwright.ports.spans.Spans`.

::

    class TestMySpans(SpansConformance):
        @pytest.fixture
        def spans(self) -> Spans: ...

        @pytest.fixture
        def arrived(self) -> Arrived: ...   # () -> (ids of requests, requests a batch) at the other end, sorted
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mlwright.ports.spans import BatchSpan, RequestSpan, Scoring, Spans
from mlwright.testing.conformance.gaps import Conformance

Arrived: TypeAlias = Callable[[], tuple[Sequence[str], Sequence[int]]]


def request(id: str) -> RequestSpan:
    """A request that was answered a moment ago."""
    now = time.monotonic()
    return RequestSpan(
        endpoint="delay",
        call="/v2/models/{model}/infer",
        path="/v2/models/delay/infer",
        client="127.0.0.1",
        trace="",
        state="",
        agent="",
        server="127.0.0.1:8501",
        received=now - 0.010,
        ended=now,
        status=200,
        error="",
        id=id,
        rows=1,
        versions=("delay/1",),
        degraded="",
    )


def batch(*ids: str) -> BatchSpan:
    """A batch of requests, scored a moment ago."""
    now = time.monotonic()
    scorings = (Scoring("champion", "delay/1", 0.001, ""), Scoring("challenger", "delay/2", 0.001, "no"))
    return BatchSpan("delay", ids, len(ids), now - 0.005, now - 0.001, scorings)


class SpansConformance(Conformance):
    """What everything that takes spans promises. Subclasses supply ``spans`` and ``arrived``."""

    def test_what_was_told_arrives(self, spans: Spans, arrived: Arrived) -> None:
        """Requests and the batch that held them, at the end at the latest."""
        spans.batch(batch("a", "b"))
        spans.request(request("a"))
        spans.request(request("b"))
        spans.request(request("alone"))
        spans.close(10.0)
        assert arrived() == (["a", "alone", "b"], [2])

    def test_from_many_threads(self, spans: Spans, arrived: Arrived) -> None:
        """Each request once."""

        def tell(thread: int) -> None:
            for number in range(50):
                spans.request(request(f"{thread}-{number:02}"))

        threads = [threading.Thread(target=tell, args=(each,)) for each in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        spans.close(10.0)
        assert arrived() == ([f"{thread}-{number:02}" for thread in range(4) for number in range(50)], [])

    def test_nothing_is_taken_after_the_end(self, spans: Spans, arrived: Arrived) -> None:
        """It neither raises nor sends."""
        spans.close(10.0)
        spans.request(request("late"))
        spans.batch(batch("late"))
        spans.close(10.0)
        assert arrived() == ([], [])
