"""How near the answers of two models are, row by row."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from mlwright.model.batches import Array, Batch
from mlwright.model.conversions import Mismatch, Parity

_THRESHOLD: Final = 0.5
_SHOWN: Final = 30
"""Inputs that are named of the worst row."""


def compare(
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    batch: Batch,
    origins: Sequence[str],
    *,
    tolerance: float,
) -> Parity:
    """Compare what two models gave for the same rows.

    Args:
        before, after: outputs by name; those of ``before`` count.
        batch: what went in.
        origins: where each row came from.
        tolerance: see :class:`Parity`.
    """
    rows = batch.rows
    beyond = np.zeros(rows, dtype=bool)
    largest, share, worst = 0.0, 0.0, None
    same_labels: list[float] = []
    for name, old in before.items():
        new = after.get(name)
        if new is None or new.shape != old.shape:
            beyond[:] = True
            worst = worst or _mismatch(0, name, batch, origins, old, new)
            continue
        gap, relative = _gaps(old, new)
        if not _is_number(old):
            same_labels.append(float((gap == 0).mean()) if rows else 1.0)
        beyond |= gap > (tolerance * np.maximum(1.0, _size(old)) if _is_number(old) else 0.0)
        if rows and gap.max() > largest:
            largest = float(gap.max())
            worst = _mismatch(int(gap.argmax()), name, batch, origins, old, new)
        share = max(share, float(relative.max(initial=0.0)))
    numbers = _numbers(before), _numbers(after)
    known = numbers[0] is not None and numbers[1] is not None and len(numbers[0]) == len(numbers[1])
    return Parity(
        rows=rows,
        origins={name: list(origins).count(name) for name in dict.fromkeys(origins)},
        tolerance=tolerance,
        max_abs=largest,
        max_rel=share,
        beyond=int(beyond.sum()),
        spearman=spearman(numbers[0], numbers[1]) if known else None,  # type: ignore[arg-type]
        same_decision=_decisions(numbers[0], numbers[1]) if known else None,  # type: ignore[arg-type]
        same_labels=min(same_labels) if same_labels else None,
        worst=worst,
    )


def spearman(one: Array, other: Array) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None of fewer than two rows or where one never changes."""
    if len(one) < 2:
        return None
    left, right = _ranks(one), _ranks(other)
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum() / scale) if scale else None


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: Array = (ends - (counts - 1) / 2.0)[place]
    return means


def _gaps(old: Array, new: Array) -> tuple[Array, Array]:
    """The largest absolute and relative difference of each row; 0 or infinite of what is no number."""
    rows = len(old)
    flat_old, flat_new = old.reshape(rows, -1), new.reshape(rows, -1)
    if not _is_number(old) or not _is_number(new):
        differ = (flat_old.astype(object) != flat_new.astype(object)).any(axis=1)
        gap = np.where(differ, np.inf, 0.0)
        return gap, np.zeros(rows)
    left, right = flat_old.astype(np.float64), flat_new.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(left - right)
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        gap[same] = 0.0
        gap[np.isnan(gap)] = np.inf
        relative = np.where(left != 0, gap / np.abs(left), 0.0)
    relative[~np.isfinite(relative)] = 0.0
    return gap.max(axis=1, initial=0.0), relative.max(axis=1, initial=0.0)


def _size(old: Array) -> Array:
    """How large the numbers of each row are; NaN and infinity count as nothing."""
    flat = np.abs(old.reshape(len(old), -1).astype(np.float64))
    flat[~np.isfinite(flat)] = 0.0
    largest: Array = flat.max(axis=1, initial=0.0)
    return largest


def _is_number(array: Array) -> bool:
    """Whether values may differ a little: a float. Whole numbers are labels or counts."""
    return array.dtype.kind == "f"


def _numbers(outputs: Mapping[str, Array]) -> Array | None:
    """The first output, where that is one number a row."""
    first = next(iter(outputs.values()), None)
    if first is None or first.ndim != 1 or not _is_number(first) or not np.isfinite(first).all():
        return None
    return first.astype(np.float64)


def _decisions(old: Array, new: Array) -> float | None:
    inside = len(old) and old.min() >= 0.0 and old.max() <= 1.0
    return float(((old >= _THRESHOLD) == (new >= _THRESHOLD)).mean()) if inside else None


def _mismatch(
    row: int, name: str, batch: Batch, origins: Sequence[str], old: Array, new: Array | None
) -> Mismatch:
    names = batch.names or tuple(batch.columns)
    return Mismatch(
        row=row,
        origin=origins[row] if row < len(origins) else "",
        output=name,
        inputs={each: _plain(batch.column(each)[row]) for each in names[:_SHOWN]},
        before=_plain(old[row]),
        after=None if new is None or row >= len(new) else _plain(new[row]),
    )


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
