"""When labels arrive: how many, how late, and whether that is as before."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Task
from mlwright.stages.monitoring.diagnosis.standing import distance

_FEWEST: Final = 50
Note = tuple[str, dict[str, float]]
"""Words and their numbers."""


def rate(case: Case) -> Iterator[Note]:
    """Labels of another share of the rows."""
    before, now = (float(np.isfinite(side.label).mean()) for side in (case.reference, case.current))
    error = np.sqrt(
        max(before * (1 - before), 1e-6) / len(case.reference)
        + max(now * (1 - now), 1e-6) / len(case.current)
    )
    if abs(now - before) > max(0.05, 4 * error):
        yield (
            f"{now:.0%} of the rows have a label, before {before:.0%}",
            {"labelled share before": before, "labelled share now": now},
        )


def delay(case: Case) -> Iterator[Note]:
    """Labels that take another time, all or those of a class."""
    for words, (first, second), moved in delays(case):
        if moved:
            yield (
                f"labels{words} take {second:.3g} hours (median), before {first:.3g}",
                {f"label delay{words} before (h)": first, f"label delay{words} now (h)": second},
            )
            return


def delays(case: Case) -> Iterator[tuple[str, tuple[float, float], bool]]:
    """How long labels took, before and now: median hours, and whether they moved; of all, then of each class."""
    sides = (case.reference, case.current)
    known = [None if side.label_at is None else side.label[(side.label_at >= 0) & np.isfinite(side.label)]
             for side in sides]  # fmt: skip
    took = [side.delays() for side in sides]
    parts: list[tuple[str, list[Floats]]] = [("", took)]
    if case.task is Task.BINARY and known[0] is not None and known[1] is not None:
        for value in (0, 1):
            own = [each[label == value] for each, label in zip(took, known, strict=True) if label is not None]
            parts.append((f" of class {value}", own))
    for words, (before, now) in parts:
        if min(len(before), len(now)) < _FEWEST:
            continue
        middle = (float(np.median(before)) / 3.6e9, float(np.median(now)) / 3.6e9)
        yield words, middle, distance(np.sort(before), now) > 0.25


def early(case: Case) -> Iterator[Note]:
    """Labels that were known before the row was: a join at the wrong instant."""
    delays = case.current.delays()
    if len(delays) >= _FEWEST and float((delays < 0).mean()) > 0.01:
        yield f"{(delays < 0).mean():.0%} of the labels are older than the row they belong to", {}
