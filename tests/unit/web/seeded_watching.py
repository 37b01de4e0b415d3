"""What monitoring leaves behind, added to the seeded project: ``python seeded_watching.py FOLDER``.

Estimates, parts, worth, drift with verdicts, data quality, objectives, silences, escalations, a channel in trouble and
diagnoses, with names that would be HTML if anybody forgot to escape them.
"""

import runpy
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import cos, pi, sin
from pathlib import Path

import msgspec
import numpy as np

from mlwright.model.alerting import Silence
from mlwright.model.answers import NextCommand
from mlwright.model.checking import Age, ColumnSkew, DataQuality, SkewReport, Violation, Volume
from mlwright.model.diagnosis import (
    Cause,
    Diagnosis,
    Happening,
    LossPoint,
    Onset,
    Outcome,
    Share,
    SliceLoss,
    Sureness,
    Suspect,
    Test,
)
from mlwright.model.joint_drift import JointColumn, JointDrift
from mlwright.model.monitoring import (
    AlertLevel,
    Calibration,
    CalibrationBin,
    DriftReport,
    Estimate,
    FeatureDrift,
    Maturity,
    MaturityCurve,
    OutcomeWorth,
    Performance,
    SuspectedChange,
    Worth,
)
from mlwright.model.objectives import objectives_of
from mlwright.model.part_drift import DriftByPart, PartDrift
from mlwright.model.slos import ObjectiveKind, Tally
from mlwright.model.windows import Window, month_start
from mlwright.platform.facade import Platform
from mlwright.stages.ledger import store as ledger
from mlwright.stages.monitoring import inbox, outbox, silences, slos
from mlwright.stages.monitoring import store as monitoring
from mlwright.stages.monitoring.escalating import EscalationClock
from mlwright.wiring.project import close, open_platform

SEEDED = runpy.run_path(str(Path(__file__).with_name("seeded_project.py")))
START, DAY, DAYS, DELAY, SCRIPT = (SEEDED[name] for name in ("START", "DAY", "DAYS", "DELAY", "SCRIPT"))
END = START + DAYS * DAY

ENDPOINT = """slo = { latency_p99 = "50ms", availability = 0.999, quality = 0.65 }
value = { currency = "EUR", true_positive = 40, false_positive = -5, false_negative = -12 }
owner = "flights team"
runbook = "https://wiki.example/delay"

[[notify]]
kind = "log"
name = "oncall"

[[notify]]
kind = "log"
name = "lead"

[[escalation]]
level = "page"
steps = [{ after = "0s", to = ["oncall"] }, { after = "30m", to = ["lead"] }]
repeat = "1d"
"""


def watch(folder: Path) -> Path:
    """Add what monitoring leaves behind to a seeded project."""
    settings = folder / "mlwright.toml"
    lines = settings.read_text().replace("tolerance = 0.02 }", 'tolerance = 0.02, slices = ["carrier"] }')
    settings.write_text(lines + ENDPOINT)
    platform = open_platform(folder)
    try:
        now = platform.parts.clock.now()
        _quality(platform)
        _drift(platform)
        _parted(platform)
        _jointly(platform)
        _data(platform)
        _objectives(platform, now)
        _alerts(platform, now)
        _diagnoses(platform)
    finally:
        close(platform)
    return folder


def enriched() -> Iterator[Performance]:
    """The days of the seeded year, with what was expected and what they were worth."""
    for number, each in enumerate(SEEDED["performances"]()):
        foreseen = 0.735 + 0.006 * sin(number / 17)
        worth = 900.0 + 300 * sin(number / 40) - (700 if 85 < number < 110 else 0)
        recall = 0.63 + 0.03 * sin(number / 30)
        yield replace(
            each,
            versions=(
                f"flight-delay/{1 if number < 48 else 2 if number < 109 else 4 if number < 173 else 5}",
            ),
            metrics=each.metrics
            | {
                "recall": Estimate(value=recall, lower=recall - 0.05, upper=recall + 0.05),
                "precision": Estimate(value=0.71, lower=0.66, upper=0.75),
            },
            expected={"auc": Estimate(value=foreseen, lower=foreseen - 0.015, upper=foreseen + 0.015)},
            calibration=CALIBRATION,
            worth=_worth(worth, each.labelled, 1),
        )


