"""The journey of drift: what the champion was released on, and how far served features have moved from it.

Served rows are counted once, by the hour where there are many and else by the day, as a whole and by slice and variant,
and the counts are kept. Every window is then a sum of counts.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO

import polars as pl

from mlwright.errors import NotFound
from mlwright.model.ids import EndpointName
from mlwright.model.monitoring import DriftReport
from mlwright.model.part_drift import DriftByPart
from mlwright.model.registry import ModelVersion
from mlwright.model.windows import Window, day_start
from mlwright.platform.importance import importance_of
from mlwright.platform.logged import Logged, first_day
from mlwright.platform.parted_drift import Champion, PartedDrift
from mlwright.platform.parts import Parts
from mlwright.platform.releases import ReleaseJourney
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.apart import Counted, count_apart, variant_labels
from mlwright.stages.monitoring.counting import sketch
from mlwright.stages.monitoring.judging import Baseline, Measured, calibrate, judge, measure, report_of
from mlwright.stages.monitoring.seasons import Part, same_season, tiled
from mlwright.stages.monitoring.sketches import Sketch, merge_all

SCORE = "score"
"""What the prediction is called among the columns."""
_DAY = timedelta(days=1)
_YEAR_AND_MORE = timedelta(days=372)
_DAYS_A_LOOK = 31
"""Days that are compared and kept in one transaction."""
_WEIGHT = "weight"
_AT = "event_time"
_ANSWERED = (SCORE, _WEIGHT, "variant", "model_version")


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
        self._parted = PartedDrift(parts)
        self._kept: dict[str, _Known] = {}
        """What the champion of each endpoint was released on: it stays while the champion does."""
        self._baselines: dict[tuple[str, str, timedelta], dict[str, Baseline]] = {}

    def drift(self, endpoint: str) -> tuple[DriftReport, ...]:
        """The kept drift reports, oldest first."""
        with self._parts.read() as tx:
            return tuple(monitoring.list_drift(tx, EndpointName(endpoint)))

    def look(self, endpoint: str) -> tuple[DriftReport, ...]:
        """Compare each day (UTC) that has ended since the last look, once, and keep what was found.

        It waits for no label. After a long absence the days are kept a few weeks at a time, so that a look that is
        interrupted goes on where it was.
        """
        start, through = self._looked_through(endpoint), day_start(self._parts.clock.now())
        if start is None or start >= through:
            return ()
        logged = Logged(self._parts.log, endpoint, Window(start=start, end=through))
        days, found = logged.days(), list[DriftReport]()
        for first in range(0, len(days), _DAYS_A_LOOK):
            some = days[first : first + _DAYS_A_LOOK]
            reports = self.measure(endpoint, some, logged=logged)
            self._keep(endpoint, reports, some[-1].end)
            found += reports
        self._keep(endpoint, (), through)
        return tuple(found)

    def measure(
        self,
        endpoint: str,
        days: Sequence[Window],
        *,
        importance: Mapping[str, float] | None = None,
        logged: Logged | None = None,
    ) -> tuple[DriftReport, ...]:
        """Compare what was served in each window with the champion's reference; windows without answers give none.

        What was counted is kept, the hours of long ago as days. The false-discovery rate is controlled over all windows
        of one call. ``importance`` is by feature, 1 on average; None: as the champion's own answers depend on them.
        ``logged`` may have read one of the windows already.
        """
        known = self._known(endpoint)
        if known is None:
            return ()
        reference, counted = known.reference, list[tuple[Window, dict[str, Sketch]]]()
        for day in days:
            read = logged.of(day) if logged else Logged(self._parts.log, endpoint, day)
            found = self._count(endpoint, read, known)
            if found.whole:
                with self._parts.write() as tx:
                    monitoring.replace_counts(tx, reference, day, found.whole, found.parts)
                summed = merge_all(reference.sketches, (each.sketches for each in found.whole))
                counted.append((day, summed))
        now = self._parts.clock.now()
        with self._parts.write() as tx:
            monitoring.roll_up_parts(tx, reference, now - monitoring.PART_HOURS_KEPT)
            monitoring.roll_up(tx, reference, now - monitoring.HOURS_KEPT)
        if counted:
            self._keep_parts(endpoint, known, counted[-1][0], importance)
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

    def by_part(
        self, endpoint: str, window: Window | None = None, *, importance: Mapping[str, float] | None = None
    ) -> DriftByPart | None:
        """The drift of each slice that ``monitor.slices`` names, and of each variant where several answered.

        A slice is compared with the held-out rows of that slice, a variant with all of them. No row is read.

        Args:
            endpoint: its name.
            window: any, from the counts that are kept; None: what was found at the last look, in the shortest of the
                last day, a week and the monitor's window in which most parts have rows enough, and of each part the
                columns that moved most.
            importance: by feature, 1 on average; None: as the champion's own answers depend on them.

        Returns:
            None where nothing was counted apart.
        """
        settings = self._parts.endpoint(endpoint)
        if window is None:
            with self._parts.read() as tx:
                return monitoring.latest_part_drift(tx, EndpointName(settings.name))
        known = self._known(endpoint)
        return (
            self._parted.judged(settings, self._champion(known, window, importance), window)
            if known
            else None
        )

    def _looked_through(self, endpoint: str) -> datetime | None:
        """The end of the last day that was compared, or the first day that there is anything to compare on."""
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, f"drift:{endpoint}")
        if mark:
            return datetime.fromisoformat(mark)
        kept = self.drift(endpoint)  # by an earlier mlwright, which left no mark
        return kept[-1].window.end if kept else first_day(self._parts, endpoint)

    def _keep(self, endpoint: str, reports: Sequence[DriftReport], through: datetime) -> None:
        with self._parts.write() as tx:
            for report in reports:
                monitoring.save_drift(tx, report)
            ledger.set_mark(tx, f"drift:{endpoint}", through.isoformat())

    def _keep_parts(
        self, endpoint: str, known: _Known, last: Window, importance: Mapping[str, float] | None
    ) -> None:
        settings = self._parts.endpoint(endpoint)
        window = self._parted.lately(settings, known.reference, last)
        found = self._parted.judged(settings, self._champion(known, window, importance), window)
        if found is not None:
            with self._parts.write() as tx:
                monitoring.save_part_drift(tx, found)

    def _champion(self, known: _Known, window: Window, importance: Mapping[str, float] | None) -> Champion:
        return Champion(
            version=known.version,
            reference=known.reference,
            own=known.own,
            weights=importance_of(self._parts, known.version) if importance is None else importance,
            baseline=self._baseline(known, window.end - window.start),
            year_before=_year_before(window),
            score=SCORE,
        )

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
        with self._parts.read() as tx:
            return monitoring.list_counts(tx, reference, _year_before(window))

    def _count(self, endpoint: str, day: Logged, known: _Known) -> Counted:
        """The counts of what was served in the window."""
        settings, reference = self._parts.endpoint(endpoint), known.reference
        served = day.features
        if served.is_empty():
            return Counted(whole=(), parts={})
        answered = day.served
        answers = served.select("prediction_id").join(
            answered.select("prediction_id", *_ANSWERED).unique("prediction_id", keep="last"),
            on="prediction_id",
            how="left",
            maintain_order="left",
        )
        rows = served.with_columns(answers[SCORE]) if SCORE in reference.sketches else served
        named = {settings.entity: "entity_key", settings.timestamp: _AT}
        told = rows.with_columns(pl.col(has).alias(name) for name, has in named.items())
        columns = self._parted.slices(settings, reference, known.version, told)
        return count_apart(
            reference.sketches,
            rows,
            at=rows[_AT],
            window=day.window,
            weights=answers[_WEIGHT].fill_null(1.0),
            variant=variant_labels(answers),
            slices=[each.labels(told) for each in columns],
            hourly=day.window.end > self._parts.clock.now() - monitoring.PART_HOURS_KEPT,
        )

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
        own = count_apart(sketches, holdout, at=holdout[stamp]).whole if stamp in holdout.columns else ()
        with self._parts.write() as tx:
            monitoring.save_reference(tx, name, version.ref, sketches, window)
            reference = monitoring.get_reference(tx, name, version.ref)
            monitoring.save_counts(tx, reference, own, monitoring.OF_REFERENCE)
        self._parted.forget(self._parts.endpoint(endpoint), version)
        return reference


def _year_before(window: Window) -> Window:
    """Where the same season of a year before lies."""
    return Window(start=window.start - _YEAR_AND_MORE, end=window.end - _YEAR_AND_MORE + 16 * _DAY)
