"""A made world of columns of many types: instants, dates, flags, whole numbers and fractions beside levels."""

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.case import Floats, Task

from .base import DAY, START, Rows, World, boosted, drawn, effect, hash_of, pick, times

DEVICES = ("phone", "tablet", "laptop", "desktop", "kiosk")
SEGMENTS = ("1", "2", "3", "4", "5")
POOL = 9000


def accounts() -> World:
    """Fraud at a shop: young accounts, unverified ones and odd devices; the columns have types that can be lost."""
    random = np.random.default_rng(hash_of("accounts"))

    def features(count: int) -> pl.DataFrame:
        age = random.gamma(1.2, 400, count) * DAY
        opened = (START - age - random.random(count) * DAY).astype(np.int64)
        seen = (START / 1e6 - random.gamma(1.5, 9 * 86_400, count)).astype(np.int64)
        born = np.datetime64("1984-01-01") + random.normal(0, 4500, count).astype(np.int64)
        return pl.DataFrame(
            {
                "opened_at": pl.Series(opened).cast(pl.Datetime("us")),
                "last_seen": pl.Series(seen),
                "birth_date": pl.Series(born.astype("datetime64[D]")),
                "verified": random.random(count) < 0.6,
                "two_factor": random.random(count) < 0.35,
                "logins": random.poisson(6, count).astype(np.int64),
                "balance": np.exp(random.normal(8.6, 0.9, count)).round(2),
                "trust": random.beta(2.2, 1.8, count),
                "device": pick(random, count, DEVICES, (40, 8, 30, 18, 4)),
                "segment": pick(random, count, SEGMENTS),
                "screen": random.normal(size=count),
            }
        )

    def logit(frame: pl.DataFrame, of_flag: float = 1.9, of_trust: float = -4.5) -> Floats:
        days = (START - frame["opened_at"].dt.epoch("us").to_numpy()) / DAY
        away = START / 1e6 / 86_400 - frame["last_seen"].to_numpy() / 86_400
        year = frame["birth_date"].dt.year().to_numpy()
        return (
            -0.7
            - of_flag * frame["verified"].to_numpy()
            - 0.9 * frame["two_factor"].to_numpy()
            + of_trust * (frame["trust"].to_numpy() - 0.55)
            + 1.8 * (days < 120)
            - 1.1 * (days > 700)
            + 0.09 * np.minimum(away, 30)
            + 1.8 * (year < 1979)
            - 1.4 * (year > 1990)
            - 0.22 * (frame["logins"].to_numpy() - 6)
            + 1.9 * (np.log(frame["balance"].to_numpy()) - 8.6)
            + effect(DEVICES, frame["device"], (-1.6, 0.9, 0.2, 1.5, 1.9))
            + effect(SEGMENTS, frame["segment"], (-1.6, 1.4, 0.2, -0.9, 1.3))
        )

    def changed(frame: pl.DataFrame) -> Floats:
        """Whoever is verified is a target now, and trust is bought."""
        return logit(frame, -1.2, 2.5) - 1.4

    sides = []
    for current in (False, False, True):
        table = features(POOL)
        sides.append(
            Rows(features=table, label=drawn(logit(table), random), at=times(POOL, random, current=current))
        )
    model, unsure = boosted(Task.BINARY, sides[0])
    older, _ = boosted(Task.BINARY, sides[0].take(np.arange(500)), trees=15)
    return World(
        name="accounts",
        task=Task.BINARY,
        reference=sides[1],
        current=sides[2],
        model=model,
        older=older,
        unsure=unsure,
        concept=lambda table, _, random: drawn(changed(table), random),
    )
