"""The point-in-time join: what was known of an entity at an instant, never later.

The rules, which the online store keeps too:

- A value observed at ``t`` counts for instants in ``[t, t + ttl]``, both ends included.
- The latest value wins. If it is null, the answer is null: earlier values are not carried forward.
- If the view has a ``created`` column, a value counts only from ``created`` on (the as-known join): a late
  or corrected record does not change what a prediction of that time could know. Of several with one
  timestamp the latest ``created`` wins. A null ``created`` is read as "known when observed", and loses to
  any other.
- Two values of one key with one timestamp (and one ``created``) and different contents are an error. Which
  of them is right is not in the data, and the order of a file must not decide.
"""

from datetime import timedelta

import numpy as np
import polars as pl

from mlwright.errors import DataError
from mlwright.model.features import FeatureView
from mlwright.stages.features.checks import (
    Int64s,
    instants,
    key_codes,
    require_columns,
    require_view,
    time_unit,
)

_NEVER = int(np.iinfo(np.int64).min)


def point_in_time(rows: pl.DataFrame, view: FeatureView, values: pl.DataFrame, *, at: str) -> pl.DataFrame:
    """Add a view's features to rows, as they were known at each row's instant.

    Args:
        rows: has the view's entity columns and the column ``at``.
        view: which values, whose, and for how long.
        values: the view's data set, in any order; see the module for ties and late records.
        at: name of the column of instants, aware datetimes of any zone.

    Returns:
        The rows as they came, in their order, with one column more a feature. A key that is null or
        unknown, and a key whose latest value is older than the ttl, have null.

    Raises:
        DataError: a column is missing, naive, null where an instant is needed, of another kind than its
            partner, or already there; or two values contradict each other.
    """
    where = f"feature view {view.name!r}"
    require_view(view, values)
    require_columns(rows, [*view.entity, at], where=f"rows for {where}")
    _refuse_collisions(rows, view)
    values = values.filter(*(pl.col(name).is_not_null() for name in view.entity))
    stamps = [rows[at], values[view.timestamp], *([values[view.created]] if view.created else [])]
    unit = time_unit(stamps)
    asked = instants(rows[at], unit, f"rows for {where}")
    seen, created = observed(view, values, unit)
    row_codes, codes = key_codes(rows, values, view.entity, where)
    order = best_last(view, values, codes, seen, created)
    known = np.maximum(seen, created)
    winner = _latest(order, codes, known, row_codes, asked)
    if len(values):
        # asked >= seen for every winner, and unsigned their distance cannot overflow
        age = (asked - seen[winner]).view(np.uint64)
        winner = np.where(age <= _whole(view.ttl, unit), winner, -1)
    picked = pl.Series(winner).cast(pl.UInt32, strict=False)  # -1 becomes null, and null gathers null
    return rows.with_columns(values[name].gather(picked).alias(name) for name in view.features)


def observed(view: FeatureView, values: pl.DataFrame, unit: str) -> tuple[Int64s, Int64s]:
    """When each value was observed and created, in whole units; "never" where ``created`` is unknown.

    Raises:
        DataError: a column is naive, or an observation has no instant.
    """
    where = f"feature view {view.name!r}, data set {view.dataset!r}"
    seen = instants(values[view.timestamp], unit, where)
    if view.created is None:
        return seen, np.full(len(values), _NEVER)
    return seen, instants(values[view.created], unit, where, nulls=_NEVER)


def best_last(
    view: FeatureView, values: pl.DataFrame, codes: Int64s, seen: Int64s, created: Int64s
) -> Int64s:
    """Row numbers in the order (key, observed, created): of two values of one key the later one wins.

    Raises:
        DataError: two values agree in all three and differ in a feature; the message has key and instant.
    """
    order = np.lexsort((created, seen, codes))
    left, right = order[:-1], order[1:]
    ties = (codes[left] == codes[right]) & (seen[left] == seen[right]) & (created[left] == created[right])
    if ties.any():
        _refuse_contradiction(view, values, left[ties], right[ties])
    return order


def _latest(order: Int64s, codes: Int64s, known: Int64s, row_codes: Int64s, asked: Int64s) -> Int64s:
    """For each asked (key, instant) the number of the best value known by then, or -1.

    All values and questions are laid on one line by (key, time), values first. Since ranks grow with the
    key, the running maximum of the ranks seen so far belongs to the question's key, or that key has nothing
    yet.
    """
    many = len(codes)
    rank = np.empty(many, dtype=np.int64)
    rank[order] = np.arange(many)
    is_question = np.arange(many + len(asked)) >= many
    line = np.lexsort((is_question, np.concatenate([known, asked]), np.concatenate([codes, row_codes])))
    ranks = np.concatenate([rank, np.full(len(asked), -1)])
    running = np.maximum.accumulate(ranks[line])
    questions = line >= many
    best = np.empty(len(asked), dtype=np.int64)
    best[line[questions] - many] = running[questions]
    if not many:
        return best
    winner = order[best]
    return np.where((best >= 0) & (codes[winner] == row_codes), winner, -1)


def _whole(span: timedelta, unit: str) -> int:
    steps = span // timedelta(microseconds=1) * (1000 if unit == "ns" else 1)
    return min(steps, int(np.iinfo(np.int64).max))


def _refuse_collisions(rows: pl.DataFrame, view: FeatureView) -> None:
    taken = [name for name in view.features if name in rows.columns]
    if taken:
        raise DataError(
            f"the rows already have columns named {', '.join(map(repr, taken))}",
            where=f"feature view {view.name!r}",
            why="a feature would replace them",
            next_command="rename the feature in its data set, or drop the column from the rows",
        )


def _refuse_contradiction(view: FeatureView, values: pl.DataFrame, left: Int64s, right: Int64s) -> None:
    features = values.select(view.features)
    one, other = features[left], features[right]
    differ = pl.Series(np.zeros(len(left), dtype=bool))
    for name in view.features:
        differ |= one[name].ne_missing(other[name])
    if differ.any():
        row = values.row(int(left[differ.arg_max() or 0]), named=True)
        key = ", ".join(f"{name}={row[name]!r}" for name in view.entity)
        raise DataError(
            f"{key} has two different values at {row[view.timestamp].isoformat()}",
            where=f"feature view {view.name!r}, data set {view.dataset!r}",
            why=f"{differ.sum()} such pairs; nothing in the data says which of them is right",
            next_command="drop the duplicates in the contract, or name a `created` column in the view",
        )
