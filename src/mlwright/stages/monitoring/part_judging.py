"""Which slices and variants have moved: each against what it was on the held-out rows.

A slice is compared with the held-out rows of that slice, in the bins of the whole, so that it is nothing new that one
carrier flies further than the others. A variant is compared with all of them: who answers is drawn by lot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import asin, sqrt
from typing import Final

from mlwright.model.part_drift import PartDrift
from mlwright.stages.monitoring.judging import (
    SEVERAL,
    Baseline,
    Measured,
    Rules,
    calibrate,
    judge,
    measure,
)
from mlwright.stages.monitoring.seasons import Part, Seasonal, tiled
from mlwright.stages.monitoring.sketches import Sketch

_RULES: Final = Rules()
BY_ITSELF: Final = "limits by how the slice itself varies over {windows} windows of its held-out rows"
BY_WHOLE: Final = (
    "limits by how all held-out rows vary from window to window, assuming that a part varies no more"
)
FIXED: Final = "fixed limits, because the held-out rows make too few windows of this length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a part may be expected to vary, by column, and what that rests on."""

    baseline: Mapping[str, Baseline]
    assumption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A slice or variant in one window, and what it is compared with."""

    name: str
    current: Mapping[str, Sketch]
    reference: Mapping[str, Sketch]
    limits: Limits
    season: Seasonal | None = None
    note: str = ""


def limits_of(
    reference: Mapping[str, Sketch],
    within: Sequence[Part],
    span: timedelta,
    *,
    whole: Mapping[str, Baseline],
    least: int = _RULES.rows // 5,
) -> Limits:
    """How a slice may be expected to vary over windows of a length: as it did itself, else as the whole did.

    Args:
        reference: all held-out rows of the slice.
        within: the same by hour or day.
        span: the length of the windows that are judged.
        whole: how all held-out rows vary over such windows.
        least: rows that windows of the slice must have on the median; smaller ones vary by noise alone.
    """
    windows = tiled(within, span, reference)
    sizes = sorted(each.rows for each in windows)
    if len(windows) >= SEVERAL and sizes[len(sizes) // 2] >= least:
        own = calibrate(reference, [each.sketches for each in windows])
        return Limits(baseline=own, assumption=BY_ITSELF.format(windows=len(windows)))
    if not whole:
        return Limits(baseline={}, assumption=FIXED)
    lent = {name: _lent(each, reference[name]) for name, each in whole.items() if name in reference}
    return Limits(baseline=lent, assumption=BY_WHOLE)


def judge_parts(
    compared: Sequence[Compared],
    *,
    weights: Mapping[str, float],
    predictions: Sequence[str] = (),
    rules: Rules = _RULES,
) -> tuple[PartDrift, ...]:
    """Say of many parts at once what has moved; the false-discovery rate is controlled over all of them together.

    Args:
        compared: all slices and variants that are asked about.
        weights: how much each feature matters to the model; 1 where it is not said.
        predictions: the columns that are what the model answered.
        rules: what counts as enough.
    """
    rows = [_measured(each, weights, predictions) for each in compared]
    told = iter(judge([each for row in rows for each in row], rules))
    found: list[PartDrift] = []
    for each, row in zip(compared, rows, strict=True):
        features = tuple(next(told) for _ in row)
        judged = [feature for feature in features if feature.threshold is not None]
        served, held_out = _rows(each.current), _rows(each.reference)
        found.append(
            PartDrift(
                part=each.name,
                rows=served,
                reference_rows=held_out,
                features=features,
                judged=len(judged),
                moved=sum(feature.moved for feature in judged),
                note="; ".join(said for said in (_too_few(served, held_out, rules), each.note) if said),
                assumption=each.limits.assumption if judged else "",
            )
        )
    return tuple(found)


def _measured(each: Compared, weights: Mapping[str, float], predictions: Sequence[str]) -> list[Measured]:
    season = each.season
    return [
        measure(
            name,
            known,
            each.current[name],
            baseline=each.limits.baseline.get(name),
            seasonal=season.sketches.get(name) if season else None,
            season=season.season.value if season else "",
            kind="prediction" if name in predictions else "feature",
            weight=weights.get(name, 1.0),
        )
        for name, known in each.reference.items()
        if name in each.current
    ]


def _too_few(served: int, held_out: int, rules: Rules) -> str:
    few = [
        f"{rows:,} {of}"
        for rows, of in ((held_out, "held-out rows"), (served, "served rows"))
        if rows < rules.rows
    ]
    return f"too few to judge: {' and '.join(few)}, {rules.rows:,} are needed" if few else ""


def _lent(baseline: Baseline, reference: Sketch) -> Baseline:
    """How the whole varies, around where the slice is: its share of missing values need not be that of the whole."""
    whole = reference.n or 1.0
    return replace(
        baseline,
        missing=replace(baseline.missing, centre=_angle(reference.nulls / whole)),
        unseen=replace(baseline.unseen, centre=_angle(reference.unseen / whole)),
    )


def _angle(share: float) -> float:
    return asin(sqrt(min(max(share, 0.0), 1.0)))


def _rows(sketches: Mapping[str, Sketch]) -> int:
    return max((each.rows for each in sketches.values()), default=0)
