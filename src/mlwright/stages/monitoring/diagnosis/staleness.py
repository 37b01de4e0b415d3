"""Values that look right one by one and belong to another row or another time: wrong joins and stale aggregates."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt
from typing import Final

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

from mlwright.stages.monitoring.comparison import rankdata
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Sample
from mlwright.stages.monitoring.diagnosis.columns import Column
from mlwright.stages.monitoring.diagnosis.repairs import Fault, Rows, as_type
from mlwright.stages.monitoring.encoding import Kind, by_count, numbers, texts_of

_LEVELS: Final = 8
_RIDGE: Final = 1e-3
_HALF: Final = 5_000
_TOLD: Final = 0.55
"""Below it a relation is loose enough for a season to undo it."""
_GONE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Features as columns to regress on each other.

    ``before`` and ``now`` have shapes (m, p) and (n, p); ``group`` is the place in ``names`` of each of the p columns.
    Numbers are normal scores of their ranks within their own side and the squares of these, so that a drift of the
    marginal changes nothing; levels are indicators of the eight most frequent.
    """

    names: tuple[str, ...]
    group: NDArray[np.int64]
    before: Floats
    now: Floats

    def means_of(self, leave: str) -> tuple[Floats, Floats]:
        """All columns but those of one feature."""
        kept = self.group != self.names.index(leave) if leave in self.names else self.group >= 0
        return self.before[:, kept], self.now[:, kept]


