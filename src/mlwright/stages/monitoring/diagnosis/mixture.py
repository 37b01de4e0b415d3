"""S5: are the cases harder than before (mix), or are the answers to the same cases worse (rate)?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlwright.model.diagnosis import Outcome, Suspect, Test
from mlwright.model.monitoring import Estimate
from mlwright.ports.learner import Fitted, Learner
from mlwright.stages.monitoring.crossfit import Domain, cross_fitted, domain, folds_of
from mlwright.stages.monitoring.diagnosis.case import Case, Task
from mlwright.stages.monitoring.diagnosis.figures import portion
from mlwright.stages.monitoring.diagnosis.intervals import Means, interval, means, part_of
from mlwright.stages.monitoring.diagnosis.labelled import NO_DROP, Sides, proven, sides, untested
from mlwright.stages.monitoring.expected import calibrator, expected_binary

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS: Final = 20
FEW: Final = 200
"""Labelled rows of a side below which twenty bins say nothing."""
LEAST_ESS: Final = 0.10
RARE: Final = 0.95
"""Chance of being current from which on the reference has next to no row like it: fewer than 1 to 19."""
_TITLE: Final = "Harder cases, or worse answers?"
_FOLDS: Final = 3
_CUT: Final = 0.999
_TELLING: Final = 0.005
_CARRIES: Final = 0.10
_EDGE: Final = 0.001
_NEIGHBOURS: Final = 2_000
_ASSUMPTION: Final = (
    "rows of different clusters are independent; the score orders cases by difficulty (binary), or a learner does; "
    "bins and models are taken as given"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How much of the drop is other cases (mix) and how much other answers to the same cases (rate).

    ``mix`` and ``rate`` are shares of the drop and add up to 1; None where the drop is not proven or rows are few.
    """

    test: Test
    mix: Estimate | None = None
    rate: Estimate | None = None
    cbpe_gap: float | None = None
    """Loss now less the loss expected without a change of P(y|x), in units of the loss."""
    terms: tuple[Estimate, ...] = ()
    """DISDE, in units of the loss: reference → shared, y|x on the shared, shared → current. Empty where refused."""
    unseen: Estimate | None = None
    """Share of the drop that lies on current rows of which the reference has next to none like them."""
    ess: float | None = None
    """Effective share of the rows behind the terms, of the side that has less."""
    overlap: float | None = None
    """Twice the mass of pq / (p + q), 1 for equal samples: equally tiny weights are no effective rows."""
    domain_auc: Estimate | None = None
    """How well current rows are told from reference rows by the features and the score."""


def mix_or_rate(case: Case, learner: Learner, drop: Estimate) -> Mixture:
    """Split a proven drop.

    (a) Kitagawa (1955) over twenty bins of difficulty: the score where it is a probability, else the loss that a
    learner expects of a row; (b) the gap to the loss expected without a change of P(y|x) (CBPE, DLE); (c) DISDE (Cai,
    Namkoong and Yadlowsky 2023) with the score and its distance from the threshold among the classifier's inputs, so
    that it cannot miss the direction that matters.
    """
    if not proven(drop):
        return Mixture(
            test=untested("S5", _TITLE, "The drop is not proven, so there is nothing to split.", NO_DROP)
        )
    both = sides(case)
    if min(len(both.before), len(both.now)) < FEW:
        text = f"Only {len(both.before)} and {len(both.now)} rows have a label."
        return Mixture(test=untested("S5", _TITLE, text, f"At least {FEW} labelled rows of each side"))
    difficulty, expected = _difficulty(case, both, learner)
    before, now = len(both.before), both.now.loss
    at = _binned(difficulty)
    first = means(_columns(at[:before], both.before.loss), both.before.cluster, seed=case.seed)
    second = means(_columns(at[before:], now), both.now.cluster, seed=case.seed + 1)
    mix, rate = _shares(first, second, case.level)
    found = _domain(case, both, learner)
    ess = _effective(found)
    overlap = 2.0 * min(float(w.mean()) for w in _weights(found))
    terms = _terms(found, both, case) if min(ess, overlap) >= LEAST_ESS else ()
    unseen, strange = _unseen(found, both, first, second, case)
    suspects = _moved(both, found, mix)
    gap = float(now.mean()) - expected
    numbers = {
        "mix": mix.value,
        "rate": rate.value,
        "expected loss": expected,
        "gap": gap,
        "effective share": ess,
        "overlap": overlap,
        "domain AUC": found.auc.value,
        "unseen rows": strange,
    }
    numbers |= {name: each.value for name, each in zip(("P to S", "y|x on S", "S to Q"), terms, strict=False)}
    return Mixture(
        test=Test(
            id="S5",
            title=_TITLE,
            outcome=Outcome.FOUND,
            text=_text(mix, rate, gap, terms, min(ess, overlap), strange),
            numbers=numbers,
            suspects=suspects,
            assumption=_ASSUMPTION,
        ),
        mix=mix,
        rate=rate,
        cbpe_gap=gap,
        terms=terms,
        unseen=unseen,
        ess=ess,
        overlap=overlap,
        domain_auc=found.auc,
    )


