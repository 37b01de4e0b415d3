"""The flights example's contracts on the real data: the dirt that is known is the dirt that is found."""

import importlib.util
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
import yaml
from jsonschema import Draft201909Validator

from mlwright.adapters.odcs import read_contract
from mlwright.adapters.odcs.validate import official_schema
from mlwright.errors import NotAvailableAtPrediction
from mlwright.model.contracts import ContractReport
from mlwright.stages.contracts.availability import require_available
from mlwright.stages.contracts.check import admit, require

FOLDER = Path(__file__).parents[3] / "examples" / "flights"


@pytest.fixture(scope="module")
def data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flights_example_data", FOLDER / "data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def broken(report: ContractReport) -> dict[str, tuple[int, int]]:
    return {result.rule.id: (result.failing_rows, result.dropped) for result in report.broken}


@pytest.mark.parametrize("name", ["flights", "weather"])
def test_the_contracts_are_valid_by_the_official_schema(name: str) -> None:
    path = FOLDER / "contracts" / f"{name}.odcs.yaml"
    Draft201909Validator(official_schema()).validate(yaml.safe_load(path.read_text()))
    contract = read_contract(path)
    assert contract.not_enforced == ()
    assert contract.dataset == name


def test_flights(data: ModuleType) -> None:
    frame: pl.DataFrame = data.flights()
    contract = read_contract(FOLDER / "contracts" / "flights.odcs.yaml")
    admitted, report = admit(contract, frame)
    require(report)
    assert (report.rows, admitted.height, report.not_measured) == (336_776, 336_776, ())
    assert broken(report) == {"arr_delay_known": (9_430, 0)}
    assert set(frame.columns) - {column.name for column in contract.columns} <= {
        "year", "day", "minute", "sched_dep_time", "time_hour",
    }  # fmt: skip
    assert frame["predict_at"].is_sorted()
    assert frame["flight_id"].n_unique() == 336_776
    assert frame["late"].mean() == pytest.approx(0.2371, abs=1e-4)
    delay = frame.select((pl.col("arrived") - pl.col("scheduled")).alias("delay"))["delay"]
    assert delay.median() == timedelta(hours=2, minutes=40)
    assert delay.quantile(0.99) == timedelta(hours=7, minutes=20)
    assert delay.null_count() == 9_430
    with pytest.raises(NotAvailableAtPrediction, match="dep_delay"):
        require_available(contract, ["distance", "dep_delay"], where="step train")


def test_weather(data: ModuleType) -> None:
    frame: pl.DataFrame = data.weather()
    contract = read_contract(FOLDER / "contracts" / "weather.odcs.yaml")
    admitted, report = admit(contract, frame)
    require(report)
    assert (report.rows, admitted.height, report.not_measured) == (26_115, 26_114, ())
    assert broken(report) == {
        "wind_speed.range": (1, 1),
        "wind_gust_known": (20_778, 0),
        "pressure_known": (2_729, 0),
        "one_row_a_local_hour": (3, 0),
    }
    surplus = next(result for result in report.broken if result.rule.id == "one_row_a_local_hour")
    rows = frame[list(surplus.examples)]
    assert rows.select("month", "day", "hour").unique().rows() == [(11, 3, 1)]
    assert sorted(rows["origin"]) == ["EWR", "JFK", "LGA"]
