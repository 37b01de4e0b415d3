"""Whole rows: sent twice, or not at all for a while."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.diagnosis.repairs import ROWS, Fault, Rows

_HOUR: Final = 3_600_000_000


def duplicates(case: Case) -> Fault | None:
    """Rows that repeat an earlier one in every feature, score, label, entity and instant.

    The chance of equal rows grows with their number, so that the reference's share is scaled by it.
    """
    if len(case.reference) < 50 or len(case.current) < 50:
        return None
    was, now = _repeated(case.reference), _repeated(case.current)
    expected = float(was.mean()) * max(1.0, len(now) / len(was))
    share = float(now.mean())
    if share < 0.02 + 5.0 * expected:
        return None
    return Fault(
        column=ROWS,
        mechanism="duplicates",
        text=f"{share:.1%} of rows repeat another one, was {float(was.mean()):.1%}",
        touched=now,
        dropped=True,
    )


def longest_gap(sample: Sample) -> float | None:
    """Hours between two consecutive rows at most; None without event times."""
    if sample.at is None or len(sample) < 2:
        return None
    return float(np.diff(np.sort(sample.at)).max()) / _HOUR


def _repeated(sample: Sample) -> Rows:
    plain = sample.features.select(pl.exclude(pl.List, pl.Array, pl.Struct, pl.Object))
    extra: dict[str, pl.Series | NDArray[np.float64] | NDArray[np.int64]] = {
        "__score": sample.score,
        "__label": sample.label,
    }
    if sample.at is not None:
        extra["__at"] = sample.at
    if sample.cluster is not None:
        extra["__cluster"] = sample.cluster
    hashed = plain.with_columns(**{name: pl.Series(values) for name, values in extra.items()}).hash_rows(
        seed=0
    )
    repeated: Rows = (~hashed.is_first_distinct()).to_numpy()
    return repeated
