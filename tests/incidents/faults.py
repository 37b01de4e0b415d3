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
    label_at: NDArray[np.int64] | None = None
    """When each label came, microseconds; −1 where it has not."""

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
            label_at=None if self.label_at is None else self.label_at[index],
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


def frozen(column: str) -> Fault:
    """One value for each day of a row's group, the first: what is read once and kept."""

    def fault(now: Served, world: World, random: Random) -> Served:
        frame = now.features.with_columns(day=pl.Series(now.truth.at // DAY))
        groups = ["day", *(name for name in ("origin", "carrier") if name in frame.columns)]
        return _with(now, column, frame.select(pl.col(column).first().over(groups))[column])

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


# Types: the values are right, and are written in a way that the model does not read.


def written(column: str, by: pl.Expr) -> Fault:
    """One column is sent in another type; the type that it had is no matter."""
    return lambda now, world, random: replace(now, features=now.features.with_columns(by.alias(column)))


def as_text(column: str, *, group: str = ",", point: str = ".", places: int = 1, share: float = 1.0) -> Fault:
    """Numbers as people write them: 12,345.6, or 12.345,6."""

    def fault(now: Served, world: World, random: Random) -> Served:
        swap = str.maketrans({",": group, ".": point})
        hit = random.random(len(now)) < share
        told = [
            None if value is None else f"{value:,.{places}f}".translate(swap) if some else str(value)
            for value, some in zip(now.features[column].to_list(), hit, strict=True)
        ]
        return _with(now, column, pl.Series(column, told, dtype=pl.String))

    return fault


def as_words(column: str, no: str = "false", yes: str = "true") -> Fault:
    """A flag as words."""
    return written(column, pl.when(pl.col(column).cast(pl.Boolean)).then(pl.lit(yes)).otherwise(pl.lit(no)))


def as_float_text(column: str) -> Fault:
    """A whole number that went through a column with gaps: "1" has become "1.0"."""
    return written(column, pl.col(column) + pl.lit(".0"))


def as_date_text(column: str, form: str) -> Fault:
    return written(column, pl.col(column).dt.strftime(form))


def as_epoch(column: str, unit: str) -> Fault:
    """An instant as a number since 1970."""
    return written(column, pl.col(column).dt.epoch(unit))  # type: ignore[arg-type]


def as_instant(column: str) -> Fault:
    """Seconds since 1970 as an instant."""
    return written(column, pl.from_epoch(column, time_unit="s"))


def whole(column: str) -> Fault:
    """Rounded to whole numbers on the way."""
    return changed(column, pl.col(column).round(0))


def cut(column: str, step: float) -> Fault:
    """Cut to multiples of a step: a type with fewer digits."""
    return changed(column, (pl.col(column) / step).floor() * step)


# Rows that are sent more than once.


def repeated(share: float, *, power: float = 5.0, seconds: float = 0.0, times: int = 1) -> Fault:
    """A producer sends again what timed out, and hard rows time out: so many rows more, the harder the likelier.

    Args:
        share: rows more, as a share of the rows.
        power: how much likelier hard rows are; 0 repeats rows at random.
        seconds: how long after the first the others come, at most.
        times: how often one row is repeated.
    """

    def fault(now: Served, world: World, random: Random) -> Served:
        doubt = world.unsure(now.truth.features)
        weight = (doubt / doubt.max()) ** power + 1e-9
        count = int(len(now) * share / times)
        again = np.repeat(random.choice(len(now), count, replace=False, p=weight / weight.sum()), times)
        index = np.concatenate([np.arange(len(now)), again])
        wait = np.r_[np.zeros(len(now)), random.random(len(again)) * seconds * 1e6].astype(np.int64)
        order = np.argsort(now.truth.at[index] + wait, kind="stable")
        sent = now.take(index[order])
        truth = replace(sent.truth, at=sent.truth.at + wait[order])
        return replace(sent, truth=truth)

    return fault


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


def arrived(
    label: Floats, at: NDArray[np.int64], days: tuple[float, float], random: Random
) -> NDArray[np.int64]:
    """When labels come that take so many days as a rule, of class 0 and of class 1; numbers take the first."""
    usual = np.where(label == 1, days[1], days[0]) if set(np.unique(label)) <= {0.0, 1.0} else days[0]
    found: NDArray[np.int64] = at + (random.gamma(16.0, 1.0, len(label)) / 16.0 * usual * DAY).astype(
        np.int64
    )
    return found


def awaited(zero: float, one: float) -> Fault:
    """Labels come after so many days, by class; those that are to come yet are not known."""

    def fault(now: Served, world: World, random: Random) -> Served:
        when = arrived(now.label, now.truth.at, (zero, one), random)
        here = when <= now.truth.at.max()
        return replace(now, label=np.where(here, now.label, np.nan), label_at=np.where(here, when, -1))

    return fault


def presumed(one: float) -> Fault:
    """A row counts as 0 until a 1 is reported, which takes so many days."""

    def fault(now: Served, world: World, random: Random) -> Served:
        when = arrived(now.label, now.truth.at, (0.0, one), random)
        here = when <= now.truth.at.max()
        return replace(now, label=np.where(here, now.label, 0.0), label_at=np.where(here, when, now.truth.at))

    return fault


def closed(after: float, one: float) -> Fault:
    """Labels are closed after so many days, and a 1 takes ``one``: what is reported later counts as 0."""

    def fault(now: Served, world: World, random: Random) -> Served:
        when = arrived(now.label, now.truth.at, (0.0, one), random)
        end = now.truth.at + int(after * DAY)
        known = end <= now.truth.at.max()
        label = np.where(when <= end, now.label, 0.0)
        return replace(now, label=np.where(known, label, np.nan), label_at=np.where(known, end, -1))

    return fault


def of_before(share: float = 1.0) -> Fault:
    """The label of the entity's row before, which was there already: a join at the wrong instant."""

    def fault(now: Served, world: World, random: Random) -> Served:
        assert now.truth.cluster is not None
        frame = pl.DataFrame(
            {"who": now.truth.cluster, "at": now.truth.at, "label": now.label}
        ).with_row_index()
        before = frame.sort("who", "at").with_columns(
            pl.col("label", "at").shift(1).over("who").name.suffix("_before")
        )
        before = before.sort("index")
        hit = before["label_before"].is_not_null().to_numpy() & (random.random(len(now)) < share)
        label = np.where(hit, before["label_before"].fill_null(0.0).to_numpy(), now.label)
        when = np.where(hit, before["at_before"].fill_null(0).to_numpy(), now.truth.at) + DAY // 4
        return replace(now, label=label, label_at=when.astype(np.int64))

    return fault


def relabelled(by: Callable[[Floats], Floats]) -> Fault:
    """Labels written otherwise."""
    return lambda now, world, random: replace(now, label=by(now.label))


def unripe(days: float) -> Fault:
    """Of the last days class 1 has not been reported yet, and counts as 0."""

    def fault(now: Served, world: World, random: Random) -> Served:
        young = now.truth.at > now.truth.at.max() - days * DAY
        return replace(now, label=np.where(young, 0.0, now.label))

    return fault
