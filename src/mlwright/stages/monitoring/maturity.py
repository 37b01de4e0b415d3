"""How complete labels are: how soon they arrive, and what a young window will have in the end."""

from datetime import datetime, timedelta
from math import sqrt
from typing import Final

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Estimate, Maturity, MaturityCurve
from mlwright.model.windows import Window
from mlwright.stages.monitoring.labels import instants

_Floats = NDArray[np.float64]

_POINTS: Final = 200
_AT_RISK: Final = 20
"""Predictions that must still be looked at: beyond, the curve is the luck of a few."""
_LEVEL: Final = 0.95
_FEW_DAYS: Final = 5


def maturity_curve(
    joined: pl.DataFrame, *, endpoint: EndpointName, window: Window, now: datetime
) -> MaturityCurve:
    """The share of predictions whose label has arrived, by time since the event (Kaplan and Meier 1958).

    A prediction without a label yet is censored at its age: what it will get is not known, but that it waited so long
    is. The curve levels off below 1 where some labels never come. It ends where fewer than 20 predictions are old
    enough, and has at most 200 points.

    Args:
        joined: predictions with their labels: columns event_time, label and observed_at (null where none is known).
        endpoint: whose predictions they are.
        window: where they come from.
        now: the instant of the look.
    """
    rows = joined.select(
        event=instants(joined, "event_time"),
        seen=instants(joined, "observed_at"),
        label=pl.col("label").cast(pl.Float64).fill_nan(None),
    ).select(
        "label",
        delay=(pl.col("seen") - pl.col("event")).dt.total_microseconds() / 1e6,
        age=(pl.lit(now) - pl.col("event")).dt.total_microseconds() / 1e6,
    )
    arrived = rows["label"].is_not_null() & rows["delay"].is_not_null()
    came = arrived.to_numpy()
    waited = np.maximum(np.where(came, rows["delay"].to_numpy(), rows["age"].to_numpy()), 0.0)
    label = rows["label"].to_numpy()[came]
    delays, place, events = np.unique(waited[came], return_inverse=True, return_counts=True)
    at_risk = len(waited) - np.searchsorted(np.sort(waited), delays, side="left")
    keep = at_risk >= min(_AT_RISK, len(waited))
    label = np.bincount(place, label, len(delays))[keep] / events[keep] if len(delays) else label
    delays, events, at_risk = delays[keep], events[keep], at_risk[keep]
    waiting = np.cumprod(1.0 - events / at_risk)
    left = at_risk - events
    hazard = np.cumsum(np.divide(events, at_risk * left, out=np.zeros(len(left)), where=left > 0))
    shares = 1.0 - waiting
    steps = np.diff(shares, prepend=0.0)
    means = np.divide(np.cumsum(steps * label), shares, out=np.zeros(len(shares)), where=shares > 0)
    points = _points(np.asarray(shares, dtype=np.float64))
    return MaturityCurve(
        endpoint=endpoint,
        at=now,
        window=window,
        predictions=joined.height,
        labelled=int(came.sum()),
        delays=tuple(delays[points].tolist()),
        shares=tuple(shares[points].tolist()),
        errors=tuple((waiting * np.sqrt(hazard))[points].tolist()),
        means=tuple(means[points].tolist()),
        spread=_spread(joined, came, now, delays[-1]) if len(delays) else 0.0,
    )


def maturity_of(rows: pl.DataFrame, curve: MaturityCurve | None, now: datetime) -> Maturity:
    """How complete the labels of a window are, and what they will be by the curve.

    Args:
        rows: predictions of the window: columns event_time and label.
        curve: the endpoint's; None, or one without labels, tells nothing but what has arrived.
        now: the instant of the look.
    """
    known = rows["label"].cast(pl.Float64).fill_nan(None).is_not_null().to_numpy()
    arrived = float(known.mean()) if len(known) else 0.0
    if curve is None or not curve.shares or not len(known):
        return Maturity(arrived=arrived)
    event = rows.select(instants(rows, "event_time")).to_series()
    age = np.maximum((pl.Series([now]).dt.epoch("us")[0] - event.dt.epoch("us").to_numpy()) / 1e6, 0.0)
    due = share_by(curve, age)
    waiting = np.maximum(1.0 - due[~known], 1e-12)
    later = np.clip((curve.final - due[~known]) / waiting, 0.0, 1.0)
    labels = float(known.sum() + later.sum())
    luck = float((later * (1 - later)).sum())
    unsure = curve.errors[-1] * float((1 / waiting)[later > 0].sum())
    between = curve.spread * len(known) if later.any() else 0.0
    reach = float(scipy.special.ndtri(0.5 + _LEVEL / 2)) * sqrt(luck + unsure**2 + between**2)
    early, every = _means(curve, age)
    return Maturity(
        arrived=arrived,
        due=float(due.mean()),
        final=Estimate(
            value=labels,
            lower=max(float(known.sum()), labels - reach),
            upper=min(float(len(known)), labels + reach),
            level=_LEVEL,
            assumption="labels arrive as late and as often as they did; days differ as much as they did",
        ),
        early_mean=early,
        final_mean=every,
    )


def _spread(joined: pl.DataFrame, came: NDArray[np.bool_], now: datetime, latest: float) -> float:
    """How much days differ in the share that gets a label, by those whose labels have had all the time they need."""
    days = (
        joined.select(day=instants(joined, "event_time").dt.truncate("1d"), came=pl.Series(came))
        .filter(pl.col("day") < pl.lit(now - timedelta(days=1, seconds=latest)))
        .group_by("day")
        .agg(pl.len().alias("rows"), pl.col("came").mean().alias("share"))
    )
    if days.height < _FEW_DAYS:
        return 0.0
    share, rows = days["share"].to_numpy(), days["rows"].to_numpy()
    mean = float((share * rows).sum() / rows.sum())
    return sqrt(max(float(share.var(ddof=1)) - mean * (1 - mean) * float((1 / rows).mean()), 0.0))


def share_by(curve: MaturityCurve, age: _Floats) -> _Floats:
    """The share of labels that have arrived by an age in seconds, shape (n,), linear between the curve's points."""
    return np.interp(age, (0.0, *curve.delays), (0.0, *curve.shares))


def _means(curve: MaturityCurve, age: _Floats) -> tuple[float | None, float | None]:
    """The mean of labels that would have come at these ages, and of all."""
    shares, delays = np.asarray(curve.shares), np.asarray(curve.delays)
    steps = np.diff(shares, prepend=0.0)
    parts = np.diff(shares * np.asarray(curve.means), prepend=0.0)
    old_enough = 1.0 - np.searchsorted(np.sort(age), delays, side="left") / len(age)
    there = float((steps * old_enough).sum())
    early = float((parts * old_enough).sum()) / there if there > 0 else None
    return early, float(curve.means[-1])


def _points(shares: _Floats) -> NDArray[np.intp]:
    """At most so many points of a curve, evenly spread over its rise, with its first and last."""
    if len(shares) <= _POINTS:
        return np.arange(len(shares))
    wanted = np.linspace(shares[0], shares[-1], _POINTS)
    found = np.unique(np.searchsorted(shares, wanted, side="left"))
    return np.minimum(found, len(shares) - 1)
