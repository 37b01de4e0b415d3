"""Joint drift: what it finds, what it does not cry about, and the kernel statistic against its definition."""

import numpy as np
import polars as pl
import pytest

from mlwright.stages.monitoring.crossfit import domain, folds_of
from mlwright.stages.monitoring.multivariate import drifted, is_free_text, mmd
from mlwright.testing.fakes.learner import SmoothLearner

LEARNER = SmoothLearner()


def frame(rows: int, seed: int, correlation: float = 0.0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    one, two = random.normal(size=(2, rows))
    return pl.DataFrame(
        {
            "a": one,
            "b": correlation * one + np.sqrt(1 - correlation**2) * two,
            "c": random.choice(["x", "y", "z"], rows),
            "constant": np.full(rows, 7.0),
        }
    ).with_columns(
        pl.when(pl.Series(random.random(rows) < 0.1)).then(None).otherwise(pl.col("a")).alias("holes")
    )


def test_a_correlation_that_no_column_shows() -> None:
    found = drifted(frame(3_000, 0), frame(2_000, 1, correlation=0.8), LEARNER)
    assert found.auc is not None
    assert found.auc.lower > 0.6
    assert {name for name, _ in found.importance[:2]} <= {"a", "b", "holes"}
    assert found.importance[0][0] in {"a", "b"}
    assert dict(found.importance)["constant"] == 0
    assert found.mmd is not None
    assert found.mmd > 0
    assert found.mmd_p is not None
    assert found.mmd_p < 0.05


def test_the_interval_holds_a_half_where_nothing_moved() -> None:
    """At 95 %; of 40 pairs at most 6 may miss (binomial, p = 0.014 for more)."""
    missed, alarms = 0, 0
    for seed in range(40):
        found = drifted(frame(400, 2 * seed), frame(300, 2 * seed + 1), LEARNER, seed)
        assert found.auc is not None
        assert found.mmd_p is not None
        missed += not found.auc.lower <= 0.5 <= found.auc.upper
        alarms += found.mmd_p <= 0.05
    assert missed <= 6
    assert alarms <= 6


def test_one_wild_value_is_one_row() -> None:
    reference, current = frame(1_000, 0), frame(1_000, 1)
    wild = current.with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(1e6).otherwise(pl.col("a")).alias("a")
    )
    calm, loud = drifted(reference, current, LEARNER), drifted(reference, wild, LEARNER)
    assert loud.auc is not None
    assert loud.auc.lower <= 0.5
    assert loud.mmd == pytest.approx(calm.mmd, abs=1e-3)


def test_embeddings_and_prose_are_told_apart_by_themselves() -> None:
    random = np.random.default_rng(0)

    def side(topic: str, shift: float, rows: int = 300) -> pl.DataFrame:
        vectors = random.normal(size=(rows, 80)) + shift
        return pl.DataFrame(
            {
                "vector": pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32)),
                "fixed": pl.Series(random.normal(size=(rows, 4)), dtype=pl.Array(pl.Float64, 4)),
                "text": [f"the {topic} of number {n}" for n in random.integers(0, 10**6, rows)],
                "code": [f"K{n}" for n in random.integers(0, 10**6, rows)],
            }
        )

    found = drifted(side("price", 0.0), side("weather", 0.3), LEARNER)
    assert set(found.columns) == {"vector", "fixed", "text"}
    assert found.columns["vector"].lower > 0.6
    assert found.columns["text"].lower > 0.9
    assert found.columns["fixed"].lower <= 0.5
    assert not is_free_text(pl.Series(["a b c"] * 50))
    holes = pl.DataFrame({"v": pl.Series([None, [1.0, float("nan")], []] * 40, dtype=pl.List(pl.Float64))})
    assert drifted(holes, holes, LEARNER).columns["v"].value == pytest.approx(0.5, abs=0.1)


