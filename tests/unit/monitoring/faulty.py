"""A simulated population with a known model, and faults put into what is served of it."""

from pathlib import Path

import numpy as np
import polars as pl

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.surrogate import rescorer

HOUSES = Path(__file__).parents[3] / ".tools/data/nannyml/datasets/data/california_housing_reference.csv"
EFFECT = {"red": -1.2, "green": 0.2, "blue": 0.9, "black": 1.6, "white": -0.3}
START = 1_700_006_400_000_000


def population(n, seed):
    """Features, labels, event times and entities."""
    r = np.random.default_rng(seed)
    entity, at = r.integers(0, n // 10 + 1, n), np.sort(r.integers(0, 30 * 86400, n)) * 1_000_000 + START
    color = r.choice(list(EFFECT), n, p=[0.4, 0.25, 0.18, 0.12, 0.05])
    x1 = r.normal(size=n)
    frame = pl.DataFrame(
        {
            "amount": np.exp(r.normal(3, 1, n)),
            "age": np.round(r.normal(45, 12, n).clip(18, 90)),
            "temp": r.normal(12, 6, n),
            "color": color,
            "x1": x1,
            "x2": 0.7 * x1 + 0.5 * r.normal(size=n),
            "x3": np.vectorize(EFFECT.get)(color) + 0.8 * r.normal(size=n),
            "hour": np.clip(r.normal(14, 3.5, n), 0, 23).astype(int),
            "usage": r.normal(size=n // 10 + 1)[entity] + 0.3 * r.normal(size=n),
        }
    )
    return frame, (r.random(n) < model(frame)).astype(float), at, entity


def model(frame):
    """The probability of 1, from nothing but the features."""
    get = {
        name: np.nan_to_num(frame[name].cast(pl.Float64).to_numpy())
        for name in frame.columns
        if name != "color"
    }
    color = frame["color"].replace_strict(EFFECT, default=0.0, return_dtype=pl.Float64).to_numpy()
    z = (
        0.9 * (np.log(np.maximum(get["amount"], 1e-3)) - 3)
        + color
        + 0.05 * (get["temp"] - 12)
        + 0.9 * get["x1"]
    )
    z = z - 0.4 * get["x2"] + 0.12 * (get["hour"] - 14) + 0.03 * (get["age"] - 45) + 0.8 * get["usage"]
    return 1 / (1 + np.exp(-np.clip(z, -20, 20)))


def case(fault=None, *, n=4000, seed=0, copy=False, exact=True):
    """Both sides; ``fault(frame, generator, entity)`` gives what is served."""
    before, label, at, entity = population(n, seed)
    now, label_now, at_now, entity_now = population(n, seed + 1000)
    served = fault(now, np.random.default_rng(seed + 7), entity_now) if fault else now
    return Case(
        task=Task.BINARY,
        reference=Sample(features=before, label=label, score=model(before), at=at, cluster=entity),
        current=Sample(features=served, label=label_now, score=model(served), at=at_now, cluster=entity_now),
        recomputed=now if copy else None,
        model=model if exact else None,
    )


def rescoring(case):
    """What a chain scores repairs with."""
    return lambda: rescorer(case, BoostedLearner())


def drop(one):
    """Loss now less before."""
    before = one.loss(one.reference.label, one.reference.score)
    now = one.loss(one.current.label, one.current.score)
    value = float(np.nanmean(now) - np.nanmean(before))
    return Estimate(value=value, lower=value / 2, upper=value * 2)


def unlabelled(before, now, **more):
    """Two frames as they are, without labels."""
    sides = [
        Sample(features=each, label=np.full(each.height, np.nan), score=np.zeros(each.height))
        for each in (before, now)
    ]
    return Case(task=Task.REGRESSION, reference=sides[0], current=sides[1], **more)


def in_part(frame, random, share, name, value):
    """The column with a value, or a column of values, in a random part of the rows."""
    return frame.with_columns(
        pl.when(pl.Series(random.random(frame.height) < share))
        .then(value)
        .otherwise(pl.col(name))
        .alias(name)
    )
