"""Drift of slices and variants: how served rows fall into them, what each is compared with, and what has moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from json import dumps, loads
from typing import Final

import polars as pl

from mlwright.model.part_drift import DriftByPart
from mlwright.model.registry import ModelVersion
from mlwright.model.settings import EndpointSettings
from mlwright.model.windows import Window
from mlwright.platform.parts import Parts
from mlwright.platform.same_rows import holdout_of
from mlwright.platform.slice_cuts import slice_cuts
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.apart import SliceColumn, count_apart, slice_column
from mlwright.stages.monitoring.counting import count
from mlwright.stages.monitoring.judging import Baseline, Rules
from mlwright.stages.monitoring.part_judging import (
    BY_WHOLE,
    FIXED,
    Compared,
    Limits,
    judge_parts,
    limits_of,
)
from mlwright.stages.monitoring.seasons import Part, same_season
from mlwright.stages.monitoring.sketches import Sketch, merge_all

_DAY: Final = timedelta(days=1)
_VARIANT: Final = "variant="


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What parts are compared with: a version's reference, its own windows, and what of it has served a year before.

    ``score`` is the column that is what the model answered.
    """

    version: ModelVersion
    reference: monitoring.Reference
    own: tuple[Part, ...]
    weights: Mapping[str, float]
    baseline: Mapping[str, Baseline]
    year_before: Window
    score: str


