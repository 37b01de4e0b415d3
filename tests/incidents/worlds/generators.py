"""Worlds that are made: six forms of P(Y|X), each with its own kind of features."""

from collections.abc import Callable

import numpy as np
import polars as pl

from mlwright.stages.monitoring.diagnosis.case import Floats, Task

from .base import (
    DAY,
    START,
    Random,
    Rows,
    World,
    boosted,
    drawn,
    effect,
    hash_of,
    linear,
    pick,
    times,
)

POOL = 9000
Features = Callable[[int, Random], pl.DataFrame]
Logit = Callable[[pl.DataFrame], Floats]

REGIONS, PURPOSES = (
    ("north", "south", "east", "west", "centre", "isles"),
    ("car", "home", "debt", "trip", "other"),
)
PLANS, COUNTRIES = ("free", "basic", "plus", "pro", "team"), tuple("AT BE CH DE ES FR IT NL".split())
CODES, WARDS = tuple(f"C{n:02}" for n in range(12)), ("A", "B", "C", "D")
VEHICLES, ORIGINS = ("van", "truck", "rail", "air", "ship"), tuple("HAM BER MUC CGN STR LEJ BRE".split())


def _column(frame: pl.DataFrame, name: str) -> Floats:
    return np.asarray(frame[name].to_numpy(), dtype=np.float64)


def _binary(
    name: str, features: Features, logit: Logit, changed: Logit, far: Features | None, fit: str
) -> World:
    """A binary world by its features, its logit and the logit that it has after a change."""
    random = np.random.default_rng(hash_of(name))
    sides = []
    for current in (False, False, True):
        table = features(POOL, random)
        sides.append(
            Rows(features=table, label=drawn(logit(table), random), at=times(POOL, random, current=current))
        )
    beyond = None
    if far is not None:
        table = far(POOL, random)
        beyond = Rows(features=table, label=drawn(logit(table), random), at=times(POOL, random, current=True))
    few = sides[0].take(np.arange(500))
    model, unsure = linear(sides[0]) if fit == "linear" else boosted(Task.BINARY, sides[0])
    older, _ = linear(few) if fit == "linear" else boosted(Task.BINARY, few, trees=15)
    return World(
        name=name,
        task=Task.BINARY,
        reference=sides[1],
        current=sides[2],
        far=beyond,
        model=model,
        older=older,
        unsure=unsure,
        concept=lambda table, _, random: drawn(changed(table), random),
    )


def lending() -> World:
    """Credit: monotone effects on a logistic scale, a hump only above 75 years, boosted trees."""

    def features(count: int, random: Random, old: bool = False) -> pl.DataFrame:
        age = random.uniform(76, 95, count) if old else np.clip(random.normal(43, 13, count), 18, 75)
        income = np.exp(random.normal(10.5, 0.45, count))
        return pl.DataFrame(
            {
                "income": income.round(0),
                "debt_ratio": random.beta(2, 4, count),
                "age": age.round(0),
                "employed_months": random.gamma(2, 30, count).round(0),
                "amount": (income * random.beta(2, 5, count)).round(-2),
                "utilisation": random.beta(1.5, 2.5, count),
                "delinquencies": random.poisson(0.4, count).astype(float),
                "hour": random.choice(24, count, p=_day(15, 5)).astype(float),
                "region": pick(random, count, REGIONS, (30, 22, 18, 14, 10, 6)),
                "purpose": pick(random, count, PURPOSES, (35, 25, 20, 12, 8)),
                "noise": random.normal(size=count),
            }
        )

    def logit(frame: pl.DataFrame, of_use: float = 4.2, of_debt: float = 2.5) -> Floats:
        night = (_column(frame, "hour") < 7) | (_column(frame, "hour") > 21)
        return (
            -2.3
            - 1.9 * (np.log(_column(frame, "income")) - 10.5)
            + of_debt * _column(frame, "debt_ratio")
            + of_use * (_column(frame, "utilisation") - 0.4)
            + 0.9 * np.minimum(_column(frame, "delinquencies"), 3)
            - 0.006 * _column(frame, "employed_months")
            + 1.5 * night
            + effect(REGIONS, frame["region"], (-1.4, 1.3, 0.2, -0.5, 1.9, 0.7))
            + effect(PURPOSES, frame["purpose"], (-0.6, -0.8, 1.0, 0.5, 0.3))
            + 3.0 * (_column(frame, "age") > 75)
        )

    def changed(frame: pl.DataFrame) -> Floats:
        young = _column(frame, "age") < 48
        return np.where(young, logit(frame, -3.0, -1.5) + 2.0, logit(frame))

    return _binary("lending", features, logit, changed, lambda n, r: features(n, r, True), "boosted")


