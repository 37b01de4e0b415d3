"""Data in: contracts, versions, and examples as the endpoint would have seen them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from mlwright.errors import ContractBroken, DataError, NotAvailableAtPrediction, NotFound
from mlwright.model.contracts import Action

START, END = datetime(2013, 1, 5, tzinfo=UTC), datetime(2013, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def ids(rows: pl.DataFrame) -> set[str]:
    return set(rows["flight_id"])


def ask(project, inputs=("origin", "x"), start=START, end=END) -> pl.DataFrame:
    return project.platform.data.examples("delay", "flights", list(inputs), start, end)


@pytest.fixture
def holes(project) -> list[str]:
    """Three flights whose x is missing."""
    path = project.root / "flights.parquet"
    rows = pl.read_parquet(path)
    gone = sorted(ids(rows.filter(pl.col("predict_at") >= START)))[:3]
    missing = pl.col("flight_id").is_in(gone)
    rows.with_columns(x=pl.when(missing).then(None).otherwise("x")).write_parquet(path)
    return gone


def test_the_contract_drops_what_it_says_and_reports_it(project, holes) -> None:
    flights, weather = project.platform.data.check()
    assert (flights.rows, flights.rows - flights.admitted, flights.passed) == (27_000, 3, True)
    assert [(each.rule.id, each.failing_rows, each.dropped) for each in flights.broken] == [("x_known", 3, 3)]
    assert (weather.contract, weather.passed) == ("none", True)
    assert not ids(ask(project)) & set(holes)
    assert project.platform.data.load("flights").version.rows == 26_997


def test_data_that_breaks_its_contract_is_refused(project, holes) -> None:
    strict = project.contract.rules[0]
    project.contract = replace(project.contract, rules=(replace(strict, action=Action.REJECT),))
    with pytest.raises(ContractBroken, match=r"flights@1\.0\.0") as refusal:
        ask(project)
    assert refusal.value.next_command == "mlwright check flights"
    assert "x_known" in str(refusal.value.faults[0])


def test_labels_of_the_last_horizon_are_not_learned_from_even_those_that_came_early(project) -> None:
    everything = project.flown(START, 4)
    ripe = everything.filter(pl.col("predict_at") < END - timedelta(hours=12))
    early = everything.filter(pl.col("arrived") < END).height - ripe.height
    assert early > 0
    assert ids(ask(project)) == ids(ripe)


def test_a_label_that_arrived_after_the_end_is_not_learned_from(project) -> None:
    label = replace(project.settings.endpoints[0].label, horizon=timedelta(0))
    project.change(label=label)
    everything = project.flown(START, 4)
    known = everything.filter(pl.col("arrived") < END)
    assert everything.height - known.height == 12  # two hours of flights, one every 9.6 minutes
    assert ids(ask(project)) == ids(known)


def test_features_are_those_of_the_rows_own_instant(project) -> None:
    rows = ask(project).join(project.flown(START, 4), on="flight_id")
    assert rows["wind"].to_list() == rows["wind_then"].to_list()
    late = pl.read_parquet(project.root / "weather.parquet").with_columns(pl.col("seen_at") + 2 * SECOND)
    late.write_parquet(project.root / "weather.parquet")
    project.open()
    # Observed one second after the prediction: the value before it is the one that was known.
    rows = ask(project).join(project.flown(START, 4), on="flight_id").sort("predict_at")
    assert rows["wind"].to_list()[1:] == rows["wind_then"].to_list()[:-1]


def test_an_input_that_comes_later_is_refused(project) -> None:
    with pytest.raises(NotAvailableAtPrediction, match="wind_then") as refusal:
        ask(project, ["x", "wind_then"])
    assert "leave out wind_then" in str(refusal.value.next_command)


def test_a_misspelt_input_gets_the_near_one(project) -> None:
    with pytest.raises(NotFound) as refusal:
        ask(project, ["orign"])
    assert [each.near for each in refusal.value.faults] == ["origin"]


def test_without_a_contract_the_source_says_which_columns_there_are(project) -> None:
    first, *rest = project.settings.datasets
    project.settings = replace(project.settings, datasets=(replace(first, contract=None), *rest))
    project.open()
    with pytest.raises(DataError, match="did you mean 'origin'"):
        ask(project, ["orign"])


def test_a_window_without_labelled_rows_is_an_error(project) -> None:
    with pytest.raises(DataError, match=r"no labelled rows in \[2012-01-05, 2012-01-09\)"):
        ask(project, start=START.replace(year=2012), end=END.replace(year=2012))


@pytest.mark.parametrize(
    ("name", "near"), [("flihgts", "flights"), ("weathr", "weather")], ids=["flights", "weather"]
)
def test_an_unknown_data_set_gets_the_near_name(project, name, near) -> None:
    with pytest.raises(NotFound, match=f"did you mean '{near}'"):
        project.platform.data.load(name)


def test_feature_views_are_written_where_the_endpoint_looks_them_up(project) -> None:
    written = project.platform.data.materialize()
    assert written == {"weather_at_origin": 27_000}
    view = project.settings.feature_views[0]
    flight = project.flown(START).row(7, named=True)
    at = int(flight["predict_at"].timestamp() * 1_000_000)
    assert project.platform.parts.online.read(view, [("JFK",)], [at]) == {"wind": [flight["wind_then"]]}


def test_an_unknown_feature_view_gets_the_near_name(project) -> None:
    with pytest.raises(NotFound, match="did you mean 'weather_at_origin'"):
        project.platform.data.materialize("weather_at_orgin")


def test_what_was_read_is_kept_until_it_is_forgotten(project) -> None:
    before = project.platform.data.load("flights").version
    project.flown(START).write_parquet(project.root / "flights.parquet")
    assert project.platform.data.load("flights").version == before
    project.platform.data.forget()
    after = project.platform.data.load("flights").version
    assert (after.rows, after.digest == before.digest) == (150, False)
