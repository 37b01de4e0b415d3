"""From a project's log, ledger and feature views to a cause."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mlwright.errors import DataError, NotFound, SettingsError, UsageError
from mlwright.model.diagnosis import Cause, Outcome
from mlwright.model.windows import Window
from mlwright.platform.recomputing import recompute

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
TURN = datetime(2013, 4, 1, tzinfo=UTC)
"""From here on the wind decides (see conftest): delay/1, which knows x only, is worth nothing."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_another_world_is_a_concept_change_and_not_blamed_on_the_pipeline(released) -> None:
    released.serve(TURN - 4 * DAY, 4)
    released.serve(TURN, 10)
    released.wind(TURN + 10 * DAY + 13 * HOUR)
    kept = released.platform.diagnosing.diagnose("delay", since=TURN)
    found = kept.diagnosis
    assert found.verdict is Cause.CONCEPT, found.summary
    outcomes = {each.id: each.outcome for each in found.tests}
    assert (outcomes["S2"], outcomes["S4"]) == (Outcome.CLEAR, Outcome.CLEAR)
    assert found.retrain_gain is not None
    assert found.retrain_gain.lower > 0
    assert found.drop.lower > 0
    # What was found is in the ledger, and comes back as it was.
    (again,) = released.platform.diagnosing.diagnoses("delay")
    assert again == kept
    (decision,) = released.platform.records.decisions("delay")[:1]
    assert (decision.kind, decision.id) == ("diagnosis", kept.id)


def test_answers_that_the_recorded_model_does_not_give_are_a_serving_defect(released) -> None:
    released.serve(OPEN, 12, distort=lambda _, scores: 1 - scores)
    released.wind(OPEN + 12 * DAY + 13 * HOUR)
    found = released.platform.diagnosing.diagnose("delay", keep=False).diagnosis
    assert found.verdict is Cause.SERVING, found.summary
    assert released.platform.diagnosing.diagnoses() == ()
    replayed = next(each for each in found.tests if each.id == "S2")
    assert replayed.outcome is Outcome.FOUND


def test_nothing_happened(released) -> None:
    released.serve(OPEN, 12)
    released.wind(OPEN + 12 * DAY + 13 * HOUR)
    found = released.platform.diagnosing.diagnose("delay", since=OPEN, until=OPEN + 10 * DAY).diagnosis
    assert found.verdict is Cause.NO_EVIDENCE, found.summary
    assert found.current_rows == 10 * 150


def test_the_second_copy_is_what_offline_data_say_of_each_instant(released) -> None:
    released.serve(OPEN, 2)
    platform = released.platform
    served = platform.parts.log.features(Window(start=OPEN, end=OPEN + 2 * DAY), endpoint="delay")
    settings = platform.parts.endpoint("delay")
    # The endpoint's callers send no airport, so that nobody knows whose wind it was.
    assert recompute(platform.parts, platform.data, settings, served) is None
    origins = dict(released.flown(OPEN, 2).select("flight_id", "origin").iter_rows())
    served = served.with_columns(origin=pl.col("entity_key").replace_strict(origins))
    again = recompute(platform.parts, platform.data, settings, served)
    assert again is not None
    assert again.rows.all()
    np.testing.assert_allclose(again.features["wind"], served["wind"], rtol=1e-6)
    # What the offline data do not reach is no evidence.
    late = served.with_columns(pl.col("event_time") + timedelta(days=3000))
    beyond = recompute(platform.parts, platform.data, settings, late)
    assert beyond is not None
    assert not beyond.rows.any()


def test_what_cannot_be_asked_says_why_and_what_to_type(released) -> None:
    diagnosing = released.platform.diagnosing
    with pytest.raises(NotFound, match="delya"):
        diagnosing.diagnose("delya")
    with pytest.raises(DataError, match="nothing was answered") as nothing:
        diagnosing.diagnose("delay", since=OPEN - 20 * DAY)
    assert nothing.value.next_command == "mlwright monitor delay --update"
    with pytest.raises(UsageError, match="labels have matured until") as young:
        diagnosing.diagnose("delay", since=OPEN + 300 * DAY)
    assert "mlwright diagnose delay --since" in str(young.value.next_command)
    released.serve(OPEN, 2, label=False)
    released.wind(OPEN + 5 * DAY)
    with pytest.raises(DataError, match="no label has come"):
        diagnosing.diagnose("delay", since=OPEN)
    with pytest.raises(SettingsError, match="no label"):
        released.change(label=None, retrain=None, rollout=None).diagnosing.diagnose("delay")
