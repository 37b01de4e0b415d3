"""What goes wrong: each fault is a function of the current rows, and faults follow one another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.stages.monitoring.diagnosis.case import Floats

from .worlds.base import DAY, Random, Rows, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The current rows as they are served, beside what they truly are."""

    truth: Rows
    features: pl.DataFrame
    label: Floats
    score: Floats | None = None
    """What was answered, where that is not what the model says of the features."""
    explored: NDArray[np.bool_] | None = None
    version: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: NDArray[Any]) -> "Served":
        return Served(
            truth=self.truth.take(index),
            features=self.features[index],
            label=self.label[index],
            score=None if self.score is None else self.score[index],
            explored=None if self.explored is None else self.explored[index],
            version=None if self.version is None else self.version[index],
        )


Fault = Callable[[Served, World, Random], Served]


def served(rows: Rows) -> Served:
    return Served(truth=rows, features=rows.features, label=rows.label)


def none(now: Served, world: World, random: Random) -> Served:
    return now


# The world: other cases, other answers.


def harder(now: Served, world: World, random: Random) -> Served:
    """More of the rows that the model itself finds hard."""
    doubt = world.unsure(now.truth.features)
    weight = (doubt / doubt.max()) ** 3 + 1e-6
    return now.take(np.sort(random.choice(len(now), len(now) // 3, replace=False, p=weight / weight.sum())))


def easier(now: Served, world: World, random: Random) -> Served:
    """More of the rows that the model finds easy: an improvement."""
    doubt = world.unsure(now.truth.features)
    weight = (1.02 - doubt / doubt.max()) ** 2
    return now.take(np.sort(random.choice(len(now), len(now) // 3, replace=False, p=weight / weight.sum())))


def kinds(column: str, levels: Sequence[str], share: float = 0.7) -> Fault:
    """Rows of these levels become this share of all rows."""

    def fault(now: Served, world: World, random: Random) -> Served:
        inside = now.truth.features[column].is_in(levels).to_numpy()
        return _mixed(now, inside, share, random)

    return fault


def high(column: str, quantile: float, share: float = 0.7) -> Fault:
    """Rows above a quantile of a column become this share."""

    def fault(now: Served, world: World, random: Random) -> Served:
        values = now.truth.features[column].cast(pl.Float64).to_numpy()
        return _mixed(now, values > np.nanquantile(values, quantile), share, random)

    return fault


def _mixed(now: Served, inside: NDArray[np.bool_], share: float, random: Random) -> Served:
    yes, no = np.flatnonzero(inside), np.flatnonzero(~inside)
    count = int(min(len(yes) / share, len(no) / (1 - share), len(now) / 3 if len(now) > 3000 else len(now)))
    first = random.choice(yes, int(count * share), replace=False)
    second = random.choice(no, int(count * (1 - share)), replace=False)
    return now.take(np.sort(np.concatenate([first, second])))


def classes(share: float) -> Fault:
    """Label shift: class 1 becomes this share, and within a class nothing changes."""
    return lambda now, world, random: _mixed(now, now.label > 0.5, share, random)


def unseen(share: float = 0.5) -> Fault:
    """A share of the rows is of a kind that neither training nor reference knows."""

    def fault(now: Served, world: World, random: Random) -> Served:
        assert world.far is not None
        count = min(int(len(now) * share), len(world.far), len(now) - 1)
        far = world.far.take(np.sort(random.choice(len(world.far), count, replace=False)))
        size = min(int(count * (1 - share) / share), len(now))
        near = now.truth.take(np.sort(random.choice(len(now), size, replace=False)))
        both = Rows(
            features=pl.concat([near.features, far.features]),
            label=np.concatenate([near.label, far.label]),
            at=np.concatenate([near.at, far.at]),
        )
        order = np.argsort(both.at, kind="stable")
        return served(both.take(order))

    return fault


def concept(now: Served, world: World, random: Random) -> Served:
    """The answers of the world are others, as a function of the features."""
    label = world.concept(now.truth.features, now.label, random)
    return replace(now, label=label, truth=replace(now.truth, label=label))


# Features that are served wrong while the truth stands.


def changed(column: str, by: pl.Expr, share: float = 1.0) -> Fault:
    """One column is computed otherwise, for a random share of the rows."""

    def fault(now: Served, world: World, random: Random) -> Served:
        hit = pl.Series(random.random(len(now)) < share)
        other = now.features.select(by.alias(column))[column]
        kept = now.features[column]
        if other.dtype != kept.dtype:
            kept = kept.cast(other.dtype)
        return _with(now, column, other.zip_with(hit, kept))

    return fault


def _with(now: Served, column: str, values: pl.Series) -> Served:
    return replace(now, features=now.features.with_columns(values.alias(column)))


def scaled(column: str, factor: float, share: float = 1.0) -> Fault:
    return changed(column, pl.col(column) * factor, share)


def fahrenheit(column: str, share: float = 1.0) -> Fault:
    return changed(column, pl.col(column) * 1.8 + 32, share)


def celsius(column: str) -> Fault:
    return changed(column, (pl.col(column) - 32) / 1.8)


def shifted(column: str, by: float) -> Fault:
    return changed(column, pl.col(column) + by)


def nulls(column: str, share: float = 0.8) -> Fault:
    return changed(column, _nothing(column), share)


def _nothing(column: str) -> pl.Expr:
    return pl.when(pl.lit(value=False)).then(pl.col(column))


def replaced(column: str, value: float | str, share: float = 1.0) -> Fault:
    """A sentinel, a default or a constant instead of what is true."""
    return changed(column, pl.repeat(value if isinstance(value, str) else float(value), pl.len()), share)


def recoded(column: str, levels: Sequence[str]) -> Fault:
    """Each level is called as the next of the list is."""
    other = dict(zip(levels, [*levels[1:], levels[0]], strict=True))
    return changed(column, pl.col(column).replace(other))


def upper(column: str, share: float = 1.0) -> Fault:
    """The same levels, spelt otherwise: no model knows them."""
    return changed(column, pl.col(column).str.to_lowercase() + pl.lit("_v2"), share)


def rotated(column: str, hours: int) -> Fault:
    """Hours of another time zone."""
    return changed(column, (pl.col(column) + hours) % 24)


def swapped(one: str, two: str) -> Fault:
    """Two columns in each other's place."""

    def fault(now: Served, world: World, random: Random) -> Served:
        frame = now.features
        return replace(now, features=frame.with_columns(frame[two].alias(one), frame[one].alias(two)))

    return fault


def stale(*columns: str) -> Fault:
    """Aggregates of weeks ago: the job that writes them has stopped."""

    def fault(now: Served, world: World, random: Random) -> Served:
        assert now.truth.past is not None
        return replace(now, features=now.features.with_columns(now.truth.past[list(columns)]))

    return fault


def lagged(column: str, of: str) -> Fault:
    """The value of some steps before."""

    def fault(now: Served, world: World, random: Random) -> Served:
        assert now.truth.past is not None
        return _with(now, column, now.truth.past[of])

    return fault


def misjoined(*columns: str) -> Fault:
    """Values of other rows: every column looks as ever, and tells nothing."""

    def fault(now: Served, world: World, random: Random) -> Served:
        other = now.features[random.permutation(len(now))]
        return replace(now, features=now.features.with_columns(other[list(columns)]))

    return fault


def later(fault: Fault, share: float) -> Fault:
    """The fault begins when this share of the time has passed."""

    def delayed(now: Served, world: World, random: Random) -> Served:
        low, high = now.truth.at.min(), now.truth.at.max()
        start = now.truth.at >= low + (high - low) * share
        all_of = fault(now, world, random)
        order = pl.Series(start)
        features = now.features.with_columns(
            all_of.features[name].zip_with(order, now.features[name].cast(all_of.features[name].dtype))
            for name in now.features.columns
        )
        return replace(
            all_of,
            features=features,
            label=np.where(start, all_of.label, now.label),
            score=None if all_of.score is None else np.where(start, all_of.score, world.model(features)),
        )

    return delayed


# What is answered, and what is written down of it.


def older(now: Served, world: World, random: Random) -> Served:
    """Another version answers than the one that is on record."""
    return replace(now, score=world.older(now.features))


def rounded(now: Served, world: World, random: Random) -> Served:
    """The answer is cut to 0 or 1 on the way out."""
    return replace(now, score=np.round(world.model(now.features)))


def turned(now: Served, world: World, random: Random) -> Served:
    """A part of the answers is of the other class: one minus what the model says."""
    score = world.model(now.features)
    return replace(now, score=np.where(random.random(len(now)) < 0.35, 1 - score, score))


def other_row(now: Served, world: World, random: Random) -> Served:
    """Answers of a batch in another order: half of the rows have a neighbour's."""
    score = world.model(now.features)
    moved = random.random(len(score)) < 0.5
    return replace(now, score=np.where(moved, np.roll(score, 1), score))


# Labels.


def inverted(share: float) -> Fault:
    """Labels of a source that writes 0 for 1; which rows it has is no matter of their features."""

    def fault(now: Served, world: World, random: Random) -> Served:
        wrong = random.random(len(now)) < share
        return replace(now, label=np.where(wrong, 1 - now.label, now.label))

    return fault


def constant_label(value: float, share: float = 1.0) -> Fault:
    def fault(now: Served, world: World, random: Random) -> Served:
        return replace(now, label=np.where(random.random(len(now)) < share, value, now.label))

    return fault


def lost_positives(share: float) -> Fault:
    """Of class 1 this share is never reported, and counts as 0."""

    def fault(now: Served, world: World, random: Random) -> Served:
        lost = (now.label > 0.5) & (random.random(len(now)) < share)
        return replace(now, label=np.where(lost, 0.0, now.label))

    return fault


def unlabelled(of_zero: float, of_one: float) -> Fault:
    """Labels go missing, of one class more than of the other."""

    def fault(now: Served, world: World, random: Random) -> Served:
        lost = random.random(len(now)) < np.where(now.label > 0.5, of_one, of_zero)
        return replace(now, label=np.where(lost, np.nan, now.label))

    return fault


def selected(low: float, high: float, known: float = 0.03) -> Fault:
    """Only answers between two scores are followed up, and a few others."""

    def fault(now: Served, world: World, random: Random) -> Served:
        score = world.model(now.features)
        seen = ((score > low) & (score < high)) | (random.random(len(now)) < known)
        return replace(now, label=np.where(seen, now.label, np.nan))

    return fault


def acted(above: float, works: float, explored: float | None) -> Fault:
    """Whoever scores high is treated, and the treatment works: the answer is made false by being given.

    ``explored`` is the share that is left alone at random, and known to be; None: nobody is, and nobody knows.
    """

    def fault(now: Served, world: World, random: Random) -> Served:
        left = random.random(len(now)) < (explored or 0)
        treated = (world.model(now.features) > above) & ~left & (random.random(len(now)) < works)
        label = np.where(treated, 0.0, now.label)
        return replace(now, label=label, explored=left if explored is not None else None)

    return fault


def few(count: int) -> Fault:
    return lambda now, world, random: now.take(
        np.sort(random.choice(len(now), min(count, len(now)), replace=False))
    )


def unripe(days: float) -> Fault:
    """Of the last days class 1 has not been reported yet, and counts as 0."""

    def fault(now: Served, world: World, random: Random) -> Served:
        young = now.truth.at > now.truth.at.max() - days * DAY
        return replace(now, label=np.where(young, 0.0, now.label))

    return fault