def test_small_or_unreadable_frames_say_nothing() -> None:
    assert drifted(frame(20, 0), frame(500, 1), LEARNER).auc is None
    assert drifted(frame(0, 0), frame(0, 1), LEARNER).auc is None
    nothing = pl.DataFrame({"s": [{"a": 1}] * 60})
    assert drifted(nothing, nothing, LEARNER).auc is None
    gone = drifted(frame(500, 0), frame(500, 1).drop("b"), LEARNER)
    assert gone.auc is not None
    assert gone.auc.value > 0.99
    assert gone.importance[0][0] == "b"


def test_mmd_is_the_u_statistic_of_its_definition() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(size=(60, 2)), random.normal(size=(60, 2)) + 0.4
    pooled = np.concatenate([a, b])
    apart = np.square(pooled[:, None] - pooled[None]).sum(axis=2)
    kernel = np.exp(-apart / np.median(apart[np.triu_indices(120, 1)]))
    inner = [
        sum(k[i, j] for i in range(60) for j in range(60) if i != j) / (60 * 59)
        for k in (kernel[:60, :60], kernel[60:, 60:])
    ]
    assert mmd(a, b)[0] == pytest.approx(sum(inner) - 2 * kernel[:60, 60:].mean(), abs=1e-12)
    values = [mmd(*random.normal(size=(2, 100, 2)), seed=at)[0] for at in range(100)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 10  # unbiased


def test_rows_of_a_cluster_stay_together_and_do_not_inflate() -> None:
    """Entities that occur on one side only are told by heart if their rows are split between folds."""
    random = np.random.default_rng(0)
    entity = np.repeat(np.arange(60), 50)
    own = random.normal(size=(60, 3))[entity]
    fold = folds_of(entity.astype(np.int64), 3, seed=0)
    assert all(len(np.unique(fold[entity == each])) == 1 for each in range(60))
    half = len(entity) // 2
    found = domain(own[:half], own[half:], LEARNER, groups=(entity[:half], entity[half:]), seed=1)
    assert found.auc.lower <= 0.5 <= found.auc.upper
    assert found.auc.upper - found.auc.lower > 0.15  # thirty entities a side are not 1,500 rows


def test_what_is_common_to_the_rows_of_a_day_tells_no_sides_apart() -> None:
    """Days differ from each other; at 95 %, of 12 pairs of fortnight and week at most 3 may miss (p = 0.002 for more).

    By rows, the classifier learns the days by heart and nearly every quiet week looks moved.
    """
    missed, alarms, by_rows = 0, 0, 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        sides, days = [], []
        for start, count in ((0, 14), (100, 7)):
            day = np.repeat(np.arange(count), 80)
            own = random.normal(size=(count, 3))[day] * 0.7
            rows = random.normal(size=(len(day), 3)) + own
            sides.append(pl.DataFrame(rows, schema=["a", "b", "c"]))
            days.append((day + start).astype(np.int64))
        found = drifted(*sides, LEARNER, seed, groups=(days[0], days[1]))
        assert found.grouped
        assert found.auc is not None
        assert found.mmd_p is not None
        missed += not found.auc.lower <= 0.5 <= found.auc.upper
        alarms += found.mmd_p <= 0.05
        if seed < 6:
            blind = drifted(*sides, LEARNER, seed)
            assert blind.auc is not None
            by_rows += blind.auc.lower > 0.5
    assert missed <= 3
    assert alarms <= 3
    assert by_rows >= 4


def test_few_groups_are_not_heeded_and_prose_keeps_them_together() -> None:
    random = np.random.default_rng(2)
    days = np.repeat(np.arange(8), 40).astype(np.int64)

    def side(start: int) -> pl.DataFrame:
        texts = [
            f"day {start + day} brought the case {n}"
            for day, n in zip(days, random.permutation(320), strict=True)
        ]
        return pl.DataFrame({"text": texts, "x": random.normal(size=320)})

    sides = side(0), side(50)
    apart = drifted(*sides, LEARNER, groups=(days, days + 50))
    assert apart.grouped
    assert apart.columns["text"].lower <= 0.5  # a word of one day tells nothing of another
    assert drifted(*sides, LEARNER).columns["text"].lower > 0.9
    few = drifted(*sides, LEARNER, groups=(days // 2, days // 2 + 50))
    assert not few.grouped