def _worth(money: float, labelled: int, days: int) -> Worth:
    half = 400.0 * days**0.5
    counts = {"true_positive": 60, "false_positive": 25, "false_negative": 35, "true_negative": 700}
    priced = {"true_positive": 2400.0, "false_positive": -125.0, "false_negative": money - 2275.0 * days}
    return Worth(
        currency="EUR",
        total=Estimate(value=money, lower=money - half, upper=money + half),
        per_prediction=Estimate(value=money / labelled, lower=0.1, upper=2.0),
        outcomes=tuple(
            OutcomeWorth(
                name=name, count=count * days, money=priced.get(name, 0.0) * (1 if "neg" in name else days)
            )
            for name, count in counts.items()
        ),
    )


CALIBRATION = Calibration(
    bins=tuple(
        CalibrationBin(rows=1300 - 90 * at, score=0.05 + at * 0.09, label=0.07 + at * 0.078)
        for at in range(10)
    ),
    error=0.031,
    slope=0.86,
    intercept=0.02,
)


def young(quality: list[Performance] | None = None) -> tuple[Performance, ...]:
    """Three days whose labels still arrive."""
    days = quality or list(enriched())
    return tuple(
        replace(
            days[at],
            window=Window(start=END + at * DAY, end=END + (at + 1) * DAY),
            labelled=int(days[at].predictions * share),
            matured=False,
            maturity=Maturity(arrived=share, due=share + 0.03, early_mean=0.15, final_mean=0.24),
        )
        for at, share in enumerate((0.9, 0.62, 0.2))
    )


def curve() -> MaturityCurve:
    """How soon labels come."""
    hours = (1, 2, 3, 4, 6, 12, 24)
    return MaturityCurve(
        endpoint=DELAY,
        at=END,
        window=Window(start=END - 30 * DAY, end=END),
        predictions=27_400,
        labelled=25_100,
        delays=tuple(3600.0 * each for each in hours),
        shares=(0.061, 0.282, 0.595, 0.747, 0.905, 0.965, 0.972),
        errors=(0.002,) * 7,
        means=(0.154, 0.17, 0.19, 0.21, 0.225, 0.235, 0.237),
    )


def _quality(platform: Platform) -> None:
    days = list(enriched())
    with platform.parts.write() as tx:
        for each in days:
            monitoring.save_performance(tx, each, "day")
        for start in sorted({month_start(each.window.start) for each in days}):
            inside = [each for each in days if month_start(each.window.start) == start]
            value = float(np.mean([each.metrics["auc"].value for each in inside]))
            asked = sum(each.predictions for each in inside)
            month = replace(
                inside[0],
                window=Window(start=start, end=month_start(start + 32 * DAY)),
                predictions=asked,
                labelled=sum(each.labelled for each in inside),
                metrics=inside[0].metrics
                | {"auc": Estimate(value=value, lower=value - 0.012, upper=value + 0.012)},
                expected={"auc": Estimate(value=0.735, lower=0.73, upper=0.74)},
                worth=_worth(sum(e.worth.total.value for e in inside), asked, len(inside)),
            )
            monitoring.save_performance(tx, month, "month")
            parts = [
                replace(
                    month,
                    part=f"carrier={name}",
                    predictions=asked // 4,
                    labelled=asked // 5,
                    metrics={
                        "auc": Estimate(value=value + gap, lower=value + gap - 0.02, upper=value + gap + 0.02)
                    },
                )
                for name, gap in (("UA", 0.01), ("EV", -0.06), (SCRIPT, 0.04), ("B6", 0.0))
            ]
            parts.append(replace(month, part="variant=challenger"))
            parts.append(replace(month, part="carrier=OO", labelled=0, metrics={}))
            monitoring.save_parts(tx, month, parts, "month")


