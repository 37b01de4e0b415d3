"""From a fault to the share of the drop that goes away without it: undo, guess, or compare with intact rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlwright.model.diagnosis import Suspect
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Learner
from mlwright.stages.monitoring.crossfit import sampled
from mlwright.stages.monitoring.diagnosis.case import Case, Floats
from mlwright.stages.monitoring.diagnosis.intervals import Means, means, part_of, share
from mlwright.stages.monitoring.diagnosis.surrogate import Rescorer
from mlwright.stages.monitoring.encoding import Encoder, Kind, by_count, encoder, kind_of, numbers

Rows = NDArray[np.bool_]
ROWS: Final = "(rows)"
"""Stands for a column where whole rows are at fault."""
_JUDGED: Final = 40_000
_LEARNED: Final = 10_000
_STRATA: Final = 10
_INTACT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with one column, before it is known what it costs."""

    column: str
    mechanism: str
    text: str
    touched: Rows
    """Shape (n,) over the current rows."""
    factor: float | None = None
    undone: pl.Series | None = None
    """The whole column with the fault inverted, typed as in the reference; None: it cannot be inverted."""
    lost: bool = False
    """The touched values are gone: they can only be guessed, or the rows be compared with intact ones."""
    dropped: bool = False
    """The touched rows should not be there at all."""
    weak: bool = False
    """Nature could do the same: it counts only if undoing it makes the loss smaller."""
    imitated: pl.Series | None = None
    """The reference's column with the same fault, of a fault that cannot be undone: what it costs is seen there."""

    @property
    def rows(self) -> float:
        """The share of rows that it touches."""
        return float(self.touched.mean()) if len(self.touched) else 0.0


@dataclass(frozen=True, slots=True)
class Judge:
    """Measures what a repair is worth, always on the same at most 40,000 labelled current rows."""

    case: Case
    rescorer: Rescorer | None
    proven: bool
    """Whether there is a drop to take shares of."""
    picked: NDArray[np.int64]
    loss: Floats
    before: Means | None

    @property
    def able(self) -> bool:
        """Whether there are labelled rows of both sides and a drop between them."""
        return self.proven and self.before is not None and len(self.picked) > 1

    def after(self, frame: pl.DataFrame, touched: Rows) -> Floats | None:
        """The loss of the judged rows if ``frame`` had been served; only touched rows are scored again.

        The mean loss that a surrogate adds by itself is taken off. None without a trusted model.
        """
        if self.rescorer is None or not self.rescorer.trusted:
            return None
        here = np.flatnonzero(touched[self.picked])
        loss = self.loss.copy()
        if len(here):
            rows = self.picked[here]
            again = self.case.loss(self.case.current.label[rows], self.rescorer.scores(frame[rows]))
            off = 0.0 if self.rescorer.exact else self.rescorer.bias
            loss[here] = np.where(np.isfinite(again), again - off, loss[here])
        return loss

    def intact(self, frame: pl.DataFrame, lost: Rows, loss: Floats) -> Floats | None:
        """The loss of rows whose values are lost, as that of intact rows alike in the score of guessed values.

        Post-stratified by deciles of the score that ``frame``, guesses in it, gets in lost and intact rows alike.
        None with fewer than 200 intact or 50 lost rows.
        """
        gone = lost[self.picked]
        if gone.sum() < 50 or (~gone).sum() < _INTACT:
            return None
        stratum = np.zeros(len(gone), dtype=np.int64)
        if self.rescorer is not None:
            score = np.nan_to_num(self.rescorer.scores(frame[self.picked]))
            edges = np.unique(np.quantile(score, np.linspace(0, 1, _STRATA + 1)[1:-1]))
            stratum = np.searchsorted(edges, score)
        kept = np.bincount(stratum[~gone], minlength=_STRATA)
        sums = np.bincount(stratum[~gone], loss[~gone], minlength=_STRATA)
        mean = np.where(kept >= 10, sums / np.maximum(kept, 1), loss[~gone].mean())
        return np.where(gone, mean[stratum], loss)

    def recovered(self, loss: Floats, assumption: str) -> Estimate | None:
        """The share of the drop that ``loss`` takes back."""
        if not self.able or self.before is None:
            return None
        current = self.case.current
        cluster = None if current.cluster is None else current.cluster[self.picked]
        now = means(np.column_stack([self.loss, loss]), cluster, seed=self.case.seed + 2)
        return share(self.before, now, level=self.case.level, assumption=assumption)

    def harm(self, column: pl.Series) -> Estimate | None:
        """The share of the drop that the reference would lose with this column in place of its own."""
        past = self.case.reference
        if not self.able or self.rescorer is None or not self.rescorer.trusted:
            return None
        known = np.flatnonzero(np.isfinite(self.case.loss(past.label, past.score)))
        known = known[sampled(len(known), _JUDGED, self.case.seed)]
        plain = past.features[known]
        scored = [
            self.case.loss(past.label[known], self.rescorer.scores(frame))
            for frame in (plain, plain.with_columns(column[known]))
        ]
        cluster = None if past.cluster is None else past.cluster[known]
        then = means(np.column_stack(scored), cluster, seed=self.case.seed + 1)
        current = self.case.current
        cluster = None if current.cluster is None else current.cluster[self.picked]
        now = means(self.loss, cluster, seed=self.case.seed + 2)
        drops = now.draws[:, 0] - then.draws[:, 0]
        return part_of(
            float(then.value[1] - then.value[0]),
            then.draws[:, 1] - then.draws[:, 0],
            float(now.value[0] - then.value[0]),
            drops,
            clusters=min(then.clusters, now.clusters),
            level=self.case.level,
            assumption="the reference loses as much by the same fault",
        )

    def better(self, loss: Floats) -> float:
        """How many standard errors the loss falls by; below 0 it rises. 0 where nothing can be said."""
        gain = self.loss - loss
        if len(gain) < 2 or not gain.any():
            return 0.0
        cluster = self.case.current.cluster
        if cluster is not None:
            _, place = np.unique(cluster[self.picked], return_inverse=True)
            sums = np.bincount(place, gain - gain.mean())
            error = float(np.sqrt(sums @ sums)) / len(gain)
        else:
            error = float(gain.std()) / np.sqrt(len(gain))
        return float(gain.mean()) / error if error > 0 else 0.0


