"""How joint drift is drawn in the terminal: the latest in full, what was left out, and how to get one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.console import Console

from mlwright.doors.cli.jointly import jointly
from mlwright.model.joint_drift import JointColumn, JointDrift
from mlwright.model.monitoring import Estimate
from mlwright.model.windows import Window

START, WEEK = datetime(2013, 4, 1, tzinfo=UTC), timedelta(days=7)
AREA = Estimate(value=0.7, lower=0.65, upper=0.75, assumption="days are independent")
LAST = JointDrift(
    endpoint="delay",
    window=Window(start=START, end=START + WEEK),
    reference=Window(start=START - 3 * WEEK, end=START - WEEK),
    version="delay/1",
    at=START + WEEK,
    rows=6300,
    reference_rows=19_000,
    taken=(10_000, 6300),
    auc=AREA,
    usual=replace(AREA, value=0.51, lower=0.47, upper=0.55),
    mmd=0.00213,
    mmd_p=0.03482,
    columns=(
        *(JointColumn(column=f"column_{at}", importance=0.3 / (at + 1)) for at in range(12)),
        JointColumn(column="words", alone=AREA),
        JointColumn(column="seen", left_out="an instant"),
    ),
)


def drawn(found):
    console = Console(width=250, highlight=False)
    with console.capture() as shown:
        console.print(jointly(found, "delay"))
    return " ".join(shown.get().split())


def test_the_latest_in_full_and_the_others_a_line_each() -> None:
    text = drawn((replace(LAST, window=Window(start=START - WEEK, end=START)), LAST))
    for words in (
        "AUC of served against held out 0.700 [0.650, 0.750]",
        "against its beginning 0.510 [0.470, 0.550]",
        "95%: days are independent",
        "6,300 served, 19,000 held out; 6,300 and 10,000 taken",
        "MMD² 0.00213, p 0.035",
        "the first 10 of 12",
        "words 0.700 [0.650, 0.750]",
        "not asked: seen: an instant",
        "says nothing of harm",
        "2013-03-25 00:00 2013-04-01 00:00 6,300",
    ):
        assert words in text, words
    assert "column_9" in text
    assert "column_11" not in text
    assert "over time" not in drawn((LAST,))


def test_nothing_yet_and_too_few_rows_say_so() -> None:
    assert "mlwright monitor delay --drift --joint" in drawn(())
    few = replace(LAST, auc=None, usual=None, mmd=None, mmd_p=None, columns=(), note="20 rows were served")
    assert "not compared 20 rows were served" in drawn((few,))