def _drift(platform: Platform) -> None:
    random = np.random.default_rng(9)
    columns = (
        "temp",
        "dewp",
        "humid",
        "wind_speed",
        SCRIPT,
        "carrier",
        "a_feature_with_quite_a_long_name",
        "score",
    )
    with platform.parts.write() as tx:
        for number in range(DAYS):
            features = []
            for at, column in enumerate(columns):
                psi = abs(3 * sin(2 * pi * (number + 40) / 365)) / (1 + at) ** 2 + random.exponential(0.03)
                missing = 0.3 if column == "humid" and 85 < number < 110 else 0.01
                features.append(
                    FeatureDrift(
                        column=column,
                        n=900,
                        psi=float(psi),
                        js=0.1,
                        null_rate=missing,
                        reference_null_rate=0.01,
                        unseen_rate=0.02 if column == "carrier" else 0.0,
                        kind="prediction" if column == "score" else "feature",
                        threshold=0.25 if number > 3 else None,
                        moved=psi > 0.25 or missing > 0.1,
                        reason="psi" if psi > 0.25 else "missing" if missing > 0.1 else "",
                        score=float(psi) / 0.25,
                    )
                )
            monitoring.save_drift(
                tx,
                DriftReport(
                    endpoint=DELAY,
                    window=Window(start=START + number * DAY, end=START + (number + 1) * DAY),
                    reference=Window(start=START - 21 * DAY, end=START),
                    features=tuple(features),
                    share_moved=sum(each.moved for each in features) / len(features),
                    weighted=0.31,
                ),
            )


def _parted(platform: Platform) -> None:
    """Slices of the last day, of which two have moved, and what two variants answered."""

    def feature(column: str, psi: float) -> FeatureDrift:
        return FeatureDrift(
            column=column,
            n=900,
            psi=psi,
            js=0.1,
            null_rate=0.0,
            reference_null_rate=0.0,
            unseen_rate=0.0,
            threshold=0.1,
            moved=psi > 0.1,
            reason="psi" if psi > 0.1 else "",
            score=psi / 0.1,
        )

    told = {"UA": (0.31, 0.02), "EV": (0.04, 0.01), SCRIPT: (0.02, 0.18), "(other)": (0.03, 0.02)}
    slices = [
        PartDrift(
            part=f"carrier={name}",
            rows=2_300,
            reference_rows=4_100,
            features=(feature("temp", psi), feature(SCRIPT, other)),
            judged=9,
            moved=(psi > 0.1) + 6 * (other > 0.1),
            assumption="limits by how the slice itself varies over 21 windows of its held-out rows",
        )
        for name, (psi, other) in told.items()
    ]
    few = PartDrift(
        part="carrier=OO",
        rows=40,
        reference_rows=29,
        features=(),
        note="too few to judge: 29 held-out rows and 40 served rows, 500 are needed",
    )
    variants = [
        replace(slices[1], part=f"variant={name}", rows=rows, assumption="limits by how all vary")
        for name, rows in (("challenger (flight-delay/6)", 1_100), ("champion (flight-delay/5)", 8_140))
    ]
    with platform.parts.write() as tx:
        monitoring.save_part_drift(
            tx,
            DriftByPart(
                endpoint=DELAY,
                model_version="flight-delay/5",
                window=Window(start=END - 7 * DAY, end=END),
                reference=Window(start=START - 21 * DAY, end=START),
                parts=(*slices, few, *variants),
            ),
        )