def judge(case: Case, rescorer: Rescorer | None, drop: Estimate, among: Rows | None = None) -> Judge:
    """Fix the rows that repairs are judged on; ``among`` restricts them."""
    loss = case.loss(case.current.label, case.current.score)
    known = np.isfinite(loss) if among is None else np.isfinite(loss) & among
    picked = np.flatnonzero(known)
    picked = picked[sampled(len(picked), _JUDGED, case.seed)]
    old = case.loss(case.reference.label, case.reference.score)
    known = np.isfinite(old)
    cluster = None if case.reference.cluster is None else case.reference.cluster[known]
    before = means(old[known], cluster, seed=case.seed + 1) if known.any() else None
    return Judge(case, rescorer, drop.value > 0, picked, loss[picked], before)


class Guesses:
    """Guesses lost values from the other features by models learned on the reference, each fitted once."""

    def __init__(self, case: Case, learner: Learner) -> None:
        """Take the reference; nothing is fitted yet."""
        self._case = case
        self._learner = learner
        self._known: dict[str, pl.Series] = {}
        self._coder: Encoder | None = None

    def column(self, name: str, frame: pl.DataFrame) -> pl.Series:
        """The column as guessed for every row of the current sample, typed as in the reference.

        Args:
            name: a column of the reference.
            frame: the current features, other faults undone, that the guess is made from.
        """
        if name not in self._known:
            self._known[name] = self._guess(name, frame)
        return self._known[name]

    def _guess(self, name: str, frame: pl.DataFrame) -> pl.Series:
        series = self._case.reference.features[name]
        dtype = series.dtype
        if kind_of(dtype) in (Kind.LEVELS, Kind.OTHER) or dtype in (pl.Boolean, pl.Date):
            common = by_count(series)["value"]
            value = common[0] if len(common) else None
            return pl.Series(name, [value], dtype=dtype).new_from_index(0, frame.height)
        target = numbers(series)
        known = np.flatnonzero(np.isfinite(target))
        known = known[sampled(len(known), _LEARNED, self._case.seed)]
        if self._coder is None:
            self._coder = encoder(self._case.reference.features, self._case.keep_texts)
        others = [i for i, of in enumerate(self._coder.names) if of != name]
        if len(known) < 50 or not others:
            middle = float(np.median(target[known])) if len(known) else 0.0
            return as_type(np.full(frame.height, middle), series)
        places = {place: i for i, place in enumerate(others)}
        categorical = [places[i] for i in self._coder.categorical if i in places]
        matrix = self._coder.matrix(self._case.reference.features[known])[:, others]
        model = self._learner.regress(matrix, target[known], categorical=categorical, seed=self._case.seed)
        return as_type(model.predict(self._coder.matrix(frame)[:, others]), series)


