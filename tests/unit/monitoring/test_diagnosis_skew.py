"""Served against recomputed features: who differs, how, and what it costs."""

import numpy as np
import polars as pl
import pytest
from tests.unit.monitoring.faulty import case, drop, in_part, rescoring

from mlwright.errors import DataError
from mlwright.model.diagnosis import Outcome
from mlwright.stages.monitoring.diagnosis.mismatch import differing, hint
from mlwright.stages.monitoring.diagnosis.skew import skew

C = pl.col
SKEWS = {
    "unit": (lambda g, r, e: g.with_columns(C("amount") * 60), "amount", "unit", 60.0),
    "scale": (lambda g, r, e: g.with_columns(C("amount") * 4.7), "amount", "scale", 4.7),
    "offset": (lambda g, r, e: g.with_columns(C("usage") + 3), "usage", "offset", 3.0),
    "missing": (lambda g, r, e: in_part(g, r, 0.4, "amount", None), "amount", "missing", None),
    "default": (lambda g, r, e: in_part(g, r, 0.5, "usage", 2.5), "usage", "default", 2.5),
    "constant": (lambda g, r, e: g.with_columns(x1=pl.lit(1.5)), "x1", "constant", 1.5),
    "recoded": (
        lambda g, r, e: g.with_columns(C("color").replace({"red": "black", "black": "blue", "blue": "red"})),
        "color",
        "recoded",
        None,
    ),
    "time zone": (lambda g, r, e: g.with_columns((C("hour") + 5) % 24), "hour", "time zone", 5.0),
    "join": (lambda g, r, e: g.with_columns(C("x1").shuffle(seed=3)), "x1", "join", None),
    "lag": (
        lambda g, r, e: g.with_columns(C("usage").shift(2).over(pl.Series(e)).fill_null(C("usage"))),
        "usage",
        "lag",
        2.0,
    ),
    "stale": (lambda g, r, e: g.with_columns(C("usage").first().over(pl.Series(e))), "usage", "stale", None),
    "rounded": (lambda g, r, e: g.with_columns(C("usage").round(0)), "usage", "type", 1.0),
    "no pattern": (
        lambda g, r, e: g.with_columns(C("x1") + pl.Series(r.normal(size=g.height))),
        "x1",
        "differs",
        None,
    ),
}


@pytest.mark.parametrize("name", SKEWS)
def test_skew_is_named_and_the_recomputed_values_take_the_drop_back(name):
    fault, column, mechanism, factor = SKEWS[name]
    one = case(fault, copy=True)
    found = skew(one, drop(one), rescoring(one))
    assert [(each.column, each.mechanism) for each in found.suspects] == [(column, mechanism)]
    assert found.suspects[0].factor == (None if factor is None else pytest.approx(factor, rel=1e-3))
    differs = differing(one.current.features[column], one.recomputed[column])
    assert found.mismatch[column] == pytest.approx(differs.mean())
    assert sum(found.mismatch.values()) == pytest.approx(found.mismatch[column])
    assert found.repaired.equals(one.recomputed)
    if drop(one).value <= 0:
        assert found.recovered is None
        return
    # exact values and the exact model: what is left of the drop is that of another sample
    left = float(np.mean(one.loss(one.current.label, one.model(one.recomputed))))
    served = float(np.mean(one.loss(one.current.label, one.current.score)))
    assert found.recovered.value == pytest.approx((served - left) / drop(one).value, rel=1e-6)


def test_rounding_to_float32_and_nan_for_null_are_no_mismatch():
    values = pl.Series("a", [0.1, 1e8 / 3, None, float("nan"), -7.3e-5])
    other = values.cast(pl.Float32).fill_nan(None)
    assert not differing(other, values).any()
    assert differing(pl.Series([1, 2]), pl.Series([1.0, 2.001])).tolist() == [False, True]
    assert differing(pl.Series(["1", "x"]), pl.Series([1, 2])).tolist() == [False, True]


def test_an_instant_in_another_zone():
    at = pl.Series("t", np.arange(0, 10**12, 10**9)).cast(pl.Datetime("us"))
    served = at.dt.offset_by("-7h")
    found = hint(served, at, differing(served, at))
    assert (found.mechanism, found.factor) == ("time zone", -7.0)


def test_without_a_second_copy_it_says_what_it_needs():
    one = case()
    found = skew(one, drop(one), rescoring(one))
    assert found.test.outcome is Outcome.UNKNOWN
    assert found.test.needs


def test_equal_copies_are_clear_and_unequal_lengths_refused():
    one = case(copy=True)
    found = skew(one, drop(one), rescoring(one))
    assert found.test.outcome is Outcome.CLEAR
    assert set(found.mismatch.values()) == {0.0}
    short = case(copy=True)
    object.__setattr__(short, "recomputed", short.recomputed[:-1])
    with pytest.raises(DataError, match="3999 rows were recomputed for 4000"):
        skew(short, drop(one), rescoring(short))
