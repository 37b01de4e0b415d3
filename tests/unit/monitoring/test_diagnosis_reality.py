"""S0: intervals that cover, labels that are ripe, and labels that are made as before."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlwright.errors import DataError
from mlwright.model.diagnosis import Outcome
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.intervals import difference, means, share
from mlwright.stages.monitoring.diagnosis.labelling import check_labels
from mlwright.stages.monitoring.diagnosis.reality import is_real
from mlwright.stages.monitoring.diagnosis.table import case_of

_DAY = 86_400_000_000
_START = 19_000 * _DAY


def _side(n, seed, *, slope=2.0, noise=None, days=0, first=0):
    random = np.random.default_rng(seed)
    x = random.standard_normal(n)
    chance = 1 / (1 + np.exp(-2.0 * x))
    label = (random.random(n) < 1 / (1 + np.exp(-slope * x))).astype(float)
    at = None if not days else _START + first * _DAY + np.sort(random.integers(0, days * _DAY, n))
    return Sample(features=pl.DataFrame({"x": x}), label=label, score=chance, at=at)


def _case(reference, current, **more):
    return Case(task=Task.BINARY, reference=reference, current=current, **more)


def _with(sample, **changes):
    from dataclasses import replace

    return replace(sample, **changes)


def test_the_interval_is_the_closed_form_for_rows_and_covers_for_clusters() -> None:
    random = np.random.default_rng(3)
    before, now = random.standard_normal(4000), 0.2 + random.standard_normal(4000)
    found = difference(means(before, seed=0), means(now, seed=1))
    half = 1.96 * np.sqrt(before.var() / 4000 + now.var() / 4000)
    assert found.value == pytest.approx(now.mean() - before.mean())
    assert found.upper - found.value == pytest.approx(half, rel=0.12)
    covered = naive = 0
    for _ in range(300):
        groups = np.repeat(np.arange(15), 20)
        sides = [random.standard_normal(15)[groups] + random.standard_normal(300) for _ in range(2)]
        wide = difference(*(means(side, groups, seed=k, draws=300) for k, side in enumerate(sides)))
        narrow = difference(*(means(side, seed=k, draws=300) for k, side in enumerate(sides)))
        covered += wide.lower <= 0 <= wide.upper
        naive += narrow.lower <= 0 <= narrow.upper
    assert 0.91 <= covered / 300 <= 0.99
    assert naive / 300 < 0.6  # why clusters matter


@pytest.mark.parametrize(("entities", "rows"), [(20, 15), (300, 3)])
def test_what_is_peculiar_to_entities_of_both_sides_cancels(entities, rows) -> None:
    random = np.random.default_rng(8)
    covered, paired, apart = 0, [], []
    for _ in range(150):
        names = random.choice(10**9, 2 * entities, replace=False)
        level = 2.0 * random.standard_normal(2 * entities)
        place = np.repeat(np.arange(entities), rows)
        one, two = (level[place] + random.standard_normal(len(place)) for _ in range(2))
        other = level[place + entities] + random.standard_normal(len(place))
        first = means(one, names[place], seed=0, draws=300)
        both = difference(first, means(two, names[place], seed=1, draws=300))
        covered += both.lower <= 0 <= both.upper
        paired.append(both.upper - both.lower)
        alone = difference(first, means(other, names[place + entities], seed=1, draws=300))
        apart.append(alone.upper - alone.lower)
    assert 0.9 <= covered / 150 <= 0.99
    assert np.mean(paired) < 0.4 * np.mean(apart)


def test_weights_and_missing_values_are_those_of_the_mean() -> None:
    values = np.array([[1.0, np.nan], [2.0, 4.0], [6.0, 8.0]])
    weights = np.array([[1.0, 1.0], [1.0, 3.0], [2.0, 1.0]])
    assert means(values, weights=weights).value == pytest.approx([15 / 4, 20 / 4])


def test_a_share_has_no_bounds_where_there_may_be_no_drop() -> None:
    random = np.random.default_rng(0)
    before, now = random.random(2000), random.random(2000)
    nothing = share(means(before), means(np.column_stack([now, now * 0.9]), seed=1))
    assert (nothing.lower, nothing.upper) == (-np.inf, np.inf)
    half = share(means(before), means(np.column_stack([before + 1.0, before + 0.5]), seed=1))
    assert half.value == pytest.approx(0.5)
    assert half.lower > 0.45


def test_days_are_clusters_only_where_their_losses_are_alike() -> None:
    quiet = _case(_side(2000, 0, days=20), _side(2000, 1, days=20, first=20))
    assert is_real(quiet).drop.assumption.startswith("rows are independent")
    stormy = []
    for seed, first in ((0, 0), (1, 20)):
        side = _side(4000, seed, days=20, first=first)
        wrong = np.random.default_rng(seed + 9).random(400)[side.at // _DAY % 400] < 0.5
        stormy.append(_with(side, label=np.where(wrong, 1 - side.label, side.label)))
    found = is_real(_case(*stormy))
    assert found.drop.assumption.startswith("days are independent")
    assert found.drop.upper - found.drop.lower > 3 * (lambda rows: rows.upper - rows.lower)(
        is_real(_case(*(_with(side, at=None) for side in stormy))).drop
    )


def test_no_drop_says_what_would_have_shown_and_false_alarms_are_rare() -> None:
    answers = [is_real(_case(_side(600, 2 * seed), _side(600, 2 * seed + 1))) for seed in range(80)]
    assert sum(each.answer != "no evidence" for each in answers) <= 10
    power = answers[0].detectable
    assert answers[0].drop.upper - answers[0].drop.value == pytest.approx(power * 1.96 / 2.80, rel=0.2)
    assert f"{power:.3g}" in answers[0].test.text
    assert is_real(_case(_side(3000, 0), _side(3000, 1, slope=-2.0))).answer == "worse"
    assert is_real(_case(_side(3000, 0), _side(3000, 1, slope=5.0))).answer == "better"


def test_too_few_labels_say_what_is_needed() -> None:
    current = _side(500, 1)
    current = _with(current, label=np.where(np.arange(500) < 12, current.label, np.nan))
    found = is_real(_case(_side(500, 0), current))
    assert found.answer == "too little"
    assert found.test.outcome is Outcome.UNKNOWN
    assert "current rows (there are 12)" in found.test.needs[0]
    empty = Sample(features=pl.DataFrame({"x": []}), label=np.zeros(0), score=np.zeros(0))
    assert is_real(_case(empty, empty)).answer == "too little"


def test_rows_younger_than_the_horizon_are_left_out() -> None:
    current = _side(1000, 1, days=10)
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=_START + 10 * _DAY)
    found = is_real(_case(_side(1000, 0), current, horizon=timedelta(days=3), now=now))
    assert len(found.case.current) == int((current.at <= _START + 7 * _DAY).sum())
    assert "younger than the label horizon" in found.test.text


@pytest.mark.parametrize(
    "fault", ["inverted", "source", "period", "constant", "values", "lost", "none", "concept"]
)
def test_labels_that_are_made_otherwise_are_told_from_a_change_of_the_world(fault: str) -> None:
    current = _side(4000, 1, days=40, slope=0.5 if fault == "concept" else 2.0)
    random = np.random.default_rng(5)
    source = np.where(random.random(4000) < 0.4, "b", "a").astype(np.str_)
    label = current.label.copy()
    if fault == "inverted":
        label = 1 - label
    if fault == "source":
        label = np.where(source == "b", 1 - label, label)
    if fault == "period":
        label = np.where(np.arange(4000) >= 2000, 1 - label, label)
    if fault == "constant":
        label = 0 * label
    if fault == "values":
        label = np.where(random.random(4000) < 0.1, -1.0, label)
    if fault == "lost":
        label = np.where((label == 1) & (random.random(4000) < 0.5), np.nan, label)
    case = _case(_side(4000, 0), _with(current, label=label, label_source=source))
    found = check_labels(is_real(case).case)
    if fault in ("none", "concept"):
        assert found.faults == ()
        return
    worst = found.worst
    assert worst is not None
    words = {
        "inverted": "inverted",
        "source": "'b'",
        "period": "last 50%",
        "constant": "every one",
        "values": "neither 0 nor 1",
        "lost": "class 1",
    }
    assert words[fault] in worst.text
    if fault in ("inverted", "source", "period", "values"):
        assert worst.recovered is not None
        assert 0.8 < worst.recovered.value < 1.25
    assert worst.sure == (fault in ("source", "constant", "values"))


def test_tables_are_read_with_all_faults_at_once() -> None:
    table = pl.DataFrame({"when": ["2024-01-01", "2024-01-02"], "x": [1, 2], "y": [0, 1], "p": [0.2, 0.9]})
    case = case_of(table, table, target="y", score="p", time="when")
    assert case.task is Task.BINARY
    assert case.current.features.columns == ["x"]
    assert case.current.at is not None
    assert list(np.diff(case.current.at)) == [_DAY]
    assert case_of(table, table, target="x", score="p").task is Task.REGRESSION
    texts = table.select("x", a=pl.Series(["u", "v"]), b=pl.Series(["v", "v"]))
    assert case_of(texts, texts, target="a", score="b").task is Task.CLASSES
    bad = table.with_columns(y=pl.lit(None, dtype=pl.Int64), p=pl.lit("high")).rename({"x": "xx"})
    with pytest.raises(DataError) as raised:
        case_of(table, bad, target="y", score="p", time="when")
    told = str(raised.value)
    assert "there is no feature 'x' (did you mean 'xx'?)" in told
    assert "expected numbers" in told
    with pytest.raises(DataError, match="did you mean 'when'"):
        case_of(table, table, target="y", score="p", time="wehn")
    with pytest.raises(DataError, match="no row has a label"):
        case_of(table, table.with_columns(y=pl.lit(None, dtype=pl.Int64)), target="y", score="p")
    with pytest.raises(DataError, match="probabilities"):
        case_of(table, table.with_columns(p=pl.col("p") * 100), target="y", score="p")


def test_the_second_copy_is_joined_by_key() -> None:
    table = pl.DataFrame({"id": [1, 2, 3], "x": [1.0, 2.0, 3.0], "y": [0, 1, 0], "p": [0.2, 0.9, 0.1]})
    copy = pl.DataFrame({"id": ["3", "1"], "x": [30.0, 10.0]})
    case = case_of(table, table, target="y", score="p", key="id", recomputed=copy)
    assert case.recomputed is not None
    assert case.recomputed["x"].to_list() == [10.0, None, 30.0]
    assert case.recomputed_rows is not None
    assert case.recomputed_rows.tolist() == [True, False, True]
    with pytest.raises(DataError, match="share a key"):
        case_of(table, table, target="y", score="p", key="id", recomputed=pl.concat([copy, copy]))
