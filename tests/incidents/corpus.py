"""The incidents as data: what was broken in which world, what one can know of it, and which answers are right."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from mlwright.model.diagnosis import Cause

from . import faults as f
from .faults import Fault
from .worlds import HELD_OUT
from .worlds.generators import CODES, ORIGINS, PLANS, REGIONS, VEHICLES

NO, SERVING, SKEW, QUALITY, LABELS = Cause.NO_EVIDENCE, Cause.SERVING, Cause.SKEW, Cause.QUALITY, Cause.LABELS
PRIOR, HARDER, UNSEEN, CONCEPT = Cause.PRIOR, Cause.HARDER, Cause.UNSEEN, Cause.CONCEPT
LOST, FEEDBACK, MIXED, OPEN = Cause.LOST, Cause.FEEDBACK, Cause.MIXED, Cause.OPEN


class Kind(StrEnum):
    """Classes of faults; every one must be in the corpus."""

    NONE = "none"
    BETTER = "improvement"
    HARMLESS = "harmless"
    HARDER = "covariate shift"
    UNSEEN = "unseen region"
    CONCEPT = "concept change"
    PRIOR = "label shift"
    UNIT = "unit"
    NULLS = "nulls"
    SENTINEL = "sentinel"
    CONSTANT = "constant"
    RECODE = "re-code"
    LEVELS = "new levels"
    ZONE = "time zone"
    STALE = "stale"
    LAG = "lag"
    JOIN = "wrong join"
    OFFSET = "offset"
    DEFAULT = "default"
    SERVING = "serving defect"
    LABELS = "label pipeline"
    FEEDBACK = "feedback loop"
    MIXED = "mixed"
    TINY = "few rows"
    NATURAL = "as it happened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident.

    ``accept`` are the right verdicts, the best first; ``hedged`` those that are fair while they are not called sure,
    because the rows cannot tell them from the truth. Any other verdict is a miss, and when sure a confident error, and
    so is a sure verdict of defect that names no column of ``columns``. MIXED and OPEN are never confident errors.
    """

    name: str
    world: str
    kind: Kind
    faults: tuple[Fault, ...]
    accept: tuple[Cause, ...]
    hedged: tuple[Cause, ...] = ()
    columns: tuple[str, ...] = ()
    """Any of them is the right feature to name."""
    mechanisms: tuple[str, ...] = ()
    copy: str = ""
    """``true``: a second copy as it should be; ``same``: it has the fault too, which came from above; empty: none."""
    model: bool = True
    deploy: bool = False
    """Whether something was changed at the onset; what has nothing to do with it is always there."""
    horizon: int | None = None
    rows: int = 2500
    why: str = ""

    @property
    def held_out(self) -> bool:
        return self.world in HELD_OUT


BROKEN_UNKNOWN = (LOST, QUALITY, MIXED, OPEN)
"""What may be said of a feature that tells nothing any more and looks as ever."""
_SEEN = {
    Kind.UNIT: ("unit", "scale", "offset", "range"),
    Kind.NULLS: ("missing",),
    Kind.SENTINEL: ("sentinel", "default", "constant", "range"),
    Kind.CONSTANT: ("constant", "default", "sentinel"),
    Kind.LEVELS: ("new levels", "recoded"),
    Kind.ZONE: ("time zone",),
    Kind.OFFSET: ("offset", "scale"),
    Kind.STALE: ("stale", "lag"),
    Kind.JOIN: ("join",),
}


def _defect(
    world: str,
    kind: Kind,
    what: str,
    fault: Fault,
    *columns: str,
    why: str = "",
    copies: str = "both",
    **more: bool,
) -> Iterator[Incident]:
    """A visible defect of a feature: with a copy skew, without one data quality; both are the same repair."""
    one = Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=(fault,),
        accept=(QUALITY,),
        columns=columns,
        mechanisms=_SEEN.get(kind, ()),
        why=why or "the column itself shows it",
        **more,
    )
    if copies != "with":
        yield one
    if copies != "without":
        yield replace(one, name=f"{one.name}, with a copy", copy="true", accept=(SKEW, QUALITY))


