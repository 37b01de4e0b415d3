"""What a window's quality was expected to be before its labels came: CBPE and DLE learned from a version's hold-out.

For people to see beside what is measured; see ``expected.py`` for what it rests on and why nothing is decided by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from mlwright.model.metrics import METRICS
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.encoding import Encoder, encoder
from mlwright.stages.monitoring.expected import (
    Calibrator,
    LossEstimator,
    SamplingError,
    calibrator,
    estimate_binary,
    loss_estimator,
    sampling_error,
)

_NAMES: Final = {"roc_auc": "auc"}
_FEWEST: Final = 100
"""Rows with a label that a hold-out must have to learn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What was learned from the rows that a version held out. Either of the pairs is there, by the task."""

    version: str
    threshold: float
    scores: tuple[Calibrator, SamplingError] | None = None
    losses: tuple[Encoder, LossEstimator] | None = None


def foresight(
    holdout: pl.DataFrame,
    *,
    version: str,
    label: str,
    task: str,
    threshold: float,
    inputs: Sequence[str],
    learner: Learner | None,
) -> Foresight | None:
    """Learn from the rows that a version held out.

    Args:
        holdout: columns score, the label, and the version's inputs.
        version: its reference.
        label: the label's column.
        task: ``binary`` or ``regression``; of others there is no estimate.
        threshold: from which score on a binary answer counts as yes.
        inputs: the features that losses are estimated by.
        learner: fits the models of losses; None: no estimate of a regression.

    Returns:
        None where there are fewer than 100 rows, one class only, or nothing to learn with.
    """
    if not {label, "score"} <= set(holdout.columns):
        return None
    rows = holdout.with_columns(
        pl.col(label).cast(pl.Float64, strict=False), pl.col("score").cast(pl.Float64)
    )
    rows = rows.filter(pl.col(label).is_finite() & pl.col("score").is_finite())
    truth, score = rows[label].to_numpy(), rows["score"].to_numpy()
    if rows.height < _FEWEST or rows[label].n_unique() < 2:
        return None
    if task == "binary":
        learned = (calibrator(truth, score), sampling_error(truth, score, threshold))
        return Foresight(version=version, threshold=threshold, scores=learned)
    features = [each for each in inputs if each in rows.columns]
    if task != "regression" or learner is None or not features:
        return None
    coded = encoder(rows.select(features))
    table = coded.matrix(rows)
    losses = loss_estimator(learner, table, score, truth, categorical=coded.categorical)
    return Foresight(version=version, threshold=threshold, losses=(coded, losses))


def foreseen(learned: Foresight, answers: pl.DataFrame) -> Mapping[str, Estimate]:
    """What the quality of answers of the learned version was to be expected to be.

    Args:
        learned: of one version.
        answers: columns score and model_version, and the features where losses are estimated. Answers of other
            versions are left out, and the assumption says how many those were.

    Returns:
        By the names of the task's metrics; nothing where the version answered nothing.
    """
    ours = answers.filter(
        (pl.col("model_version") == learned.version) & pl.col("score").cast(pl.Float64).is_finite()
    )
    if ours.is_empty():
        return {}
    score = ours["score"].cast(pl.Float64).to_numpy()
    if learned.scores is not None:
        found = estimate_binary(score, *learned.scores, learned.threshold)
    elif learned.losses is not None:
        coded, losses = learned.losses
        if not set(coded.names) <= set(ours.columns):
            return {}
        found = losses.estimate(coded.matrix(ours), score)
    else:
        return {}
    rest = answers.height - ours.height
    more = f"; of the {ours.height:,} answers of {learned.version} ({rest:,} others)" if rest else ""
    known = {name for names in METRICS.values() for name in names}
    named = {_NAMES.get(name, name): each for name, each in found.items()}
    return {
        name: replace(each, assumption=f"an estimate without labels: {each.assumption}{more}")
        for name, each in named.items()
        if name in known and each.value == each.value
    }
