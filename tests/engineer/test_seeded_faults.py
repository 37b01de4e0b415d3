"""Each of the 28 tests of the ML Test Score is told apart: a fault in one costs that one, and mending it pays."""

from pathlib import Path

import pytest
from tests.engineer.corpus.seeding import Scored, copied, put_in, scored, seeded

from mlwright.model.findings import Rung

FAULTS = seeded()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return scored(copied(tmp_path_factory.mktemp("healthy")))


def test_there_is_one_fault_for_each_item_and_the_healthy_one_has_none(healthy: Scored) -> None:
    assert sorted(FAULTS) == sorted(healthy.items)
    assert len(FAULTS) == 28
    assert {
        id: item.rung.name for id, item in healthy.items.items() if item.rung is not Rung.EXECUTABLE
    } == {}


@pytest.mark.parametrize("id", sorted(FAULTS))
def test_a_fault_flips_its_item_and_no_other(id: str, healthy: Scored, tmp_path: Path) -> None:
    sick = scored(copied(tmp_path, FAULTS[id]))
    changed = {
        each: item.rung.name for each, item in sick.items.items() if item.rung is not healthy.items[each].rung
    }
    assert list(changed) == [id], f"{changed} by: {FAULTS[id]['fault']}"
    assert sick.items[id].rung < Rung.EXECUTABLE
    assert sick.items[id].points.low < healthy.items[id].points.low
    assert sick.low < healthy.low, "mending a fault raises the score"


def test_a_fault_that_does_not_fit_any_more_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"README\.md does not hold"):
        put_in({"replace": {"README.md": [["no such words", ""]]}}, copied(tmp_path))