def _hidden(world: str, kind: Kind, what: str, fault: Fault, *columns: str) -> Iterator[Incident]:
    """A defect whose column looks as ever: named with a copy; without one only that something is lost."""
    one = Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=(fault,),
        accept=BROKEN_UNKNOWN,
        hedged=(CONCEPT,),
        columns=columns,
        mechanisms=_SEEN.get(kind, ()),
        why="marginals are intact: only a second copy can prove it, and a refit gains little",
    )
    yield one
    yield replace(
        one,
        name=f"{one.name}, with a copy",
        copy="true",
        accept=(SKEW,),
        hedged=(),
        why="the copy differs in this column only",
    )


def _recoded(world: str, column: str, fault: Fault) -> Iterator[Incident]:
    """A silent re-code: without a copy or an event nobody can tell it from a change of the world."""
    one = Incident(
        name=f"{world}: {column} re-coded in silence",
        world=world,
        kind=Kind.RECODE,
        faults=(fault,),
        accept=(QUALITY, MIXED, OPEN),
        hedged=(CONCEPT,),
        columns=(column,),
        mechanisms=("recoded", "new levels"),
        why="levels permuted: concept change is not excluded, so it must not be called sure",
    )
    yield one
    yield replace(one, name=f"{one.name}, with a copy", copy="true", accept=(SKEW, QUALITY), hedged=())


def _world(
    world: str, kind: Kind, what: str, fault: Fault | tuple[Fault, ...], *accept: Cause, **more: object
) -> Incident:
    several = fault if isinstance(fault, tuple) else (fault,)
    return Incident(
        name=f"{world}: {what}",
        world=world,
        kind=kind,
        faults=several,
        accept=accept,
        **more,  # type: ignore[arg-type]
    )


