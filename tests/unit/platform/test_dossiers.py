"""Card, bill, comparison and evidence of versions that a project's own pipeline made."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from mlwright.errors import NotFound
from mlwright.model.registry import Field, Signature
from mlwright.platform.comparing import changes, signature_breaks
from mlwright.stages.registry.tables import versions


def names(found):
    return [each.name for each in found]


def test_two_versions_are_compared_on_the_same_rows(timid):
    found = timid.platform.dossiers.compare("delay/1", "delay/2")
    assert names(found.same_rows) == ["auc", "brier", "calibration"]
    for each in found.same_rows:
        assert each.difference.lower <= each.difference.value <= each.difference.upper
        assert (each.held_out_by, each.days) == ("delay/1", 15)
    # What dares to say more has the better Brier score; turned around, the sign turns.
    brier = found.same_rows[1].difference
    assert brier.lower > 0
    back = timid.platform.dossiers.compare("delay/2", "delay/1").same_rows[1].difference
    assert (back.value, back.lower, back.upper) == pytest.approx((-brier.value, -brier.upper, -brier.lower))
    assert [(each.name, each.before, each.after) for each in found.params] == [("strength", "1.0", "6.0")]
    assert (found.compatible, found.breaks, found.signature) == (True, (), ())
    assert found.data == ()
    assert found.size.before > 0


def test_versions_that_cannot_be_scored_are_compared_in_all_else(timid):
    with timid.platform.parts.write() as tx:
        tx.execute(update(versions).values(evaluation=None))
    found = timid.platform.dossiers.compare("delay/1", "delay/2")
    assert found.same_rows == ()
    assert "registered without held-out rows" in found.not_compared
    assert names(found.params) == ["strength"]


def test_card_and_bill_are_of_the_version_that_was_asked_for(timid):
    dossiers = timid.platform.dossiers
    card, bom = dossiers.card("delay@champion"), dossiers.bom("delay/2")
    assert "# Model card: delay/1" in card
    assert "Target column: `late`" in card
    assert "Data set `flights`" in card
    assert "Checked by contract `flights@1.0.0`" in card
    assert bom["metadata"]["component"]["bom-ref"] == "model:delay/2"
    with pytest.raises(NotFound):
        dossiers.card("delay/9")


def test_changes_name_what_differs_and_what_is_only_there_once():
    found = changes({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4})
    assert [(each.name, each.before, each.after) for each in found] == [
        ("b", 2, 3),
        ("c", 3, None),
        ("d", None, 4),
    ]
    assert names(changes({"a": 1}, {"a": 1}, equal=True)) == ["a"]


WIND, RAIN = Field(name="wind", type="long"), Field(name="rain", type="double", required=False)
LATE = Field(name="late", type="double")


@pytest.mark.parametrize(
    ("inputs", "outputs", "broken"),
    [
        ((WIND, RAIN), (LATE,), None),
        ((WIND,), (LATE, replace(LATE, name="more")), None),
        ((replace(WIND, type="double"), RAIN), (LATE,), None),
        ((replace(WIND, type="string"), RAIN), (LATE,), "input 'wind' was long and is string"),
        ((WIND, replace(RAIN, type="long")), (LATE,), "input 'rain' was double and is long"),
        ((WIND, replace(RAIN, required=True)), (LATE,), "input 'rain' may no longer be missing"),
        ((WIND, RAIN, replace(WIND, name="snow")), (LATE,), "input 'snow' is new and must be given"),
        ((WIND, RAIN, replace(RAIN, name="snow")), (LATE,), None),
        ((WIND, RAIN), (replace(LATE, name="delay"),), "output 'late' is gone"),
        ((WIND, RAIN), (replace(LATE, type="string"),), "output 'late' was double and is string"),
    ],
)
def test_who_calls_the_one_can_call_the_other(timid, inputs, outputs, broken):
    version = timid.platform.releases.version("delay/1")
    before = replace(version, signature=Signature(inputs=(WIND, RAIN), outputs=(LATE,)))
    after = replace(version, signature=Signature(inputs=inputs, outputs=outputs))
    assert signature_breaks(before, after) == ((broken,) if broken else ())
    assert signature_breaks(before, replace(version, signature=None)) is None
