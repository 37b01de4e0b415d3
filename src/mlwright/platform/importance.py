"""How much each feature moves a version's answers: what drift is weighted by."""

import json
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.registry import ModelVersion
from mlwright.platform.parts import Parts
from mlwright.platform.same_rows import holdout_of
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring.encoding import encoder

_MARK: Final = "importance:{ref}"
_ROWS: Final = 2000
_SCORE: Final = "score"
_LEAST: Final = 0.05
"""No feature counts for less than a twentieth of the mean: what is of no use today may be tomorrow."""


def importance_of(parts: Parts, version: ModelVersion) -> dict[str, float]:
    """The importance of each input of a version, 1 on average; found once a version.

    By permutation (Breiman 2001): how much worse a small model of the version's own scores gets on held-out rows when
    one column is shuffled. Empty where the version has no held-out rows, or nobody can learn.
    """
    evaluation = version.evaluation
    if parts.learner is None or evaluation is None or evaluation.holdout is None:
        return {}
    name = _MARK.format(ref=version.ref)
    with parts.read() as tx:
        kept = ledger.get_mark(tx, name)
    if kept is not None:
        return {str(key): float(value) for key, value in json.loads(kept).items()}
    found = _measured(parts, version)
    with parts.write() as tx:
        ledger.set_mark(tx, name, json.dumps(found))
    return found


def _measured(parts: Parts, version: ModelVersion) -> dict[str, float]:
    held = holdout_of(parts, version)
    names = [each.name for each in version.inputs if each.name in held.columns]
    rows = held.drop_nulls(_SCORE).select(*names, _SCORE)
    if rows.height > 2 * _ROWS:
        rows = rows.gather_every(rows.height // (2 * _ROWS))
    if not names or rows.height < 100 or parts.learner is None:
        return {}
    encoded = encoder(rows.select(names))
    matrix, score = encoded.matrix(rows.select(names)), rows[_SCORE].cast(pl.Float64).to_numpy()
    first = np.arange(len(score)) % 2 == 0
    seed = parts.settings.seed
    model = parts.learner.regress(matrix[first], score[first], categorical=encoded.categorical, seed=seed)
    asked, truth = matrix[~first], score[~first]
    usual = _error(model.predict(asked), truth)
    random = np.random.default_rng(seed)
    order = random.permutation(len(truth))
    worse: dict[str, float] = {}
    for feature in names:
        shuffled = asked.copy()
        places = list(encoded.places(feature))
        shuffled[:, places] = asked[order][:, places]
        worse[feature] = max(_error(model.predict(shuffled), truth) - usual, 0.0)
    mean = sum(worse.values()) / len(worse)
    if mean <= 0:
        return {}
    return {feature: round(max(value / mean, _LEAST), 4) for feature, value in worse.items()}


def _error(said: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(np.mean((said - truth) ** 2))
