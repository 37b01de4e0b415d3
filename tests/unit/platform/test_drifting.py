"""The journey of drift on a project that serves: counts are kept, any window is their sum, predictions count too."""

from datetime import UTC, datetime, timedelta

import pytest

from mlwright.model.windows import Window

OPEN = datetime(2013, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def served(released):
    """Four usual days and four that are not."""
    released.change(retrain=None)
    released.serve(OPEN, 4)
    released.serve(OPEN + 4 * DAY, 4, shift=3.0)
    released.wind(OPEN + 8 * DAY + 13 * HOUR)
    released.platform.drifting.look("delay")
    return released


def test_counts_of_the_days_add_up_to_any_window(served) -> None:
    drifting = served.platform.drifting
    kept = drifting.drift("delay")
    assert len(kept) == 8
    whole = drifting.between("delay", Window(start=OPEN, end=OPEN + 8 * DAY))
    by_name = {each.column: each for each in whole.features}
    for name, each in by_name.items():
        assert each.n == sum(f.n for report in kept for f in report.features if f.column == name)
    assert by_name["score"].kind == "prediction"
    last = drifting.between("delay", Window(start=OPEN + 7 * DAY, end=OPEN + 8 * DAY))
    assert [each.psi for each in last.features] == [each.psi for each in kept[-1].features]
    assert drifting.between("delay", Window(start=OPEN + 40 * DAY, end=OPEN + 41 * DAY)) is None


def test_what_moved_says_so_and_the_usual_days_do_not(served) -> None:
    drifting = served.platform.drifting
    shifted = drifting.between("delay", Window(start=OPEN + 4 * DAY, end=OPEN + 8 * DAY))
    usual = drifting.between("delay", Window(start=OPEN, end=OPEN + 4 * DAY))
    moved = {each.column: (each.n, each.moved, each.reason) for each in shifted.features}
    assert not [each.column for each in usual.features if each.moved]
    assert moved["x"] == (600, True, "psi")
    assert moved["wind"] == (600, False, "")
    assert shifted.reference == usual.reference


def test_a_version_without_held_out_rows_has_no_drift(served) -> None:
    drifting = served.platform.drifting
    assert drifting.measure("delay", [Window(start=OPEN - 9 * DAY, end=OPEN - 8 * DAY)]) == ()
