"""The score that a model gives to repaired features: the recorded model, or one learned from its logged scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.ports.learner import Fitted, Learner
from mlwright.stages.monitoring.crossfit import CLASSES, one_of_many, sampled
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Task
from mlwright.stages.monitoring.encoding import encoder

MIN_FIDELITY: Final = 0.8
"""Below it a surrogate's word on a repair is not taken."""
_ROWS: Final = 20_000
_FEWEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescorer:
    """Scores features that were not served as they are."""

    scorer: Callable[[pl.DataFrame], Floats]
    fidelity: float
    """How well it reproduces the logged scores of reference rows that it has not seen: R², for classes Cohen's κ."""
    bias: float
    """Mean loss on the reference with its scores less that with the logged ones; what an exact repair would seem to
    cost."""
    exact: bool
    """Whether it is the recorded model."""

    @property
    def trusted(self) -> bool:
        """Whether a claim that a repair recovers something may rest on it."""
        return self.fidelity >= MIN_FIDELITY

    def scores(self, frame: pl.DataFrame) -> Floats:
        """The score of each row, shape (n,)."""
        return np.asarray(self.scorer(frame), dtype=np.float64)


Rescoring = Callable[[], Rescorer | None]
"""Gives the one rescorer of a chain, fitted when it is first asked for; it depends on the reference only."""


def rescorer(case: Case, learner: Learner) -> Rescorer | None:
    """The recorded model, or a surrogate of it fitted on the reference's features and logged scores.

    Fidelity and bias are cross-fitted in two halves of at most 20,000 rows. None where there are fewer than 100
    reference rows with a score, or more than 12 classes.
    """
    scored = np.flatnonzero(np.isfinite(case.reference.score))
    scored = scored[sampled(len(scored), _ROWS, case.seed)]
    if case.model is not None:
        return _recorded(case, scored)
    if len(scored) < _FEWEST:
        return None
    coder = encoder(case.reference.features, case.keep_texts)
    matrix = coder.matrix(case.reference.features[scored])
    score = case.reference.score[scored]
    classes = np.unique(score)
    if not coder.columns or (case.task is Task.CLASSES and len(classes) > CLASSES):
        return None

    def fitted(features: Floats, target: Floats) -> Fitted:
        codes, seed = coder.categorical, case.seed
        if case.task is Task.CLASSES:
            known = np.unique(target)
            return one_of_many(learner, features, target, known, categorical=codes, seed=seed)
        return learner.regress(features, target, categorical=codes, seed=seed)

    half = np.random.default_rng(case.seed + 1).permutation(len(score)) % 2 == 0
    crossed = np.empty(len(score))
    for side in (half, ~half):
        crossed[side] = fitted(matrix[~side], score[~side]).predict(matrix[side])
    whole = fitted(matrix, score)
    fidelity, bias = _agreement(case, case.reference.label[scored], score, crossed)
    return Rescorer(
        scorer=lambda frame: whole.predict(coder.matrix(frame)), fidelity=fidelity, bias=bias, exact=False
    )


def _recorded(case: Case, scored: NDArray[np.int64]) -> Rescorer:
    assert case.model is not None
    if len(scored) == 0:
        return Rescorer(scorer=case.model, fidelity=1.0, bias=0.0, exact=True)
    again = np.asarray(case.model(case.reference.features[scored]), dtype=np.float64)
    fidelity, bias = _agreement(case, case.reference.label[scored], case.reference.score[scored], again)
    return Rescorer(scorer=case.model, fidelity=fidelity, bias=bias, exact=True)


def _agreement(case: Case, label: Floats, score: Floats, again: Floats) -> tuple[float, float]:
    """Fidelity and bias of the loss."""
    loss = case.loss(label, again) - case.loss(label, score)
    known = loss[np.isfinite(loss)]
    bias = float(known.mean()) if len(known) else 0.0
    if case.task is Task.CLASSES:
        return _kappa(score, again), bias
    spread = float(np.var(score))
    if spread == 0:
        return (1.0 if np.allclose(again, score) else 0.0), bias
    return 1.0 - float(np.mean(np.square(again - score))) / spread, bias


def _kappa(one: Floats, other: Floats) -> float:
    """Cohen (1960): agreement beyond that of chance; 1 where both know one class only."""
    values = np.unique(np.concatenate([one, other]))
    shares = [
        np.bincount(np.searchsorted(values, each), minlength=len(values)) / len(one) for each in (one, other)
    ]
    chance = float(shares[0] @ shares[1])
    return 1.0 if chance >= 1 else (float(np.mean(one == other)) - chance) / (1.0 - chance)
