"""The journey of drift: what the champion was released on, and how far served features have moved from it.

Served rows are counted once, by the hour where there are many and else by the day, and the counts are kept. Every
window is then a sum of counts.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO

import polars as pl

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import DriftReport
from mlwright.model.registry import ModelVersion
from mlwright.model.windows import Window
from mlwright.platform.importance import importance_of
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.counting import count, sketch
from mlwright.stages.monitoring.judging import Baseline, Measured, calibrate, judge, measure, report_of
from mlwright.stages.monitoring.seasons import Part, same_season, tiled
from mlwright.stages.monitoring.sketches import Sketch, merge_all

SCORE = "score"
"""What the prediction is called among the columns."""
_MANY = 5000
"""Rows a day from which on they are counted by the hour."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_YEAR_AND_MORE = timedelta(days=372)
_WEIGHT = "weight"
_AT = "event_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A reference, and its own windows."""

    reference: monitoring.Reference
    own: tuple[Part, ...]
    version: ModelVersion

    def baseline(self, span: timedelta) -> dict[str, Baseline]:
        """How the reference varies over windows of this length."""
        sketches = self.reference.sketches
        return calibrate(sketches, [each.sketches for each in tiled(self.own, span, sketches)])


class DriftJourney:
    """Compares served features with the champion's reference."""

    def __init__(self, parts: Parts, releases: ReleaseJourney) -> None:
        self._parts = parts
        self._releases = releases
        self._kept: dict[str, _Known] = {}
        """What the champion of each endpoint was released on: it stays while the champion does."""
        self._baselines: dict[tuple[str, str, timedelta], dict[str, Baseline]] = {}

    def drift(self, endpoint: str) -> tuple[DriftReport, ...]:
        """The kept drift reports, oldest first."""
        with self._parts.read() as tx:
            return tuple(monitoring.list_drift(tx, EndpointName(endpoint)))

    def measure(
        self, endpoint: str, days: Sequence[Window], *, importance: Mapping[str, float] | None = None
    ) -> tuple[DriftReport, ...]:
        """Compare what was served in each window with the champion's reference; windows without answers give none.

        What was counted is kept, the hours of long ago as days. The false-discovery rate is controlled over all windows
        of one call. ``importance`` is by feature, 1 on average; None: as the champion's own answers depend on them.
        """
        known = self._known(endpoint)
        if known is None:
            return ()
        reference, counted = known.reference, list[tuple[Window, dict[str, Sketch]]]()
        for day in days:
            parts = self._count(endpoint, day, reference)
            if parts:
                with self._parts.write() as tx:
                    monitoring.save_counts(tx, reference, parts)
                counted.append((day, merge_all(reference.sketches, (each.sketches for each in parts))))
        with self._parts.write() as tx:
            monitoring.roll_up(tx, reference, self._parts.clock.now() - monitoring.HOURS_KEPT)
        return self._judged(known, counted, importance)

    def between(
        self, endpoint: str, window: Window, *, importance: Mapping[str, float] | None = None
    ) -> DriftReport | None:
        """The drift of any window from the counts that are kept; no row is read. Hours and days that it cuts are out.

        Returns:
            None where the champion has no reference, or nothing was counted in the window.
        """
        known = self._known(endpoint)
        if known is None:
            return None
        with self._parts.read() as tx:
            parts = monitoring.list_counts(tx, known.reference, window)
        if not parts:
            return None
        summed = merge_all(known.reference.sketches, (each.sketches for each in parts))
        return self._judged(known, [(window, summed)], importance)[0]

    def _judged(
        self,
        known: _Known,
        counted: Sequence[tuple[Window, Mapping[str, Sketch]]],
        importance: Mapping[str, float] | None,
    ) -> tuple[DriftReport, ...]:
        reference = known.reference
        weights = (
            importance_of(self._parts, known.version) if importance is None and counted else importance or {}
        )
        measured: list[list[Measured]] = []
        for window, current in counted:
            baseline = self._baseline(known, window.end - window.start)
            season = same_season(
                window, reference.sketches, within=known.own, history=self._year_before(reference, window)
            )
            measured.append(
                [
                    measure(
                        name,
                        sketches,
                        current[name],
                        baseline=baseline.get(name),
                        seasonal=season.sketches.get(name) if season else None,
                        season=season.season.value if season else "",
                        kind="prediction" if name == SCORE else "feature",
                        weight=weights.get(name, 1.0),
                    )
                    for name, sketches in reference.sketches.items()
                ]
            )
        told = iter(judge([each for row in measured for each in row]))
        return tuple(
            report_of(reference.endpoint, window, reference.window, [next(told) for _ in row])
            for (window, _), row in zip(counted, measured, strict=True)
        )

    def _year_before(self, reference: monitoring.Reference, window: Window) -> tuple[Part, ...]:
        """What the same version served a year before."""
        around = Window(start=window.start - _YEAR_AND_MORE, end=window.end - _YEAR_AND_MORE + 16 * _DAY)
        with self._parts.read() as tx:
            return monitoring.list_counts(tx, reference, around)

    def _count(self, endpoint: str, day: Window, reference: monitoring.Reference) -> list[Part]:
        """The counts of what was served in the window."""
        served = self._parts.log.features(day, endpoint=endpoint)
        if served.is_empty():
            return []
        answered = self._parts.log.predictions(day, served_only=True, endpoint=endpoint)
        answers = answered.select("prediction_id", SCORE, _WEIGHT).unique("prediction_id", keep="last")
        features = served.drop(SCORE, strict=False) if SCORE in reference.sketches else served
        rows = features.drop(_WEIGHT, strict=False).join(
            answers.rename({_WEIGHT: "weight of row"}), on="prediction_id", how="left", maintain_order="left"
        )
        weights = rows["weight of row"].fill_null(1.0)
        if _WEIGHT in served.columns:  # a feature of this name
            rows = rows.with_columns(served[_WEIGHT])
        return _counted(reference.sketches, rows.with_columns(weights.alias("weight of row")), _AT, day)

    def _known(self, endpoint: str) -> _Known | None:
        champion = self._releases.status(endpoint).champion
        kept = self._kept.get(endpoint)
        if kept is not None and champion is not None and kept.version.ref == champion.ref:
            return kept
        reference = self._reference(endpoint, champion) if champion else None
        if champion is None or reference is None:
            return None
        with self._parts.read() as tx:
            own = monitoring.list_counts(tx, reference, part=monitoring.OF_REFERENCE)
        self._kept[endpoint] = _Known(reference=reference, own=own, version=champion)
        return self._kept[endpoint]

    def _baseline(self, known: _Known, span: timedelta) -> dict[str, Baseline]:
        """How the reference varies over windows of this length; those of champions that are gone are let go."""
        of = (known.reference.endpoint, known.version.ref)
        if (*of, span) not in self._baselines:
            self._baselines = {
                key: each for key, each in self._baselines.items() if key[0] != of[0] or key[1] == of[1]
            }
            self._baselines[*of, span] = known.baseline(span)
        return self._baselines[*of, span]

    def _reference(self, endpoint: str, version: ModelVersion) -> monitoring.Reference | None:
        """The features that the champion was judged on at its release, as sketches; made once a version."""
        name = EndpointName(endpoint)
        with suppress(NotFound), self._parts.read() as tx:
            return monitoring.get_reference(tx, name, version.ref)
        evidence = version.evaluation
        if evidence is None or evidence.holdout is None:
            return None
        holdout = pl.read_parquet(BytesIO(self._parts.artifacts.get_bytes(evidence.holdout)))
        inputs = [each for each in (field.name for field in version.inputs) if each in holdout.columns]
        score = [SCORE] if SCORE in holdout.columns and SCORE not in inputs else []
        sketches = sketch(holdout.select(*inputs, *score))
        window = Window(start=evidence.start, end=evidence.end)
        stamp = self._parts.endpoint(endpoint).timestamp
        own = _counted(sketches, holdout, stamp, None) if stamp in holdout.columns else []
        with self._parts.write() as tx:
            monitoring.save_reference(tx, name, version.ref, sketches, window)
            reference = monitoring.get_reference(tx, name, version.ref)
            monitoring.save_counts(tx, reference, own, monitoring.OF_REFERENCE)
        return reference


def _counted(
    reference: Mapping[str, Sketch], rows: pl.DataFrame, stamp: str, window: Window | None
) -> list[Part]:
    """The counts of rows by the hour or day (UTC) of their instant, none longer than the window that they are of."""
    dtype = rows.schema[stamp]
    if not isinstance(dtype, pl.Datetime):
        return []
    instant = pl.col(stamp).dt.replace_time_zone("UTC") if dtype.time_zone is None else pl.col(stamp)
    rows = rows.with_columns(instant.dt.convert_time_zone("UTC").alias("instant of row")).drop_nulls(
        "instant of row"
    )
    span = _HOUR if rows.height >= _MANY * max(1, rows["instant of row"].dt.date().n_unique()) else _DAY
    if window is not None and (window.end - window.start) % _DAY:
        span = _HOUR
    length = "1h" if span == _HOUR else "1d"
    hours = rows.with_columns(pl.col("instant of row").dt.truncate(length))
    weighed = "weight of row" in hours.columns
    return [
        Part(
            window=Window(start=start, end=start + span),
            sketches=count(reference, part, weights=part["weight of row"] if weighed else None),
        )
        for (start,), part in sorted(hours.partition_by("instant of row", as_dict=True).items())
    ]
