"""Comparisons by order are facts: their text, the function around, whether a loop or an assert has them."""

from mlwright.engineer.collect.making import Maker
from mlwright.engineer.collect.python_source import parse_file
from mlwright.engineer.facts.code import Comparison, Role

SOURCE = b"""
def keep(runs):
    for run in runs:
        if run["auc"] < 0.8 or run.name == "x":
            return
    assert accuracy > LIMIT, "too bad"
good = 0 <= score
"""


def test_comparisons_are_read_in_order() -> None:
    file = Maker().python_file("a.py", Role.PRODUCTION, parse_file("a.py", SOURCE))
    assert file.comparisons == (
        Comparison('run["auc"] < 0.8', 4, None, "keep", True, False),
        Comparison("accuracy > LIMIT", 6, None, "keep", False, True),
        Comparison("0 <= score", 7, None, "", False, False),
    )
    assert str(file.at(file.comparisons[0])) == "a.py:4"
