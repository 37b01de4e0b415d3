"""Incidents that were written when the chain was finished: the classes, pairs and copies that the first ones lack.

They were run once before anything was changed because of them (the first look on docs/benchmarks.md).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from mlwright.model.diagnosis import Cause
from mlwright.stages.monitoring.diagnosis.repairs import ROWS

from . import faults as f
from .faults import Fault
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
from .worlds.accounts import DEVICES


def _copied(one: Incident, *accept: Cause, **more: Any) -> Iterator[Incident]:
    """The incident without and with a second copy; with it other answers may be the right ones."""
    yield one
    yield replace(one, name=f"{one.name}, with a copy", copy="true", accept=accept or one.accept, **more)


# Rows that came twice.


def _twice(world: str, what: str, *sent: Fault, hedged: tuple[Cause, ...] = ()) -> Iterator[Incident]:
    one = placed(
        world,
        Kind.DUPLICATES,
        what,
        f.none,
        QUALITY,
        MIXED,
        OPEN,
        hedged=hedged,
        columns=(ROWS,),
        mechanisms=SEEN[Kind.DUPLICATES],
        sent=sent,
        rows=4000,
        why="rows repeat one another; a second copy of the features is the same for both",
    )
    yield from _copied(one)


def _duplicates() -> Iterator[Incident]:
    for world in ("lending", "accounts", "triage"):
        yield from _twice(world, "hard rows come twice", f.repeated(0.4))
    for world in ("churn", "triage"):
        yield from _twice(
            world, "hard rows come twice in seconds", f.repeated(0.35, seconds=20), hedged=(HARDER,)
        )
    yield from _twice("stores", "a storm of retries", f.repeated(0.4, seconds=600, times=8), hedged=(HARDER,))
    for each in _twice("flights", "hard flights come thrice", f.repeated(0.8, times=2)):
        yield replace(
            each, accept=(*each.accept, NO), why="days differ: where they do by more, nothing is proven"
        )
    yield from _twice("movielens", "some ratings come four times", f.repeated(1.2, power=8, times=3))
    for world in ("lending", "triage"):
        yield from _copied(
            placed(
                world,
                Kind.HARMLESS,
                "three in ten rows come twice, any of them",
                f.none,
                NO,
                sent=(f.repeated(0.3, power=0),),
                why="the loss of what is repeated is that of the others",
            )
        )


# Types.


def _types() -> Iterator[Incident]:
    def typed(world: str, what: str, fault: Fault, column: str, **more: Any) -> Iterator[Incident]:
        return defect(world, Kind.TYPE, what, fault, column, **more)

    yield from typed("lending", "income as 36,315.0", f.as_text("income"), "income")
    yield from typed("accounts", "balance as 5,432", f.as_text("balance", places=0), "balance")
    yield from typed(
        "churn", "session as 27,5", f.as_text("session_minutes", group=".", point=","), "session_minutes"
    )
    yield from typed("accounts", "balance as 5,431.66", f.as_text("balance", places=2), "balance")
    yield from typed(
        "accounts",
        "balance as 5.431,66 from half of the clients",
        f.as_text("balance", group=".", point=",", places=2, share=0.5),
        "balance",
    )
    yield from typed("accounts", "verified as true and false", f.as_words("verified"), "verified")
    yield from typed("accounts", "verified as N and Y", f.as_words("verified", "N", "Y"), "verified")
    yield from typed(
        "accounts",
        "birth date as 1984-01-31",
        f.as_date_text("birth_date", "%Y-%m-%d"),
        "birth_date",
        rows=4000,
    )
    yield from typed("accounts", "opened as 31/01/2021", f.as_date_text("opened_at", "%d/%m/%Y"), "opened_at")
    yield from typed(
        "accounts",
        "opened as 2021-01-31T12:00:00Z",
        f.as_date_text("opened_at", "%Y-%m-%dT%H:%M:%SZ"),
        "opened_at",
        rows=4000,
    )
    yield from typed("accounts", "opened in milliseconds", f.as_epoch("opened_at", "ms"), "opened_at")
    yield from typed("accounts", "opened in seconds", f.as_epoch("opened_at", "s"), "opened_at", deploy=True)
    yield from typed("accounts", "last seen as an instant", f.as_instant("last_seen"), "last_seen")
    yield from defect(
        "accounts", Kind.UNIT, "last seen in milliseconds", f.scaled("last_seen", 1000), "last_seen"
    )
    yield from typed("stores", "promo as true and false", f.as_words("promo"), "promo")
    yield from typed("accounts", "segment as the text 1.0", f.as_float_text("segment"), "segment", rows=4000)
    yield from typed(
        "accounts",
        "segment as a number",
        f.written("segment", pl.col("segment").cast(pl.Float64)),
        "segment",
        rows=4000,
    )
    yield from typed(
        "minutes",
        "delay at departure as −12,0",
        f.as_text("dep_minutes", group=".", point=","),
        "dep_minutes",
    )
    # held out
    yield from typed("freight", "weight as 123,0", f.as_text("weight_kg", group=".", point=","), "weight_kg")
    yield from typed(
        "triage", "temperature as 37,4", f.as_text("temperature_c", group=".", point=","), "temperature_c"
    )
    yield from typed(
        "california", "income as 8,3252", f.as_text("MedInc", group=".", point=",", places=4), "MedInc"
    )
    yield from typed(
        "movielens",
        "means as 3,52",
        f.as_text("item_mean", group=".", point=",", places=2),
        "item_mean",
        rows=4000,
    )
    for world, column in (("lending", "utilisation"), ("triage", "temperature_c")):
        yield from _copied(
            placed(
                world,
                Kind.HARMLESS,
                f"{column} in 32 bits",
                f.written(column, pl.col(column).cast(pl.Float32)),
                NO,
            )
        )
    yield from _copied(
        placed(
            "minutes",
            Kind.HARMLESS,
            "distance as text that the model reads",
            f.written("distance", pl.col("distance").cast(pl.String)),
            NO,
        )
    )


def _rounded() -> Iterator[Incident]:
    def rounded(world: str, what: str, fault: Fault, column: str, **more: Any) -> Iterator[Incident]:
        one = placed(
            world,
            Kind.ROUNDED,
            what,
            fault,
            QUALITY,
            LOST,
            MIXED,
            OPEN,
            hedged=(CONCEPT,),
            columns=(column,),
            mechanisms=SEEN[Kind.ROUNDED],
            why="what is cut off is lost; that digits are missing can be seen, if there were any",
            **more,
        )
        return _copied(one, SKEW, hedged=())

    yield from rounded("lending", "utilisation as a whole number", f.whole("utilisation"), "utilisation")
    yield from rounded("accounts", "trust as a whole number", f.whole("trust"), "trust")
    yield from rounded("churn", "sessions in half hours", f.cut("session_minutes", 30), "session_minutes")
    yield from rounded("census", "age in scores of years", f.cut("AGEP", 20), "AGEP")
    yield from rounded(
        "minutes", "delay at departure in hours' steps", f.cut("dep_minutes", 60), "dep_minutes"
    )
    yield from rounded(
        "triage", "temperature cut to whole degrees", f.cut("temperature_c", 1), "temperature_c"
    )
    yield from rounded("california", "latitude cut to whole degrees", f.cut("Latitude", 1), "Latitude")
    yield from rounded("california", "income cut to fifty thousands", f.cut("MedInc", 5), "MedInc")
    yield from rounded("movielens", "means as whole stars", f.whole("item_mean"), "item_mean", rows=4000)


# Features of another time.


def _lags() -> Iterator[Incident]:
    yield from hidden(
        "stores", Kind.LAG, "yesterday is another day, three days ago", f.lagged("last", "lag_last"), "last"
    )
    yield from hidden(
        "stores",
        Kind.LAG,
        "all aggregates are a day late",
        _both(f.lagged("last", "before_last"), f.lagged("mean_7", "before_mean_7")),
        "last",
        "mean_7",
        rows=4000,
    )
    yield from hidden(
        "stores",
        Kind.LAG,
        "the week's mean is of four weeks",
        f.lagged("mean_7", "mean_28"),
        "mean_7",
        rows=4000,
    )
    for world in ("flights", "minutes"):
        yield from hidden(
            world,
            Kind.LAG,
            "delay of the carrier's flight before",
            f.lagged("dep_minutes", "lag_minutes"),
            "dep_minutes",
        )
    yield from hidden(
        "flights",
        Kind.STALE,
        "delay at departure of the day's first report",
        f.frozen("dep_minutes"),
        "dep_minutes",
    )
    for each in hidden(
        "stars",
        Kind.LAG,
        "the film's mean is ten ratings old",
        f.lagged("item_mean", "item_mean"),
        "item_mean",
    ):
        yield replace(each, accept=(*each.accept, NO), why="ten ratings hardly move a mean")


def _both(*several: Fault) -> Fault:
    def fault(now: f.Served, world: f.World, random: f.Random) -> f.Served:
        for each in several:
            now = each(now, world, random)
        return now

    return fault


# Labels that come late, early, or otherwise than before.


def _labels() -> Iterator[Incident]:
    late, early = Kind.LATE, Kind.EARLY
    for world in ("lending", "triage"):
        yield from _copied(
            placed(
                world,
                late,
                "class 0 is known ten days after class 1, as ever",
                f.awaited(10, 1),
                NO,
                OPEN,
                delay=(10, 1),
                why="of ripe rows all labels are known, and nothing fell",
            )
        )
        yield placed(
            world,
            late,
            "class 0 is known ten days later, and nobody wrote down when",
            f.awaited(10, 1),
            LABELS,
            NO,
            OPEN,
            MIXED,
            hedged=(PRIOR, FEEDBACK),
            delay=(10, 1),
            delay_known=False,
            why="labels of class 0 are missing, which can be seen",
        )
        yield placed(
            world,
            late,
            "labels of class 0 take thrice as long",
            f.awaited(30, 1),
            LABELS,
            NO,
            OPEN,
            MIXED,
            hedged=(PRIOR, FEEDBACK),
            delay=(10, 1),
            why="the delay is on record, and labels of one class are missing",
        )
    for world in ("accounts", "freight"):
        yield placed(
            world,
            late,
            "all labels take thrice as long",
            f.awaited(12, 12),
            NO,
            OPEN,
            delay=(4, 4),
            why="fewer rows are labelled, and those are as before",
        )
    for world in ("accounts", "triage"):
        yield from _copied(
            placed(
                world,
                late,
                "a 1 is reported after a week, and counts as 0 until then, as ever",
                f.presumed(7),
                NO,
                OPEN,
                delay=(0, 7),
                why="rows of which a 1 may yet be reported are left out",
            )
        )
        yield placed(
            world,
            late,
            "a 1 is reported after a week, and nobody wrote down when",
            f.presumed(7),
            LABELS,
            LOST,
            MIXED,
            OPEN,
            NO,
            hedged=(CONCEPT, PRIOR),
            delay=(0, 7),
            delay_known=False,
        )
        yield placed(
            world,
            late,
            "a 1 is reported after three weeks, no longer after one",
            f.presumed(21),
            LABELS,
            LOST,
            MIXED,
            OPEN,
            hedged=(CONCEPT, PRIOR),
            delay=(0, 7),
            why="the labels that did come took longer",
        )
    for world in ("accounts", "census", "triage", "movielens"):
        one = placed(
            world,
            early,
            "labels are closed after four days, before after twelve",
            f.closed(4, 7),
            LABELS,
            LOST,
            MIXED,
            OPEN,
            hedged=(CONCEPT, PRIOR),
            delay=(12, 12),
            rows=4000,
            why="what is reported later counts as 0, and the delay is on record",
        )
        yield from _copied(one)
        yield replace(
            one,
            name=f"{world}: labels are closed early, and nobody wrote down when",
            delay_known=False,
            why="1s are lost, and nothing else shows it",
        )
    yield placed(
        "stores",
        early,
        "sales are counted before the shops close",
        f.relabelled(lambda label: label + np.log(0.6)),
        LABELS,
        MIXED,
        OPEN,
        LOST,
        hedged=(CONCEPT,),
    )
    for world in ("stars", "movielens"):
        yield placed(
            world,
            early,
            "labels of the row before",
            f.of_before(),
            LABELS,
            LOST,
            MIXED,
            OPEN,
            hedged=(CONCEPT,),
            delay=(1, 1),
            why="labels are older than their rows",
        )
    for world in ("minutes", "freight"):
        yield from _copied(
            placed(
                world,
                Kind.LABELS,
                "labels in a sixtieth",
                f.relabelled(lambda label: label / 60),
                LABELS,
                hedged=(CONCEPT,),
            )
        )
    for world in ("lending", "triage"):
        yield placed(
            world,
            Kind.LABELS,
            "a third of labels inverted, with a copy",
            f.inverted(0.33),
            LABELS,
            LOST,
            MIXED,
            OPEN,
            hedged=(CONCEPT,),
            copy="true",
        )


# Two faults at once.


def _pairs() -> Iterator[Incident]:
    def pair(
        world: str, what: str, one: Fault, other: Fault, *columns: str, unseen: bool = False
    ) -> Iterator[Incident]:
        found = placed(
            world,
            Kind.PAIR,
            what,
            (one, other),
            QUALITY,
            *((LOST, MIXED, OPEN) if unseen else (MIXED,)),
            hedged=(CONCEPT,) if unseen else (),
            columns=columns,
        )
        yield from _copied(found, SKEW, QUALITY, hedged=())

    yield from pair(
        "lending",
        "income in cents, utilisation missing",
        f.scaled("income", 100),
        f.nulls("utilisation"),
        "income",
        "utilisation",
    )
    yield from pair(
        "lending",
        "hours of another zone, region of another customer",
        f.rotated("hour", 9),
        f.misjoined("region"),
        "hour",
        "region",
        unseen=True,
    )
    yield from pair(
        "churn",
        "plans spelt otherwise, hours as minutes",
        f.upper("plan"),
        f.scaled("last_seen_hours", 60),
        "plan",
        "last_seen_hours",
    )
    yield from pair(
        "stores",
        "prices in cents, a mean of 0",
        f.scaled("price", 100),
        f.replaced("mean_7", 0, 0.4),
        "price",
        "mean_7",
    )
    yield from pair(
        "accounts",
        "verified as words, trust rounded",
        f.as_words("verified"),
        f.whole("trust"),
        "verified",
        "trust",
    )
    yield from pair(
        "accounts",
        "last seen in milliseconds, devices re-coded",
        f.scaled("last_seen", 1000),
        f.recoded("device", DEVICES),
        "last_seen",
        "device",
        unseen=True,
    )
    yield from pair(
        "flights",
        "delay at departure in seconds, hour of another zone",
        f.scaled("dep_minutes", 60),
        f.rotated("hour", 6),
        "dep_minutes",
        "hour",
    )
    yield from pair(
        "triage",
        "temperature in °F, codes spelt otherwise",
        f.fahrenheit("temperature_c"),
        f.upper("code"),
        "temperature_c",
        "code",
    )
    yield from pair(
        "freight",
        "distance in metres, weight of another consignment",
        f.scaled("distance_km", 1000),
        f.misjoined("weight_kg"),
        "distance_km",
        "weight_kg",
        unseen=True,
    )
    yield from pair(
        "california",
        "income in dollars, age missing",
        f.scaled("MedInc", 10_000),
        f.nulls("HouseAge"),
        "MedInc",
        "HouseAge",
    )


def _mixed() -> Iterator[Incident]:
    def with_world(
        world: str, what: str, of_world: Fault, fault: Fault, column: str, cause: Cause = CONCEPT, **more: Any
    ) -> Iterator[Incident]:
        one = placed(
            world,
            Kind.MIXED,
            what,
            (of_world, fault),
            MIXED,
            hedged=(QUALITY, SKEW, cause),
            columns=(column,),
            why="both carry a part: each alone is half of the truth",
            **more,
        )
        yield from _copied(one)

    yield from with_world(
        "churn",
        "another world, hours as minutes for a third",
        f.concept,
        f.scaled("last_seen_hours", 60, 0.33),
        "last_seen_hours",
    )
    yield from with_world(
        "stores", "another world, prices in cents", f.concept, f.scaled("price", 100), "price"
    )
    yield from with_world(
        "accounts", "another world, verified as words", f.concept, f.as_words("verified"), "verified"
    )
    yield from with_world(
        "minutes",
        "three carriers are slower, delays in seconds for a tenth",
        f.concept,
        f.scaled("dep_minutes", 60, 0.1),
        "dep_minutes",
    )
    yield from with_world(
        "lending",
        "twice as many defaults, income in cents for a third",
        f.classes(0.62),
        f.scaled("income", 100, 0.33),
        "income",
        PRIOR,
    )
    yield from with_world("triage", "another world, codes not sent", f.concept, f.nulls("code", 0.6), "code")
    yield from with_world(
        "freight",
        "hard cases, distance in metres for a tenth",
        f.harder,
        f.scaled("distance_km", 1000, 0.1),
        "distance_km",
        HARDER,
    )
    yield from with_world(
        "movielens",
        "new films are judged otherwise, means of ten stars for a third",
        f.concept,
        f.scaled("item_mean", 2, 0.33),
        "item_mean",
        rows=4000,
    )
    for world, column, by in (("lending", "income", 100.0), ("triage", "heart_rate", 60.0)):
        one = placed(
            world,
            Kind.MIXED,
            f"labels of a fifth inverted, {column} times {by:g} for a third",
            (f.inverted(0.2), f.scaled(column, by, 0.33)),
            MIXED,
            hedged=(QUALITY, SKEW, LABELS, LOST),
            columns=(column,),
            why="labels and a feature are broken at once",
        )
        yield from _copied(one)


# What had no incident with a copy, or none without, and regression on what really happened.


def _copies() -> Iterator[Incident]:
    for world, share in (("lending", 0.62), ("triage", 0.72)):
        yield placed(
            world,
            Kind.PRIOR,
            "class 1 becomes frequent, with a copy",
            f.classes(share),
            PRIOR,
            MIXED,
            copy="true",
        )
    for world in ("lending", "triage"):
        yield placed(
            world,
            Kind.UNSEEN,
            "rows of a kind that nobody knows, with a copy",
            f.unseen(0.5),
            UNSEEN,
            MIXED,
            OPEN,
            hedged=(HARDER, CONCEPT),
            columns=("age",),
            copy="true",
        )
    for world in ("lending", "freight"):
        yield placed(world, Kind.BETTER, "fewer hard cases, with a copy", f.easier, NO, copy="true")
    yield placed(
        "lending", Kind.HARMLESS, "noise times 1,000, with a copy", f.scaled("noise", 1000), NO, copy="true"
    )
    yield placed(
        "triage",
        Kind.HARMLESS,
        "height in inches, with a copy",
        f.scaled("height_cm", 1 / 2.54),
        NO,
        copy="true",
    )
    for world in ("lending", "accounts", "triage"):
        yield placed(
            world, Kind.SERVING, "another version answers, with a copy", f.older, SERVING, copy="true"
        )
    yield placed(
        "lending",
        Kind.FEEDBACK,
        "only the middle is followed up, with a copy",
        f.selected(0.3, 0.7),
        FEEDBACK,
        LABELS,
        MIXED,
        OPEN,
        hedged=(HARDER,),
        copy="true",
        rows=4000,
    )
    yield from _copied(
        placed(
            "triage",
            Kind.FEEDBACK,
            "the sickest are treated at once, some are left",
            f.acted(0.5, 0.75, 0.15),
            FEEDBACK,
            MIXED,
            OPEN,
            hedged=(CONCEPT, LABELS),
            rows=4000,
        )
    )
    yield placed(
        "churn",
        Kind.OFFSET,
        "calls count one thing more",
        f.shifted("calls", 3),
        QUALITY,
        MIXED,
        OPEN,
        LOST,
        hedged=(CONCEPT, HARDER, UNSEEN),
        columns=("calls",),
        mechanisms=SEEN[Kind.OFFSET],
        why="an offset may be drift: the loss has to speak for it",
    )
    yield from defect(
        "triage",
        Kind.OFFSET,
        "a thermometer shows 0.9° more",
        f.shifted("temperature_c", 0.9),
        "temperature_c",
        copies="with",
    )
    yield from defect(
        "churn",
        Kind.DEFAULT,
        "session falls back to 5",
        f.replaced("session_minutes", 5, 0.5),
        "session_minutes",
        copies="without",
    )
    yield from defect(
        "freight", Kind.DEFAULT, "weight falls back to 100", f.replaced("weight_kg", 100, 0.5), "weight_kg"
    )
    yield from defect(
        "accounts",
        Kind.CONSTANT,
        "nobody is verified",
        f.changed("verified", pl.lit(value=False)),
        "verified",
    )
    yield from defect("accounts", Kind.LEVELS, "devices spelt otherwise", f.upper("device"), "device")
    yield from defect("stars", Kind.NULLS, "means missing", f.nulls("item_mean", 0.8), "item_mean", rows=4000)
    yield from recoded("accounts", "device", f.recoded("device", DEVICES))


def _regressions() -> Iterator[Incident]:
    for world in ("minutes", "stars"):
        yield placed(
            world,
            Kind.NONE,
            "nothing was injected",
            f.none,
            NO,
            *((HARDER, MIXED, OPEN) if world == "minutes" else ()),
            copy="true",
            rows=4000,
        )
        yield placed(world, Kind.BETTER, "fewer hard cases", f.easier, NO)
        yield from _copied(
            placed(
                world,
                Kind.CONCEPT,
                "a part answers otherwise",
                f.concept,
                CONCEPT,
                MIXED,
                hedged=(LOST, LABELS),
                columns=("carrier", "year"),
                rows=4000,
            )
        )
        yield placed(world, Kind.SERVING, "another version answers", f.older, SERVING, rows=4000)
        yield placed(
            world, Kind.SERVING, "answers of other rows", f.other_row, SERVING, copy="true", rows=4000
        )
    yield placed(
        "minutes",
        Kind.HARDER,
        "more hard cases",
        f.harder,
        HARDER,
        MIXED,
        OPEN,
        NO,
        hedged=(UNSEEN,),
        rows=4000,
        why="days differ: where they do by more, nothing is proven",
    )
    yield from defect(
        "minutes", Kind.UNIT, "delay at departure in hours", f.scaled("dep_minutes", 1 / 60), "dep_minutes"
    )
    yield from defect(
        "minutes", Kind.NULLS, "delay at departure missing", f.nulls("dep_minutes"), "dep_minutes"
    )
    yield from defect(
        "minutes",
        Kind.SENTINEL,
        "delay at departure is 999 where it is not known",
        f.replaced("dep_minutes", 999, 0.4),
        "dep_minutes",
    )
    yield from hidden(
        "minutes",
        Kind.JOIN,
        "delay at departure of another flight",
        f.misjoined("dep_minutes"),
        "dep_minutes",
    )
    yield from defect("stars", Kind.UNIT, "means of ten stars", f.scaled("item_mean", 2), "item_mean")
    yield from hidden(
        "stars",
        Kind.JOIN,
        "means of another film and user",
        f.misjoined("item_mean", "user_mean"),
        "item_mean",
        "user_mean",
        rows=4000,
    )


LATER: tuple[Incident, ...] = tuple(
    replace(each, later=True)
    for each in (
        *_duplicates(),
        *_types(),
        *_rounded(),
        *_lags(),
        *_labels(),
        *_pairs(),
        *_mixed(),
        *_copies(),
        *_regressions(),
    )
)