def basis(columns: Sequence[Column]) -> Basis:
    """Build it from the sampled rows."""
    names: list[str] = []
    group: list[int] = []
    old: list[Floats] = []
    new: list[Floats] = []
    for column in columns:
        pairs = _indicators(column) if column.kind is Kind.LEVELS else _scores(column)
        for before, now in pairs:
            group.append(len(names))
            old.append(before)
            new.append(now)
        names.append(column.name)
    if not old:
        return Basis(names=(), group=np.empty(0, np.int64), before=np.empty((0, 0)), now=np.empty((0, 0)))
    return Basis(
        names=tuple(names),
        group=np.asarray(group, dtype=np.int64),
        before=np.column_stack(old),
        now=np.column_stack(new),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How well the other features tell one: correlation of the value with its prediction on rows not fitted on."""

    before: float
    now: float
    """With the reference's coefficients."""
    again: float
    """With coefficients fitted on current rows: what dependence is left, of any kind."""


def told(found: Basis, *, without: frozenset[str] = frozenset()) -> dict[str, Told]:
    """How well each feature is told by the others, before and now, by ridge regression on half of each side's rows.

    One inverse of the second moments gives the regression of every column on all columns of the other features.

    Args:
        found: the features.
        without: features that neither are told nor tell.
    """
    keep = np.array([found.names[g] not in without for g in found.group], dtype=np.bool_)
    group = found.group[keep]
    m, n = len(found.before), len(found.now)
    if keep.sum() < 2 or min(m, n) < 200:
        return {}
    # every second row: neighbours in time resemble each other, and what a season does to a relation is no fault
    sides = [each[part::2][:_HALF, keep] for each in (found.before, found.now) for part in (0, 1)]
    fitted, tested, refitted, retested = (_moments(side) for side in sides)
    ours, theirs = _precision(fitted), _precision(refitted)
    answer: dict[str, Told] = {}
    for g in np.unique(group):
        own = np.flatnonzero(group == g)
        others = np.flatnonzero(group != g)
        if len(others) == 0:
            continue
        weights, again = _weights(ours, own, others), _weights(theirs, own, others)
        best: Told | None = None
        for row, place in enumerate(own.tolist()):
            one = Told(
                before=_told(tested, weights[row], place, others),
                now=_told(retested, weights[row], place, others),
                again=_told(retested, again[row], place, others),
            )
            if best is None or one.before > best.before:
                best = one
        if best is not None:
            answer[found.names[int(g)]] = best
    return answer


def broken(columns: Sequence[Column], found: Basis, case: Case) -> list[Fault]:
    """Features whose dependence on the others is gone, the one that explains the most first; and flipped signs.

    Args:
        columns: the features that are asked about.
        found: those and possibly others, which are left out.
        case: for the labels.
    """
    by_name = {column.name: column for column in columns}
    faults: list[Fault] = []
    without = frozenset(found.names) - frozenset(by_name)
    rows = (min(len(found.before) / 2, _HALF), min(len(found.now) / 2, _HALF))
    for _ in range(5):
        measured = told(found, without=without)
        flipped = [
            name for name, one in measured.items() if _flipped(one, rows) and _symmetric(by_name[name])
        ]
        gone = [name for name, one in measured.items() if _lost(one, rows)]
        if not gone and not flipped:
            break
        if flipped:
            name = min(flipped, key=lambda each: (measured[each].now, each))
            if len(flipped) == 1 or _explains(found, name, flipped, without, rows):
                faults.append(_negated(by_name[name], measured[name]))
            without |= {name}
            continue
        most = {name: _explains(found, name, gone, without, rows) for name in gone}
        top = max(most.values())
        chosen = [name for name in gone if most[name] == top]
        if len(chosen) > 1:
            chosen = _by_label(found, chosen, case, columns)
        for name in sorted(chosen):
            also = [other for other in chosen if other != name]
            faults.append(_join(by_name[name], measured[name], also))
        without |= frozenset(chosen)
    return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The rows of one side entity by entity and in time: their order, and which follow a row of the same entity."""

    order: NDArray[np.int64]
    same: Rows
    """Shape (n − 1,)."""


def steps(sample: Sample) -> Steps | None:
    """Sort once what every column is asked about; None without times or entities, or with fewer than 100 steps."""
    if sample.at is None or sample.cluster is None:
        return None
    order = np.lexsort((sample.at, sample.cluster))
    who = sample.cluster[order]
    same = who[1:] == who[:-1]
    return Steps(order=order, same=same) if same.sum() >= 100 else None


def stale(column: Column, before: Steps | None, now: Steps | None, seed: int) -> Fault | None:
    """A value that used to change from one row of an entity to the next and no longer does, or takes few values now.

    Args:
        column: not of instants; those have no answer.
        before, now: the steps of both sides.
        seed: of the rows that distinct values are counted in.
    """
    if column.kind is Kind.INSTANT:
        return None
    moved = (
        None if before is None or now is None else (_changes(column.old, before), _changes(column.new, now))
    )
    if moved is not None and moved[0] >= 0.2 and moved[1] <= 0.1 * moved[0]:
        text = f"changes in {moved[1]:.1%} of steps of an entity, was {moved[0]:.1%}"
    else:
        old, new = column.sampled() if column.kind is Kind.NUMBER else (np.empty(0), np.empty(0))
        few = min(len(old), len(new))
        if few < 500:
            return None
        random = np.random.default_rng(seed)
        distinct = [len(np.unique(random.choice(each, few, replace=False))) / few for each in (old, new)]
        if distinct[0] < 0.2 or distinct[1] > 0.1 * distinct[0]:
            return None
        text = f"{distinct[1]:.1%} of values are distinct, was {distinct[0]:.1%}"
    return Fault(
        column=column.name, mechanism="stale", text=text, touched=np.ones(len(column.new), dtype=np.bool_)
    )


def _changes(series: pl.Series, walked: Steps) -> float:
    """The share of an entity's steps in which the value is another."""
    ordered = series[walked.order]
    differs = ordered.slice(1).ne_missing(ordered.slice(0, len(ordered) - 1)).to_numpy()
    return float(differs[walked.same].mean())


def _lost(one: Told, rows: tuple[float, float]) -> bool:
    if one.before < _TOLD or max(abs(one.now), abs(one.again)) > _GONE * one.before:
        return False
    error = sqrt(1.0 / rows[0] + 1.0 / rows[1])
    return atanh(min(one.before, 0.999999)) - atanh(max(one.again, 0.0)) > 6.0 * error


def _flipped(one: Told, rows: tuple[float, float]) -> bool:
    error = sqrt(1.0 / rows[0] + 1.0 / rows[1])
    return one.before >= _TOLD and one.now <= -0.7 * one.before and one.before - one.now > 6.0 * error


def _symmetric(column: Column) -> bool:
    """Whether a flipped sign would hardly show in the distribution."""
    if column.kind is not Kind.NUMBER:
        return False
    old, _ = column.sampled()
    return len(old) > 0 and bool(old[0] < 0 < old[-1])


def _explains(
    found: Basis, name: str, gone: Sequence[str], without: frozenset[str], rows: tuple[float, float]
) -> int:
    """How many of the others are all right once ``name`` is not looked at."""
    left = told(found, without=without | {name})
    still = sum(
        1
        for other in gone
        if other != name and other in left and (_lost(left[other], rows) or _flipped(left[other], rows))
    )
    return len(gone) - 1 - still


def _by_label(found: Basis, names: list[str], case: Case, columns: Sequence[Column]) -> list[str]:
    """Those whose dependence with the label is gone as well; all, where the label does not tell them apart."""
    old_rows, new_rows = columns[0].old_rows, columns[0].new_rows
    left = []
    for name in names:
        own = found.group == found.names.index(name)
        before = _fit(found.before[:, own], case.reference.label[old_rows])
        now = _fit(found.now[:, own], case.current.label[new_rows])
        if before >= 0.05 and now <= 0.5 * before:
            left.append(name)
    return left if left else names


def _fit(features: Floats, label: Floats) -> float:
    """Multiple correlation of a label with columns."""
    known = np.isfinite(label)
    if known.sum() < 200:
        return 0.0
    x, y = features[known] - features[known].mean(axis=0), label[known] - label[known].mean()
    weights = np.linalg.solve(x.T @ x / len(x) + _RIDGE * np.eye(x.shape[1]), x.T @ y / len(x))
    return _correlation(y, x @ weights)


def _join(column: Column, one: Told, also: Sequence[str]) -> Fault:
    text = f"the other features told it with correlation {one.before:.2f}, now {one.again:.2f}: values of other rows"
    if also:
        text += f"; or it is {', '.join(also)} that is wrong"
    return Fault(
        column=column.name, mechanism="join", text=text, touched=np.ones(len(column.new), dtype=np.bool_)
    )


def _negated(column: Column, one: Told) -> Fault:
    return Fault(
        column=column.name,
        mechanism="scale",
        text=f"the sign is flipped: it correlates {one.now:.2f} with what the others tell, was {one.before:.2f}",
        touched=np.isfinite(column.now),
        factor=-1.0,
        undone=as_type(-column.now, column.old),
    )


def _moments(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / len(rows), dtype=np.float64)


def _precision(moments: Floats) -> Floats:
    return np.asarray(np.linalg.inv(moments + _RIDGE * np.eye(len(moments))), dtype=np.float64)


def _told(moments: Floats, weights: Floats, place: int, others: NDArray[np.int64]) -> float:
    """The correlation of a column with its prediction, from second moments."""
    with_it = float(weights @ moments[others, place])
    own = float(weights @ moments[np.ix_(others, others)] @ weights)
    scale = sqrt(max(own, 0.0) * float(moments[place, place]))
    return with_it / scale if scale > 1e-12 else 0.0


def _weights(precision: Floats, own: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    """The coefficients of the regression of ``own`` on ``others``, shape (own, others)."""
    solved = np.linalg.solve(precision[np.ix_(own, own)], precision[np.ix_(own, others)])
    return np.asarray(-solved, dtype=np.float64)


def _correlation(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    scale = sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 1e-12 else 0.0


def _scores(column: Column) -> list[tuple[Floats, Floats]]:
    first = [_normal(column.before[column.old_rows]), _normal(column.now[column.new_rows])]
    squares = [np.where(each == 0, 0.0, (each**2 - 1.0) / sqrt(2.0)) for each in first]
    return [(first[0], first[1]), (squares[0], squares[1])]


def _normal(values: Floats) -> Floats:
    """Normal scores of the ranks (van der Waerden), ties in the middle; 0 for NaN."""
    known = np.isfinite(values)
    found = np.zeros(len(values))
    if known.sum() > 1:
        found[known] = scipy.special.ndtri(rankdata(values[known]) / (known.sum() + 1.0))
    return found


def _indicators(column: Column) -> list[tuple[Floats, Floats]]:
    old, new = texts_of(column.old[column.old_rows]), texts_of(column.new[column.new_rows])
    pairs = []
    for level, count in by_count(old).head(_LEVELS).iter_rows():
        if count < 30 or count == len(old):
            continue
        spread = sqrt(count / len(old) * (1.0 - count / len(old)))
        sides = [numbers((each == level).fill_null(value=False)) for each in (old, new)]
        pairs.append(tuple((side - side.mean()) / spread for side in sides))
    return [(one, other) for one, other in pairs]
