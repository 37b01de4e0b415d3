"""Fewer points of a history: a page of it, evenly spread ones, or those that a chart needs."""

import numpy as np

from mlwright.model.tracking import History


def by_instant(history: History) -> History:
    """The points by instant, then step, then value, which is how MLflow answers them. NaN sorts as 0, as there."""
    return _ordered(history, history.at_ms, history.steps)


def between(history: History, first: int, last: int) -> History:
    """The points from one step to another, both included."""
    low, high = np.searchsorted(history.steps, first, "left"), np.searchsorted(history.steps, last, "right")
    return _taken(history, slice(int(low), int(high)))


def within(history: History, first: int, last: int) -> History:
    """The points from one instant to another, both included; the history must be by instant."""
    low, high = np.searchsorted(history.at_ms, first, "left"), np.searchsorted(history.at_ms, last, "right")
    return _taken(history, slice(int(low), int(high)))


def cut(history: History, start: int, stop: int) -> History:
    """The points from one place in the order up to another."""
    return _taken(history, slice(start, stop))


def evenly(history: History, most: int) -> History:
    """At most so many points, evenly spread, the last one among them.

    The same that MLflow takes for its charts (``SqlAlchemyStore.get_metric_history_bulk_interval``): the first of
    each of ``most`` parts of nearly equal length, larger parts first, and the last point in place of the last of them.
    """
    history = _ordered(history, history.steps, history.at_ms)
    count = len(history.steps)
    if count <= most:
        return history
    part, larger = divmod(count, most)
    places = np.arange(most)
    chosen = places * part + np.minimum(places, larger)
    chosen[-1] = count - 1
    return _taken(history, chosen)


def with_extremes(history: History, most: int) -> History:
    """At most so many points that draw the same line: no peak is lost.

    M4 (Jugel, Jerzak, Hackenbroich, Markl: "M4: a visualization-oriented time series data aggregation", PVLDB 7(10),
    2014): of each of ``most / 4`` parts the first, the last, the lowest and the highest point. The parts hold the same
    number of points, not the same span of steps, so that a stretch that was logged densely keeps its detail. A NaN is
    never the lowest or the highest.

    Args:
        history: a history by step.
        most: at least 4.
    """
    count, parts = len(history.steps), max(most // 4, 1)
    if count <= most:
        return history
    size = -(-count // parts)
    starts = np.arange(0, count, size)
    ends = np.minimum(starts + size, count) - 1
    padded = np.full(len(starts) * size, np.nan)
    padded[:count] = history.values
    table = padded.reshape(len(starts), size)
    lowest = starts + np.where(np.isnan(table), np.inf, table).argmin(axis=1)
    highest = starts + np.where(np.isnan(table), -np.inf, table).argmax(axis=1)
    return _taken(history, np.unique(np.concatenate([starts, ends, lowest, highest])))


def _ordered(history: History, first: np.ndarray, second: np.ndarray) -> History:
    later, same = first[1:] > first[:-1], first[1:] == first[:-1]
    if (later | (same & (second[1:] > second[:-1]))).all():
        return history
    empty = np.isnan(history.values)
    return _taken(history, np.lexsort((empty, np.where(empty, 0.0, history.values), second, first)))


def _taken(history: History, chosen: np.ndarray | slice) -> History:
    return History(
        key=history.key,
        steps=history.steps[chosen],
        at_ms=history.at_ms[chosen],
        values=history.values[chosen],
    )