def kitagawa(before: Floats, now: Floats, loss_before: Floats, loss_now: Floats) -> tuple[Floats, Floats]:
    """Split the difference of two mean losses over bins; both parts add up to it exactly.

    A bin that one side does not have has no second loss to compare with: all of it is mix.

    Args:
        before: share of the rows of each bin, shape (…, b), each line adding up to 1.
        now: the same of the other side.
        loss_before: mean loss × share of each bin, same shape.
        loss_now: the same of the other side.

    Returns:
        Mix Σ(Q − P)(ℓP + ℓQ)/2 and rate Σ(P + Q)/2 (ℓQ − ℓP), shape (…).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        old = np.where(before > 0, loss_before / before, np.nan)
        new = np.where(now > 0, loss_now / now, np.nan)
    old, new = np.where(before > 0, old, new), np.where(now > 0, new, old)
    old, new = np.nan_to_num(old), np.nan_to_num(new)
    mix: Floats = ((now - before) * (old + new) / 2).sum(axis=-1)
    rate: Floats = ((now + before) / 2 * (new - old)).sum(axis=-1)
    return mix, rate


def _difficulty(case: Case, both: Sides, learner: Learner) -> tuple[Floats, float]:
    """What orders rows by difficulty, reference first; and the loss expected now if P(y|x) has not changed."""
    before, now = both.before, both.now
    if case.task is Task.BINARY:
        fixed = calibrator(before.label, before.score, seed=case.seed)
        return np.concatenate([before.score, now.score]), expected_binary(now.score, fixed)["brier"]
    # both sides are predicted by models of the same kind, fitted on the same number of reference rows
    table = np.column_stack([before.matrix, before.score]), np.column_stack([now.matrix, now.score])
    fold = folds_of(before.cluster, _FOLDS, case.seed)
    cut = float(np.quantile(before.loss, _CUT))
    fit: Callable[..., Fitted] = learner.classify if case.task is Task.CLASSES else learner.regress
    categorical = (*both.encoder.categorical, *_codes(case, both))

    def fitted(kept: NDArray[np.bool_]) -> Fitted:
        target = np.minimum(before.loss[kept], cut)
        return fit(table[0][kept], target, categorical=categorical, seed=case.seed)

    mine, models = cross_fitted(fitted, table[0], fold)
    turn = np.arange(len(now)) % len(models)
    theirs = np.empty(len(now))
    for number, model in enumerate(models.values()):
        theirs[turn == number] = model.predict(table[1][turn == number])
    # what the learner misses of the reference it will miss of the current rows
    return np.concatenate([mine, theirs]), float(theirs.mean() + (before.loss.mean() - mine.mean()))


def _codes(case: Case, both: Sides) -> tuple[int, ...]:
    """The score column, where it is a class and not a number; a learner takes at most 255 codes."""
    classes = case.task is Task.CLASSES and max(both.before.score.max(), both.now.score.max()) < 255
    return (both.before.matrix.shape[1],) if classes else ()


def _binned(values: Floats) -> Integers:
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    return np.searchsorted(edges, values, side="left")


def _columns(at: Integers, loss: Floats) -> Floats:
    """The loss, then which bin, then the loss in which bin."""
    which = (at[:, None] == np.arange(BINS)).astype(np.float64)
    return np.column_stack([loss, which, which * loss[:, None]])


def _split(table: Floats) -> tuple[Floats, Floats]:
    return table[..., 1 : 1 + BINS], table[..., 1 + BINS : 1 + 2 * BINS]


def _shares(first: Means, second: Means, level: float) -> tuple[Estimate, Estimate]:
    def parts(one: Floats, two: Floats) -> tuple[Floats, Floats]:
        (p, lp), (q, lq) = _split(one), _split(two)
        return kitagawa(p, q, lp, lq)

    value = parts(first.value, second.value)
    drawn = parts(first.draws, second.draws)
    delta, deltas = second.value[0] - first.value[0], second.draws[:, 0] - first.draws[:, 0]
    clusters = min(first.clusters, second.clusters)
    mix, rate = (
        part_of(
            float(each), draws, float(delta), deltas, clusters=clusters, level=level, assumption=_ASSUMPTION
        )
        for each, draws in zip(value, drawn, strict=True)
    )
    return mix, rate


def _domain(case: Case, both: Sides, learner: Learner) -> Domain:
    def seen(matrix: Floats, score: Floats) -> Floats:
        more = [score, np.abs(score - case.threshold)] if case.task is Task.BINARY else [score]
        return np.column_stack([matrix, *more])

    return domain(
        seen(both.before.matrix, both.before.score),
        seen(both.now.matrix, both.now.score),
        learner,
        categorical=(*both.encoder.categorical, *_codes(case, both)),
        groups=(both.before.cluster, both.now.cluster),
        shuffled=[both.encoder.places(feature) for feature in both.features],
        folds=_FOLDS,
        level=case.level,
        seed=case.seed,
    )


def _weights(found: Domain) -> tuple[Floats, Floats]:
    """Of the reference rows and of the current rows, towards what both share: its density is pq / (p + q)."""
    return found.chance[: found.before], 1.0 - found.chance[found.before :]


def _effective(found: Domain) -> float:
    shares = [
        float(w.sum() ** 2 / np.square(w).sum() / len(w)) if np.square(w).sum() > 0 else 0.0
        for w in _weights(found)
    ]
    return min(shares)


def _terms(found: Domain, both: Sides, case: Case) -> tuple[Estimate, ...]:
    w, v = _weights(found)
    first = means(
        np.column_stack([both.before.loss, w, w * both.before.loss]), both.before.cluster, seed=case.seed
    )
    second = means(
        np.column_stack([both.now.loss, v, v * both.now.loss]), both.now.cluster, seed=case.seed + 1
    )

    def parts(one: Floats, two: Floats) -> Floats:
        p, q = one[..., 2] / one[..., 1], two[..., 2] / two[..., 1]
        return np.stack([p - one[..., 0], q - p, two[..., 0] - q])

    with np.errstate(divide="ignore", invalid="ignore"):
        value, draws = parts(first.value, second.value), parts(first.draws, second.draws)
    clusters = min(first.clusters, second.clusters)
    return tuple(
        interval(float(each), drawn, clusters=clusters, level=case.level, assumption=_ASSUMPTION)
        for each, drawn in zip(value, draws, strict=True)
    )


def _unseen(found: Domain, both: Sides, first: Means, second: Means, case: Case) -> tuple[Estimate, float]:
    strange = ((found.chance[found.before :] >= RARE) & _far(both)).astype(np.float64)
    more = means(
        np.column_stack([both.now.loss, strange, strange * both.now.loss]),
        both.now.cluster,
        seed=case.seed + 1,
    )
    part = more.value[2] - more.value[1] * first.value[0]
    parts = more.draws[:, 2] - more.draws[:, 1] * first.draws[:, 0]
    delta, deltas = second.value[0] - first.value[0], more.draws[:, 0] - first.draws[:, 0]
    share = part_of(
        float(part),
        parts,
        float(delta),
        deltas,
        clusters=min(first.clusters, second.clusters),
        level=case.level,
        assumption=_ASSUMPTION,
    )
    return share, float(strange.mean())


def _far(both: Sides) -> NDArray[np.bool_]:
    """Current rows outside what the reference holds: a crowd in its midst is rare there and yet no news.

    Outside is a value beyond (nearly) all of a column's, a missing one where next to none was, or a row whose nearest
    reference row is farther than those of nearly all reference rows.
    """
    old, new = both.before.matrix, both.now.matrix
    outside = np.zeros(len(new), dtype=np.bool_)
    here, there = [], []
    for at in range(old.shape[1]):
        known = old[np.isfinite(old[:, at]), at]
        gone = np.isnan(new[:, at])
        if len(known) >= (1 - _EDGE) * len(old):
            outside |= gone
        if len(known) == 0 or at in both.encoder.categorical:
            continue
        low, quarter, middle, upper, high = np.quantile(known, [_EDGE, 0.25, 0.5, 0.75, 1 - _EDGE])
        outside |= (new[:, at] < low) | (new[:, at] > high)
        spread = (upper - quarter) or float(known.std()) or 1.0
        here.append(np.nan_to_num((old[:, at] - middle) / spread))
        there.append(np.nan_to_num((new[:, at] - middle) / spread))
    if here:
        some = np.column_stack(here)[:_NEIGHBOURS]
        reach = np.quantile(_nearest(some, some, own=True), 1 - 0.01)
        outside |= _nearest(np.column_stack(there), some) > reach
    return outside


def _nearest(rows: Floats, among: Floats, *, own: bool = False) -> Floats:
    """Squared distance of each row to the nearest of the others, in pieces of a thousand."""
    found = np.empty(len(rows))
    for at in range(0, len(rows), 1_000):
        piece = rows[at : at + 1_000]
        apart = np.square(piece).sum(axis=1)[:, None] + np.square(among).sum(axis=1) - 2.0 * piece @ among.T
        if own:
            apart[np.arange(len(piece)), at + np.arange(len(piece))] = np.inf
        found[at : at + len(piece)] = apart.min(axis=1)
    return found


def _moved(both: Sides, found: Domain, mix: Estimate) -> tuple[Suspect, ...]:
    """Features that tell the sides apart and whose new distribution alone would carry a part of the drop."""
    delta = float(both.now.loss.mean() - both.before.loss.mean())
    suspects = []
    for feature, told in zip(both.features, found.importance, strict=True):
        place = both.encoder.places(feature)[0]
        levels = place in both.encoder.categorical
        carried, moved = _marginal(both, place, levels=levels)
        if told >= _TELLING and carried / delta >= _CARRIES and mix.value > 0:
            suspects.append((told * carried, feature, carried / delta, moved))
    suspects.sort(key=lambda each: (-each[0], each[1]))
    return tuple(
        Suspect(
            column=feature,
            mechanism="moved",
            text=f"{feature} has another distribution, and with it alone the loss before would have risen by "
            f"{carried:.0%} of the drop",
            rows=moved,
        )
        for _, feature, carried, moved in suspects
    )


def _marginal(both: Sides, place: int, *, levels: bool) -> tuple[float, float]:
    """Rise of the reference's loss under a column's new distribution; and the share of rows that moved bin."""
    old, new = both.before.matrix[:, place], both.now.matrix[:, place]
    if levels:
        a, b = (
            np.nan_to_num(old, nan=-1.0).astype(np.int64) + 1,
            np.nan_to_num(new, nan=-1.0).astype(np.int64) + 1,
        )
    else:
        known = old[np.isfinite(old)]
        edges = np.unique(np.quantile(known, np.arange(1, BINS // 2) / (BINS // 2))) if len(known) else known
        a, b = (np.where(np.isnan(x), 0, np.searchsorted(edges, x, "left") + 1) for x in (old, new))
    bins = int(max(a.max(), b.max())) + 1
    p, q = np.bincount(a, minlength=bins) / len(a), np.bincount(b, minlength=bins) / len(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        here = np.bincount(a, both.before.loss, bins) / np.bincount(a, minlength=bins)
        there = np.bincount(b, both.now.loss, bins) / np.bincount(b, minlength=bins)
    loss = np.nan_to_num(np.where(p > 0, here, there))
    return float(((q - p) * loss).sum()), float(np.abs(q - p).sum() / 2)


def _text(
    mix: Estimate, rate: Estimate, gap: float, terms: tuple[Estimate, ...], shared: float, strange: float
) -> str:
    said = (
        f"{portion(mix)} of the drop is other cases, {portion(rate)} "
        f"worse answers to the same cases. "
        f"The loss is {gap:+.4f} off what was to be expected of these cases."
    )
    if terms:
        a, b, c = (each.value for each in terms)
        said += f" Reweighted to what both samples share: {a + c:+.4f} other cases, {b:+.4f} other answers."
    else:
        said += f" The samples share too little to be compared by weights ({shared:.0%} < {LEAST_ESS:.0%})."
    if strange >= 0.01:
        said += f" {strange:.0%} of the current rows lie outside what the reference holds."
    return said
