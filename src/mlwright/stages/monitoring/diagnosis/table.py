"""A case out of two plain tables: which column is what, and everything that is wrong with them at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.errors import DataError, Fault, near_match
from mlwright.model.diagnosis import Happening
from mlwright.stages.monitoring.diagnosis.case import Case, Floats, Sample, Scorer, Task
from mlwright.stages.monitoring.diagnosis.reading import kind, label_times, numbers, texts, times

_CLASSES: Final = 50
_SIDES: Final = ("reference", "current")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Roles:
    target: str
    score: str
    time: str | None
    key: str | None
    cluster: str | None
    label_time: str | None
    version: str | None
    label_source: str | None

    def named(self) -> dict[str, str]:
        """Role → column, of those that are given."""
        found = {
            "target": self.target,
            "score": self.score,
            "time": self.time,
            "key": self.key,
            "cluster": self.cluster,
            "label time": self.label_time,
            "version": self.version,
            "label source": self.label_source,
        }
        return {role: name for role, name in found.items() if name is not None}


def case_of(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    *,
    target: str,
    score: str,
    time: str | None = None,
    key: str | None = None,
    cluster: str | None = None,
    recomputed: pl.DataFrame | None = None,
    task: Task | None = None,
    label_time: str | None = None,
    version: str | None = None,
    label_source: str | None = None,
    model: Scorer | None = None,
    model_known: bool = False,
    happenings: tuple[Happening, ...] = (),
    horizon: timedelta | None = None,
    now: datetime | None = None,
    subject: str = "the model",
    threshold: float = 0.5,
    level: float = 0.95,
    seed: int = 0,
    keep_texts: tuple[str, ...] = (),
) -> Case:
    """Read two tables as a case. Columns that have no role and are in both tables are features.

    Args:
        reference: held-out rows with labels, as they were when the model was still good.
        current: rows as served; labels that are not known yet are null.
        target: column of the label: 0 or 1, a number, or a class.
        score: column of what the model said: the probability of 1, a number, or a class.
        time: column of instants; times, dates, ISO text, or s to µs since 1970; naive ones are UTC.
        key: column that says which row of ``recomputed`` is which; else they are in the order of ``current``.
        cluster: column of the entity or session.
        recomputed: the features of the current rows, computed again.
        task: None infers it: labels 0 and 1 with scores in [0, 1] are probabilities, text a class, the rest numbers.
        label_time: column of when the label became known.
        version: column of the model version that answered.
        label_source: column of who or what gave the label.
        model, happenings, …: as in :class:`Case`.

    Raises:
        DataError: all faults at once: missing columns (and what was probably meant), labels that are no numbers or that
            nobody knows, scores that are no probabilities, unreadable times, sides of different types.
    """
    roles = _Roles(
        target=target, score=score, time=time, key=key, cluster=cluster, label_time=label_time, version=version,
        label_source=label_source,
    )  # fmt: skip
    read, sides, copy, copied = _read((reference, current), roles, recomputed, task)
    return Case(
        task=read, reference=sides[0], current=sides[1], subject=subject, recomputed=copy, recomputed_rows=copied,
        model=model, model_known=model_known, happenings=happenings, horizon=horizon, now=now, threshold=threshold,
        level=level, seed=seed,
        keep_texts=tuple(each for each in keep_texts if each in sides[0].features.columns),
    )  # fmt: skip


def _read(
    sides: tuple[pl.DataFrame, pl.DataFrame],
    roles: _Roles,
    recomputed: pl.DataFrame | None,
    task: Task | None,
) -> tuple[Task, list[Sample], pl.DataFrame | None, NDArray[np.bool_] | None]:
    """Task, both sides, the second copy and its rows; or every fault there is."""
    faults = _missing(sides, roles) + _empty(sides)
    if faults:
        raise _error(faults)
    names, wrong = _features(*sides, roles)
    faults += wrong
    if not names and not wrong:
        faults.append(Fault(where="columns", what="there is no feature that varies beside those with a role"))
    known = numbers(sides, _SIDES, (roles.target, roles.score), faults)
    if known is not None and task is None:
        task = _task(known, faults)
    if known is not None and task is Task.BINARY:
        faults += _probabilities(known)
    made = [_sample(side, name, roles, names, faults) for side, name in zip(sides, _SIDES, strict=True)]
    copy, copied = (
        (None, None) if recomputed is None else _copy(recomputed, sides[1], roles.key, names, faults)
    )
    if faults or known is None or task is None:
        raise _error(faults)
    samples = [
        Sample(features=each.features, label=label, score=scored, at=each.at, cluster=cluster,
               label_at=each.label_at, version=each.version, label_source=each.label_source)
        for each, (label, scored), cluster in zip(made, known, _clusters(sides, roles.cluster), strict=True)
    ]  # fmt: skip
    return task, samples, copy, copied


def _error(faults: list[Fault]) -> DataError:
    return DataError(
        "the two tables cannot be compared as they are",
        faults=faults,
        next_command="mlwright diagnose --help",
    )


def _missing(sides: tuple[pl.DataFrame, pl.DataFrame], roles: _Roles) -> list[Fault]:
    found = []
    for side, name in zip(sides, _SIDES, strict=True):
        for role, column in roles.named().items():
            only_current = role not in ("target", "score")
            if column not in side.columns and not (only_current and name == "reference"):
                near = near_match(column, side.columns)
                found.append(Fault(where=f"{name}, {role}", what=f"there is no column {column!r}", near=near))
    twice = [name for name in roles.named().values() if list(roles.named().values()).count(name) > 1]
    if roles.target == roles.score or (twice and roles.target in twice):
        found.append(Fault(where="columns", what=f"{twice[0]!r} cannot have two roles"))
    return found


def _empty(sides: tuple[pl.DataFrame, pl.DataFrame]) -> list[Fault]:
    return [
        Fault(where=name, what="it has no rows")
        for side, name in zip(sides, _SIDES, strict=True)
        if side.height == 0
    ]


def _features(reference: pl.DataFrame, current: pl.DataFrame, roles: _Roles) -> tuple[list[str], list[Fault]]:
    """Columns on both sides without a role; those that are one and the same value on both sides say nothing."""
    taken = set(roles.named().values())
    faults, names = [], []
    for name in reference.columns:
        if name in taken:
            continue
        if name not in current.columns:
            free = [each for each in current.columns if each not in taken and each not in reference.columns]
            faults.append(
                Fault(where="current", what=f"there is no feature {name!r}", near=near_match(name, free))
            )
            continue
        one, other = reference[name], current[name]
        if kind(one) != kind(other) and "other" in (kind(one), kind(other)):
            faults.append(
                Fault(where=f"feature {name!r}", what=f"its type is {one.dtype} before and {other.dtype} now")
            )
            continue
        if one.n_unique() == 1 and other.n_unique() == 1 and one[0] == other[0]:
            continue
        names.append(name)
    return names, faults


def _task(known: list[tuple[Floats, Floats]], faults: list[Fault]) -> Task | None:
    """By the reference's labels and scores; the current side may be what is broken."""
    label, score = (each[np.isfinite(each)] for each in known[0])
    labels, scores = np.unique(label), np.unique(score)
    if len(scores) == 0:
        faults.append(Fault(where="reference, score", what="no row has a score"))
        return None
    if np.isin(labels, (0.0, 1.0)).all():
        return Task.CLASSES if np.isin(scores, (0.0, 1.0)).all() else Task.BINARY
    whole = bool((label == np.round(label)).all()) and bool((score == np.round(score)).all())
    if whole and len(labels) <= _CLASSES and len(np.setdiff1d(scores, labels)) <= len(labels) // 10:
        return Task.CLASSES
    return Task.REGRESSION


