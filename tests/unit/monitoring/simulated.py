"""Simulated cases whose cause is known, for the tests of the diagnosis."""

import numpy as np
import polars as pl

from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.intervals import difference, means

_WEIGHTS = np.array([1.2, -1.0, 0.8, 0.6, 0.0])
_OTHER = np.array([-0.6, -1.0, 0.8, 0.6, 0.8])


def frame(values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({f"x{at}": column for at, column in enumerate(values.T)})


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def case_of(kind: str, rows: int = 3_000, seed: int = 0, **more: object) -> Case:
    """A model that knows the truth, and ``none``, ``covariate``, ``concept``, ``prior`` or ``join`` happens to it."""
    random = np.random.default_rng(seed)
    old, new = random.normal(size=(2, rows, 5))
    shift = -1.6

    def odds(x: np.ndarray, weights: np.ndarray = _WEIGHTS) -> np.ndarray:
        return x @ weights + shift

    def labels(x: np.ndarray, weights: np.ndarray = _WEIGHTS) -> np.ndarray:
        return (random.random(len(x)) < sigmoid(odds(x, weights))).astype(float)

    label = labels(old)
    if kind == "covariate":
        new[:, 0] += 1.3
    if kind == "prior":
        pool = random.normal(size=(rows * 4, 5))
        drawn = labels(pool)
        ones, zeros = np.flatnonzero(drawn > 0), np.flatnonzero(drawn < 1)
        new = pool[np.r_[ones[: rows // 2], zeros[: rows - rows // 2]]]
        now = np.r_[np.ones(rows // 2), np.zeros(rows - rows // 2)]
    else:
        now = labels(new, _OTHER if kind == "concept" else _WEIGHTS)
    served = new.copy()
    if kind == "join":
        served[:, 0] = random.permutation(served[:, 0])
    return Case(
        task=Task.BINARY,
        reference=Sample(features=frame(old), label=label, score=sigmoid(odds(old))),
        current=Sample(features=frame(served), label=now, score=sigmoid(odds(served))),
        seed=seed,
        **more,  # type: ignore[arg-type]
    )


def regression_of(kind: str, rows: int = 3_000, seed: int = 0) -> Case:
    """The same for a number; ``covariate`` means more rows where the noise is large."""
    random = np.random.default_rng(seed)
    old, new = random.uniform(-1, 1, size=(2, rows, 4))
    truth = np.array([1.0, 2.0, 0.0, 1.0])
    if kind == "covariate":
        new[:, 0] = np.sign(new[:, 0]) * np.abs(new[:, 0]) ** 0.3

    def labels(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return x @ weights + (0.1 + np.abs(x[:, 0])) * random.normal(size=len(x))

    label = labels(old, truth)
    now = labels(new, np.array([1.0, -1.0, 1.5, 1.0]) if kind == "concept" else truth)
    served = new.copy()
    if kind == "join":
        served[:, 1] = random.permutation(served[:, 1])
    return Case(
        task=Task.REGRESSION,
        reference=Sample(features=frame(old), label=label, score=old @ truth),
        current=Sample(features=frame(served), label=now, score=served @ truth),
        seed=seed,
    )


def drop_of(case: Case) -> Estimate:
    before, now = (case.loss(side.label, side.score) for side in (case.reference, case.current))
    return difference(means(before[np.isfinite(before)], seed=1), means(now[np.isfinite(now)], seed=2))
