"""The raw data: subscriptions that come up for renewal, and how much their customers used the product.

It is made up, the same on every machine. Put your own reading in its place: a function that returns a polars frame, or
the path of Parquet or CSV files as ``source`` in mlwright.toml.
"""

from datetime import UTC, datetime

import numpy as np
import polars as pl

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS, CUSTOMERS, RENEWALS = 364, 600, 6000
PLANS = ["basic", "family", "pro"]


def renewals() -> pl.DataFrame:
    """One row a renewal: what is known when the question is asked, and what became of it up to 20 days later."""
    random = np.random.default_rng(1)
    customer = random.integers(CUSTOMERS, size=RENEWALS)
    minute = np.sort(random.integers(DAYS * 24 * 60, size=RENEWALS))
    plan = random.choice(3, size=RENEWALS, p=[0.5, 0.3, 0.2])
    months = 1 + random.geometric(0.06, size=RENEWALS)
    tickets = random.poisson(0.7, size=RENEWALS)
    sessions = _sessions()[
        customer, minute // (7 * 24 * 60)
    ]  # of the week that is under way: close to the last one
    tendency = 0.9 - 0.25 * sessions + 0.5 * tickets - 0.03 * months - 0.4 * (plan == 2)
    asked_at = pl.lit(START) + pl.duration(minutes=pl.col("minute"))
    return pl.DataFrame(
        {
            "renewal_id": [f"r{number:05d}" for number in range(RENEWALS)],
            "customer_id": [f"c{number:03d}" for number in customer],
            "minute": minute,
            "plan": [PLANS[number] for number in plan],
            "months": months,
            "price": np.array([9.0, 15.0, 29.0])[plan],
            # One ticket count in forty was never reported.
            "tickets": pl.Series(tickets).set(pl.Series(random.random(RENEWALS) < 0.025), None),
            "churned": random.random(RENEWALS) < 1 / (1 + np.exp(-tendency)),
            "known_after": random.integers(24, 20 * 24, size=RENEWALS),
        }
    ).select(
        "renewal_id",
        "customer_id",
        asked_at.alias("asked_at"),
        "plan",
        "months",
        "price",
        "tickets",
        "churned",
        (asked_at + pl.duration(hours="known_after")).alias("known_at"),
    )


def usage() -> pl.DataFrame:
    """One row a customer and week, written when the week is over."""
    random = np.random.default_rng(2)
    sessions = _sessions()
    customer, week = (each.ravel() for each in np.indices(sessions.shape))
    return (
        pl.DataFrame(
            {
                "customer_id": [f"c{number:03d}" for number in customer],
                "week": week,
                "sessions": sessions.ravel(),
                "minutes": np.round(sessions.ravel() * random.gamma(4.0, 3.0, size=sessions.size), 1),
            }
        )
        .with_columns(measured_at=pl.lit(START) + pl.duration(weeks=pl.col("week") + 1))
        .drop("week")
    )


def _sessions() -> np.ndarray:
    """How often each customer came in each week; habits drift slowly. Shape (customers, weeks)."""
    random = np.random.default_rng(3)
    habit = random.normal(1.2, 0.7, size=(CUSTOMERS, 1)) + random.normal(
        0, 0.12, size=(CUSTOMERS, DAYS // 7)
    ).cumsum(1)
    return random.poisson(np.exp(np.clip(habit, -2, 3)))
