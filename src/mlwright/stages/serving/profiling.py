"""Measuring models in this process: alone, against one another, and behind the core of an endpoint."""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter, process_time
from typing import Final

import numpy as np

from mlwright.errors import ModelError
from mlwright.model.batches import Batch
from mlwright.model.conversions import Pace
from mlwright.model.profiles import Samples
from mlwright.ports.runtimes import LoadedModel
from mlwright.stages.serving.asks import Answer, Ask
from mlwright.stages.serving.core import EndpointCore
from mlwright.stages.serving.profile import kept

_FEWEST: Final = 5
_MOST: Final = 20_000
_ROUNDS: Final = 9
_CALLS: Final = 200
"""The most calls of one model before the other has its turn."""


def race(
    before: LoadedModel,
    after: LoadedModel,
    rows: Batch,
    sizes: Sequence[int] = (1, 8, 64),
    *,
    seconds: float = 3.0,
    clock: Callable[[], float] = perf_counter,
) -> tuple[Pace, ...]:
    """How long both take for so many rows, in turns, so that what else this machine does happens to both.

    Args:
        before, after: the models.
        rows: real ones; they are repeated where there are too few.
        sizes: batch sizes.
        seconds: for all of it, about.
        clock: seconds, of any origin.

    Returns:
        For each size the median over rounds of the median call of a round.
    """
    paces = []
    for size in sizes:
        batch = taken(rows, size)
        spent = []
        for model in (before, after):
            started = clock()
            model.infer(batch)  # the first is always slower
            model.infer(batch)
            spent.append(max(1e-7, (clock() - started) / 2))
        turn = seconds / len(sizes) / _ROUNDS / 2
        calls = [max(1, min(_CALLS, int(turn / each))) for each in spent]
        found: tuple[list[float], list[float]] = ([], [])
        for _ in range(_ROUNDS):
            for model, count, into in zip((before, after), calls, found, strict=True):
                into.append(median(_timed(model, batch, count, clock)))
        paces.append(Pace(rows=size, before_s=median(found[0]), after_s=median(found[1])))
    return tuple(paces)


def bare_samples(
    model: LoadedModel, rows: Batch, sizes: Sequence[int], *, seconds: float
) -> tuple[Samples, ...]:
    """Service times of a model alone."""
    found = []
    for size in sizes:
        batches = [taken(rows, size, first) for first in range(0, min(rows.rows, 8 * size), size)]
        found.append(_sampled(size, [_inferring(model, each) for each in batches], seconds / len(sizes)))
    return tuple(found)


def core_samples(
    core: EndpointCore, asks: Sequence[Ask], sizes: Sequence[int], *, seconds: float
) -> tuple[Samples, ...]:
    """Service times through the core of an endpoint: so many requests of one row, answered together.

    Raises:
        ModelError: a request is not answered.
    """
    found = []
    for size in sizes:
        batches = [
            [asks[(first + at) % len(asks)] for at in range(size)]
            for first in range(0, min(len(asks), 8 * size), size)
        ]
        for outcome in core.answer(batches[0]):
            if not isinstance(outcome, Answer):
                raise ModelError(
                    "the endpoint does not answer what it is measured with",
                    why=outcome.what,
                    faults=outcome.faults,
                ) from outcome
        found.append(_sampled(size, [_answering(core, each) for each in batches], seconds / len(sizes)))
    return tuple(found)


def taken(rows: Batch, size: int, first: int = 0) -> Batch:
    """So many rows from one on, over again from the start where there are too few."""
    places = [(first + at) % rows.rows for at in range(size)]
    return rows.taken(np.array(places, dtype=np.intp))


def _sampled(size: int, calls: Sequence[Callable[[], object]], seconds: float) -> Samples:
    for call in calls[:2]:
        call()
    times: list[float] = []
    end = perf_counter() + seconds
    cpu = process_time()
    while len(times) < _MOST:
        before = perf_counter()
        calls[len(times) % len(calls)]()
        now = perf_counter()
        times.append(now - before)
        if now > end and len(times) >= _FEWEST:
            break
    return kept(size, times, (process_time() - cpu) / len(times))


def _timed(model: LoadedModel, batch: Batch, count: int, clock: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(count):
        before = clock()
        model.infer(batch)
        times.append(clock() - before)
    return times


def _inferring(model: LoadedModel, batch: Batch) -> Callable[[], object]:
    return lambda: model.infer(batch)


def _answering(core: EndpointCore, asks: Sequence[Ask]) -> Callable[[], object]:
    return lambda: core.answer(asks)
