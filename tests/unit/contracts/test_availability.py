import pytest

from mlwright.errors import NotAvailableAtPrediction, NotFound
from mlwright.model.contracts import Availability, Column, Contract
from mlwright.stages.contracts.availability import require_available

LATER = Availability.LATER
CONTRACT = Contract(
    id="flights",
    version="1.0.0",
    dataset="flights",
    columns=(
        Column(name="distance", logical_type="integer"),
        Column(
            name="dep_delay", logical_type="integer", availability=LATER, description="known on departure"
        ),
        Column(name="arr_delay", logical_type="integer", availability=LATER),
    ),
    rules=(),
    source="flights.odcs.yaml",
)


def test_columns_that_are_known_pass() -> None:
    require_available(CONTRACT, ["distance"], where="step train")
    require_available(CONTRACT, [], where="step train")


def test_each_column_from_the_future_is_named_with_the_reason() -> None:
    with pytest.raises(NotAvailableAtPrediction) as caught:
        require_available(CONTRACT, ["arr_delay", "distance", "dep_delay", "dist"], where="step train")
    assert [str(fault) for fault in caught.value.faults] == [
        "arr_delay: known only after the prediction",
        "dep_delay: known on departure",
        "dist: is not in the contract (did you mean 'distance'?)",
    ]
    assert caught.value.where == "step train"
    assert caught.value.next_command


def test_a_column_that_the_contract_does_not_know_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        require_available(CONTRACT, ["dep_dealy"], where="step train")
    assert caught.value.faults[0].near == "dep_delay"
    assert "flights.odcs.yaml" in str(caught.value)
