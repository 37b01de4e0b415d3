"""The two versions of the soak's model. Argument: where to write the folders m1 and m2."""

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

from mlwright.adapters.runtimes.sklearn import SklearnRuntime
from mlwright.model.registry import Field, Signature

home = Path(sys.argv[1])
names = [f"x{number}" for number in range(5)]
rows = np.random.default_rng(1).uniform(-1, 1, size=(50, 5))
signature = Signature(
    inputs=tuple(Field(name=name, type="double") for name in names),
    outputs=(Field(name="score", type="double"),),
)
for version in (1, 2):
    folder = home / f"m{version}"
    folder.mkdir()
    model = LinearRegression().fit(rows, rows.sum(axis=1) + 1000 * version)
    example = {name: rows[:5, at].tolist() for at, name in enumerate(names)}
    SklearnRuntime().save(model, folder, signature=signature, example=example, categories={})
