"""Values written in another way, digits that are lost, rows that come again, labels closed early."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from tests.unit.monitoring.faulty import case, drop, rescoring

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.stages.monitoring.diagnosis.case import Case, Sample, Task
from mlwright.stages.monitoring.diagnosis.integrity import integrity
from mlwright.stages.monitoring.diagnosis.labelling import check_labels
from mlwright.stages.monitoring.diagnosis.mismatch import Past, hint
from mlwright.stages.monitoring.diagnosis.reality import is_real
from mlwright.stages.monitoring.diagnosis.repeats import duplicates
from mlwright.stages.monitoring.diagnosis.skew import skew
from mlwright.stages.monitoring.diagnosis.typed import read_as

DAY = 86_400_000_000


def instant(text):
    """An instant without a zone, as a table has them."""
    return datetime.fromisoformat(text)


INSTANTS = [instant("2021-01-31T05:00"), instant("2020-03-04")]

READ = {
    "thousands": (["36,315", "1,200", "450"], [36000.0, 1300.0, 400.0], [36315.0, 1200.0, 450.0]),
    "a decimal comma before three digits": (["36,315", "1,200"], [36.0, 1.0], [36.315, 1.2]),
    "points for thousands": (["5.431,66", "431,2", "77.25"], [5400.0, 70.0], [5431.66, 431.2, 77.25]),
    "many groups": (["1,234,567", "−3"], [1e6, 2.0], [1234567.0, -3.0]),
    "spaces": (["1 234,5", None], [1200.0, 3.0], [1234.5, None]),
    "flags": (["true", "FALSE", None], [True, False], [True, False, None]),
    "letters for a flag": (["Y", "N"], [1.0, 0.0], [1.0, 0.0]),
    "letters for no flag": (["Y", "N"], [1.0, 7.0], [None, None]),
    "ISO": (["2021-01-31T12:00:00Z"], INSTANTS, [instant("2021-01-31T12:00")]),
    "day first": (
        ["31/01/2021", "04/02/2021"],
        INSTANTS,
        [instant("2021-01-31"), instant("2021-02-04")],
    ),
    "a date and no date": (["2021-01-31", "x"], [date(2021, 1, 1)], [date(2021, 1, 31), None]),
    "seconds": ([1612094400], INSTANTS, [instant("2021-01-31T12:00")]),
    "milliseconds": ([1612094400000], INSTANTS, [instant("2021-01-31T12:00")]),
    "instants for seconds": ([instant("2021-01-31T12:00")], [1612094401], [1612094400]),
    "numbers for levels": ([1.0, 2.0], ["1", "2"], ["1", "2"]),
}


@pytest.mark.parametrize("name", READ)
def test_a_column_is_read_as_what_it_should_have_been(name):
    served, like, expected = READ[name]
    found = read_as(pl.Series("a", served), pl.Series("a", like))
    assert found is not None
    assert found[0].to_list() == expected
    assert found[0].dtype == pl.Series("a", like).dtype
    assert read_as(pl.Series("a", [[1]]), pl.Series("a", like)) is None


def test_text_for_a_number_is_read_back_and_takes_the_drop_away():
    def written(g, r, e):
        return g.with_columns(pl.Series("amount", [f"{value:,.2f}" for value in g["amount"] * 1000]))

    plain = case(lambda g, r, e: g.with_columns(pl.col("amount") * 1000))
    one = replace(
        plain,
        reference=replace(
            plain.reference, features=plain.reference.features.with_columns(pl.col("amount") * 1000)
        ),
        current=replace(plain.current, features=written(case().current.features, None, None)),
    )
    (found,) = integrity(one, BoostedLearner(), drop(one), rescoring(one)).suspects
    assert (found.column, found.mechanism) == ("amount", "type")
    assert "100.0% of it can be read as numbers" in found.text


def test_what_rounding_costs_is_seen_on_the_reference_rounded_alike():
    one = case(lambda g, r, e: g.with_columns((pl.col("x1") / 2).floor() * 2, pl.col("usage").round(0)))
    found = integrity(one, BoostedLearner(), drop(one), rescoring(one))
    assert {(each.column, each.mechanism) for each in found.suspects} == {("x1", "type"), ("usage", "type")}
    assert found.imitated is not None
    assert found.imitated.value == pytest.approx(1.0, abs=0.4)
    assert set(found.lost) == {"x1", "usage"}
    assert found.recovered is None
    assert not found.certain


def test_flags_and_instants_as_text_beside_a_second_copy():
    one = case(copy=True)
    when = pl.Series("since", one.current.at).cast(pl.Datetime("us"))
    old = pl.Series("since", one.reference.at).cast(pl.Datetime("us"))
    flag = (one.recomputed["x1"] > 0).alias("flag")
    one = replace(
        one,
        reference=replace(
            one.reference,
            features=one.reference.features.with_columns(old, flag=pl.col("x1") > 0),
        ),
        current=replace(
            one.current,
            features=one.current.features.with_columns(
                when.dt.strftime("%d.%m.%Y"), flag.cast(pl.String).replace({"true": "Y", "false": "N"})
            ),
        ),
        recomputed=one.recomputed.with_columns(when, flag),
        recomputed_rows=np.arange(len(one.current)) % 2 == 0,
    )
    found = skew(one, drop(one), rescoring(one))
    assert {each.column: each.mechanism for each in found.suspects} == {"since": "type", "flag": "type"}
    assert found.repaired.schema["since"] == pl.Datetime("us")
    assert found.repaired["flag"].to_list() == flag.to_list()  # rows without a copy are read


def test_rows_that_come_again_within_the_hour_are_repetitions():
    one = case(n=1000)
    now = one.current
    again = np.r_[np.arange(len(now)), np.arange(250)]
    wait = np.r_[np.zeros(len(now)), np.full(250, 30e6)].astype(np.int64)

    def sent(wait):
        rows = Sample(
            features=now.features[again],
            label=now.label[again],
            score=now.score[again],
            at=now.at[again] + wait,
        )
        return duplicates(replace(one, reference=replace(one.reference, cluster=None), current=rows))

    soon = sent(wait)
    assert soon is not None
    assert soon.touched.nonzero()[0].tolist() == list(range(len(now), len(now) + 250))
    assert sent(np.zeros_like(wait)) is not None
    assert sent(wait * 1000) is None  # hours later: the same case again


def test_a_copy_of_earlier_instants_is_named_although_rows_between_are_missing():
    random = np.random.default_rng(1)
    who, day = (each.ravel() for each in np.meshgrid(np.arange(60), np.arange(40)))
    value = random.normal(size=len(who))
    table = pl.DataFrame({"who": who, "day": day, "value": value})
    late = table.with_columns(served=pl.col("value").shift(5).over("who", order_by="day"))
    kept = late.filter(pl.Series(random.random(len(who)) < 0.5))
    past, now = kept.filter(pl.col("day") < 20), kept.filter(pl.col("day") >= 20)
    found = hint(
        now["served"],
        now["value"],
        np.ones(now.height, dtype=bool),
        at=now["day"].to_numpy() * DAY,
        cluster=now["who"].to_numpy(),
        past=Past(values=past["value"], at=past["day"].to_numpy() * DAY, cluster=past["who"].to_numpy()),
    )
    assert found.mechanism == "lag"
    assert "120 h earlier" in found.text
    mixed = now.with_columns(pl.col("served").shuffle(seed=1))
    other = hint(
        mixed["served"],
        mixed["value"],
        np.ones(now.height, dtype=bool),
        at=now["day"].to_numpy() * DAY,
        cluster=now["who"].to_numpy(),
    )
    assert other.mechanism == "join"


def test_a_code_is_named_although_some_rows_could_not_be_recomputed():
    turn = {"red": "black", "black": "blue", "blue": "red", "green": "white", "white": "green"}
    one = case(lambda g, r, e: g.with_columns(pl.col("color").replace(turn)), copy=True)
    one = replace(one, recomputed_rows=np.arange(len(one.current)) % 4 != 0)
    (found,) = skew(one, drop(one), rescoring(one)).suspects
    assert (found.column, found.mechanism) == ("color", "recoded")


def _labelled(seed, *, closed, slope=2.0, n=3000):
    """A 1 takes a week to be reported; labels are closed after some days."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    score = 1 / (1 + np.exp(-2.0 * x))
    truth = random.random(n) < 1 / (1 + np.exp(-slope * x))
    took = random.gamma(16, 7 / 16, n) < closed
    at = np.sort(random.integers(0, 30 * DAY, n))
    return Sample(
        features=pl.DataFrame({"x": x}),
        label=(truth & took).astype(float),
        score=score,
        at=at,
        label_at=at + int(closed * DAY),
    )


