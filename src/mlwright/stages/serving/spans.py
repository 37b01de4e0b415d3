"""An endpoint's core that tells of each batch: what stands between a batcher and the core while tracing is on."""

from collections.abc import Callable, Sequence
from time import monotonic

from mlwright.errors import MlwrightError
from mlwright.model.settings import EndpointSettings
from mlwright.ports.spans import BatchSpan, Scoring, Spans
from mlwright.stages.serving.asks import Ask, Outcome
from mlwright.stages.serving.batching import Scores
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.counters import Counters
from mlwright.stages.serving.curve import Curve


def told(core: EndpointCore, spans: Spans | None) -> Scores:
    """What a batcher asks: the core itself where nobody is told of its batches."""
    return core if spans is None else TracedCore(core, spans)


class TracedCore:
    """Fills ``Scores`` of the batcher with a core. Without tracing the batcher has the core itself."""

    def __init__(self, core: EndpointCore, spans: Spans, clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            core: what scores; it tells this one of each variant from now on.
            spans: where batches are told of.
            clock: seconds.
        """
        self.spec: EndpointSettings = core.spec
        self.counters: Counters = core.counters
        self.degraded: Callable[[Ask, MlwrightError], Outcome] = core.degraded
        self._core, self._batch, self._clock = core, spans.batch, clock
        self._scorings: list[Scoring] = []
        core.heard = self._scorings.append

    @property
    def curve(self) -> Curve | None:
        """Of the core."""
        return self._core.curve

    def answer(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Have the core answer, and tell how long it took."""
        clock, name = self._clock, self.spec.name
        started = clock()
        outcomes = self._core.answer(asks)
        rows = sum([ask.rows for ask in asks])
        self._batch(BatchSpan(name, [ask.id for ask in asks], rows, started, clock(), tuple(self._scorings)))
        self._scorings.clear()
        return outcomes