class PartedDrift:
    """Slices and variants of one project's endpoints. What is read of references is kept in memory."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._held: dict[str, Mapping[str, tuple[Mapping[str, Sketch], tuple[Part, ...]]]] = {}

    def slices(
        self,
        settings: EndpointSettings,
        reference: monitoring.Reference,
        version: ModelVersion,
        rows: pl.DataFrame,
    ) -> tuple[SliceColumn, ...]:
        """The slices that rows are counted by; those of a column are fixed once a version, by its held-out rows.

        Args:
            settings: of the endpoint; ``monitor.slices`` names the columns.
            reference: that of the version.
            version: the champion.
            rows: what was served, beside ``event_time``; they fix what the held-out rows do not have.
        """
        kept = self._kept(settings, version)
        wanted = [each for each in settings.monitor.slices if each not in kept]
        # What is not logged has no slices, as for quality; what is no longer logged is missing.
        fresh = [each for each in wanted if each in rows.columns or each == "hour"]
        if fresh:
            cuts = slice_cuts(self._parts, settings, version, rows)
            held = _timed(holdout_of(self._parts, version), settings)
            for name in fresh:
                edges = cuts.get(name, ())
                of_reference = slice_column(held, name, edges)
                found = of_reference or slice_column(rows, name, edges)
                if found is None:
                    continue
                kept[name] = found
                if of_reference is not None:
                    self._keep_held_out(reference, held, found)
            self._keep(settings, version, kept)
        return tuple(kept[each] for each in settings.monitor.slices if each in kept)

    def forget(self, settings: EndpointSettings, version: ModelVersion) -> None:
        """Let slices be fixed anew: their reference is gone."""
        self._keep(settings, version, {})

    def judged(self, settings: EndpointSettings, champion: Champion, window: Window) -> DriftByPart | None:
        """What has moved in which part, from the counts that are kept; None where nothing was counted apart."""
        reference = champion.reference
        with self._parts.read() as tx:
            names = monitoring.count_rows(tx, reference, window)
            several = sum(name.startswith(_VARIANT) for name in names) > 1
            if not settings.monitor.slices and not several:
                return None
            counted = monitoring.list_parts_counted(tx, reference, window)
            history = monitoring.list_parts_counted(tx, reference, champion.year_before)
            whole = monitoring.list_counts(tx, reference, champion.year_before) if several else ()
            rows = sum(each.rows for each in monitoring.list_counts(tx, reference, window))
        kept = self._kept(settings, champion.version)
        compared: list[Compared] = []
        for column in (kept[each] for each in settings.monitor.slices if each in kept):
            found = {name: counted[name] for name in column.names if name in counted}
            note = _uncounted(found, rows)
            compared += [
                self._slice(champion, window, name, parts, history.get(name, ()), note)
                for name, parts in found.items()
            ]
        if several:
            variants = {name: counted[name] for name in sorted(counted) if name.startswith(_VARIANT)}
            note = _uncounted(variants, rows)
            compared += [
                _variant(champion, window, name, parts, whole, note) for name, parts in variants.items()
            ]
        if not compared:
            return None
        return DriftByPart(
            endpoint=reference.endpoint,
            model_version=reference.model_version,
            window=window,
            reference=reference.window,
            parts=judge_parts(compared, weights=champion.weights, predictions=(champion.score,)),
        )

    def lately(self, settings: EndpointSettings, reference: monitoring.Reference, last: Window) -> Window:
        """The shortest of the last window, a week and the monitor's window in which most parts can be judged."""
        spans = sorted({last.end - last.start, 7 * _DAY, max(settings.monitor.window, 7 * _DAY)})
        for span in spans:
            window = Window.before(last.end, span)
            with self._parts.read() as tx:
                sizes = sorted(monitoring.count_rows(tx, reference, window).values())
            if sizes and sizes[(len(sizes) - 1) // 2] >= Rules().rows:
                return window
        return window

    def _slice(
        self,
        champion: Champion,
        window: Window,
        name: str,
        counted: Sequence[Part],
        history: Sequence[Part],
        note: str,
    ) -> Compared:
        reference = champion.reference
        held, within = self._held_out(reference).get(name, ({}, ()))
        known = dict(held) or merge_all(reference.sketches, [])
        limits = limits_of(known, within, window.end - window.start, whole=champion.baseline)
        return Compared(
            name=name,
            current=merge_all(reference.sketches, (each.sketches for each in counted)),
            reference=known,
            limits=limits,
            season=same_season(window, reference.sketches, within=within, history=history),
            note=note,
        )

    def _keep_held_out(
        self, reference: monitoring.Reference, held: pl.DataFrame, column: SliceColumn
    ) -> None:
        labels = column.labels(held)
        stamps = held["event_time"] if "event_time" in held.columns else None
        windows: Mapping[str, tuple[Part, ...]] = {}
        if stamps is not None:
            windows = count_apart(reference.sketches, held, at=stamps, slices=[labels], hourly=False).parts
        with self._parts.write() as tx:
            for (name,), rows in held.with_columns(labels.alias(_OF)).partition_by(_OF, as_dict=True).items():
                total = count(reference.sketches, rows)
                monitoring.save_held_out(tx, reference, name, total, windows.get(name, ()))
        self._held.pop(_key(reference), None)

    def _held_out(
        self, reference: monitoring.Reference
    ) -> Mapping[str, tuple[Mapping[str, Sketch], tuple[Part, ...]]]:
        key = _key(reference)
        if key not in self._held:
            with self._parts.read() as tx:
                found = monitoring.list_held_out(tx, reference)
            # Those of champions that are gone are let go.
            gone = f"{reference.endpoint}@"
            self._held = {name: each for name, each in self._held.items() if not name.startswith(gone)}
            self._held[key] = found
        return self._held[key]

    def _kept(self, settings: EndpointSettings, version: ModelVersion) -> dict[str, SliceColumn]:
        with self._parts.read() as tx:
            mark = ledger.get_mark(tx, _mark(settings, version))
        stored: dict[str, dict[str, list[str] | list[float]]] = loads(mark) if mark else {}
        return {
            name: SliceColumn(
                column=name,
                values=tuple(str(value) for value in each["values"]),
                cuts=tuple(float(cut) for cut in each["cuts"]),
            )
            for name, each in stored.items()
        }

    def _keep(
        self, settings: EndpointSettings, version: ModelVersion, found: Mapping[str, SliceColumn]
    ) -> None:
        told = {name: {"values": each.values, "cuts": each.cuts} for name, each in found.items()}
        with self._parts.write() as tx:
            ledger.set_mark(tx, _mark(settings, version), dumps(told, sort_keys=True, ensure_ascii=False))


_OF: Final = "·slice"


def _variant(
    champion: Champion,
    window: Window,
    name: str,
    counted: Sequence[Part],
    history: Sequence[Part],
    note: str,
) -> Compared:
    reference = champion.reference
    same = name.endswith(f"({reference.model_version})")
    other = "" if same else f"its scores are compared with those of {reference.model_version}"
    return Compared(
        name=name,
        current=merge_all(reference.sketches, (each.sketches for each in counted)),
        reference=reference.sketches,
        limits=Limits(baseline=champion.baseline, assumption=BY_WHOLE if champion.baseline else FIXED),
        season=same_season(window, reference.sketches, within=champion.own, history=history),
        note="; ".join(each for each in (other, note) if each),
    )


def _uncounted(found: Mapping[str, Sequence[Part]], rows: int) -> str:
    """What was served before a slice was named, or is kept by the day where a window cuts days, is in no part."""
    there = sum(each.rows for parts in found.values() for each in parts)
    return f"{there:,} of {rows:,} rows of the window were counted apart" if there < rows else ""


def _timed(held: pl.DataFrame, settings: EndpointSettings) -> pl.DataFrame:
    """Held-out rows with their instant as ``event_time``, as served rows have it."""
    stamp = settings.timestamp
    if stamp not in held.columns or not isinstance(held.schema[stamp], pl.Datetime):
        return held.drop("event_time", strict=False)
    instant = pl.col(stamp)
    if held.schema[stamp].time_zone is None:  # type: ignore[attr-defined]
        instant = instant.dt.replace_time_zone("UTC")
    return held.with_columns(instant.dt.convert_time_zone("UTC").alias("event_time"))


def _mark(settings: EndpointSettings, version: ModelVersion) -> str:
    return f"drift-slices:{settings.name}:{version.ref}"


def _key(reference: monitoring.Reference) -> str:
    return f"{reference.endpoint}@{reference.model_version}"