def _generated() -> Iterator[Incident]:
    for world in ("lending", "churn", "stores", "triage", "freight"):
        yield _world(world, Kind.NONE, "nothing happened", f.none, NO, copy="true")
        yield _world(
            world, Kind.CONCEPT, "the world answers otherwise", f.concept, CONCEPT, MIXED, hedged=(LOST,)
        )
        yield _world(
            world,
            Kind.HARDER,
            "more hard cases",
            f.harder,
            HARDER,
            MIXED,
            OPEN,
            hedged=(UNSEEN,),
            copy="true",
        )
    for world in ("lending", "stores", "triage"):
        yield _world(
            world,
            Kind.CONCEPT,
            "the world answers otherwise, with a copy",
            f.concept,
            CONCEPT,
            MIXED,
            hedged=(LOST,),
            copy="true",
            why="the copy excludes a defect of the features",
        )
    # lending
    yield from _defect(
        "lending", Kind.UNIT, "income in cents", f.scaled("income", 100), "income", deploy=True
    )
    yield from _defect(
        "lending",
        Kind.UNIT,
        "income in cents from one of two clients",
        f.scaled("income", 100, 0.5),
        "income",
    )
    yield from _defect("lending", Kind.NULLS, "utilisation missing", f.nulls("utilisation"), "utilisation")
    yield from _defect(
        "lending", Kind.SENTINEL, "utilisation is −1", f.replaced("utilisation", -1, 0.6), "utilisation"
    )
    yield from _defect("lending", Kind.ZONE, "hour in another zone", f.rotated("hour", 9), "hour")
    yield from _recoded("lending", "region", f.recoded("region", REGIONS))
    yield from _hidden(
        "lending",
        Kind.JOIN,
        "region of another customer",
        f.misjoined("region", "debt_ratio"),
        "region",
        "debt_ratio",
    )
    yield _world(
        "lending",
        Kind.UNSEEN,
        "customers above 75",
        f.unseen(0.5),
        UNSEEN,
        MIXED,
        OPEN,
        hedged=(HARDER, CONCEPT),
        columns=("age",),
    )
    yield _world("lending", Kind.PRIOR, "twice as many defaults", f.classes(0.62), PRIOR, MIXED)
    yield _world("lending", Kind.SERVING, "another version answers", f.older, SERVING, deploy=True)
    yield _world("lending", Kind.SERVING, "answers of other rows", f.other_row, SERVING, copy="true")
    yield _world(
        "lending",
        Kind.SERVING,
        "answers of other rows, the model unknown",
        f.other_row,
        LOST,
        SERVING,
        MIXED,
        OPEN,
        LABELS,
        hedged=(CONCEPT,),
        model=False,
    )
    yield _world(
        "lending",
        Kind.LABELS,
        "a third of labels inverted",
        f.inverted(0.33),
        LABELS,
        LOST,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
    )
    yield _world("lending", Kind.LABELS, "every label is 1", f.constant_label(1.0), LABELS, OPEN)
    yield _world(
        "lending",
        Kind.LABELS,
        "class 0 loses its labels",
        f.unlabelled(0.85, 0.0),
        LABELS,
        FEEDBACK,
        MIXED,
        OPEN,
        hedged=(PRIOR,),
        why="labels of 60 % are missing: what is left is another mix",
    )
    yield _world(
        "lending",
        Kind.FEEDBACK,
        "only the middle is followed up",
        f.selected(0.3, 0.7),
        FEEDBACK,
        LABELS,
        MIXED,
        OPEN,
        hedged=(HARDER,),
        rows=4000,
    )
    yield _world("lending", Kind.HARMLESS, "noise times 1,000", f.scaled("noise", 1000), NO)
    yield _world("lending", Kind.BETTER, "fewer hard cases", f.easier, NO)
    yield _world(
        "lending",
        Kind.TINY,
        "forty rows, half of them in cents",
        (f.scaled("income", 100, 0.5), f.few(40)),
        NO,
        OPEN,
        QUALITY,
        MIXED,
        columns=("income",),
    )
    yield _world(
        "lending",
        Kind.MIXED,
        "cents and another world",
        (f.concept, f.scaled("income", 100)),
        MIXED,
        hedged=(QUALITY, CONCEPT, SKEW),
        columns=("income",),
    )
    yield _world(
        "lending",
        Kind.MIXED,
        "cents and another world, with a copy",
        (f.concept, f.scaled("income", 100)),
        MIXED,
        hedged=(QUALITY, CONCEPT, SKEW),
        columns=("income",),
        copy="true",
    )
    yield _world("lending", Kind.LABELS, "the youngest rows are not ripe", f.unripe(8), NO, OPEN, horizon=8)
    yield _world(
        "lending",
        Kind.RECODE,
        "region re-coded above both copies",
        f.recoded("region", REGIONS),
        QUALITY,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
        columns=("region",),
        mechanisms=("recoded",),
        copy="same",
        why="a copy that has the fault too proves nothing about the source of both",
    )
    # churn
    yield from _defect(
        "churn", Kind.UNIT, "minutes as seconds", f.scaled("session_minutes", 60), "session_minutes"
    )
    yield from _defect(
        "churn",
        Kind.UNIT,
        "hours as minutes from half of the clients",
        f.scaled("last_seen_hours", 60, 0.4),
        "last_seen_hours",
    )
    yield from _defect("churn", Kind.LEVELS, "plans spelt otherwise", f.upper("plan"), "plan")
    yield from _defect(
        "churn", Kind.CONSTANT, "tenure is 0 for all", f.replaced("tenure_days", 0), "tenure_days"
    )
    yield from _recoded("churn", "plan", f.recoded("plan", PLANS))
    yield from _hidden(
        "churn",
        Kind.JOIN,
        "calls and tenure of another customer",
        f.misjoined("calls", "tenure_days"),
        "calls",
        "tenure_days",
    )
    yield _world(
        "churn",
        Kind.OFFSET,
        "calls count one thing more, with a copy",
        f.shifted("calls", 3),
        SKEW,
        QUALITY,
        columns=("calls",),
        mechanisms=("offset",),
        copy="true",
    )
    yield _world(
        "churn",
        Kind.DEFAULT,
        "session falls back to 5, with a copy",
        f.replaced("session_minutes", 5, 0.5),
        SKEW,
        QUALITY,
        columns=("session_minutes",),
        mechanisms=("default", "sentinel", "constant"),
        copy="true",
    )
    yield _world("churn", Kind.SERVING, "answers are cut to 0 and 1", f.rounded, SERVING)
    yield _world(
        "churn",
        Kind.FEEDBACK,
        "who would leave is called, some are left alone",
        f.acted(0.6, 0.75, 0.15),
        FEEDBACK,
        MIXED,
        OPEN,
        hedged=(CONCEPT, LABELS),
        rows=4000,
    )
    yield _world(
        "churn",
        Kind.FEEDBACK,
        "who would leave is called",
        f.acted(0.6, 0.75, None),
        FEEDBACK,
        MIXED,
        OPEN,
        hedged=(CONCEPT, LABELS),
        rows=4000,
        why="without exploration it cannot be told from concept",
    )
    yield _world("churn", Kind.PRIOR, "fewer leave", f.classes(0.2), PRIOR, MIXED, NO)
    yield _world(
        "churn",
        Kind.LABELS,
        "six in ten leavers are not reported",
        f.lost_positives(0.6),
        LABELS,
        LOST,
        MIXED,
        OPEN,
        hedged=(CONCEPT, PRIOR),
    )
    yield _world(
        "churn",
        Kind.MIXED,
        "minutes as seconds and hard cases",
        (f.harder, f.scaled("session_minutes", 60, 0.25)),
        MIXED,
        QUALITY,
        hedged=(HARDER,),
        columns=("session_minutes",),
    )
    yield _world(
        "churn",
        Kind.UNIT,
        "minutes as seconds above both copies",
        f.scaled("session_minutes", 60),
        QUALITY,
        columns=("session_minutes",),
        mechanisms=_SEEN[Kind.UNIT],
        copy="same",
    )
    # stores
    yield from _hidden(
        "stores", Kind.STALE, "aggregates of four weeks ago", f.stale("mean_7", "last"), "mean_7", "last"
    )
    yield from _hidden(
        "stores", Kind.JOIN, "aggregates of another shop", f.misjoined("mean_7", "last"), "mean_7", "last"
    )
    yield _world(
        "stores",
        Kind.LAG,
        "yesterday is three days ago, with a copy",
        (f.lagged("last", "lag_last"), f.stale("mean_7")),
        SKEW,
        columns=("last", "mean_7"),
        copy="true",
    )
    yield from _defect(
        "stores",
        Kind.SENTINEL,
        "mean of a week is 0 where the join fails",
        f.replaced("mean_7", 0, 0.4),
        "mean_7",
    )
    yield from _defect("stores", Kind.UNIT, "prices in cents", f.scaled("price", 100), "price")
    yield _world(
        "stores",
        Kind.UNIT,
        "prices in cents halfway through",
        f.later(f.scaled("price", 100), 0.25),
        QUALITY,
        columns=("price",),
        mechanisms=_SEEN[Kind.UNIT],
        deploy=True,
    )
    yield _world("stores", Kind.HARMLESS, "temperature in °F", f.fahrenheit("temperature_c"), NO)
    yield _world("stores", Kind.SERVING, "another version answers", f.older, SERVING, deploy=True)
    # triage, held out
    yield from _defect(
        "triage", Kind.UNIT, "temperature in °F", f.fahrenheit("temperature_c"), "temperature_c", deploy=True
    )
    yield from _defect("triage", Kind.NULLS, "oxygen and code not sent", f.nulls("code"), "code")
    yield from _defect("triage", Kind.ZONE, "hour in another zone", f.rotated("hour", 8), "hour")
    yield from _recoded("triage", "code", f.recoded("code", CODES))
    yield from _hidden(
        "triage",
        Kind.JOIN,
        "code and pulse of another patient",
        f.misjoined("code", "heart_rate"),
        "code",
        "heart_rate",
    )
    yield _world(
        "triage",
        Kind.RECODE,
        "code re-coded above both copies",
        f.recoded("code", CODES),
        QUALITY,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
        columns=("code",),
        mechanisms=("recoded",),
        copy="same",
    )
    yield _world(
        "triage",
        Kind.UNSEEN,
        "children",
        f.unseen(0.5),
        UNSEEN,
        MIXED,
        OPEN,
        hedged=(HARDER, CONCEPT),
        columns=("age",),
    )
    yield _world("triage", Kind.PRIOR, "an epidemic", f.classes(0.72), PRIOR, MIXED)
    yield _world(
        "triage",
        Kind.LABELS,
        "labels of a third inverted",
        f.inverted(0.33),
        LABELS,
        LOST,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
    )
    yield _world("triage", Kind.SERVING, "answers of the other class", f.turned, SERVING)
    yield _world(
        "triage",
        Kind.MIXED,
        "no codes and hard cases, with a copy",
        (f.harder, f.nulls("code", 0.4)),
        MIXED,
        SKEW,
        QUALITY,
        hedged=(HARDER,),
        columns=("code",),
        copy="true",
    )
    yield _world("triage", Kind.HARMLESS, "height in inches", f.scaled("height_cm", 1 / 2.54), NO)
    # freight, held out
    yield _world(
        "freight",
        Kind.RECODE,
        "origin re-coded above both copies",
        f.recoded("origin", ORIGINS),
        QUALITY,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
        columns=("origin",),
        mechanisms=("recoded",),
        copy="same",
    )
    yield from _defect("freight", Kind.UNIT, "weight in pounds", f.scaled("weight_kg", 2.2046), "weight_kg")
    yield from _defect(
        "freight", Kind.UNIT, "distance in metres", f.scaled("distance_km", 1000, 0.3), "distance_km"
    )
    yield from _defect("freight", Kind.LEVELS, "vehicles spelt otherwise", f.upper("vehicle", 0.6), "vehicle")
    yield from _recoded("freight", "origin", f.recoded("origin", ORIGINS))
    yield from _recoded("freight", "vehicle", f.recoded("vehicle", VEHICLES))
    yield from _hidden(
        "freight", Kind.JOIN, "weight of another consignment", f.misjoined("weight_kg"), "weight_kg"
    )
    yield _world("freight", Kind.BETTER, "fewer hard cases", f.easier, NO)