def churn() -> World:
    """Customers: a linear logit with interactions, and a logistic regression that has only the main effects."""

    def features(count: int, random: Random) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "tenure_days": random.gamma(1.6, 300, count).round(0),
                "calls": random.poisson(3, count).astype(float),
                "spend": np.exp(random.normal(3.4, 0.5, count)).round(2),
                "session_minutes": random.gamma(3, 9, count).round(1),
                "last_seen_hours": random.exponential(60, count).round(1),
                "age": np.clip(random.normal(38, 12, count), 16, 90).round(0),
                "plan": pick(random, count, PLANS, (40, 25, 18, 12, 5)),
                "country": pick(random, count, COUNTRIES),
                "shade": random.normal(size=count),
            }
        )

    def logit(frame: pl.DataFrame, seen: float = 0.02, session: float = -0.07) -> Floats:
        tenure = _column(frame, "tenure_days") / 480 - 1
        calls = _column(frame, "calls") - 3
        return (
            -0.2
            - 1.0 * tenure
            + 0.45 * calls
            + session * (_column(frame, "session_minutes") - 27)
            + seen * (_column(frame, "last_seen_hours") - 60)
            - 0.25 * tenure * calls
            + effect(PLANS, frame["plan"], (1.4, 0.5, -0.8, -1.6, -2.4))
            + effect(COUNTRIES, frame["country"], (0.3, -0.3, 0.5, -0.5, 0.2, 0.0, 0.6, -0.4))
        )

    def changed(frame: pl.DataFrame) -> Floats:
        return logit(frame, -0.015, 0.09)

    return _binary("churn", features, logit, changed, None, "linear")


def triage() -> World:
    """A ward: thresholds and categories, a tree by nature."""

    def features(count: int, random: Random, small: bool = False) -> pl.DataFrame:
        age = random.uniform(0, 11, count) if small else np.clip(random.normal(52, 19, count), 16, 98)
        return pl.DataFrame(
            {
                "temperature_c": np.clip(random.normal(37.4, 0.95, count), 34.5, 41.5).round(1),
                "heart_rate": np.clip(random.normal(86, 17, count), 40, 190).round(0),
                "oxygen": np.clip(99 - random.gamma(1.5, 1.7, count), 70, 100).round(0),
                "age": age.round(0),
                "wait_minutes": random.gamma(1.4, 40, count).round(0),
                "visits": random.poisson(1.2, count).astype(float),
                "hour": random.choice(24, count, p=_day(18, 4)).astype(float),
                "code": pick(random, count, CODES, tuple(1 / (n + 2) for n in range(12))),
                "ward": pick(random, count, WARDS),
                "height_cm": random.normal(170, 10, count).round(0),
            }
        )

    def logit(frame: pl.DataFrame, fever: float = 2.2, fast: float = 1.8) -> Floats:
        hot, pulse = _column(frame, "temperature_c") > 38.1, _column(frame, "heart_rate") > 98
        low, old = _column(frame, "oxygen") < 94, _column(frame, "age") > 66
        severe = effect(CODES, frame["code"], (-1.5, 1.6, -0.8, 2.2, 0.1, -2, 1.0, 2.5, -1, 0.6, -0.4, 1.8))
        late = (_column(frame, "hour") >= 22) | (_column(frame, "hour") < 6)
        return (
            -2.4
            + fever * hot
            + fast * pulse
            + 2.4 * low
            + 1.1 * (old & ~hot)
            + severe
            + 1.2 * late
            + 0.9 * (hot & low)
            + 2.6 * (_column(frame, "age") < 12) * np.where(hot, -1.5, 1)
        )

    def changed(frame: pl.DataFrame) -> Floats:
        return logit(frame, -1.8, -1.2) + 1.2

    return _binary("triage", features, logit, changed, lambda n, r: features(n, r, True), "boosted")


def stores() -> World:
    """Sales (their logarithm) of 150 shops by day: a level that wanders, known through aggregates of days before."""
    random = np.random.default_rng(hash_of("stores"))
    shops, days, warm = 150, 200, 40
    kind = random.integers(0, 4, shops)
    level = np.zeros((days, shops))
    level[0] = random.normal(0, 0.7, shops)
    for day in range(1, days):
        level[day] = 0.93 * level[day - 1] + random.normal(0, 0.7 * np.sqrt(1 - 0.93**2), shops)
    promo = random.random((days, shops)) < 0.2
    price = np.exp(random.normal(1.5, 0.2, (days, shops)))
    week = np.array([-0.15, -0.2, -0.1, 0.0, 0.25, 0.45, -0.3])[np.arange(days) % 7][:, None]
    base = 3.2 + np.array([0, 0.3, 0.6, -0.4])[kind] + level + week
    spread = np.array([0.12, 0.2, 0.3, 0.55])[kind]  # farm shops are hard to tell
    sales = np.exp(
        base + 0.5 * promo - 0.9 * (np.log(price) - 1.5) + spread * random.normal(size=(days, shops))
    )

    def seven(until: int) -> Floats:
        return sales[until - 7 : until].mean(axis=0)

    rows = []
    for day in range(warm, days):
        rows.append(
            pl.DataFrame(
                {
                    "mean_7": seven(day).round(2),
                    "last": sales[day - 1].round(2),
                    "price": price[day].round(2),
                    "promo": promo[day].astype(float),
                    "weekday": np.full(shops, float(day % 7)),
                    "kind": [("city", "mall", "road", "farm")[at] for at in kind],
                    "temperature_c": random.normal(14, 6, shops).round(1),
                    "visitors": np.exp(random.normal(5, 0.4, shops)).round(0),
                    "past_mean_7": seven(day - 28).round(2),
                    "past_last": sales[day - 29].round(2),
                    "lag_last": sales[day - 3].round(2),
                    "before_last": sales[day - 2].round(2),
                    "before_mean_7": seven(day - 1).round(2),
                    "mean_28": sales[day - 28 : day].mean(axis=0).round(2),
                    "y": np.log(sales[day]).round(4),
                    "day": np.full(shops, day - warm),
                    "shop": np.arange(shops),
                }
            )
        )
    table = pl.concat(rows)
    parts = [
        _shop_rows(table.filter(pl.col("day").is_between(low, high - 1)), random)
        for low, high in ((0, 70), (70, 130), (130, 160))
    ]
    model, unsure = boosted(Task.REGRESSION, parts[0], loss="absolute_error")
    older, _ = boosted(Task.REGRESSION, parts[0].take(np.arange(600)), loss="absolute_error", trees=12)

    def concept(features: pl.DataFrame, label: Floats, random: Random) -> Floats:
        """Promotions now drive customers away, and cheap is distrusted."""
        on, dear = _column(features, "promo") > 0, _column(features, "price") > 4.5
        return label + np.log(np.where(on, 0.45, 1.0) * np.where(dear, 1.5, 0.7))

    return World(
        name="stores",
        task=Task.REGRESSION,
        reference=parts[1],
        current=parts[2],
        model=model,
        older=older,
        unsure=unsure,
        concept=concept,
    )


