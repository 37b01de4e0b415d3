"""What answers were worth once the truth is known, in money."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import DataError
from mlwright.model.monitoring import OutcomeWorth, Worth
from mlwright.model.watch_settings import ValueSettings
from mlwright.stages.monitoring.clusters import SIGNED, Clusters, drawn, estimates

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]


def worth(
    frame: pl.DataFrame,
    value: ValueSettings,
    task: str,
    threshold: float,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
) -> Worth | None:
    """What labelled answers brought: the sum over answers of the worth of its outcome, times its amount where declared.

    An outcome without a declared worth brings nothing. Answers whose amount is missing are left out.

    Args:
        frame: answers with a label, columns score and label; weight may be there, and the column ``value.amount``.
        value: what an outcome is worth.
        task: ``binary``, ``classes``, ``regression`` or ``ranking`` (right: an answer with a label above 0).
        threshold: from which score on a binary answer counts as yes.
        clusters: of the rows; None: each row is one.
        level: of the intervals.

    Returns:
        None without rows.

    Raises:
        DataError: the amount is not among the columns.
    """
    label, score = (frame[name].cast(pl.Float64).to_numpy() for name in ("label", "score"))
    weight = frame["weight"].to_numpy() if "weight" in frame.columns else np.ones(frame.height)
    amount = _amount(frame, value)
    known = np.isfinite(amount)
    if not known.any():
        return None
    of = clusters or Clusters.of(np.arange(frame.height), "row")
    mass = np.where(known, weight, 0.0)
    amount = np.where(known, amount, 0.0)
    brought = np.zeros(frame.height)
    outcomes: list[OutcomeWorth] = []
    for name, (count, size) in _outcomes(label, score, task, threshold).items():
        money = mass * count * size * amount * value.outcomes.get(name, 0.0)
        brought += money
        outcomes.append(OutcomeWorth(name=name, count=float(mass @ count), money=float(money.sum())))

    def sums(totals: _Floats) -> Mapping[str, _Floats]:
        return {"total": totals[:, 0], "per_prediction": totals[:, 0] / totals[:, 1]}

    made = estimates(
        drawn(of.sums(np.column_stack([brought, mass]))),
        sums,
        of,
        level=level,
        ranges={"total": SIGNED, "per_prediction": SIGNED},
    )
    if len(made) < 2:
        return None
    return Worth(currency=value.currency, outcomes=tuple(outcomes), **made)


_COUNTED: Final = 1.0


def _outcomes(
    label: _Floats, score: _Floats, task: str, threshold: float
) -> Mapping[str, tuple[_Bools | _Floats, _Floats | float]]:
    """By name, which answers had the outcome, and how often each one counts."""
    if task == "binary":
        said, true = score >= threshold, label > 0.5
        return {
            "true_positive": (said & true, _COUNTED),
            "false_positive": (said & ~true, _COUNTED),
            "true_negative": (~said & ~true, _COUNTED),
            "false_negative": (~said & true, _COUNTED),
        }
    if task == "regression":
        return {"error": (np.ones(len(label)), np.abs(score - label))}
    right = label > 0 if task == "ranking" else label == score
    return {"right": (right, _COUNTED), "wrong": (~right, _COUNTED)}


def _amount(frame: pl.DataFrame, value: ValueSettings) -> _Floats:
    if value.amount is None:
        return np.ones(frame.height)
    if value.amount not in frame.columns:
        raise DataError(
            f"the answers have no feature {value.amount!r}, by which their worth is counted",
            where="mlwright.toml, value.amount",
            why=f"logged are {', '.join(sorted(frame.columns))}",
            next_command="mlwright doctor",
        )
    found = frame[value.amount].cast(pl.Float64, strict=False).to_numpy()
    return np.asarray(found, dtype=np.float64)