def _probabilities(known: list[tuple[Floats, Floats]]) -> list[Fault]:
    found = []
    for (_, score), name in zip(known, _SIDES, strict=True):
        outside = score[np.isfinite(score) & ((score < 0) | (score > 1))]
        if len(outside):
            found.append(
                Fault(
                    where=f"{name}, score",
                    what=f"labels are 0 and 1, so scores are probabilities; {len(outside):,} lie outside [0, 1], such "
                    f"as {outside[0]:g} (--task regression takes them as numbers)",
                )
            )
    return found


def _sample(side: pl.DataFrame, name: str, roles: _Roles, features: list[str], faults: list[Fault]) -> Sample:
    """Everything but labels, scores and clusters."""

    def held(column: str | None) -> pl.Series | None:
        return side[column] if column is not None and column in side.columns else None

    version, source = held(roles.version), held(roles.label_source)
    present = [each for each in features if each in side.columns]
    none = np.zeros(0)
    return Sample(
        features=side.select(present),
        label=none,
        score=none,
        at=times(held(roles.time), f"{name}, time", faults),
        label_at=label_times(held(roles.label_time), f"{name}, label time", faults),
        version=None if version is None else texts(version),
        label_source=None if source is None else texts(source),
    )


def _clusters(sides: tuple[pl.DataFrame, pl.DataFrame], column: str | None) -> list[NDArray[np.int64] | None]:
    """One numbering for both sides; a row without a cluster stands for itself."""
    if column is None:
        return [None, None]
    held = [side[column].cast(pl.String) if column in side.columns else None for side in sides]
    known = pl.concat([each for each in held if each is not None]).drop_nulls().unique().sort()
    number = pl.DataFrame({"name": known}).with_row_index("number")
    made: list[NDArray[np.int64] | None] = []
    for side, each in enumerate(held):
        if each is None:
            made.append(None)
            continue
        found = pl.DataFrame({"name": each}).join(number, on="name", how="left", maintain_order="left")[
            "number"
        ]
        own = -1 - 2 * np.arange(len(each), dtype=np.int64) - side
        made.append(np.where(found.is_null().to_numpy(), own, found.fill_null(0).to_numpy().astype(np.int64)))
    return made


