"""Levels: codes that swapped meaning, and the changes of a category that are not that."""

import numpy as np
import polars as pl
from tests.unit.monitoring.faulty import case, drop, rescoring, unlabelled

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.diagnosis.clocks import rotation
from mlwright.stages.monitoring.diagnosis.integrity import faults, integrity

C = pl.col


def test_a_permutation_of_codes_is_found_and_undone():
    swap = {"red": "black", "black": "blue", "blue": "red"}
    one = case(lambda g, r, e: g.with_columns(C("color").replace(swap)))
    found = integrity(one, BoostedLearner(), drop(one), rescoring(one))
    assert [(s.column, s.mechanism) for s in found.suspects] == [("color", "recoded")]
    assert "re-defined" in found.suspects[0].text
    assert found.suspects[0].recovered.value > 0.85
    assert found.repaired["color"].equals(case().current.features["color"])


def test_other_names_for_all_levels_are_undone():
    names = {"red": "1", "green": "2", "blue": "3", "black": "4", "white": "5"}
    one = case(lambda g, r, e: g.with_columns(C("color").replace(names)))
    found = integrity(one, BoostedLearner(), drop(one), rescoring(one))
    assert [(s.column, s.mechanism) for s in found.suspects] == [("color", "recoded")]
    assert found.repaired["color"].equals(case().current.features["color"])


def test_a_changed_effect_on_the_label_is_no_new_code():
    one = case()
    r = np.random.default_rng(1)
    color = one.current.features["color"].to_numpy()
    label = np.where(
        np.isin(color, ["red", "black"]), (r.random(len(color)) < (color == "red")), one.current.label
    )
    now = Sample(features=one.current.features, label=label.astype(float), score=one.current.score)
    other = Case(task=one.task, reference=one.reference, current=now, model=one.model)
    assert integrity(other, BoostedLearner(), drop(other), rescoring(other)).suspects == ()


def test_levels_that_became_more_common_are_no_new_code():
    r = np.random.default_rng(2)
    for shares in ([0.3, 0.4, 0.3], [0.5, 0.25, 0.25], [0.35, 0.45, 0.2]):
        before = pl.DataFrame(
            {"a": r.choice(["x", "y", "z"], 3000, p=[0.45, 0.35, 0.2]), "b": r.normal(size=3000)}
        )
        now = pl.DataFrame({"a": r.choice(["x", "y", "z"], 3000, p=shares), "b": r.normal(size=3000)})
        assert [each for each in faults(unlabelled(before, now)) if not each.weak] == []


def test_numbers_as_text_and_with_a_comma_are_read():
    values = np.random.default_rng(0).normal(size=500)
    before = pl.DataFrame({"a": values})
    for text in (
        pl.Series("a", values).cast(pl.String),
        pl.Series("a", [f"{v:.6f}".replace(".", ",") for v in values]),
    ):
        (found,) = faults(unlabelled(before, pl.DataFrame({"a": text})))
        assert found.mechanism == "type"
        assert np.allclose(found.undone.to_numpy(), values, atol=1e-6)


def test_hours_are_turned_back_and_a_drift_is_not():
    r = np.random.default_rng(0)
    before, now = (np.floor(r.normal(14, 3, 3000) % 24) for _ in range(2))
    for turn in (-11, -5, 1, 3, 12):
        assert rotation(before, (now + turn) % 24) == turn
    assert rotation(before, now) is None
    assert rotation(before, np.floor(r.normal(15.5, 5, 3000) % 24)) is None
    assert rotation(before, np.full(3000, np.nan)) is None
