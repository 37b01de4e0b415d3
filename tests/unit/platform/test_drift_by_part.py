"""Drift of slices and variants on a project that serves: which part moved, from counts that add up to the whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from mlwright.model.windows import Window
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.sketches import merge_all

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAYS = 22
SPAN = Window(start=OPEN, end=OPEN + DAYS * DAY)


def sliced(project, *columns):
    """The project with slices declared."""
    monitor = project.settings.endpoints[0].monitor
    project.change(retrain=None, monitor=replace(monitor, slices=columns, window=DAYS * DAY))
    return project


def counted(project, window=None):
    """What is kept of the window: the reference, of all rows and of each part one sum."""
    reference = project.platform.drifting._known("delay").reference
    with project.platform.parts.read() as tx:
        whole = monitoring.list_counts(tx, reference, window)
        parts = monitoring.list_parts_counted(tx, reference, window)
    return (
        reference.sketches,
        merge_all(reference.sketches, (each.sketches for each in whole)),
        {
            name: merge_all(reference.sketches, (each.sketches for each in held))
            for name, held in parts.items()
        },
    )


def add_up(project, window=None):
    """Of which columns the slices, and whether the variants, make the whole of a window."""
    reference, whole, parts = counted(project, window)
    found = set()
    for kind in {name.partition("=")[0] for name in parts}:
        summed = merge_all(reference, (each for name, each in parts.items() if name.startswith(f"{kind}=")))
        if all(
            (summed[column].rows, summed[column].counts.tolist()) == (each.rows, each.counts.tolist())
            for column, each in whole.items()
        ):
            found.add(kind)
    return found


@pytest.fixture
def gusty(released):
    """Three weeks on which x is another in strong wind: in one of four slices."""
    sliced(released, "wind", "origin")
    wind = released.flown(OPEN, DAYS)["wind_then"].to_numpy()
    released.serve(OPEN, DAYS, shift=np.where(wind > 0.724885, 0.6, 0.0))
    released.wind(SPAN.end + 13 * HOUR)
    released.platform.drifting.measure("delay", list(SPAN.days()))
    return released


def test_one_slice_moves_and_the_whole_hardly_and_that_slice_is_named(gusty, tmp_path) -> None:
    drifting = gusty.platform.drifting
    assert not [each.column for each in drifting.between("delay", SPAN).features if each.moved]
    found = drifting.by_part("delay", SPAN)
    moved = {each.part: [one.column for one in each.moved_features] for each in found.parts}
    assert {part.partition("=")[2][0]: names for part, names in moved.items()} == {
        "≤": [],
        "-": [],
        "0": [],
        ">": ["x"],
    }
    assert [each.judged for each in found.parts] == [3, 3, 3, 3]
    assert {each.assumption.partition(",")[0] for each in found.parts} == {"fixed limits"}
    # Each against the held-out rows of its own quarter, all of which make the reference.
    assert sum(each.reference_rows for each in found.parts) == 2101
    assert found.most_drifted(1) == ("x",)
    kept = drifting.by_part("delay")
    assert kept.window == SPAN
    assert [(each.part, each.rows, each.moved) for each in kept.parts] == [
        (each.part, each.rows, each.moved) for each in found.parts
    ]
    assert kept.parts[-1].moved_features == found.parts[-1].moved_features
    (exported,) = (
        pl.read_parquet(each.file)
        for each in gusty.platform.records.monitoring(tmp_path / "out")
        if each.table == "part_drift"
    )
    assert exported.height == 12
    assert exported.filter(columns_moved=1)["part"].unique().to_list() == [found.parts[-1].part]
    assert exported.filter("moved", part=found.parts[-1].part)["column"].to_list() == ["x"]
    assert add_up(gusty) == {"variant", "wind"}
    assert add_up(gusty, Window(start=OPEN + 3 * DAY, end=OPEN + 5 * DAY)) == {"variant", "wind"}


def test_a_day_that_is_counted_again_after_rows_came_late_counts_each_row_once(released) -> None:
    sliced(released, "wind", "hour")
    drifting, day = released.platform.drifting, Window(start=OPEN, end=OPEN + DAY)
    released.serve(OPEN)
    block = released.block
    late = msgspec.structs.replace(
        block,
        prediction_ids=[f"late-{each}" for each in block.prediction_ids],
        features={**block.features, "wind": [9.0] * 150},
    )
    drifting.measure("delay", [day])
    _, before, parts_before = counted(released)
    released.log(late)
    for _ in range(2):
        drifting.measure("delay", [day])
    _, after, parts = counted(released)
    assert (before["x"].rows, after["x"].rows) == (150, 300)
    strongest = next(name for name in parts if name.startswith("wind=>"))
    assert parts[strongest]["x"].rows == parts_before[strongest]["x"].rows + 150
    assert add_up(released) == {"variant", "wind", "hour"}
    assert sum(name.startswith("hour=") for name in parts) == 24


def test_champion_and_challenger_stand_beside_each_other_during_a_rollout(timid) -> None:
    sliced(timid, "wind")
    timid.platform.rollouts.start("delay", "delay/2")
    timid.live(4)
    assert add_up(timid) == {"variant", "wind"}
    _, whole, parts = counted(timid)
    answered = {name: each["score"].rows for name, each in parts.items() if "variant" in name}
    assert answered.keys() == {"variant=champion (delay/1)", "variant=challenger (delay/2)"}
    # Three days in the shadow, where the champion answers all, and one on which each answers half.
    assert sum(answered.values()) == whole["score"].rows == 600
    assert 40 < answered["variant=challenger (delay/2)"] < 110
    found = timid.platform.drifting.by_part("delay")
    challenger, champion = found.parts[-2:]
    assert [challenger.part, champion.part] == sorted(answered)
    assert [each.part.startswith("variant=") for each in (challenger, found.parts[0])] == [True, False]
    assert "scores are compared with those of delay/1" in challenger.note
    assert "too few to judge" in challenger.note
    assert champion.reference_rows == challenger.reference_rows == 2101
    assert found.model_version == "delay/1"


def test_a_slice_that_is_named_later_begins_with_what_is_counted_then(released) -> None:
    released.change(retrain=None)
    released.serve(OPEN, 2)
    first, second = Window(start=OPEN, end=OPEN + DAY), Window(start=OPEN + DAY, end=OPEN + 2 * DAY)
    released.platform.drifting.measure("delay", [first])
    both = Window(start=first.start, end=second.end)
    assert released.platform.drifting.by_part("delay") is None
    assert released.platform.drifting.by_part("delay", both) is None
    sliced(released, "wind", "nothing")
    released.platform.drifting.measure("delay", [second])
    found = released.platform.drifting.by_part("delay", both)
    assert sum(each.rows for each in found.parts) == 150
    assert {each.note.partition("; ")[2] for each in found.parts} == {
        "150 of 300 rows of the window were counted apart"
    }
    assert all(each.note.startswith("too few to judge") and not each.judged for each in found.parts)
