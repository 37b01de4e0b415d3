"""The journey of data quality: what was served is looked at every day, before any label comes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np
import polars as pl

from mlwright.model.checking import Age, DataQuality, SkewReport, Volume
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import Alert
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window, day_start
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.data import DataJourney
from mlwright.platform.freshness import ages_of
from mlwright.platform.parts import Parts
from mlwright.platform.recomputing import recompute
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring.served import (
    decide_contract,
    decide_freshness,
    decide_skew,
    decide_volume,
    skew_of,
    violations_of,
    volume_of,
)

_DAY: Final = timedelta(days=1)
_BACK: Final = 8 * 7 * _DAY
"""Time before that a day's volume is compared with."""
_KEPT: Final = "served-quality:{endpoint}"
_DONE: Final = "served-through:{endpoint}"
_DAILY: Final = "served-daily:{endpoint}"

_Counted = tuple[datetime, dict[datetime, int]]
"""Up to which midnight days were counted, and the rows of each."""


class CheckJourney:
    """Looks at what endpoints served: contract, freshness, volume, and skew against a second copy."""

    def __init__(self, parts: Parts, data: DataJourney, alerting: AlertJourney) -> None:
        self._parts = parts
        self._data = data
        self._alerting = alerting

    def look(self, endpoint: str) -> tuple[Alert, ...]:
        """Look at the last whole day (UTC), once; returns the alerts that changed.

        Freshness is looked at each time: a source that stops says nothing by itself.
        """
        settings = self._parts.endpoint(endpoint)
        now = self._parts.clock.now()
        day = Window(start=day_start(now) - _DAY, end=day_start(now))
        name = _DONE.format(endpoint=endpoint)
        with self._parts.read() as tx:
            through = ledger.get_mark(tx, name)
        ages = self._ages(settings, now)
        if through is not None and datetime.fromisoformat(through) >= day.end:
            fresh = DataQuality(endpoint=EndpointName(endpoint), at=now, window=day, rows=0, ages=ages)
            with self._parts.write() as tx:
                return self._alerting.act(tx, decide_freshness(fresh), {}, now)
        before = self._daily(endpoint, day.start)
        found = self.measure(endpoint, day, ages=ages, before=before)
        decisions = [decide_contract(found), *decide_freshness(found)]
        volume = decide_volume(found)
        decisions += [volume] if volume is not None else []
        if found.skew is not None:
            decisions.append(decide_skew(found.skew, limit=settings.monitor.skew_limit))
        with self._parts.write() as tx:
            ledger.set_mark(tx, name, day.end.isoformat())
            daily = msgspec.json.encode((day.start, before)).decode()
            ledger.set_mark(tx, _DAILY.format(endpoint=endpoint), daily)
            if found.rows:
                ledger.set_mark(tx, _KEPT.format(endpoint=endpoint), msgspec.json.encode(found).decode())
            return self._alerting.act(tx, decisions, {}, now)

    def latest(self, endpoint: str) -> DataQuality | None:
        """What the last look at a day with answers found; None before there was one."""
        with self._parts.read() as tx:
            kept = ledger.get_mark(tx, _KEPT.format(endpoint=self._parts.endpoint(endpoint).name))
        return msgspec.json.decode(kept, type=DataQuality) if kept else None

    def measure(
        self,
        endpoint: str,
        window: Window,
        *,
        ages: Sequence[Age] | None = None,
        before: Mapping[datetime, int] | None = None,
    ) -> DataQuality:
        """Look at any window now; nothing is kept and nobody is told.

        ``ages`` of the feature views, and the rows of each day ``before``, are found out where they are not given.

        Raises:
            NotFound: there is no such endpoint.
        """
        settings = self._parts.endpoint(endpoint)
        now = self._parts.clock.now()
        answered = self._parts.log.predictions(window, served_only=True, endpoint=endpoint)
        served = self._parts.log.features(window, endpoint=endpoint)
        rows = max(answered.height, 1)
        flags = answered["flags"]
        return DataQuality(
            endpoint=EndpointName(endpoint),
            at=now,
            window=window,
            rows=answered.height,
            violations=violations_of(flags),
            flagged=(answered.height - flags.null_count()) / rows,
            degraded=(answered.height - answered["degraded"].null_count()) / rows,
            ages=tuple(self._ages(settings, now) if ages is None else ages),
            volume=_volume(
                window,
                answered.height,
                self._counted(endpoint, Window.before(window.start, _BACK)) if before is None else before,
            ),
            skew=self._skew(settings, window, served),
            missing=_missing(served),
        )

    def _ages(self, settings: EndpointSettings, now: datetime) -> tuple[Age, ...]:
        views = {
            each.name: each for each in self._parts.settings.feature_views if each.name in settings.features
        }
        with self._parts.read() as tx:
            known = ages_of(tx, views, now)
        return tuple(Age(view=name, age=age, limit=views[name].ttl) for name, age in known.items())

    def _daily(self, endpoint: str, until: datetime) -> dict[datetime, int]:
        """The rows of each day before a midnight, without those of no rows.

        What an earlier look counted is kept: a day is counted the last time when the day after it is looked at.
        """
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, _DAILY.format(endpoint=endpoint))
        since = until - _BACK
        through, kept = msgspec.json.decode(mark, type=_Counted) if mark else (since, {})
        fresh = self._counted(endpoint, Window(start=max(through, since), end=until))
        return {day: rows for day, rows in kept.items() if day >= since} | fresh

    def _counted(self, endpoint: str, window: Window) -> dict[datetime, int]:
        """How many rows were answered on each day of a window that has any, in order of time."""
        answered = self._parts.log.predictions(
            window, served_only=True, endpoint=endpoint, columns=("event_time",)
        )
        days = answered.group_by(pl.col("event_time").dt.truncate("1d").alias("day")).len().sort("day")
        return dict(days.iter_rows())

    def _skew(self, settings: EndpointSettings, window: Window, served: pl.DataFrame) -> SkewReport | None:
        most = settings.monitor.skew_rows
        if not settings.features or not most or served.is_empty():
            return None
        if served.height > most:
            served = served.gather_every(-(-served.height // most))
        again = recompute(self._parts, self._data, settings, served)
        if again is None:
            return None
        columns = skew_of(
            served.select(name for name in again.features.columns if name in served.columns),
            again.features,
            again.rows,
            at=served["event_time"].dt.epoch("us").to_numpy(),
            cluster=np.unique(served["entity_key"].fill_null("").to_numpy(), return_inverse=True)[1].astype(
                np.int64
            ),
        )
        return SkewReport(
            endpoint=EndpointName(settings.name),
            window=window,
            rows=served.height,
            columns=columns,
            not_done=again.not_done,
        )


def _volume(window: Window, rows: int, before: Mapping[datetime, int]) -> Volume | None:
    """Whether the rows of a window are unusual among those of the days before, from the first with any on."""
    if not before:
        return None
    first = min(before)
    every = [first + _DAY * at for at in range((window.start - first) // _DAY)]
    counts = [before.get(day, 0) for day in every]
    scale = (window.end - window.start) / _DAY
    return volume_of(round(rows / scale), counts, [day.weekday() for day in every], window.start.weekday())


def _missing(served: pl.DataFrame) -> dict[str, float]:
    """The share of missing values of each feature: null, or no number."""
    if served.is_empty():
        return {}
    found: dict[str, float] = {}
    for column in served.drop("prediction_id", "entity_key", "event_time").get_columns():
        gone = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
        found[column.name] = gone / served.height
    return found
