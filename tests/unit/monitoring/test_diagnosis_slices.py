"""Where the drop is: planted slices, and none where it is everywhere."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.unit.monitoring.simulated import drop_of

from mlwright.model.diagnosis import Outcome
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.slices import slices


def planted(where, rows: int = 6_000, seed: int = 0, features: int = 4) -> Case:
    """Losses of about 1 everywhere, three more on current rows that ``where`` names."""
    random = np.random.default_rng(seed)
    sides = []
    for now in (False, True):
        table = pl.DataFrame({f"n{at}": random.normal(size=rows) for at in range(features)}).with_columns(
            city=pl.Series(random.choice(["Aa", "Bb", "Cc", "Dd"], rows)),
            holes=pl.when(pl.Series(random.random(rows) < 0.15)).then(None).otherwise(pl.col("n0")),
        )
        worse = (
            table.select(where).to_series().fill_null(value=False).to_numpy() if now else np.zeros(rows, bool)
        )
        label = random.normal(size=rows) + 3 * worse
        sides.append(Sample(features=table, label=label, score=np.zeros(rows)))
    return Case(task=Task.REGRESSION, reference=sides[0], current=sides[1], seed=seed)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (pl.col("city") == "Bb", "city = Bb"),
        (pl.col("holes").is_null(), "holes missing"),
        ((pl.col("city") == "Cc") & (pl.col("n1") > 0.97), "n1 > 0.9"),
    ],
)
def test_a_planted_slice_is_named_first(where: pl.Expr, said: str) -> None:
    case = planted(where)
    found = slices(case, drop_of(case))
    assert found.test.outcome is Outcome.FOUND
    assert said in found.slices[0].where
    assert ("city = Cc" in found.slices[0].where) == ("Cc" in str(where))
    first = found.slices[0]
    assert first.contribution > 0.75
    assert found.explained >= 0.75
    assert len(found.slices) <= 2
    assert first.effect > 1
    assert first.p_adjusted < 1e-6
    assert first.loss_now - first.loss_before == pytest.approx(2.2, abs=0.35)


def test_a_drop_everywhere_is_nowhere_in_particular() -> None:
    named = sum(
        bool(slices(case, drop_of(case)).slices)
        for case in (
            planted(pl.lit(value=True).repeat_by(1).list.first() & (pl.col("n0") < 99), 3_000, seed)
            for seed in range(10)
        )
    )
    assert named <= 1


def test_clusters_are_not_rows() -> None:
    """The same noise with thirty rows an entity: what looks like a slice is one entity's luck."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(10):
        sides = []
        for now in (0, 1):
            entity = np.repeat(np.arange(100), 30)
            own = random.normal(size=100)
            table = pl.DataFrame({"own": own[entity], "city": np.array(list("abcd"))[entity % 4]})
            loss = random.gamma(3.0, 0.4, size=100)[entity] + 0.5 * now
            sides.append(
                Sample(features=table, label=loss, score=np.zeros(3_000), cluster=entity.astype(np.int64))
            )
        case = Case(task=Task.REGRESSION, reference=sides[0], current=sides[1])
        alarms += bool(slices(case, Estimate(value=0.5, lower=0.1, upper=0.9)).slices)
    assert alarms <= 2


def test_contribution_is_that_of_the_definition() -> None:
    case = planted(pl.col("city") == "Bb")
    found = slices(case, drop_of(case)).slices[0]
    old, new = (
        np.abs(side.label[(side.features["city"] == "Bb").to_numpy()])
        for side in (case.reference, case.current)
    )
    drop = np.abs(case.current.label).mean() - np.abs(case.reference.label).mean()
    assert found.rows == len(new)
    assert found.contribution == pytest.approx(len(new) / 6_000 * (new.mean() - old.mean()) / drop)
    assert found.effect == pytest.approx(
        (new.mean() - old.mean())
        / np.sqrt((old.var() * len(old) + new.var() * len(new)) / (len(old) + len(new)))
    )


def test_few_rows_strange_columns_and_no_drop() -> None:
    case = planted(pl.col("city") == "Bb", rows=80)
    assert slices(case, Estimate(value=1, lower=0.5, upper=2)).test.needs
    none = planted(pl.col("n0") > 99)
    assert slices(none, drop_of(none)).test.outcome is Outcome.UNKNOWN
    case = planted(pl.col("city") == "Bb")
    strange = [
        replace(
            side,
            features=side.features.with_columns(
                empty=pl.lit(None, dtype=pl.Float64),
                one=pl.lit(3),
                lists=pl.lit([1]),
                wild=pl.lit(float("inf")),
            ),
        )
        for side in (case.reference, case.current)
    ]
    found = slices(replace(case, reference=strange[0], current=strange[1]), drop_of(case))
    assert "city = Bb" in found.slices[0].where