def _jointly(platform: Platform) -> None:
    """A comparison each week, the last weeks apart from the reference."""
    with platform.parts.write() as tx:
        for week in range(DAYS // 7):
            area = 0.52 + 0.02 * sin(week) + (0.16 if week > 30 else 0.0)
            monitoring.save_joint_drift(
                tx,
                JointDrift(
                    endpoint=DELAY,
                    window=Window(start=START + 7 * week * DAY, end=START + 7 * (week + 1) * DAY),
                    reference=Window(start=START - 21 * DAY, end=START),
                    version="flight-delay/1",
                    at=START + 7 * (week + 1) * DAY,
                    rows=6_384,
                    reference_rows=19_000,
                    taken=(10_000, 6_384),
                    auc=Estimate(value=area, lower=area - 0.04, upper=area + 0.04, assumption="days"),
                    usual=Estimate(value=0.51, lower=0.47, upper=0.55, assumption="days"),
                    mmd=0.0021,
                    mmd_p=0.034,
                    columns=(
                        JointColumn(column=SCRIPT, importance=0.11),
                        JointColumn(column="temp", importance=0.04),
                        JointColumn(column="note", alone=Estimate(value=0.7, lower=0.66, upper=0.74)),
                        JointColumn(column="sched_at", left_out="an instant"),
                    ),
                ),
            )


def _data(platform: Platform) -> None:
    window = Window(start=END - DAY, end=END)
    found = DataQuality(
        endpoint=DELAY,
        at=END + timedelta(minutes=3),
        window=window,
        rows=912,
        violations=(Violation(column=SCRIPT, what="below 0", rows=12, share=0.013),),
        flagged=0.013,
        ages=(Age(view="weather_at_origin", age=timedelta(hours=7), limit=timedelta(hours=6)),),
        volume=Volume(rows=912, usual=905, lower=840, upper=980, days=8),
        skew=SkewReport(
            endpoint=DELAY,
            window=window,
            rows=912,
            columns=(
                ColumnSkew(column="wind_speed", rows=900, differs=0, share=0.0, lower=0.0, upper=0.004),
                ColumnSkew(
                    column="temp",
                    rows=900,
                    differs=420,
                    share=0.467,
                    lower=0.434,
                    upper=0.5,
                    mechanism="lag",
                    text="served is the value of one hour earlier",
                    factor=3600.0,
                ),
            ),
            not_done=("carrier comes with the request",),
        ),
        missing={"temp": 0.01, SCRIPT: 0.3},
    )
    with platform.parts.write() as tx:
        ledger.set_mark(tx, "served-quality:delay", msgspec.json.encode(found).decode())


def _objectives(platform: Platform, now: datetime) -> None:
    with platform.parts.write() as tx:
        for each in objectives_of(platform.parts.endpoint("delay")):
            if each.kind is ObjectiveKind.LATENCY:
                slos.add(tx, each, Tally(good=98_900, total=100_000), now - timedelta(hours=5), now)
            elif each.kind is ObjectiveKind.AVAILABILITY:
                slos.add(tx, each, Tally(good=99_950, total=100_000), now - timedelta(hours=5), now)


def _alerts(platform: Platform, now: datetime) -> None:
    page = SEEDED["_alert"](272, "auc", AlertLevel.PAGE)
    with platform.parts.write() as tx:
        monitoring.resolve(tx, page.id, page.fired + timedelta(hours=1))
        suspected = SuspectedChange(
            at=page.fired - DAY,
            what=f"flight-delay/5 was deployed {SCRIPT}",
            subject="endpoint:delay",
            by="ada",
            before=DAY,
        )
        fresh = replace(
            SEEDED["_alert"](274, "brier", AlertLevel.PAGE),
            owner="flights team",
            runbook="https://wiki.example/delay",
            suspected=suspected,
            group="delay-274",
        )
        kept = monitoring.save_alert(tx, fresh).alert
        other = replace(
            SEEDED["_alert"](274, "skew.temp", AlertLevel.TICKET),
            group="delay-274",
            runbook="javascript:alert(1)",
        )
        monitoring.save_alert(tx, other)
        inbox.set_clock(tx, kept.id, EscalationClock(since=kept.fired, step=0, told=now), to=("oncall",))
        outbox.enqueue(tx, kept, "oncall", now)
        parcel = outbox.claim(tx, now, "test", channels=("oncall",))
        assert parcel is not None
        outbox.failed(tx, parcel, now, "connection refused")
        mute = SEEDED["_alert"](273, "volume", AlertLevel.TICKET)
        held = monitoring.save_alert(tx, mute).alert
        silence = Silence(
            id="silence-1",
            endpoint=DELAY,
            rule="volume",
            by="ada",
            why=f"a load test {SCRIPT}",
            start=now - DAY,
            end=now + 20 * DAY,
        )
        silences.add_silence(tx, silence)
        silences.add_silence(tx, replace(silence, id="silence-2", rule=None, start=START, end=START + DAY))
        inbox.mark_silenced(tx, held.id, silence.id)


def diagnosis() -> Diagnosis:
    """A diagnosis with everything that one can have."""
    share = Estimate(value=0.96, lower=0.91, upper=1.0)
    suspect = Suspect(
        column=SCRIPT, mechanism="unit", text="100 times larger", rows=0.93, factor=100.0, recovered=share
    )
    onset = START + 85 * DAY
    return Diagnosis(
        subject="endpoint delay",
        metric="Brier score",
        reference_rows=19_000,
        current_rows=26_000,
        labelled_rows=25_200,
        loss_before=0.145,
        loss_now=0.2,
        drop=Estimate(value=0.055, lower=0.049, upper=0.061),
        verdict=Cause.QUALITY,
        sureness=Sureness.LIKELY,
        summary=f"The loss rose by 0.055; 96 % of it goes away when {SCRIPT} is divided by 100.",
        shares=(Share(cause=Cause.QUALITY, share=share, text="repaired and scored again"),),
        suspects=(suspect,),
        onset=Onset(at=onset, shape="abrupt", earliest=onset - DAY, latest=onset + DAY),
        happenings=(
            Happening(at=onset, kind="deploy", what="flight-delay/2 was deployed", source="audit:3"),
        ),
        tests=(
            Test(id="S0", title="Is it real?", outcome=Outcome.FOUND, text="yes", numbers={"p": 0.0001}),
            Test(id="S3", title="Skew", outcome=Outcome.UNKNOWN, text="no copy", needs=("a second copy",)),
            Test(id="S6", title="Label shift", outcome=Outcome.CLEAR, text="no"),
        ),
        slices=(
            SliceLoss(
                where="carrier is EV",
                rows=4000,
                share_of_rows=0.16,
                loss_before=0.14,
                loss_now=0.25,
                contribution=0.31,
                effect=0.4,
                p_adjusted=0.001,
            ),
        ),
        series=tuple(
            LossPoint(
                at=START + (60 + at) * DAY,
                loss=0.145 + (0.055 if at > 25 else 0.0) + 0.01 * cos(at),
                rows=900,
            )
            for at in range(50)
        ),
        retrain_gain=Estimate(value=0.1, lower=0.02, upper=0.2),
        would_change=("a second copy of the features",),
        commands=(NextCommand(command="mlwright check", why="see the contract"),),
        limits=("one day has no labels",),
        digest="0123456789abcdef" * 4,
    )


def _diagnoses(platform: Platform) -> None:
    for number, verdict, sureness in (
        (101, Cause.QUALITY, Sureness.LIKELY),
        (273, Cause.NO_EVIDENCE, Sureness.SURE),
    ):
        found = replace(diagnosis(), verdict=verdict, sureness=sureness)
        with platform.parts.write() as tx:
            platform.parts.decide(
                tx,
                "diagnosis",
                "delay",
                f"{verdict} ({sureness})",
                (found.summary,),
                {"diagnosis": msgspec.to_builtins(found)},
                START + number * DAY,
            )


def look(looks) -> None:
    """What a look would find where predictions were logged."""
    looks._remember(
        young={"delay": young()},
        curves={"delay": curve()},
        young_at=datetime(2100, 1, 1, tzinfo=UTC),
    )


if __name__ == "__main__":
    watch(SEEDED["seed"](Path(sys.argv[1])))
