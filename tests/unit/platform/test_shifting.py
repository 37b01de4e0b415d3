"""The journey of joint drift on a project that serves: what no column shows is found, once a week, and wakes nobody."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from mlwright.errors import UsageError
from mlwright.model.instants import to_micros
from mlwright.model.registry import Field, Signature
from mlwright.model.settings import RecordSettings, ServingSettings
from mlwright.model.watch_settings import MonitorSettings
from mlwright.model.windows import Window
from mlwright.platform.shifting import JointDriftJourney
from mlwright.stages.ledger import store as ledger
from mlwright.stages.serving.blocks import PredictionBlock

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
"""A Friday."""
MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.fixture
def served(released):
    """The endpoint without retraining; nothing is served yet."""
    released.change(retrain=None)
    return released


def tied(project, start, days):
    """Serve days on which wind follows x: each column is as it ever was, both together are not."""
    for at in range(days):
        day = start + at * DAY
        rows = project.flown(day)
        x = rows["x"].to_numpy()
        wind = 0.9 * x + np.sqrt(1 - 0.81) * rows["wind_then"].to_numpy()
        answer(project, rows, {"x": x.tolist(), "wind": wind.tolist()})


def answer(project, rows, features):
    """Log answers to some flights, with features of any kind."""
    keys = rows["flight_id"].to_list()
    project.log(
        PredictionBlock(
            endpoint="delay",
            variant="champion",
            model_version="delay/1",
            generation=1,
            logged_at=to_micros(rows["predict_at"][-1]),
            latency_us=900,
            prediction_ids=[f"p-{key}" for key in keys],
            entity_keys=keys,
            event_times=rows["predict_at"].dt.epoch("us").to_list(),
            served=[],
            scores=[0.5] * len(keys),
            features=features,
        )
    )
    project.label(rows)


def test_a_tie_that_no_column_shows_is_found_and_wakes_nobody(served) -> None:
    served.serve(OPEN, 10)
    tied(served, MONDAY + WEEK, 7)
    served.wind(MONDAY + 2 * WEEK + 13 * timedelta(hours=1))
    platform = served.platform
    turn = platform.tick()[0]
    assert [each.window.start for each in turn.joint] == [MONDAY - WEEK, MONDAY, MONDAY + WEEK]
    kept = platform.shifting.kept("delay")
    assert kept == turn.joint
    quiet, moved = kept[1], kept[2]
    assert quiet.auc.lower <= 0.5 <= quiet.auc.upper
    assert moved.auc.lower > 0.6
    assert moved.mmd_p < 0.05 < quiet.mmd_p
    assert moved.usual == quiet.usual
    assert moved.usual.lower <= 0.5 <= moved.usual.upper
    assert {each.column for each in moved.columns[:2]} == {"x", "wind"}
    assert moved.auc.assumption == "days are independent; rows of one need not be"
    alone = platform.drifting.between("delay", moved.window)
    assert [each.column for each in alone.features if each.moved and each.kind == "feature"] == []
    assert platform.alerting.alerts("delay") == ()
    assert (moved.rows, moved.version) == (7 * 150, "delay/1")
    written = {each.table: each.file for each in platform.records.monitoring(served.root / "out")}
    flat = pl.read_parquet(written["joint_drift"])
    assert flat.height == 3 * 2  # a row a column of each week
    assert set(flat["numbers.auc.value"].tail(2)) == {moved.auc.value}
    assert flat["importance"].tail(2).to_list() == [each.importance for each in moved.columns]


def test_each_week_once_and_not_at_each_turn(served) -> None:
    served.serve(OPEN, 10)
    served.wind(MONDAY + 13 * timedelta(hours=1))
    shifting = served.platform.shifting
    assert len(shifting.look("delay")) == 1
    served.wind(MONDAY + 2 * DAY)
    assert shifting.look("delay") == ()
    served.wind(MONDAY + WEEK)
    first = shifting.look("delay")
    assert [each.window for each in first] == [Window(start=MONDAY, end=MONDAY + WEEK)]
    assert shifting.look("delay") == ()
    again = shifting.compare("delay", first[0].window)
    assert replace(again, at=first[0].at) == first[0]
    served.wind(MONDAY + 600 * WEEK)  # years in which nobody asks cost nothing
    assert shifting.look("delay") == ()
    assert len(shifting.kept("delay")) == 2
    served.serve(MONDAY + 2 * WEEK, 1)  # what is logged late is not looked at again
    assert shifting.look("delay") == ()


def test_after_a_long_absence_a_look_takes_four_weeks_and_the_next_goes_on(served) -> None:
    for week in range(5):
        served.serve(OPEN + week * WEEK, 1, label=False)
    served.wind(OPEN + 9 * WEEK)
    with served.platform.parts.write() as tx:
        ledger.set_mark(tx, "first-day:delay", OPEN.isoformat())
    shifting = served.platform.shifting
    assert [len(shifting.look("delay")) for _ in range(3)] == [4, 1, 0]
    assert [each.window.start for each in shifting.kept("delay")] == [
        MONDAY + (week - 1) * WEEK for week in range(5)
    ]


def test_off_is_off_and_asking_now_is_not(served) -> None:
    served.serve(OPEN, 4)
    served.wind(MONDAY + DAY)
    platform = served.change(monitor=MonitorSettings(joint_every=None))
    assert platform.shifting.look("delay") == ()
    asked = platform.shifting.compare("delay")
    assert asked.window == Window(start=MONDAY + DAY - WEEK, end=MONDAY + DAY)
    assert asked.auc is not None
    assert platform.shifting.kept("delay") == ()


def test_too_few_rows_say_so_and_are_not_kept(served) -> None:
    rows = served.flown(OPEN).head(20)
    answer(served, rows, {"x": rows["x"].to_list(), "wind": rows["wind_then"].to_list()})
    served.wind(MONDAY + DAY)
    shifting = served.platform.shifting
    found = shifting.compare("delay", Window(start=OPEN, end=MONDAY))
    assert found.auc is None
    assert found.note == "20 rows were served in the window, and 50 are needed"
    assert shifting.look("delay") == ()
    assert shifting.kept("delay") == ()


def test_what_the_log_does_not_have_as_it_was_is_left_out(served) -> None:
    serving = ServingSettings(record=RecordSettings(mask=("wind",)))
    served.change(serving=serving)
    served.serve(OPEN, 2)
    found = served.platform.shifting.compare("delay", Window(start=OPEN, end=OPEN + 2 * DAY))
    assert [(each.column, bool(each.left_out)) for each in found.columns] == [("x", False), ("wind", True)]
    assert found.auc.assumption == "rows are independent"  # of two days nothing follows


def test_prose_and_vectors_are_compared_as_such(served) -> None:
    """The log holds lists of numbers and whole texts; the champion's reference has them too."""
    random = np.random.default_rng(1)
    platform = served.platform
    champion = platform.releases.status("delay").champion
    held = pl.read_parquet(served.artifacts.get_bytes(champion.evaluation.holdout))
    wide = held.with_columns(**columns(random, held.height, "delay"))
    target = BytesIO()
    wide.write_parquet(target)
    holdout = served.artifacts.put_bytes(target.getvalue())
    names = ("x", "prose", "vector", "seen", "nested")
    inputs = tuple(Field(name=name, type="double") for name in names)
    shifting = JointDriftJourney(platform.parts, Wider(platform.releases, inputs, holdout))
    rows = served.flown(OPEN, 3)
    more = {name: each.to_list() for name, each in columns(random, rows.height, "refund").items()}
    answer(served, rows, {"x": rows["x"].to_list(), **more, "seen": ["2013-03-01"] * rows.height})
    found = shifting.compare("delay", Window(start=OPEN, end=OPEN + 3 * DAY))
    by_name = {each.column: each for each in found.columns}
    assert by_name["prose"].alone.lower > 0.9
    assert by_name["vector"].alone.lower <= 0.5
    assert by_name["x"].importance is not None
    assert "instant" in by_name["seen"].left_out
    assert "nested" in by_name["nested"].left_out


class Wider:
    """Releases whose champion takes more inputs, and held them out."""

    def __init__(self, releases, inputs, holdout) -> None:
        self._releases = releases
        self._inputs = inputs
        self._holdout = holdout

    def status(self, endpoint):
        found = self._releases.status(endpoint)
        signature = Signature(inputs=self._inputs, outputs=())
        evaluation = replace(found.champion.evaluation, holdout=self._holdout)
        champion = replace(found.champion, signature=signature, evaluation=evaluation)
        return replace(found, champion=champion)


def columns(random, rows, topic):
    """Columns that are no numbers, of rows about something."""
    return {
        "prose": pl.Series(
            [f"it is about the {topic} of number {n}" for n in random.integers(0, 9999, rows)]
        ),
        "vector": pl.Series(random.normal(size=(rows, 6)).tolist()),
        "nested": pl.Series([[[1.0]]] * rows),
        "seen": pl.Series([OPEN] * rows),
    }


def test_nothing_to_compare_with_says_what_to_do(project) -> None:
    with pytest.raises(UsageError, match="no model stands behind"):
        project.platform.shifting.compare("delay")
    project.wind(OPEN + 9 * DAY)
    assert project.platform.shifting.look("delay") == ()