def as_type(values: Floats, like: pl.Series) -> pl.Series:
    """Numbers as a column of the name and type of another; NaN is null, whole numbers are rounded and cut to range."""
    dtype = like.dtype
    found = pl.Series(like.name, values, dtype=pl.Float64).fill_nan(None)
    if dtype == pl.Boolean:
        return found > 0.5
    if dtype.is_float():
        return found.cast(dtype)
    if dtype in (pl.Date, pl.Datetime):
        whole = found.round(0).cast(pl.Int64, strict=False).cast(pl.Datetime("us"))
        if dtype == pl.Datetime:
            zone = getattr(dtype, "time_zone", None)
            whole = whole.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else whole
        return whole.cast(dtype)
    if dtype.is_integer():
        return found.round(0).cast(dtype, strict=False)
    return found.cast(dtype, strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What all faults together come to."""

    suspects: tuple[Suspect, ...]
    recovered: Estimate | None
    repaired: pl.DataFrame | None
    lost: tuple[str, ...] = ()
    """Columns of which no repair brings back all."""
    certain: bool = False
    """Whether all faults show by themselves and are undone exactly."""
    imitated: Estimate | None = None
    """The share of the drop by faults that cannot be undone, as the reference loses by the same."""


def weigh(judge: Judge, guesses: Guesses, faults: Sequence[Fault]) -> Outcome:
    """Judge every fault alone and all of them together; those that nature could do too and that repair does not help
    are let go, as is every repair that makes the loss clearly larger.
    """
    kept: list[tuple[Fault, Suspect]] = []
    for fault in faults:
        loss, how = (None, "") if fault.imitated is not None else _without(judge, guesses, [fault])
        measured = loss is not None and not fault.lost and not fault.dropped
        sure = judge.better(loss) if loss is not None and measured else 0.0
        recovered = judge.recovered(loss, how) if loss is not None else None
        if fault.imitated is not None:
            recovered = judge.harm(fault.imitated)
        if fault.weak and not (sure > 3.5 and (recovered is None or recovered.value > 0.1)):
            continue
        if measured and sure < -5 and judge.able:
            continue
        text = fault.text
        if judge.able and recovered is None and fault.undone is not None:
            text += "; suspected only: no model that is close enough to score the repair"
        kept.append(
            (
                fault,
                Suspect(
                    column=fault.column,
                    mechanism=fault.mechanism,
                    text=text,
                    rows=fault.rows,
                    factor=fault.factor,
                    recovered=recovered,
                ),
            )
        )
    if not kept:
        return Outcome(suspects=(), recovered=None, repaired=None)
    chosen = [fault for fault, _ in kept if fault.imitated is None]
    if len(kept) == len(chosen) == 1:
        together = kept[0][1].recovered
    else:
        loss, how = _without(judge, guesses, chosen)
        together = None if loss is None else judge.recovered(loss, how)
    return Outcome(
        suspects=tuple(sorted((suspect for _, suspect in kept), key=by_weight)),
        recovered=together,
        repaired=repaired(judge.case.current.features, judge.case.reference.features, guesses, chosen),
        lost=tuple(
            dict.fromkeys(fault.column for fault, _ in kept if fault.lost or fault.imitated is not None)
        ),
        certain=all(fault.undone is not None and not (fault.weak or fault.lost) for fault, _ in kept),
        imitated=_added([one.recovered for fault, one in kept if fault.imitated is not None]),
    )


def _added(several: Sequence[Estimate | None]) -> Estimate | None:
    """Shares of faults in different columns, added up."""
    known = [each for each in several if each is not None]
    if not known:
        return None
    return replace(
        known[0],
        value=sum(each.value for each in known),
        lower=sum(each.lower for each in known),
        upper=sum(each.upper for each in known),
    )


def by_weight(suspect: Suspect) -> tuple[float, float, str, str]:
    """The order of suspects: most recovered first, unknown as nothing, then most rows."""
    gain = suspect.recovered.value if suspect.recovered is not None else 0.0
    return (-gain, -suspect.rows, suspect.column, suspect.mechanism)


def repaired(
    current: pl.DataFrame, reference: pl.DataFrame, guesses: Guesses, faults: Sequence[Fault]
) -> pl.DataFrame | None:
    """The current features with every fault undone that can be, and lost values guessed; None where none can."""
    frame = current
    for fault in faults:
        if fault.undone is not None:
            frame = frame.with_columns(fault.undone.alias(fault.column))
    for fault in faults:
        if fault.lost and fault.column in reference.columns:
            guess = guesses.column(fault.column, frame)
            served = frame[fault.column] if fault.column in frame.columns else guess
            mask = pl.Series(fault.touched)
            if served.dtype != guess.dtype:
                served = served.cast(guess.dtype, strict=False)
            frame = frame.with_columns(guess.zip_with(mask, served).alias(fault.column))
    return None if frame is current else frame


def _without(judge: Judge, guesses: Guesses, faults: Sequence[Fault]) -> tuple[Floats | None, str]:
    """The loss of the judged rows without the faults, and what that rests on."""
    case = judge.case
    if len(judge.picked) == 0:
        return None, ""
    frame = repaired(case.current.features, case.reference.features, guesses, faults)
    lost = np.zeros(len(case.current), dtype=np.bool_)
    touched = lost.copy()
    kept = ~lost
    for fault in faults:
        touched |= fault.touched if frame is not None and not fault.dropped else False
        lost |= fault.touched if fault.lost else False
        kept &= ~fault.touched if fault.dropped else True
    loss: Floats | None = judge.loss
    how = "the repaired rows are scored again"
    if judge.rescorer is not None and not judge.rescorer.exact:
        how += f" by a surrogate (R² {judge.rescorer.fidelity:.2f})"
    if touched.any():
        loss = None if frame is None else judge.after(frame, touched)
    if lost.any() and frame is not None:
        base = loss if loss is not None else judge.loss
        compared = judge.intact(frame, lost, base)
        if compared is not None:
            loss, how = compared, "rows whose value is lost are else like the intact rows of the same score"
        elif loss is not None:
            how = "lost values are replaced by guesses from the other features"
    if loss is not None and not kept.all():
        stays = kept[judge.picked]
        if stays.any():
            loss = np.where(stays, loss, loss[stays].mean())
    return (None if loss is judge.loss else loss), how