def _copy(
    recomputed: pl.DataFrame, current: pl.DataFrame, key: str | None, names: list[str], faults: list[Fault]
) -> tuple[pl.DataFrame | None, NDArray[np.bool_] | None]:
    """The second copy row by row, and which rows have one."""
    shared = [name for name in names if name in recomputed.columns]
    if not shared:
        faults.append(
            Fault(
                where="recomputed",
                what="it has none of the features",
                near=near_match(names[0], recomputed.columns) if names else None,
            )
        )
        return None, None
    if key is None:
        if recomputed.height != current.height:
            faults.append(
                Fault(
                    where="recomputed",
                    what=f"{recomputed.height:,} rows for {current.height:,} current ones: give a key",
                )
            )
            return None, None
        return recomputed.select(shared), np.ones(current.height, dtype=np.bool_)
    if not _keyed(recomputed, key, faults):
        return None, None
    if recomputed[key].dtype != current[key].dtype:
        recomputed = recomputed.with_columns(pl.col(key).cast(pl.String))
        current = current.with_columns(pl.col(key).cast(pl.String))
    found = current.select(key).join(
        recomputed.select(key, *shared, pl.lit(value=True).alias("_there")),
        on=key,
        how="left",
        maintain_order="left",
    )
    there = found["_there"].fill_null(value=False).to_numpy()
    if not there.any():
        faults.append(Fault(where="recomputed, key", what="no current row has its key in it"))
        return None, None
    return found.select(shared), np.asarray(there, dtype=np.bool_)


def _keyed(recomputed: pl.DataFrame, key: str, faults: list[Fault]) -> bool:
    if key not in recomputed.columns:
        near = near_match(key, recomputed.columns)
        faults.append(Fault(where="recomputed, key", what=f"there is no column {key!r}", near=near))
        return False
    shared = int(recomputed[key].is_duplicated().sum())
    if shared:
        faults.append(Fault(where="recomputed, key", what=f"{shared:,} rows share a key"))
    return not shared