def _real() -> Iterator[Incident]:
    # flights
    yield _world(
        "flights",
        Kind.NONE,
        "nothing was injected",
        f.none,
        NO,
        HARDER,
        MIXED,
        OPEN,
        copy="true",
        why="two seasons of a real year: a small drop by weather is not wrong",
    )
    yield _world(
        "flights in July",
        Kind.NATURAL,
        "July against May",
        f.none,
        HARDER,
        MIXED,
        OPEN,
        NO,
        UNSEEN,
        hedged=(PRIOR, CONCEPT, LOST),
        rows=4000,
        why="storms: harder days; no defect was ever injected, and nobody may claim one",
    )
    yield from _defect(
        "flights",
        Kind.UNIT,
        "delay at departure in seconds",
        f.scaled("dep_minutes", 60),
        "dep_minutes",
        deploy=True,
    )
    yield from _defect(
        "flights", Kind.NULLS, "delay at departure missing", f.nulls("dep_minutes"), "dep_minutes"
    )
    yield from _defect(
        "flights", Kind.CONSTANT, "delay at departure is 0", f.replaced("dep_minutes", 0), "dep_minutes"
    )
    yield from _hidden(
        "flights",
        Kind.JOIN,
        "delay at departure of another flight",
        f.misjoined("dep_minutes"),
        "dep_minutes",
    )
    yield _world(
        "flights",
        Kind.CONCEPT,
        "three carriers answer otherwise",
        f.concept,
        CONCEPT,
        MIXED,
        hedged=(LOST, LABELS),
        columns=("carrier",),
        copy="true",
    )
    yield _world("flights", Kind.SERVING, "answers of other rows", f.other_row, SERVING)
    yield _world("flights", Kind.HARDER, "more hard cases", f.harder, HARDER, MIXED, OPEN, hedged=(UNSEEN,))
    yield _world(
        "flights",
        Kind.LABELS,
        "a third of labels inverted",
        f.inverted(0.33),
        LABELS,
        LOST,
        MIXED,
        OPEN,
        hedged=(CONCEPT,),
    )
    # census
    yield _world("census", Kind.NONE, "2016 against 2015", f.none, NO, copy="true")
    yield from _defect("census", Kind.UNIT, "age in months", f.scaled("AGEP", 12), "AGEP")
    yield from _defect(
        "census", Kind.SENTINEL, "age is 999 where not asked", f.replaced("AGEP", 999, 0.5), "AGEP"
    )
    yield from _recoded("census", "DIS", f.recoded("DIS", ("1", "2")))
    yield _world(
        "census",
        Kind.CONCEPT,
        "the middle of life works less",
        f.concept,
        CONCEPT,
        MIXED,
        hedged=(LOST, LABELS),
        columns=("AGEP",),
    )
    yield _world(
        "census",
        Kind.LABELS,
        "employed are not reported",
        f.lost_positives(0.5),
        LABELS,
        LOST,
        MIXED,
        OPEN,
        hedged=(CONCEPT, PRIOR),
    )
    yield _world("census", Kind.PRIOR, "a slump", f.classes(0.15), PRIOR, MIXED, NO)
    yield _world(
        "census",
        Kind.MIXED,
        "age in months for a part, and a slump",
        (f.classes(0.2), f.scaled("AGEP", 12, 0.3)),
        MIXED,
        QUALITY,
        hedged=(PRIOR,),
        columns=("AGEP",),
    )
    # movielens, held out
    yield _world("movielens", Kind.NONE, "nothing happened", f.none, NO, rows=4000)
    yield from _defect("movielens", Kind.UNIT, "means of ten stars", f.scaled("item_mean", 2), "item_mean")
    yield from _hidden(
        "movielens",
        Kind.JOIN,
        "means of another film and user",
        f.misjoined("item_mean", "user_mean"),
        "item_mean",
        "user_mean",
    )
    yield _world(
        "movielens",
        Kind.CONCEPT,
        "new films are judged otherwise",
        f.concept,
        CONCEPT,
        MIXED,
        hedged=(LOST, LABELS),
        columns=("year",),
        rows=4000,
    )
    yield _world("movielens", Kind.SERVING, "answers of the other class", f.turned, SERVING)
    # california, held out
    yield _world("california", Kind.NONE, "nothing happened", f.none, NO)
    yield _world(
        "california",
        Kind.UNSEEN,
        "the north",
        f.unseen(0.5),
        UNSEEN,
        MIXED,
        OPEN,
        hedged=(HARDER, CONCEPT),
        columns=("Latitude", "Longitude"),
    )
    yield from _defect("california", Kind.UNIT, "income in dollars", f.scaled("MedInc", 10_000), "MedInc")
    yield from _defect(
        "california",
        Kind.OFFSET,
        "longitude without its sign",
        f.scaled("Longitude", -1),
        "Longitude",
        copies="with",
    )
    yield _world(
        "california",
        Kind.CONCEPT,
        "new houses are valued otherwise",
        f.concept,
        CONCEPT,
        MIXED,
        hedged=(LOST, LABELS),
        columns=("HouseAge",),
    )
    # scikit-learn
    yield _world("digits", Kind.NONE, "nothing happened", f.none, NO)
    yield _world(
        "digits",
        Kind.CONCEPT,
        "sevens filed as ones",
        f.concept,
        CONCEPT,
        MIXED,
        OPEN,
        hedged=(LOST, LABELS, PRIOR),
    )
    yield _world("digits", Kind.SERVING, "an older model answers", f.older, SERVING)
    yield _world("cancer", Kind.TINY, "nothing happened", f.none, NO, OPEN)
    yield _world("cancer", Kind.TINY, "twenty rows", f.few(20), NO, OPEN)


INCIDENTS: tuple[Incident, ...] = (*_generated(), *_real())
BY_NAME = {each.name: each for each in INCIDENTS}


def daily() -> list[Incident]:
    """The part that runs with the other tests: one of each class of fault with a copy and one without, and each world.

    Of several that would do, the one whose world was chosen least is taken.
    """
    groups: dict[tuple[Kind, bool], list[Incident]] = {}
    for each in INCIDENTS:
        groups.setdefault((each.kind, bool(each.copy)), []).append(each)
    taken: Counter[str] = Counter()
    chosen = []
    for group in sorted(groups.values(), key=len):
        one = min(group, key=lambda each: taken[each.world])
        taken[one.world] += 1
        chosen.append(one)
    for each in INCIDENTS:
        if not taken[each.world]:
            taken[each.world] += 1
            chosen.append(each)
    return chosen
