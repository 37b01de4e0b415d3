"""How well the answers within a group are ordered: metrics of rankings, one value a group.

Binary metrics call an answer relevant whose label is above 0; NDCG takes labels as gains. Groups without a relevant
answer cannot be ordered well or badly and are left out, as in trec_eval.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]
_Ints = NDArray[np.intp]

USUAL: Final = ("ndcg@10", "map", "mrr", "recall@10", "precision@10", "hit@10")
"""What is measured where nothing else is asked for."""

_NAME: Final = re.compile(r"(\w+?)(?:@(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """Answers in order: by group, then by falling score, of equal scores the less relevant first.

    So no luck of the order in which answers were logged makes a ranking look better. NDCG takes the mean over all
    orders of equal scores instead (McSherry and Najork 2008), as scikit-learn does.
    """

    starts: _Ints
    """Where each group begins."""
    group: _Ints
    """The group of each answer, by place."""
    position: _Ints
    """From 0 within its group."""
    label: _Floats
    score: _Floats
    first: _Ints
    """A row of each group, in the order that was given."""

    def sum(self, values: ArrayLike) -> _Floats:
        """Sums by group."""
        sums = np.bincount(self.group, np.asarray(values, dtype=np.float64), len(self.starts))
        return np.asarray(sums, dtype=np.float64)

    @property
    def sizes(self) -> _Floats:
        """Answers of each group."""
        return self.sum(np.ones(len(self.group)))


def rankings(groups: ArrayLike, scores: ArrayLike, labels: ArrayLike) -> Rankings:
    """Put answers in order, and leave out groups without a relevant one.

    Args:
        groups: shape (n,), numbers of groups.
        scores: shape (n,), higher comes first.
        labels: shape (n,); below 0 counts as 0.
    """
    group, score = np.asarray(groups), np.asarray(scores, dtype=np.float64)
    label = np.maximum(np.asarray(labels, dtype=np.float64), 0.0)
    known, number = np.unique(group, return_inverse=True)
    relevant = np.bincount(number, label > 0, len(known)) > 0
    rows = np.flatnonzero(relevant[number])
    rows = rows[np.lexsort((label[rows], -score[rows], number[rows]))]
    _, starts, of = np.unique(number[rows], return_index=True, return_inverse=True)
    return Rankings(
        starts=starts,
        group=of,
        position=np.arange(len(rows)) - starts[of] if len(rows) else np.empty(0, np.intp),
        label=label[rows],
        score=score[rows],
        first=rows[starts] if len(rows) else np.empty(0, np.intp),
    )


def values(found: Rankings, name: str) -> _Floats:
    """One metric of each group, shape (groups,), in [0, 1].

    ``ndcg``, ``map``, ``mrr``, ``recall``, ``precision`` and ``hit``, with ``@k`` over the first k answers, else over
    all. Precision at k divides by k also where a group has fewer answers, MAP at k by the relevant ones but no more
    than k.

    Raises:
        ValueError: there is no such metric.
    """
    parsed = _NAME.fullmatch(name)
    if parsed is None or parsed[1] not in _METRICS:
        raise ValueError(f"no metric of rankings: {name!r}")
    return _METRICS[parsed[1]](found, int(parsed[2]) if parsed[2] else None)


def _ndcg(found: Rankings, k: int | None) -> _Floats:
    discount = np.where(_within(found, k), 1.0 / np.log2(found.position + 2.0), 0.0)
    # Answers of one group and score share their discounts: each gets their mean.
    same = np.ones(len(found.score), dtype=np.bool_)
    same[1:] = (found.score[1:] != found.score[:-1]) | (found.group[1:] != found.group[:-1])
    tie = np.cumsum(same) - 1
    shared = (np.bincount(tie, discount) / np.bincount(tie))[tie] if len(tie) else discount
    best = found.label[np.lexsort((-found.label, found.group))]
    ideal = found.sum(best * discount)
    return np.asarray(found.sum(found.label * shared) / ideal)


def _map(found: Rankings, k: int | None) -> _Floats:
    relevant = found.label > 0
    seen = np.cumsum(relevant.astype(np.float64))
    before: _Floats = (seen - relevant)[found.starts]
    precision = (seen - before[found.group]) / (found.position + 1.0)
    total = found.sum(relevant)
    most = total if k is None else np.minimum(total, k)
    return np.asarray(found.sum(np.where(relevant & _within(found, k), precision, 0.0)) / most)


def _mrr(found: Rankings, k: int | None) -> _Floats:
    reciprocal = np.where((found.label > 0) & _within(found, k), 1.0 / (found.position + 1.0), 0.0)
    return np.maximum.reduceat(reciprocal, found.starts) if len(reciprocal) else np.empty(0)


def _recall(found: Rankings, k: int | None) -> _Floats:
    relevant = found.label > 0
    return np.asarray(found.sum(relevant & _within(found, k)) / found.sum(relevant))


def _precision(found: Rankings, k: int | None) -> _Floats:
    shown = found.sizes if k is None else float(k)
    return np.asarray(found.sum((found.label > 0) & _within(found, k)) / shown)


def _hit(found: Rankings, k: int | None) -> _Floats:
    return (found.sum((found.label > 0) & _within(found, k)) > 0).astype(np.float64)


def _within(found: Rankings, k: int | None) -> NDArray[np.bool_]:
    return np.ones(len(found.position), dtype=np.bool_) if k is None else found.position < k


_METRICS: Final[dict[str, Callable[[Rankings, int | None], _Floats]]] = {
    "ndcg": _ndcg,
    "map": _map,
    "mrr": _mrr,
    "recall": _recall,
    "precision": _precision,
    "hit": _hit,
}


def names(metric: str) -> Sequence[str]:
    """What is measured: the usual ones, and the one that is watched."""
    return USUAL if metric in USUAL or not _NAME.fullmatch(metric) else (*USUAL, metric)
