"""The incidents as data: what was broken in which world, what one can know of it, and which answers are right."""

from collections import Counter
from collections.abc import Iterator

from . import faults as f
from .kinds import (
    CONCEPT,
    FEEDBACK,
    HARDER,
    LABELS,
    LOST,
    MIXED,
    NO,
    OPEN,
    PRIOR,
    QUALITY,
    SEEN,
    SERVING,
    SKEW,
    UNSEEN,
    Incident,
    Kind,
    defect,
    hidden,
    placed,
    recoded,
)
from .later import LATER
from .worlds.generators import CODES, ORIGINS, PLANS, REGIONS, VEHICLES


def _generated() -> Iterator[Incident]:
    for world in ("lending", "churn", "stores", "triage", "freight"):
        yield placed(world, Kind.NONE, "nothing happened", f.none, NO, copy="true")
        yield placed(
            world, Kind.CONCEPT, "the world answers otherwise", f.concept, CONCEPT, MIXED, hedged=(LOST,)
        )
        yield placed(
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
        yield placed(
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
    yield from defect("lending", Kind.UNIT, "income in cents", f.scaled("income", 100), "income", deploy=True)
    yield from defect(
        "lending",
        Kind.UNIT,
        "income in cents from one of two clients",
        f.scaled("income", 100, 0.5),
        "income",
    )
    yield from defect("lending", Kind.NULLS, "utilisation missing", f.nulls("utilisation"), "utilisation")
    yield from defect(
        "lending", Kind.SENTINEL, "utilisation is −1", f.replaced("utilisation", -1, 0.6), "utilisation"
    )
    yield from defect("lending", Kind.ZONE, "hour in another zone", f.rotated("hour", 9), "hour")
    yield from recoded("lending", "region", f.recoded("region", REGIONS))
    yield from hidden(
        "lending",
        Kind.JOIN,
        "region of another customer",
        f.misjoined("region", "debt_ratio"),
        "region",
        "debt_ratio",
    )
    yield placed(
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
    yield placed("lending", Kind.PRIOR, "twice as many defaults", f.classes(0.62), PRIOR, MIXED)
    yield placed("lending", Kind.SERVING, "another version answers", f.older, SERVING, deploy=True)
    yield placed("lending", Kind.SERVING, "answers of other rows", f.other_row, SERVING, copy="true")
    yield placed(
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
    yield placed(
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
    yield placed("lending", Kind.LABELS, "every label is 1", f.constant_label(1.0), LABELS, OPEN)
    yield placed(
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
    yield placed(
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
    yield placed("lending", Kind.HARMLESS, "noise times 1,000", f.scaled("noise", 1000), NO)
    yield placed("lending", Kind.BETTER, "fewer hard cases", f.easier, NO)
    yield placed(
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
    yield placed(
        "lending",
        Kind.MIXED,
        "cents and another world",
        (f.concept, f.scaled("income", 100)),
        MIXED,
        hedged=(QUALITY, CONCEPT, SKEW),
        columns=("income",),
    )
    yield placed(
        "lending",
        Kind.MIXED,
        "cents and another world, with a copy",
        (f.concept, f.scaled("income", 100)),
        MIXED,
        hedged=(QUALITY, CONCEPT, SKEW),
        columns=("income",),
        copy="true",
    )
    yield placed("lending", Kind.LABELS, "the youngest rows are not ripe", f.unripe(8), NO, OPEN, horizon=8)
    yield placed(
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
    yield from defect(
        "churn", Kind.UNIT, "minutes as seconds", f.scaled("session_minutes", 60), "session_minutes"
    )
    yield from defect(
        "churn",
        Kind.UNIT,
        "hours as minutes from half of the clients",
        f.scaled("last_seen_hours", 60, 0.4),
        "last_seen_hours",
    )
    yield from defect("churn", Kind.LEVELS, "plans spelt otherwise", f.upper("plan"), "plan")
    yield from defect(
        "churn", Kind.CONSTANT, "tenure is 0 for all", f.replaced("tenure_days", 0), "tenure_days"
    )
    yield from recoded("churn", "plan", f.recoded("plan", PLANS))
    yield from hidden(
        "churn",
        Kind.JOIN,
        "calls and tenure of another customer",
        f.misjoined("calls", "tenure_days"),
        "calls",
        "tenure_days",
    )
    yield placed(
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
    yield placed(
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
    yield placed("churn", Kind.SERVING, "answers are cut to 0 and 1", f.rounded, SERVING)
    yield placed(
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
    yield placed(
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
    yield placed("churn", Kind.PRIOR, "fewer leave", f.classes(0.2), PRIOR, MIXED, NO)
    yield placed(
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
    yield placed(
        "churn",
        Kind.MIXED,
        "minutes as seconds and hard cases",
        (f.harder, f.scaled("session_minutes", 60, 0.25)),
        MIXED,
        QUALITY,
        hedged=(HARDER,),
        columns=("session_minutes",),
    )
    yield placed(
        "churn",
        Kind.UNIT,
        "minutes as seconds above both copies",
        f.scaled("session_minutes", 60),
        QUALITY,
        columns=("session_minutes",),
        mechanisms=SEEN[Kind.UNIT],
        copy="same",
    )
    # stores
    yield from hidden(
        "stores", Kind.STALE, "aggregates of four weeks ago", f.stale("mean_7", "last"), "mean_7", "last"
    )
    yield from hidden(
        "stores", Kind.JOIN, "aggregates of another shop", f.misjoined("mean_7", "last"), "mean_7", "last"
    )
    yield placed(
        "stores",
        Kind.LAG,
        "yesterday is three days ago, with a copy",
        (f.lagged("last", "lag_last"), f.stale("mean_7")),
        SKEW,
        columns=("last", "mean_7"),
        copy="true",
    )
    yield from defect(
        "stores",
        Kind.SENTINEL,
        "mean of a week is 0 where the join fails",
        f.replaced("mean_7", 0, 0.4),
        "mean_7",
    )
    yield from defect("stores", Kind.UNIT, "prices in cents", f.scaled("price", 100), "price")
    yield placed(
        "stores",
        Kind.UNIT,
        "prices in cents halfway through",
        f.later(f.scaled("price", 100), 0.25),
        QUALITY,
        columns=("price",),
        mechanisms=SEEN[Kind.UNIT],
        deploy=True,
    )
    yield placed("stores", Kind.HARMLESS, "temperature in °F", f.fahrenheit("temperature_c"), NO)
    yield placed("stores", Kind.SERVING, "another version answers", f.older, SERVING, deploy=True)
    # triage, held out
    yield from defect(
        "triage", Kind.UNIT, "temperature in °F", f.fahrenheit("temperature_c"), "temperature_c", deploy=True
    )
    yield from defect("triage", Kind.NULLS, "oxygen and code not sent", f.nulls("code"), "code")
    yield from defect("triage", Kind.ZONE, "hour in another zone", f.rotated("hour", 8), "hour")
    yield from recoded("triage", "code", f.recoded("code", CODES))
    yield from hidden(
        "triage",
        Kind.JOIN,
        "code and pulse of another patient",
        f.misjoined("code", "heart_rate"),
        "code",
        "heart_rate",
    )
    yield placed(
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
    yield placed(
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
    yield placed("triage", Kind.PRIOR, "an epidemic", f.classes(0.72), PRIOR, MIXED)
    yield placed(
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
    yield placed("triage", Kind.SERVING, "answers of the other class", f.turned, SERVING)
    yield placed(
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
    yield placed("triage", Kind.HARMLESS, "height in inches", f.scaled("height_cm", 1 / 2.54), NO)
    # freight, held out
    yield placed(
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
    yield from defect("freight", Kind.UNIT, "weight in pounds", f.scaled("weight_kg", 2.2046), "weight_kg")
    yield from defect(
        "freight", Kind.UNIT, "distance in metres", f.scaled("distance_km", 1000, 0.3), "distance_km"
    )
    yield from defect("freight", Kind.LEVELS, "vehicles spelt otherwise", f.upper("vehicle", 0.6), "vehicle")
    yield from recoded("freight", "origin", f.recoded("origin", ORIGINS))
    yield from recoded("freight", "vehicle", f.recoded("vehicle", VEHICLES))
    yield from hidden(
        "freight", Kind.JOIN, "weight of another consignment", f.misjoined("weight_kg"), "weight_kg"
    )
    yield placed("freight", Kind.BETTER, "fewer hard cases", f.easier, NO)


def _real() -> Iterator[Incident]:
    # flights
    yield placed(
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
    yield placed(
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
    yield from defect(
        "flights",
        Kind.UNIT,
        "delay at departure in seconds",
        f.scaled("dep_minutes", 60),
        "dep_minutes",
        deploy=True,
    )
    yield from defect(
        "flights", Kind.NULLS, "delay at departure missing", f.nulls("dep_minutes"), "dep_minutes"
    )
    yield from defect(
        "flights", Kind.CONSTANT, "delay at departure is 0", f.replaced("dep_minutes", 0), "dep_minutes"
    )
    yield from hidden(
        "flights",
        Kind.JOIN,
        "delay at departure of another flight",
        f.misjoined("dep_minutes"),
        "dep_minutes",
    )
    yield placed(
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
    yield placed("flights", Kind.SERVING, "answers of other rows", f.other_row, SERVING)
    yield placed("flights", Kind.HARDER, "more hard cases", f.harder, HARDER, MIXED, OPEN, hedged=(UNSEEN,))
    yield placed(
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
    yield placed("census", Kind.NONE, "2016 against 2015", f.none, NO, copy="true")
    yield from defect("census", Kind.UNIT, "age in months", f.scaled("AGEP", 12), "AGEP")
    yield from defect(
        "census", Kind.SENTINEL, "age is 999 where not asked", f.replaced("AGEP", 999, 0.5), "AGEP"
    )
    yield from recoded("census", "DIS", f.recoded("DIS", ("1", "2")))
    yield placed(
        "census",
        Kind.CONCEPT,
        "the middle of life works less",
        f.concept,
        CONCEPT,
        MIXED,
        hedged=(LOST, LABELS),
        columns=("AGEP",),
    )
    yield placed(
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
    yield placed("census", Kind.PRIOR, "a slump", f.classes(0.15), PRIOR, MIXED, NO)
    yield placed(
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
    yield placed("movielens", Kind.NONE, "nothing happened", f.none, NO, rows=4000)
    yield from defect("movielens", Kind.UNIT, "means of ten stars", f.scaled("item_mean", 2), "item_mean")
    yield from hidden(
        "movielens",
        Kind.JOIN,
        "means of another film and user",
        f.misjoined("item_mean", "user_mean"),
        "item_mean",
        "user_mean",
    )
    yield placed(
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
    yield placed("movielens", Kind.SERVING, "answers of the other class", f.turned, SERVING)
    # california, held out
    yield placed("california", Kind.NONE, "nothing happened", f.none, NO)
    yield placed(
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
    yield from defect("california", Kind.UNIT, "income in dollars", f.scaled("MedInc", 10_000), "MedInc")
    yield from defect(
        "california",
        Kind.OFFSET,
        "longitude without its sign",
        f.scaled("Longitude", -1),
        "Longitude",
        copies="with",
    )
    yield placed(
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
    yield placed("digits", Kind.NONE, "nothing happened", f.none, NO)
    yield placed(
        "digits",
        Kind.CONCEPT,
        "sevens filed as ones",
        f.concept,
        CONCEPT,
        MIXED,
        OPEN,
        hedged=(LOST, LABELS, PRIOR),
    )
    yield placed("digits", Kind.SERVING, "an older model answers", f.older, SERVING)
    yield placed("cancer", Kind.TINY, "nothing happened", f.none, NO, OPEN)
    yield placed("cancer", Kind.TINY, "twenty rows", f.few(20), NO, OPEN)


INCIDENTS: tuple[Incident, ...] = (*_generated(), *_real(), *LATER)
BY_NAME = {each.name: each for each in INCIDENTS}


COSTLY = ("digits",)
"""Worlds of ten classes, each of which is a model more: taken only where no other would do."""


def daily() -> list[Incident]:
    """The part that runs with the other tests: one of each class of fault, every other one with a copy, and each world.

    Of several that would do, the one whose world was chosen least is taken.
    """
    groups: dict[Kind, list[Incident]] = {}
    for each in INCIDENTS:
        groups.setdefault(each.kind, []).append(each)
    taken: Counter[str] = Counter()
    chosen: list[Incident] = []
    for group in sorted(groups.values(), key=len):
        wanted = len(chosen) % 2 == 1
        one = min(
            group,
            key=lambda each: (
                bool(each.copy) is not wanted,
                each.world in COSTLY,
                NO in each.accept[1:],  # an answer that is right whatever happens
                taken[each.world],
            ),
        )
        taken[one.world] += 1
        chosen.append(one)
    for each in INCIDENTS:
        if not taken[each.world]:
            taken[each.world] += 1
            chosen.append(each)
    return chosen
