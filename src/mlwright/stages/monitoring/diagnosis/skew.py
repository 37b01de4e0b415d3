"""S3: are the features that were served those that are computed offline for the same rows and instants?"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from mlwright.errors import DataError
from mlwright.model.diagnosis import Outcome, Suspect, Test
from mlwright.model.monitoring import Estimate
from mlwright.stages.monitoring.diagnosis.case import Case
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.mismatch import Past, differing, hint
from mlwright.stages.monitoring.diagnosis.repairs import Judge, Rows, by_weight, judge
from mlwright.stages.monitoring.diagnosis.surrogate import Rescorer, Rescoring
from mlwright.stages.monitoring.diagnosis.typed import read_as

_TITLE: Final = "Training-serving skew by key"
_LEAST: Final = 0.001
_SCORED: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """What a comparison of the two copies found."""

    mismatch: dict[str, float]
    """Share of the compared rows whose two values differ, by feature."""
    suspects: tuple[Suspect, ...]
    recovered: Estimate | None
    """Share of the drop that goes away with the recomputed values."""
    repaired: pl.DataFrame | None
    """The current features with the recomputed values where they differ; None where nothing differs."""
    test: Test


def skew(case: Case, drop: Estimate, rescoring: Rescoring) -> Skew:
    """Compare the copies row by row, name the mechanism, rescore with the recomputed values.

    A feature is a suspect where at least five rows and one in a thousand differ. ``recovered`` is over the rows that
    could be recomputed.

    Args:
        case: both sides, and the second copy of the current one.
        drop: loss now less before, which shares are of.
        rescoring: what scores the recomputed values; asked where something differs.

    Raises:
        DataError: the recomputed features do not have one row for each current row.
    """
    if case.recomputed is None:
        what = "the features of the current rows computed again offline, by key and event time"
        return _none(Outcome.UNKNOWN, "there is no second copy of the features", (what,))
    copy = case.recomputed
    known = (
        np.ones(len(case.current), dtype=np.bool_) if case.recomputed_rows is None else case.recomputed_rows
    )
    if copy.height != len(case.current) or len(known) != len(case.current):
        raise DataError(
            f"{copy.height} rows were recomputed for {len(case.current)} served ones",
            where="recomputed features",
            why="the two copies are compared row by row",
        )
    names = [name for name in case.current.features.columns if name in copy.columns]
    if not names or known.sum() < 5:
        what = "recomputed features with the served features' names"
        return _none(Outcome.UNKNOWN, "no row or no feature could be recomputed", (what,))
    apart = {name: differing(case.current.features[name], copy[name]) & known for name in names}
    total = int(known.sum())
    mismatch = {name: float(rows.sum()) / total for name, rows in apart.items()}
    wrong = [name for name in names if apart[name].sum() >= 5 and mismatch[name] >= _LEAST]
    alone = tuple(name for name in case.reference.features.columns if name not in copy.columns)
    needs = (f"recomputed values of {', '.join(alone)}",) if alone else ()
    numbers = {"rows compared": float(total), "features compared": float(len(names))}
    if not wrong:
        text = f"served and recomputed values agree in {len(names)} features of {total} rows"
        found = _none(Outcome.CLEAR, text, needs, numbers)
        return Skew(mismatch=mismatch, suspects=(), recovered=None, repaired=None, test=found.test)
    return _found(
        case, drop, rescoring(), {name: apart[name] for name in wrong}, known, (mismatch, numbers, needs)
    )


def _found(
    case: Case,
    drop: Estimate,
    scorer: Rescorer | None,
    apart: dict[str, Rows],
    known: Rows,
    rest: tuple[dict[str, float], dict[str, float], tuple[str, ...]],
) -> Skew:
    """Name and weigh what differs."""
    mismatch, numbers, needs = rest
    assert case.recomputed is not None
    copy = case.recomputed
    by_rows = judge(case, scorer, drop, among=known)
    whole = case.current.features
    suspects = []
    order = sorted(apart, key=lambda name: (-mismatch[name], name))
    for place, name in enumerate(order):
        one = _with(case.current.features, copy, {name: apart[name]})
        whole = _with(whole, copy, {name: apart[name]})
        named = hint(
            case.current.features[name].filter(pl.Series(known)),
            copy[name].filter(pl.Series(known)),
            apart[name][known],
            at=None if case.current.at is None else case.current.at[known],
            cluster=None if case.current.cluster is None else case.current.cluster[known],
            past=_past(case, name),
        )
        suspects.append(
            Suspect(
                column=name,
                mechanism=named.mechanism,
                text=f"{named.text}; {_rows(mismatch[name])} recomputed rows differ",
                rows=mismatch[name],
                factor=named.factor,
                recovered=_recovered(by_rows, one, apart[name]) if place < _SCORED else None,
            )
        )
    touched = np.logical_or.reduce(list(apart.values()))
    recovered = _recovered(by_rows, whole, touched)
    suspects.sort(key=by_weight)
    text = "; ".join(f"{one.column}: {one.text}" for one in suspects[:3])
    if recovered is not None:
        numbers["recovered"] = recovered.value
        text += f". With the recomputed values {portion(recovered)} of the drop goes away"
    if scorer is None or not scorer.trusted:
        needs = (*needs, "the recorded model, to score the recomputed values")
    if scorer is not None:
        numbers["fidelity"] = scorer.fidelity
    test = Test(
        id="S3",
        title=_TITLE,
        outcome=Outcome.FOUND,
        text=text,
        numbers=numbers,
        suspects=tuple(suspects),
        needs=needs,
        assumption="the recomputed values are the right ones, as of the event time",
    )
    return Skew(mismatch=mismatch, suspects=tuple(suspects), recovered=recovered, repaired=whole, test=test)


def _past(case: Case, name: str) -> Past | None:
    """What the reference holds of the same entities."""
    side = case.reference
    if side.at is None or side.cluster is None or name not in side.features.columns:
        return None
    return Past(values=side.features[name], at=side.at, cluster=side.cluster)


def _rows(part: float) -> str:
    return "all" if part >= 0.9995 else f"{part:.1%} of the"


def _recovered(by_rows: Judge, frame: pl.DataFrame, touched: Rows) -> Estimate | None:
    if not by_rows.able:
        return None
    loss = by_rows.after(frame, touched)
    how = "rows that could not be recomputed would gain as much; rows that differ are scored again"
    return None if loss is None else by_rows.recovered(loss, how)


def _with(frame: pl.DataFrame, copy: pl.DataFrame, apart: dict[str, Rows]) -> pl.DataFrame:
    """The recomputed values where they differ, typed as they were recomputed."""
    for name, rows in apart.items():
        served, offline = frame[name], copy[name]
        if served.dtype != offline.dtype:
            read = read_as(served, offline)
            served = offline if read is None else read[0]
            # what the recomputed type cannot hold was no value to begin with
            served = served.fill_null(offline) if served.null_count() else served
        frame = frame.with_columns(offline.zip_with(pl.Series(rows), served).alias(name))
    return frame


def _none(
    outcome: Outcome, text: str, needs: tuple[str, ...], numbers: dict[str, float] | None = None
) -> Skew:
    test = Test(id="S3", title=_TITLE, outcome=outcome, text=text, needs=needs, numbers=numbers or {})
    return Skew(mismatch={}, suspects=(), recovered=None, repaired=None, test=test)