def _shop_rows(table: pl.DataFrame, random: Random) -> Rows:
    table = table.sort("day", "shop")
    hidden = ("past_mean_7", "past_last", "lag_last", "before_last", "before_mean_7", "mean_28")
    day = table["day"].to_numpy() - 70
    return Rows(
        features=table.drop("y", "day", "shop", *hidden),
        label=_column(table, "y"),
        at=START + day * DAY + (random.random(len(day)) * DAY).astype(np.int64),
        cluster=table["shop"].to_numpy().astype(np.int64),
        past=table.select(
            pl.col("past_mean_7").alias("mean_7"), pl.col("past_last").alias("last"), *hidden[2:]
        ),
    )


def freight() -> World:
    """Prices of consignments: products of powers, and errors with heavy tails (Student's t of 2.5)."""
    random = np.random.default_rng(hash_of("freight"))

    def features(count: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "distance_km": np.exp(random.normal(5.6, 0.8, count)).round(0),
                "weight_kg": np.exp(random.normal(5.0, 0.9, count)).round(0),
                "volume": np.exp(random.normal(0.5, 0.5, count)).round(2),
                "handling_minutes": random.gamma(3, 12, count).round(0),
                "fuel": random.normal(1.6, 0.15, count).round(3),
                "vehicle": pick(random, count, VEHICLES, (40, 30, 15, 10, 5)),
                "origin": pick(random, count, ORIGINS),
                "month_day": random.integers(1, 29, count).astype(float),
            }
        )

    def centre(frame: pl.DataFrame, rate: float = 1.0, power: float = 0.6) -> Floats:
        way = _column(frame, "distance_km") ** 0.8 * (_column(frame, "weight_kg") / 100) ** power
        kind = np.exp(effect(VEHICLES, frame["vehicle"], (0.0, -0.4, -0.8, 1.1, -1.1)))
        place = np.exp(effect(ORIGINS, frame["origin"], (0.0, 0.2, 0.4, -0.3, 0.1, -0.1, 0.3)))
        return rate * way * kind * place + 1.6 * _column(frame, "handling_minutes")

    def label(frame: pl.DataFrame, middle: Floats, random: Random) -> Floats:
        return middle + 0.12 * (middle + 30) * random.standard_t(2.5, len(frame))

    def concept(frame: pl.DataFrame, _: Floats, random: Random) -> Floats:
        """A new tariff: weight counts little, long ways cost twice."""
        long = _column(frame, "distance_km") > 250
        return label(frame, centre(frame, 1.0, 0.15) * np.where(long, 1.9, 1.0), random)

    sides = []
    for current in (False, False, True):
        table = features(POOL)
        sides.append(
            Rows(
                features=table,
                label=label(table, centre(table), random),
                at=times(POOL, random, current=current),
            )
        )
    model, unsure = boosted(Task.REGRESSION, sides[0], loss="absolute_error", trees=100)
    older, _ = boosted(Task.REGRESSION, sides[0].take(np.arange(600)), loss="absolute_error", trees=12)
    return World(
        name="freight",
        task=Task.REGRESSION,
        reference=sides[1],
        current=sides[2],
        model=model,
        older=older,
        unsure=unsure,
        concept=concept,
    )


def _day(peak: float, width: float) -> Floats:
    """Shares of the hours of a day around a peak."""
    away = np.abs((np.arange(24) - peak + 12) % 24 - 12)
    shares = np.exp(-0.5 * (away / width) ** 2) + 0.03
    return shares / shares.sum()
