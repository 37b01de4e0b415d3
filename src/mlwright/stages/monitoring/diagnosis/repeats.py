"""Whole rows: sent twice, or not at all for a while."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.diagnosis.repairs import ROWS, Fault, Rows

_HOUR: Final = 3_600_000_000
_AGAIN: Final = _HOUR
"""Longest time between a row and its repetition: who retries does so at once."""


def duplicates(case: Case) -> Fault | None:
    """Rows that repeat an earlier one in every feature, score, label and entity, at once or within the hour.

    The chance of equal rows grows with their number, so that the reference's share is scaled by it.
    """
    if len(case.reference) < 50 or len(case.current) < 50:
        return None
    found = None
    for within, words in ((0, "repeat another one"), (_AGAIN, "repeat another one of the same hour")):
        was, now = (_repeated(side, within) for side in (case.reference, case.current))
        expected = float(was.mean()) * max(1.0, len(now) / len(was))
        share = float(now.mean())
        if share < 0.02 + 5.0 * expected or (found is not None and share < 1.1 * found.rows):
            continue
        found = Fault(
            column=ROWS,
            mechanism="duplicates",
            text=f"{share:.1%} of rows {words}, was {float(was.mean()):.1%}",
            touched=now,
            dropped=True,
        )
    return found


def longest_gap(sample: Sample) -> float | None:
    """Hours between two consecutive rows at most; None without event times."""
    if sample.at is None or len(sample) < 2:
        return None
    return float(np.diff(np.sort(sample.at)).max()) / _HOUR


def _repeated(sample: Sample, within: int) -> Rows:
    """Rows that have an equal one not more than ``within`` µs before, or earlier in the table, shape (n,)."""
    plain = sample.features.select(pl.exclude(pl.List, pl.Array, pl.Struct, pl.Object))
    extra: dict[str, pl.Series | NDArray[np.float64] | NDArray[np.int64]] = {
        "__score": sample.score,
        "__label": sample.label,
    }
    if sample.cluster is not None:
        extra["__cluster"] = sample.cluster
    hashed = plain.with_columns(**{name: pl.Series(values) for name, values in extra.items()}).hash_rows(
        seed=0
    )
    at = np.zeros(len(sample), dtype=np.int64) if sample.at is None else sample.at
    told = hashed.to_numpy()
    order = np.lexsort((at, told))
    follows = (np.diff(told[order].astype(np.uint64)) == 0) & (np.diff(at[order]) <= within)
    repeated = np.zeros(len(sample), dtype=np.bool_)
    repeated[order[1:][follows]] = True
    return repeated