def test_labels_that_are_closed_early_are_told_from_a_change_of_the_world():
    late = _labelled(0, closed=30)
    early = Case(task=Task.BINARY, reference=late, current=_labelled(1, closed=6))
    worst = check_labels(early).worst
    assert worst is not None
    assert "filed as 0 before they are known" in worst.text
    assert worst.recovered.value == pytest.approx(1.0, abs=0.25)
    assert not worst.sure
    unknown = replace(early, current=replace(early.current, label_at=None))
    assert check_labels(unknown).worst is None  # nobody wrote down when
    other = replace(_labelled(2, closed=30, slope=0.3), label_at=early.current.at + 6 * DAY)
    assert check_labels(replace(early, current=other)).worst is None  # another world, and labels sooner


def test_the_slowest_class_sets_the_horizon():
    random = np.random.default_rng(3)
    side = _labelled(4, closed=30)
    rare = np.where(
        np.cumsum(side.label) % 30 == 0, side.label, 0.0
    )  # 1s are fewer than the 2 % that may be late
    took = np.where(rare == 1, 10 * DAY, 0) + random.integers(0, DAY, len(side))
    assert 30 <= rare.sum() < 0.02 * len(rare)
    reference = replace(side, label=rare, label_at=side.at + took)
    end = datetime.fromtimestamp(int(side.at.max()) / 1e6, UTC)
    found = is_real(Case(task=Task.BINARY, reference=reference, current=reference, now=end))
    assert side.at.max() - 11 * DAY < found.case.current.at.max() <= side.at.max() - 10 * DAY
